// Finds intents whose process has died: no outcome came in time, so whether they happened is not known, and the record says so.

import type { Connection } from './connection.js';
import { databaseError } from './database.js';
import type { Database } from './database.js';
import { DeadlinePool } from './deadline-pool.js';
import type { ActionType } from './vocabulary.js';

/** An action whose outcome never came. */
export interface Orphan {
  readonly id: number;
  readonly companyId: number;
  readonly actionType: ActionType;
  /** When its outcome was due. */
  readonly actBy: Date;
}

/** Outcomes may be this late: a recorder that lost the database is still trying to write them. */
const GRACE_SECONDS = 5;

/** Marks overdue intents `unknown` and gives them. Safe to run in many processes at once. */
export async function sweep(connection: Connection, graceSeconds: number = GRACE_SECONDS): Promise<Orphan[]> {
  const orphans: Orphan[] = [];
  try {
    for (;;) {
      const rows = await connection<Orphan[]>`
        select id, company_id as "companyId", action_type as "actionType", act_by as "actBy"
        from autonomy_sweep(${graceSeconds})`;
      orphans.push(...rows);
      if (rows.length === 0) return orphans;
    }
  } catch (error) {
    throw databaseError(error);
  }
}

/** How often to look, and whom to tell. */
export interface SweeperOptions {
  /** Seconds between looks; default 5. With actions of at most 30 s, orphans are resolved within 50 s. */
  readonly everySeconds?: number;
  /** Called with what was found. */
  readonly report: (orphans: readonly Orphan[]) => void;
  /** Called when the database could not be asked; the next look comes all the same. */
  readonly fault?: (error: Error) => void;
}

/** Sweeps now and then until it is closed. */
export class Sweeper {
  readonly #pool: DeadlinePool;
  readonly #options: SweeperOptions;
  readonly #timer: NodeJS.Timeout;
  #looking = false;

  constructor(database: Database, options: SweeperOptions) {
    this.#options = options;
    this.#pool = new DeadlinePool(database, { max: 1, deadlineMs: 10_000 });
    this.#timer = setInterval(() => this.#look(), (options.everySeconds ?? 5) * 1000);
    this.#timer.unref();
    this.#look();
  }

  #look(): void {
    // One look at a time: a frozen database must not pile them up.
    if (this.#looking) return;
    this.#looking = true;
    void this.#pool
      .ask((sql) => sweep(sql))
      .then(
        (orphans) => {
          if (orphans.length > 0) this.#options.report(orphans);
        },
        (error: unknown) => this.#options.fault?.(error as Error),
      )
      .finally(() => (this.#looking = false));
  }

  async close(): Promise<void> {
    clearInterval(this.#timer);
    await this.#pool.end(1);
  }
}
