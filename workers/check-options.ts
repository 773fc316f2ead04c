// Checks of what callers of this room give: the engine's checks with this room's error.

import { OptionCheck } from '../engine/index.js';
import { WorkerError } from './errors.js';

/** Checks for the callers of this room: throws WorkerError `ERR_WORKERS_OPTION`. */
export const check: OptionCheck = new OptionCheck((message) => new WorkerError('ERR_WORKERS_OPTION', message));
