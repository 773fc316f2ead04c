// What became of a command that failed: whose fault it was, and the exit code. It knows every room's errors, so it is loaded only
// when there is one.

import { AdviseError } from '../advise/index.js';
import { AuditError } from '../audit/index.js';
import { BridgeError } from '../bridge/index.js';
import { EngineError } from '../engine/index.js';
import { JobsError } from '../jobs/index.js';
import { PolicyError } from '../policy/index.js';
import { ReportError } from '../report/index.js';
import { ServeError } from '../serve/index.js';
import { TrainError } from '../train/index.js';
import { TripsError } from '../trips/index.js';
import { VerifyError } from '../verify/index.js';
import { WorkerError } from '../workers/index.js';

/** Writes one line on stderr, and the stack of what is our own fault; sets the exit code. */
export function reportError(error: unknown): void {
  if (
    (error instanceof WorkerError && error.code !== 'ERR_WORKERS_OPTION') ||
    (error instanceof TrainError && error.code === 'ERR_DISK') ||
    (error instanceof JobsError && error.code === 'ERR_QUEUE') ||
    (error instanceof AuditError && (error.code === 'ERR_DATABASE' || error.code === 'ERR_DEADLINE')) ||
    (error instanceof Error && 'syscall' in error)
  ) {
    // The machine's fault, not the user's nor ours: a full disk, a thread out of memory, a database that is down.
    process.stderr.write(`fleetstep: ${error.message}\n`);
    process.exitCode = 1;
  } else if (isUserError(error)) {
    process.stderr.write(`fleetstep: ${error.message}\n`);
    process.exitCode = 2;
  } else {
    process.stderr.write(
      `fleetstep: internal error: ${error instanceof Error ? (error.stack ?? error.message) : String(error)}\n`,
    );
    process.exitCode = 1;
  }
}

function isUserError(error: unknown): error is Error {
  return (
    error instanceof WorkerError ||
    error instanceof EngineError ||
    error instanceof TripsError ||
    error instanceof TrainError ||
    error instanceof JobsError ||
    error instanceof PolicyError ||
    error instanceof AuditError ||
    error instanceof AdviseError ||
    error instanceof BridgeError ||
    error instanceof ReportError ||
    error instanceof VerifyError ||
    error instanceof ServeError
  );
}
