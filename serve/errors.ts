// What can go wrong around an answer. The HTTP layer turns codes into status numbers; what is wrong with a question itself is
// an AdviseError.

export type ServeErrorCode =
  /** A header, a query or a body that is not allowed; `path` names it. */
  | 'ERR_REQUEST'
  | 'ERR_UNAUTHENTICATED'
  | 'ERR_FORBIDDEN'
  | 'ERR_NOT_FOUND'
  /** What is asked does not go with what has happened since. */
  | 'ERR_CONFLICT'
  /** A switch was turned, and the database has not confirmed it in time. */
  | 'ERR_UNCONFIRMED'
  /** Not recorded, and the service was told not to answer unrecorded. */
  | 'ERR_UNRECORDED'
  /** For the moment: too much is asked, or a thread has died. */
  | 'ERR_BUSY'
  /** Whoever asked has gone. */
  | 'ERR_ABANDONED'
  /** The service itself is set up wrongly. */
  | 'ERR_SERVICE';

/** The error class of this room; the codes are stable. */
export class ServeError extends Error {
  override readonly name = 'ServeError';
  readonly code: ServeErrorCode;
  /** Of the header or member that is at fault. */
  readonly path: string | undefined;

  constructor(code: ServeErrorCode, message: string, options: ErrorOptions & { readonly path?: string } = {}) {
    super(message, options);
    this.code = code;
    this.path = options.path;
  }
}
