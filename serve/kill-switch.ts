// The kill switch of this process: who asks for a stop is answered within two seconds, and from the moment of asking nothing
// is begun here and nothing is delivered again, whether the database can confirm it yet or not.

import { setTimeout as sleep } from 'node:timers/promises';
import { AuditError, DeadlinePool, isStopped, turnSwitch } from '../audit/index.js';
import type { Database, SwitchScope } from '../audit/index.js';
import { ServeError } from './errors.js';

/** Milliseconds within which it is known to have taken effect, or said that it is not known: less than two seconds also where the machine is busy. */
const ANSWER_MS = 1500;
/** Before a try that follows one which came to nothing. */
const AGAIN_MS = 1000;
/** For a look before a delivery is tried again. */
const LOOK_MS = 1500;

export class KillSwitch {
  readonly #pool: DeadlinePool;
  /** When a stop was last asked for here, by scope, on the clock of `performance`. */
  readonly #askedAt = new Map<SwitchScope, number>();
  /** Stops that the database has not confirmed yet. */
  readonly #unconfirmed = new Map<SwitchScope, AbortController>();
  #closed = false;

  constructor(database: Database) {
    // Of its own: neither lists nor settings keep a stop waiting.
    this.#pool = new DeadlinePool(database, { max: 2, deadlineMs: ANSWER_MS });
  }

  /**
   * Turns the switch. A stop holds here at once.
   * @throws ServeError `ERR_UNCONFIRMED` if the database has not said yes in time: a stop goes on holding here, and is tried
   *   until it is confirmed, or until somebody lets actions go on; AuditError `ERR_NOT_FOUND`
   */
  async turn(scope: SwitchScope, stopped: boolean, by: string): Promise<void> {
    // Whoever comes later is who is obeyed: an earlier stop that is still being tried would undo it.
    this.#unconfirmed.get(scope)?.abort();
    const trying = new AbortController();
    if (stopped) {
      this.#askedAt.set(scope, performance.now());
      this.#unconfirmed.set(scope, trying);
    }
    try {
      // Done twice, it changes nothing the second time.
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
        ? 'the stop is not known to have taken effect: the database has not confirmed it. This process begins nothing and delivers nothing again until it has; other processes may. It goes on trying: ask again to see'
        : 'it is not known whether actions go on: the database has not confirmed it. A stop that was asked for here still holds: ask again';
      throw new ServeError('ERR_UNCONFIRMED', message, { cause });
    }
    if (stopped) this.#settle(scope, trying);
    else this.#unconfirmed.delete(scope);
  }

  /** Whether a stop was asked for here that the database has not confirmed: then nothing is begun. */
  isHeld(companyId: number): boolean {
    return this.#unconfirmed.has(companyId) || this.#unconfirmed.has('all');
  }

  /** Whether a stop was asked for here since then, confirmed or not. @param since on the clock of `performance` */
  wasAsked(companyId: number, since: number): boolean {
    const at = (scope: SwitchScope): number => this.#askedAt.get(scope) ?? -Infinity;
    return Math.max(at(companyId), at('all')) >= since;
  }

  /**
   * Whether what began at `since` may be delivered once more. Where the database cannot say that nobody has stopped it, it may
   * not: another process may have been asked.
   */
  async mayGoOn(companyId: number, since: number): Promise<boolean> {
    if (this.wasAsked(companyId, since)) return false;
    const stopped = await this.#pool.ask((sql) => isStopped(sql, companyId), LOOK_MS).catch(() => true);
    return !stopped && !this.wasAsked(companyId, since);
  }

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
      if (done) this.#settle(scope, trying);
      if (done) return;
    }
  }
}
