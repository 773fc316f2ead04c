// The engine's one error class. Codes are stable; messages carry the field, the actual value and the remedy.

/** Stable codes; the engine's README says what each is for. */
export type EngineErrorCode = 'ERR_SCENARIO' | 'ERR_ACTION' | 'ERR_BUFFER' | 'ERR_OPTION' | 'ERR_TRACE' | 'ERR_CLOSED';

/** Refused input of the engine. Nothing has changed when it is thrown. */
export class EngineError extends Error {
  /** What was refused. */
  readonly code: EngineErrorCode;

  /** @param message with the field, the actual value and the remedy */
  constructor(code: EngineErrorCode, message: string, options?: ErrorOptions) {
    super(message, options);
    this.name = 'EngineError';
    this.code = code;
  }
}
