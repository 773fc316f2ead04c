// The workers' one error class.

export class WorkerError extends Error {
  readonly code: 'ERR_WORKER' | 'ERR_WORKERS_OPTION';

  constructor(code: 'ERR_WORKER' | 'ERR_WORKERS_OPTION', message: string, options?: ErrorOptions) {
    super(message, options);
    this.name = 'WorkerError';
    this.code = code;
  }
}
