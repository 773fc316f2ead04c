// Errors of reading trips: bad folders, bad files. Each names the file, and where it can the line and the column.

/** Stable codes: nothing to read or no way to write, unreadable content, a place that is taken. */
export type TripsErrorCode = 'ERR_DATA_MISSING' | 'ERR_DATA_FORMAT' | 'ERR_DATA_EXISTS';

/** Refused trips, tables and folders. The message names the file, and where it can the line and the column. */
export class TripsError extends Error {
  /** Stable, for programs. */
  readonly code: TripsErrorCode;

  constructor(code: TripsErrorCode, message: string, options?: ErrorOptions) {
    super(message, options);
    this.name = 'TripsError';
    this.code = code;
  }
}
