// What can go wrong between a request and its answer. The HTTP layer turns codes into status numbers.

export type ServeErrorCode =
  /** A field is not allowed; `path` names it. */
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

/** `message` names the field, too. */
export interface FieldFault {
  readonly path: string;
  readonly message: string;
}

interface Where {
  readonly path?: string | undefined;
  readonly faults?: readonly FieldFault[] | undefined;
}

/** What is wrong with one field of a request. */
export function badField(path: string, message: string): ServeError {
  return new ServeError('ERR_REQUEST', `${path} ${message}`, { path });
}

export class ServeError extends Error {
  override readonly name = 'ServeError';
  readonly code: ServeErrorCode;
  /** Of the field, such as `vehicles[2].start`. */
  readonly path: string | undefined;
  /** Each by itself, where there are several: the first is at `path`. */
  readonly faults: readonly FieldFault[] | undefined;

  constructor(code: ServeErrorCode, message: string, options: ErrorOptions & Where = {}) {
    super(message, options);
    this.code = code;
    this.path = options.path;
    this.faults = options.faults;
  }
}
