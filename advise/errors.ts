// The errors of this room: faults of a request, or of the policies, that are found before anything is computed.

/** Stable codes of this room’s errors. */
export type AdviseErrorCode =
  /** A field is not allowed; `path` names it. */
  | 'ERR_REQUEST'
  /** The policies or the scenario that are to decide are set up wrongly. */
  | 'ERR_SERVICE';

/** One field that is not allowed; `message` names the field, too. */
export interface FieldFault {
  /** Such as `vehicles[2].start`. */
  readonly path: string;
  /** Field, value and remedy. */
  readonly message: string;
}

interface Where {
  readonly path?: string | undefined;
  readonly faults?: readonly FieldFault[] | undefined;
}

/** The error of a field that is not allowed: `ERR_REQUEST`, with a message that begins with the path. */
export function badField(path: string, message: string): AdviseError {
  return new AdviseError('ERR_REQUEST', `${path} ${message}`, { path });
}

/** The error class of this room; the codes are stable. */
export class AdviseError extends Error {
  /** Always `AdviseError`. */
  override readonly name = 'AdviseError';
  /** Stable, for programs. */
  readonly code: AdviseErrorCode;
  /** Of the field, such as `vehicles[2].start`. */
  readonly path: string | undefined;
  /** Each by itself, where there are several: the first is at `path`. */
  readonly faults: readonly FieldFault[] | undefined;

  constructor(code: AdviseErrorCode, message: string, options: ErrorOptions & Where = {}) {
    super(message, options);
    this.code = code;
    this.path = options.path;
    this.faults = options.faults;
  }
}
