// What this room throws: logs that cannot be read. What a log that can be read says wrong is a finding, not an error.

/** `ERR_LOG`: no log of an episode, or a line of it that cannot be read. */
export type VerifyErrorCode = 'ERR_LOG';

/** A log that cannot be read. */
export class VerifyError extends Error {
  /** Stable, for programs. */
  readonly code: VerifyErrorCode;

  constructor(code: VerifyErrorCode, message: string, options?: ErrorOptions) {
    super(message, options);
    this.name = 'VerifyError';
    this.code = code;
  }
}
