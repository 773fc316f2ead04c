// Where a question is answered: short ones here and at once, long ones on other threads, so that those with short ones do not
// wait. Long are explanations, look-ahead, and requests of many vehicles and shipments. The only file of this room that knows of threads.

import { availableParallelism } from 'node:os';
import { fileURLToPath } from 'node:url';
import { Piscina } from 'piscina';
import type { CompiledScenario } from '../engine/index.js';
import { analyze } from './analyze.js';
import type { Analysis, PlannedPair } from './analyze.js';
import type { Answer } from './answer.js';
import { ServeError } from './errors.js';
import type { ServeErrorCode } from './errors.js';
import { LOOKAHEAD } from './lookahead-policy.js';
import { pack } from './packed.js';
import type { TrainedNetwork } from './policies.js';
import type { Context, Recommender } from './recommend.js';
import type { RecommendRequest } from './request.js';

/** What a thread needs to answer as this one does. */
export interface Setup {
  readonly networks: readonly TrainedNetwork[];
  readonly base: CompiledScenario;
  readonly version: string;
}

/** A request as `pack` made it, to be answered, or with a plan to be scored. */
export type Task =
  | { readonly packed: Uint8Array; readonly context: Context }
  | { readonly packed: Uint8Array; readonly plan: readonly PlannedPair[] };

/** Errors lose their class on the way between threads. */
export type Reply =
  | { readonly done: Answer | Analysis }
  | {
      readonly error: {
        readonly code: ServeErrorCode;
        readonly message: string;
        readonly path: string | undefined;
        readonly faults: ServeError['faults'];
      };
    };

/** Pairs of vehicle and shipment that are looked at within a few milliseconds. */
const SHORT = 5000;
/** Waiting for a thread; more are told to come again. */
const MOST_WAITING = 32;

export class Background {
  readonly #recommender: Recommender;
  readonly #pool: Piscina;

  /** @param threads default: one core is left to everybody else, four at most */
  constructor(recommender: Recommender, threads: number = Math.max(1, Math.min(4, availableParallelism() - 1))) {
    const {
      policies: { networks, base },
      version,
    } = recommender;
    this.#recommender = recommender;
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

  /**
   * @param packed the request, if it is at hand
   * @throws ServeError as `Recommender.recommend`; `ERR_BUSY` if a thread died, or too many wait already
   */
  async recommend(request: RecommendRequest, context: Context, packed?: Uint8Array): Promise<Answer> {
    if (!isLong(request)) return this.#recommender.recommend(request, context);
    return (await this.#run({ packed: packed ?? pack(request), context })) as Answer;
  }

  /** @throws ServeError as `recommend` */
  async analyze(request: RecommendRequest, plan: readonly PlannedPair[]): Promise<Analysis> {
    if (!isLong(request)) return analyze(this.#recommender, request, plan);
    return (await this.#run({ packed: pack(request), plan })) as Analysis;
  }

  async #run(task: Task): Promise<Answer | Analysis> {
    let reply;
    try {
      reply = (await this.#pool.run(task)) as Reply;
    } catch (cause) {
      throw new ServeError('ERR_BUSY', 'this cannot be computed now: come again in a second', { cause });
    }
    if ('done' in reply) return reply.done;
    const { code, message, path, faults } = reply.error;
    throw new ServeError(code, message, { path, faults });
  }

  /** For tests of what happens when one of them dies. */
  get threads(): Piscina['threads'] {
    return this.#pool.threads;
  }

  async close(): Promise<void> {
    await this.#pool.destroy();
  }
}

function isLong({ explain, policy, vehicles, shipments }: RecommendRequest): boolean {
  return explain === true || policy === LOOKAHEAD || vehicles.length * shipments.length > SHORT;
}
