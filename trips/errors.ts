// Errors of reading trips: bad folders, bad files. Each names the file, and where it can the line and the column.

export type TripsErrorCode = 'ERR_DATA_MISSING' | 'ERR_DATA_FORMAT' | 'ERR_DATA_EXISTS';

export class TripsError extends Error {
  readonly code: TripsErrorCode;

  constructor(code: TripsErrorCode, message: string, options?: ErrorOptions) {
    super(message, options);
    this.name = 'TripsError';
    this.code = code;
  }
}
