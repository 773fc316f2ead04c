// The learners' one error class.

/** What went wrong: the backend, a checkpoint, an option, the run's folder, its lock, the disk, or a gradient that is not finite. */
export type TrainErrorCode =
  | 'ERR_BACKEND'
  | 'ERR_CHECKPOINT'
  | 'ERR_TRAIN_OPTION'
  | 'ERR_RUN_FOLDER'
  | 'ERR_RUN_LOCKED'
  | 'ERR_DISK'
  | 'ERR_DIVERGED';

/** The error of this room. Its `code` is stable; its message names the value and the remedy. */
export class TrainError extends Error {
  /** Stable, for programs. */
  readonly code: TrainErrorCode;

  constructor(code: TrainErrorCode, message: string, options?: ErrorOptions) {
    super(message, options);
    this.name = 'TrainError';
    this.code = code;
  }
}
