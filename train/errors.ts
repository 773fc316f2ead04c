// The learners' one error class.

export type TrainErrorCode =
  | 'ERR_BACKEND'
  | 'ERR_CHECKPOINT'
  | 'ERR_TRAIN_OPTION'
  | 'ERR_RUN_FOLDER'
  | 'ERR_RUN_LOCKED'
  | 'ERR_DISK'
  | 'ERR_DIVERGED';

export class TrainError extends Error {
  readonly code: TrainErrorCode;

  constructor(code: TrainErrorCode, message: string, options?: ErrorOptions) {
    super(message, options);
    this.name = 'TrainError';
    this.code = code;
  }
}
