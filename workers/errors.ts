// The workers' one error class.

/** What went wrong: a worker failed, a worker hangs, or an option is out of range. */
export type WorkerErrorCode = 'ERR_WORKER' | 'ERR_WORKER_HANGS' | 'ERR_WORKERS_OPTION';

/** The error of this room. Its `code` is stable; its message names the value and the remedy. */
export class WorkerError extends Error {
  /** Stable, for programs. */
  readonly code: WorkerErrorCode;

  constructor(code: WorkerErrorCode, message: string, options?: ErrorOptions) {
    super(message, options);
    this.name = 'WorkerError';
    this.code = code;
  }
}
