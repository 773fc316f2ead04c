// The one error class of this room.

/** `ERR_PORT`: a page cannot be served where it was asked for. */
export type ReportErrorCode = 'ERR_PORT';

/** What went wrong with a report; `code` says which kind. */
export class ReportError extends Error {
  /** Which kind. */
  readonly code: ReportErrorCode;

  /** @param options may hold the cause */
  constructor(code: ReportErrorCode, message: string, options?: ErrorOptions) {
    super(message, options);
    this.name = 'ReportError';
    this.code = code;
  }
}
