// The kill switch of this process. A request to stop is answered within two seconds. From the moment of the request, this process
// starts no action and retries no delivery, whether the database has confirmed the stop or not.

import { setTimeout as sleep } from 'node:timers/promises';
import { AuditError, DeadlinePool, isStopped, turnSwitch } from '../audit/index.js';
import type { Database, SwitchScope } from '../audit/index.js';
import { debug } from './debug.js';
import { ServeError } from './errors.js';

/** Milliseconds for the database to confirm: below two seconds, with room for a busy machine. */
const ANSWER_MS = 1500;
/** Milliseconds between two tries to have a stop confirmed. */
const AGAIN_MS = 1000;
/** Milliseconds for the question whether a delivery may be retried. */
const LOOK_MS = 1500;

/** Stops actions, of one company or of all. Close it when done. */
export class KillSwitch {
  readonly #pool: DeadlinePool;
  /** When a stop was last requested here, by scope, on the clock of `performance`. */
  readonly #askedAt = new Map<SwitchScope, number>();
  /** Stops that the database has not confirmed yet. */
  readonly #unconfirmed = new Map<SwitchScope, AbortController>();
  #closed = false;

  /** @param database where the switch is recorded */
  constructor(database: Database) {
    // A pool of its own, so that other queries never delay a stop.
    this.#pool = new DeadlinePool(database, { max: 2, deadlineMs: ANSWER_MS });
  }

  /**
   * Stops or resumes actions. A stop takes effect in this process at once.
   * @param scope   a company's id, or `all`
   * @param stopped true: stop; false: resume
   * @param by      who does it, for the record
   * @throws ServeError `ERR_UNCONFIRMED` if the database has not confirmed it in time: a stop stays in effect here, and is retried
   *   until it is confirmed or somebody resumes; AuditError `ERR_NOT_FOUND` if the company does not exist
   */
  async turn(scope: SwitchScope, stopped: boolean, by: string): Promise<void> {
    // The latest request wins: an earlier stop that is still being retried would undo this one.
    this.#unconfirmed.get(scope)?.abort();
    const trying = new AbortController();
    if (stopped) {
      this.#askedAt.set(scope, performance.now());
      this.#unconfirmed.set(scope, trying);
    }
    try {
      // Idempotent, so it may be retried.
      await this.#pool.ask((sql) => turnSwitch(sql, scope, stopped, by));
    } catch (cause) {
      const lost =
        cause instanceof AuditError && ['ERR_DATABASE', 'ERR_DEADLINE', 'ERR_NOT_MIGRATED'].includes(cause.code);
      if (!lost) {
        this.#settle(scope, trying);
        throw cause;
      }
      if (stopped) void this.#goOnTrying(scope, by, trying);
      const message = stopped
        ? 'the stop is not confirmed: the database did not answer in time. This process starts and retries no actions until it is confirmed; other processes may. It keeps retrying: send the request again to check'
        : 'resuming is not confirmed: the database did not answer in time. A stop that was requested here stays in effect: send the request again';
      debug('kill switch of %s: %s not confirmed, %s', scope, stopped ? 'stop' : 'resume', (cause as Error).message);
      throw new ServeError('ERR_UNCONFIRMED', message, { cause });
    }
    if (stopped) this.#settle(scope, trying);
    else this.#unconfirmed.delete(scope);
  }

  /** Whether a stop of this company, or of all, was requested here and is not confirmed yet: then no action may start. */
  isHeld(companyId: number): boolean {
    return this.#unconfirmed.has(companyId) || this.#unconfirmed.has('all');
  }

  /** Whether a stop was requested here since then, confirmed or not. @param since on the clock of `performance` */
  wasAsked(companyId: number, since: number): boolean {
    const at = (scope: SwitchScope): number => this.#askedAt.get(scope) ?? -Infinity;
    return Math.max(at(companyId), at('all')) >= since;
  }

  /**
   * Whether an action that began at `since` may be delivered once more. If the database does not answer, it may not, because a stop
   * may have been requested of another process.
   * @param since on the clock of `performance`
   */
  async mayGoOn(companyId: number, since: number): Promise<boolean> {
    if (this.wasAsked(companyId, since)) return false;
    const stopped = await this.#pool.ask((sql) => isStopped(sql, companyId), LOOK_MS).catch(() => true);
    return !stopped && !this.wasAsked(companyId, since);
  }

  /** Ends retries and connections. */
  async close(): Promise<void> {
    this.#closed = true;
    for (const trying of this.#unconfirmed.values()) trying.abort();
    await this.#pool.end(1);
  }

  #settle(scope: SwitchScope, trying: AbortController): void {
    if (this.#unconfirmed.get(scope) === trying) this.#unconfirmed.delete(scope);
  }

  async #goOnTrying(scope: SwitchScope, by: string, trying: AbortController): Promise<void> {
    while (!trying.signal.aborted && !this.#closed) {
      await sleep(AGAIN_MS, undefined, { ref: false });
      if (trying.signal.aborted || this.#closed) return;
      const done = await this.#pool
        .ask((sql) => turnSwitch(sql, scope, true, by))
        .then(
          () => true,
          () => false,
        );
      if (done) {
        this.#settle(scope, trying);
        return;
      }
    }
  }
}
