// The bridge's one error class. Codes are stable; messages carry the field, the actual value and the remedy.

/** Stable codes: another protocol or version, a request that is refused, a message that cannot be read, a shared file of another size. */
export type BridgeErrorCode = 'ERR_BRIDGE_VERSION' | 'ERR_BRIDGE_REQUEST' | 'ERR_BRIDGE_MESSAGE' | 'ERR_BRIDGE_FILE';

/** What the other side asked for and did not get. */
export class BridgeError extends Error {
  /** Stable, for programs. */
  readonly code: BridgeErrorCode;

  /** @param message with the field, the actual value and the remedy */
  constructor(code: BridgeErrorCode, message: string, options?: ErrorOptions) {
    super(message, options);
    this.name = 'BridgeError';
    this.code = code;
  }
}
