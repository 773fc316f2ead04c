// The workers' one error class.

export type WorkerErrorCode = 'ERR_WORKER' | 'ERR_WORKER_HANGS' | 'ERR_WORKERS_OPTION';

export class WorkerError extends Error {
  readonly code: WorkerErrorCode;

  constructor(code: WorkerErrorCode, message: string, options?: ErrorOptions) {
    super(message, options);
    this.name = 'WorkerError';
    this.code = code;
  }
}
