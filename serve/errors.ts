// Errors of the service around an answer. `error-handler.ts` turns codes into HTTP status. A fault of the request's state itself is
// an AdviseError, a fault of the record an AuditError.

/** Stable codes of this room's errors. */
export type ServeErrorCode =
  /** A header, a query or a body is not allowed; `path` names it. */
  | 'ERR_REQUEST'
  /** The token is missing, expired or not valid. */
  | 'ERR_UNAUTHENTICATED'
  /** The token's role or account may not do this. */
  | 'ERR_FORBIDDEN'
  /** It does not exist, or belongs to another company. */
  | 'ERR_NOT_FOUND'
  /** The state has changed since, or another request conflicts with this one. */
  | 'ERR_CONFLICT'
  /** The kill switch was used, and the database has not confirmed it in time. */
  | 'ERR_UNCONFIRMED'
  /** The decision could not be recorded, and must not be answered without a record. */
  | 'ERR_UNRECORDED'
  /** Too many long requests wait, or a thread has died: retry later. */
  | 'ERR_BUSY'
  /** The client disconnected before the answer was computed. */
  | 'ERR_ABANDONED'
  /** The service itself is configured wrongly. */
  | 'ERR_SERVICE';

/** The error class of this room; the codes are stable. */
export class ServeError extends Error {
  override readonly name = 'ServeError';
  readonly code: ServeErrorCode;
  /** Path of the header, parameter or member at fault, if there is one. */
  readonly path: string | undefined;

  constructor(code: ServeErrorCode, message: string, options: ErrorOptions & { readonly path?: string } = {}) {
    super(message, options);
    this.code = code;
    this.path = options.path;
  }
}
