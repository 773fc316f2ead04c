// Commands that change what may be done answer within seconds, whatever the database does: a stop that hangs would be taken for one
// that holds.

import { AuditError, DeadlinePool, migrate } from '../audit/index.js';
import type { Connection } from '../audit/index.js';
import { withDatabase } from './database.js';
import { reportError } from './report-error.js';

/** Milliseconds of trying, once the database is open. */
const TRY_MS = 2000;
/** Seconds within which an embedded server that runs must take a connection. */
const OPEN_SECONDS = 2;

/** What a command may do with the controls. */
export interface ControlsAccess {
  /** Reads, or does what changes nothing when it is done twice. */
  ask<T>(work: (sql: Connection) => Promise<T>): Promise<T>;
  /** Does what must not be done twice. */
  once<T>(work: (sql: Connection) => Promise<T>): Promise<T>;
  /** The change has taken effect: what may still fail is only a look. */
  changed(): void;
}

/**
 * Runs `work` with the controls of the environment's database. Where that does not answer in time, one line says so, and the
 * process ends with 1: nothing that is still under way may keep it.
 * @param change what is not known to have taken effect then, such as `the stop of company 1`; undefined for a look
 */
export async function withControls<T>(
  change: string | undefined,
  work: (controls: ControlsAccess) => Promise<T>,
): Promise<T> {
  let unconfirmed = change;
  try {
    return await withDatabase(
      async (database) => {
        const pool = new DeadlinePool(database, { max: 2, deadlineMs: TRY_MS });
        try {
          if (database.kind === 'embedded') await inTime(migrate(database));
          return await work({
            ask: (asked) => pool.ask(asked),
            once: (asked) => pool.once(asked),
            changed: () => (unconfirmed = undefined),
          });
        } catch (error) {
          throw isLost(error) ? giveUp(unconfirmed, error) : error;
        } finally {
          await pool.end(0);
        }
      },
      { answerSeconds: OPEN_SECONDS },
    );
  } catch (error) {
    throw isLost(error) ? giveUp(unconfirmed, error) : error;
  }
}

async function inTime<T>(work: Promise<T>): Promise<T> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(
      () => reject(new AuditError('ERR_DEADLINE', `the database did not answer within ${TRY_MS} ms`)),
      TRY_MS,
    );
  });
  try {
    return await Promise.race([work, late]);
  } finally {
    clearTimeout(timer);
  }
}

function isLost(error: unknown): error is AuditError {
  return error instanceof AuditError && ['ERR_DATABASE', 'ERR_DEADLINE', 'ERR_DATA_FOLDER'].includes(error.code);
}

function giveUp(change: string | undefined, cause: AuditError): never {
  const message =
    change === undefined
      ? cause.message
      : `${change} is not known to have taken effect: ${cause.message}. Ask again until it is confirmed`;
  reportError(new AuditError('ERR_DEADLINE', message, { cause }));
  process.exit();
}
