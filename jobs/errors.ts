// Errors of this room.

/** What went wrong, for programs. */
export type JobsErrorCode = 'ERR_STUDY' | 'ERR_STUDY_FOLDER' | 'ERR_SLICE' | 'ERR_QUEUE';

/** An error of the jobs room; its message names the field, the value and the remedy. */
export class JobsError extends Error {
  /** What went wrong, for programs. */
  readonly code: JobsErrorCode;

  /** Arguments as of `Error`, with a code before them. */
  constructor(code: JobsErrorCode, message: string, options?: ErrorOptions) {
    super(message, options);
    this.name = 'JobsError';
    this.code = code;
  }
}
