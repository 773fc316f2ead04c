// Connections that have gone silent while the database has not, as where a network drops packets: found by a fresh connection
// that is answered while the old one is not. A slow one is left alone: its server ends every statement in time, and says so.

import { setTimeout as sleep } from 'node:timers/promises';
import { connect, settled } from './database.js';
import type { Connection } from './connection.js';
import type { Database } from './database.js';
import { debug } from './debug.js';
import type { RenewableConnection } from './deadline-batcher.js';

/** Milliseconds for an answer to travel, beyond the time that the server may take for it. */
const TRAVEL_MS = 500;
const CONNECT_SECONDS = 5;

/** Watches over one pool of connections; told of missed deadlines, it replaces what has gone silent. */
export class SilenceWatch {
  readonly #database: Database;
  readonly #connection: RenewableConnection;
  readonly #patienceMs: number;
  /** Those that are being looked at. */
  readonly #suspects = new Set<Connection>();
  readonly #probes = new Set<Connection>();

  /** @param deadlineMs after so many milliseconds the server ends a statement of this connection */
  constructor(database: Database, connection: RenewableConnection, deadlineMs: number) {
    this.#database = database;
    this.#connection = connection;
    // Sent before its deadline passed, a statement is ended by the server within a deadline from then.
    this.#patienceMs = deadlineMs + TRAVEL_MS;
  }

  /**
   * A statement that was sent has missed its deadline. Replaces its connection if that stays silent while another one is answered.
   * @param end what comes of the statement
   */
  missed(end: Promise<unknown>): void {
    const suspect = this.#connection.current;
    if (this.#suspects.has(suspect)) return;
    this.#suspects.add(suspect);
    const ended = end.then(
      () => true,
      () => true,
    );
    const silent = this.#outwaited().then(
      () => false,
      // Nobody is answered: a new connection would not help.
      () => true,
    );
    void Promise.race([ended, silent])
      .then((leave) => {
        if (leave) return;
        debug('a connection has gone silent: it is replaced');
        this.#connection.renew(suspect);
      })
      .finally(() => this.#suspects.delete(suspect));
  }

  /** Until a connection that lives would have answered: a slow way gets the more time, the longer another connection takes on it. */
  async #outwaited(): Promise<void> {
    const from = performance.now();
    await this.#probe();
    const took = performance.now() - from;
    await sleep(Math.max(this.#patienceMs, 3 * took) - took, undefined, { ref: false });
  }

  /** Whether the database answers on a connection of its own. */
  async #probe(): Promise<void> {
    const probe = connect(this.#database, { role: 'app', max: 1, connectTimeoutSeconds: CONNECT_SECONDS });
    this.#probes.add(probe);
    try {
      await settled(probe, (sql) => sql`select 1`);
    } finally {
      this.#probes.delete(probe);
      void probe.end({ timeout: 0 });
    }
  }

  /** Ends what is being looked at. */
  async close(): Promise<void> {
    await Promise.all([...this.#probes].map((probe) => probe.end({ timeout: 0 })));
  }
}
