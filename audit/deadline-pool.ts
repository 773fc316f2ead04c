// Connections for everything that is not in the line of a batch: lists, settings, outcomes. The driver knows no deadline, and
// a connection whose other end has gone silent hangs for minutes: here each piece of work has an end, and one that is not
// answered soon is tried on a fresh connection, as the old one may be dead while the database is not.

import { setTimeout as sleep } from 'node:timers/promises';
import type { Connection } from './connection.js';
import { connect, databaseError, settled } from './database.js';
import type { Database } from './database.js';
import { AuditError } from './errors.js';

export interface DeadlinePoolOptions {
  /** Connections at most, but for the moments in which old ones are given up. */
  readonly max: number;
  /** Milliseconds within which a piece of work ends, this way or that. */
  readonly deadlineMs: number;
}

type Work<T> = (sql: Connection) => Promise<T>;

/** Without an answer for so long, what may be done twice is tried on a fresh connection. */
const FRESH_AFTER_MS = 1000;

const LATE = Symbol('late');

export class DeadlinePool {
  readonly #open: () => Connection;
  readonly #deadlineMs: number;
  #current: Connection;
  #provenAt = -Infinity;
  readonly #ending = new Set<Promise<void>>();

  constructor(database: Database, { max, deadlineMs }: DeadlinePoolOptions) {
    this.#deadlineMs = deadlineMs;
    this.#open = () =>
      connect(database, {
        role: 'app',
        max,
        statementTimeoutMs: deadlineMs,
        connectTimeoutSeconds: deadlineMs / 1000,
      });
    this.#current = this.#open();
  }

  /**
   * Does what may be done twice: it is begun anew on a fresh connection where the first does not answer, or has broken.
   * @throws AuditError `ERR_DEADLINE`, or what `work` throws
   */
  async ask<T>(work: Work<T>, deadlineMs: number = this.#deadlineMs): Promise<T> {
    const end = performance.now() + deadlineMs;
    const began = performance.now();
    const first = this.#begin(work);
    const patience = Math.min(FRESH_AFTER_MS, deadlineMs / 3);
    try {
      let early = await within(first.done, patience);
      // Others were answered there meanwhile: it is alive, and has much to do; but one of its sockets may be silent.
      if (early === LATE && this.#provenAt > began) early = await within(first.done, patience);
      if (early !== LATE) return early;
    } catch (error) {
      if (!isBroken(error)) throw databaseError(error);
    }
    this.#renew(first.connection);
    const second = this.#begin(work);
    // Whoever answers first; one of them may still break.
    const either = Promise.any([first.done, second.done]).catch((error: unknown) => {
      throw (error as AggregateError).errors.at(-1);
    });
    try {
      const found = await within(either, end - performance.now());
      if (found !== LATE) return found;
    } catch (error) {
      throw databaseError(error);
    }
    this.#renew(second.connection);
    throw new AuditError('ERR_DEADLINE', `the database did not answer within ${deadlineMs} ms`);
  }

  /**
   * Does what must not be done twice, on a connection that has answered just before.
   * @throws AuditError `ERR_DEADLINE`: it may have been done all the same; or what `work` throws
   */
  async once<T>(work: Work<T>, deadlineMs: number = this.#deadlineMs): Promise<T> {
    const end = performance.now() + deadlineMs;
    await this.ask(async (sql) => sql`select 1`, deadlineMs / 2);
    const { done, connection } = this.#begin(work);
    try {
      const found = await within(done, end - performance.now());
      if (found !== LATE) return found;
    } catch (error) {
      throw databaseError(error);
    }
    this.#renew(connection);
    throw new AuditError(
      'ERR_DEADLINE',
      `the database did not answer within ${deadlineMs} ms: whether it was done is not known`,
    );
  }

  /** @param seconds that work under way may take to end */
  async end(seconds: number): Promise<void> {
    await Promise.all([this.#current.end({ timeout: seconds }), ...this.#ending]);
  }

  #begin<T>(work: Work<T>): { readonly done: Promise<T>; readonly connection: Connection } {
    const connection = this.#current;
    const done = settled(connection, work);
    done.then(
      () => {
        if (connection === this.#current) this.#provenAt = performance.now();
      },
      // Whoever waits for it hears of it; nobody may be left.
      () => undefined,
    );
    return { done, connection };
  }

  /** What is under way on `lost` may still end there within its deadline. */
  #renew(lost: Connection): void {
    if (lost !== this.#current) return;
    this.#current = this.#open();
    this.#provenAt = -Infinity;
    const ended = lost.end({ timeout: this.#deadlineMs / 1000 }).finally(() => this.#ending.delete(ended));
    this.#ending.add(ended);
  }
}

/** What `work` comes to, or LATE. */
async function within<T>(work: Promise<T>, ms: number): Promise<T | typeof LATE> {
  const aborter = new AbortController();
  const late = sleep(Math.max(0, ms), LATE, { signal: aborter.signal }).catch((): typeof LATE => LATE);
  try {
    return await Promise.race([work, late]);
  } finally {
    aborter.abort();
  }
}

/** The connection broke, not the statement. */
function isBroken(error: unknown): boolean {
  return databaseError(error).code === 'ERR_DATABASE';
}
