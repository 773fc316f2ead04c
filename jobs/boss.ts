// Delivers slices through pg-boss, which is all that the queue needs of it: another version, or another queue, replaces this file.
// A delivery is a hint: it may come twice or never, and the table (queue-store.ts) decides who does what.

import PgBoss from 'pg-boss';
import { queueError } from './queue-store.js';
import type { SliceKey } from './queue-store.js';

const QUEUE = 'fleetstep-slices';
/** Seconds after which a delivery that nobody has confirmed comes again. */
const EXPIRE_SECONDS = 60;

/** The deliveries of one queue. */
export class Deliveries {
  readonly #boss: PgBoss;

  private constructor(boss: PgBoss) {
    this.#boss = boss;
  }

  /**
   * Connects, and makes its tables in a schema of their own if they are not there.
   * @param onFault told of faults of the connection, which are tried again
   * @throws JobsError `ERR_QUEUE`
   */
  static async open(url: string, onFault: (message: string) => void): Promise<Deliveries> {
    const boss = new PgBoss({
      connectionString: url,
      schema: 'fleetstep_boss',
      application_name: 'fleetstep-jobs',
      max: 2,
      schedule: false,
    });
    boss.on('error', (error: Error) => onFault(error.message));
    try {
      await boss.start();
      await boss.createQueue(QUEUE, { name: QUEUE, retryLimit: 10, expireInSeconds: EXPIRE_SECONDS });
    } catch (cause) {
      await boss.stop({ graceful: false }).catch(() => undefined);
      throw queueError(cause);
    }
    return new Deliveries(boss);
  }

  /** Delivers a slice to whoever asks next. @throws JobsError `ERR_QUEUE` */
  async send({ study, key }: SliceKey): Promise<void> {
    try {
      await this.#boss.send(QUEUE, { study, key });
    } catch (cause) {
      throw queueError(cause);
    }
  }

  /**
   * The next slice, if there is one.
   * @param take called with it; once it has ended, the delivery is confirmed
   * @throws JobsError `ERR_QUEUE`
   */
  async next<T>(take: (key: SliceKey) => Promise<T>): Promise<T | null> {
    try {
      const [job] = await this.#boss.fetch<SliceKey>(QUEUE, { batchSize: 1 });
      if (job === undefined) return null;
      const taken = await take(job.data);
      await this.#boss.complete(QUEUE, job.id);
      return taken;
    } catch (cause) {
      throw queueError(cause);
    }
  }

  /** Closes the connections. */
  async close(): Promise<void> {
    await this.#boss.stop({ graceful: false, wait: true }).catch(() => undefined);
  }
}
