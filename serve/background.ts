// Long questions are answered on other threads, so that those with short ones do not wait: explanations, and requests of
// many vehicles and shipments. The only file of this room that knows of threads.

import { availableParallelism } from 'node:os';
import { fileURLToPath } from 'node:url';
import { Piscina } from 'piscina';
import type { CompiledScenario } from '../engine/index.js';
import type { Analysis, PlannedPair } from './analyze.js';
import type { Answer } from './answer.js';
import { ServeError } from './errors.js';
import type { ServeErrorCode } from './errors.js';
import type { TrainedNetwork } from './policies.js';
import type { Context, Recommender } from './recommend.js';
import type { RecommendRequest } from './request.js';

/** What a thread needs to answer as this one does. */
export interface Setup {
  readonly networks: readonly TrainedNetwork[];
  readonly base: CompiledScenario;
  readonly version: string;
}

export interface Task {
  /** The request as `pack` made it. */
  readonly packed: Uint8Array;
  readonly context: Context;
  /** If given, it is scored. */
  readonly plan?: readonly PlannedPair[];
}

/** Errors lose their class on the way between threads. */
export type Reply =
  | { readonly done: Answer | Analysis }
  | { readonly error: { readonly code: ServeErrorCode; readonly message: string; readonly path: string | undefined } };

/** Pairs of vehicle and shipment that are looked at within a few milliseconds. */
const SHORT = 5000;
/** Waiting for a thread; more are told to come again. */
const MOST_WAITING = 32;

export class Background {
  readonly #pool: Piscina;

  /** @param threads default: one core is left to everybody else, four at most */
  constructor(
    { policies: { networks, base }, version }: Recommender,
    threads: number = Math.max(1, Math.min(4, availableParallelism() - 1)),
  ) {
    this.#pool = new Piscina({
      filename: fileURLToPath(new URL('./worker.js', import.meta.url)),
      // The first is there when the first question comes.
      minThreads: 1,
      maxThreads: threads,
      // Making one anew takes longer than most questions.
      idleTimeout: 60_000,
      concurrentTasksPerWorker: 1,
      maxQueue: MOST_WAITING,
      workerData: { networks, base, version } satisfies Setup,
    });
  }

  static isLong({ explain, vehicles, shipments }: RecommendRequest): boolean {
    return explain === true || vehicles.length * shipments.length > SHORT;
  }

  /** @throws ServeError what the thread threw; `ERR_BUSY` if it died, or too many wait already */
  async run(task: Task): Promise<Answer | Analysis> {
    let reply;
    try {
      reply = (await this.#pool.run(task)) as Reply;
    } catch (cause) {
      throw new ServeError('ERR_BUSY', 'this cannot be computed now: come again in a second', { cause });
    }
    if ('done' in reply) return reply.done;
    const { code, message, path } = reply.error;
    throw new ServeError(code, message, path === undefined ? {} : { path });
  }

  /** For tests of what happens when one of them dies. */
  get threads(): Piscina['threads'] {
    return this.#pool.threads;
  }

  async close(): Promise<void> {
    await this.#pool.destroy();
  }
}
