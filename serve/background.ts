// Where a question is answered: short ones here and at once, long ones on other threads, so that those with short ones do not
// wait. Long are explanations, look-ahead, and requests of many vehicles and shipments. The only file of this room that knows of threads.

import { availableParallelism } from 'node:os';
import { fileURLToPath } from 'node:url';
import { Piscina } from 'piscina';
import type { CompiledScenario } from '../engine/index.js';
import type { OwnPolicySpec } from '../policy/index.js';
import { AdviseError, analyze, LOOKAHEAD, pack } from '../advise/index.js';
import type {
  AdviseErrorCode,
  Analysis,
  AnalyzedPair,
  Answer,
  Context,
  Id,
  PlannedPair,
  Recommender,
  RecommendRequest,
  TrainedNetwork,
} from '../advise/index.js';
import { ServeError } from './errors.js';

/** What a thread needs to answer as this one does. */
export interface Setup {
  readonly networks: readonly TrainedNetwork[];
  readonly base: CompiledScenario;
  readonly own: readonly OwnPolicySpec[];
  readonly version: string;
}

/** A request as `pack` made it, to be answered, or with a plan to be scored, or who could take a shipment. */
export type Task =
  | { readonly packed: Uint8Array; readonly context: Context }
  | { readonly packed: Uint8Array; readonly plan: readonly PlannedPair[] }
  | { readonly packed: Uint8Array; readonly shipment: Id };

type Done = Answer | Analysis | AnalyzedPair[];

/** Errors lose their class on the way between threads. */
export type Reply =
  /** `faults`: of policies of somebody's own that gave way. */
  | { readonly done: Done; readonly faults?: readonly string[] }
  | {
      readonly error: {
        readonly code: AdviseErrorCode;
        readonly message: string;
        readonly path: string | undefined;
        readonly faults: AdviseError['faults'];
      };
    };

/** Pairs of vehicle and shipment that are looked at within a few milliseconds. */
const SHORT = 5000;
/** Milliseconds that a module of somebody's own has beyond the deadline, and to start its thread. */
const OWN_MS = 3000;
/** Waiting for a thread; more are told to come again. */
const MOST_WAITING = 32;
/** Of one caller, waiting or answered: the rest is left to others. */
const MOST_OF_ONE = 28;

/** How a question came. */
export interface Way {
  /** The request as `pack` made it, if it is at hand. */
  readonly packed?: Uint8Array | undefined;
  /** Aborts when whoever asked has gone: what still waits for a thread is not computed then. */
  readonly signal?: AbortSignal | undefined;
  /** Who asked, for his share of the threads. */
  readonly by?: string | undefined;
}

export class Background {
  readonly #recommender: Recommender;
  readonly #pool: Piscina;
  /** Questions of each caller that wait or are answered. */
  readonly #asked = new Map<string, number>();
  /** Those that wait for a thread, the first first. Ours and not the pool's: it knows no limit where callers may leave. */
  readonly #line = new Set<() => void>();
  #free: number;

  /** @param threads default: one core is left to everybody else, four at most */
  constructor(recommender: Recommender, threads: number = Math.max(1, Math.min(4, availableParallelism() - 1))) {
    const {
      policies: { networks, base, own },
      version,
    } = recommender;
    this.#recommender = recommender;
    this.#free = threads;
    this.#pool = new Piscina({
      filename: fileURLToPath(new URL('./worker.js', import.meta.url)),
      // The first is there when the first question comes.
      minThreads: 1,
      maxThreads: threads,
      // Making one anew takes longer than most questions.
      idleTimeout: 60_000,
      concurrentTasksPerWorker: 1,
      workerData: { networks, base, own, version } satisfies Setup,
    });
  }

  /**
   * @throws AdviseError as `Recommender.recommend`; ServeError `ERR_BUSY` if a thread died, or too many wait already; `ERR_ABANDONED` if
   *   whoever asked has gone
   */
  async recommend(request: RecommendRequest, context: Context, way: Way = {}): Promise<Answer> {
    const task = (): Task => ({ packed: way.packed ?? pack(request), context });
    if (this.#isOwn(request)) return this.#recommendByOwn(request, context, way, task());
    if (!isLong(request)) return this.#recommender.recommend(request, context);
    return (await this.#run(task(), way)) as Answer;
  }

  /** @throws AdviseError, ServeError as `recommend` */
  async analyze(request: RecommendRequest, plan: readonly PlannedPair[], way: Way = {}): Promise<Analysis> {
    if (!isLong(request) && !this.#isOwn(request)) return analyze(this.#recommender, request, plan);
    return (await this.#run({ packed: pack(request), plan }, way)) as Analysis;
  }

  /** What each vehicle would make of a shipment. @throws AdviseError, ServeError as `recommend` */
  async candidates(request: RecommendRequest, shipment: Id, way: Way = {}): Promise<AnalyzedPair[]> {
    if (!isLong(request)) return this.#recommender.candidates(request, shipment);
    return (await this.#run({ packed: way.packed ?? pack(request), shipment }, way)) as AnalyzedPair[];
  }

  /** Whether a module of somebody's own is asked: it may never return, so it is asked on another thread. */
  #isOwn({ policy }: RecommendRequest): boolean {
    const { policies } = this.#recommender;
    return policies.own.length > 0 && policies.named(policy).isOwn;
  }

  /** As `recommend`; a thread that does not return is ended, and the planner answers. */
  async #recommendByOwn(request: RecommendRequest, context: Context, way: Way, task: Task): Promise<Answer> {
    const limit = (request.deadline_ms ?? OWN_MS) + OWN_MS;
    try {
      return (await this.#run(task, way, limit)) as Answer;
    } catch (error) {
      if (!(error instanceof ThreadLost)) throw error;
      const { policies } = this.#recommender;
      const { name } = policies.named(request.policy);
      policies.report(
        `policy ${name} ended its thread, or did not return within ${limit} ms: the planner has answered`,
      );
      const { askedAt: _, ...rest } = context;
      return this.#recommender.recommend(request, { ...rest, failed: true });
    }
  }

  async #run(task: Task, { signal, by = '' }: Way, limit?: number): Promise<Done> {
    const mine = this.#asked.get(by) ?? 0;
    if (mine >= MOST_OF_ONE) {
      throw new ServeError('ERR_BUSY', `${MOST_OF_ONE} long questions of yours wait already: come again in a second`);
    }
    this.#asked.set(by, mine + 1);
    try {
      return await this.#answered(task, signal, limit);
    } finally {
      const left = this.#asked.get(by)! - 1;
      if (left === 0) this.#asked.delete(by);
      else this.#asked.set(by, left);
    }
  }

  /** @param limit milliseconds after which the thread is ended; undefined for none */
  async #answered(task: Task, signal: AbortSignal | undefined, limit: number | undefined): Promise<Done> {
    await this.#turn(signal);
    let reply;
    try {
      reply = (await this.#pool.run(task, limit === undefined ? {} : { signal: AbortSignal.timeout(limit) })) as Reply;
    } catch (cause) {
      if (limit !== undefined) throw new ThreadLost('the thread was lost', { cause });
      throw new ServeError('ERR_BUSY', 'this cannot be computed now: come again in a second', { cause });
    } finally {
      this.#next();
    }
    if ('done' in reply) {
      for (const fault of reply.faults ?? []) this.#recommender.policies.report(fault);
      return reply.done;
    }
    const { code, message, path, faults } = reply.error;
    throw new AdviseError(code, message, { path, faults });
  }

  /** Until a thread is free, in the order of asking; who leaves before is not computed. */
  async #turn(signal: AbortSignal | undefined): Promise<void> {
    if (signal?.aborted === true) throw abandoned();
    if (this.#free > 0) {
      this.#free--;
      return;
    }
    if (this.#line.size >= MOST_WAITING) {
      throw new ServeError('ERR_BUSY', `${MOST_WAITING} long questions wait already: come again in a second`);
    }
    await new Promise<void>((resolve, reject) => {
      const leave = (): void => {
        this.#line.delete(begin);
        reject(abandoned());
      };
      const begin = (): void => {
        signal?.removeEventListener('abort', leave);
        resolve();
      };
      this.#line.add(begin);
      signal?.addEventListener('abort', leave, { once: true });
    });
  }

  /** The thread that has become free is for the first in the line. */
  #next(): void {
    for (const begin of this.#line) {
      this.#line.delete(begin);
      begin();
      return;
    }
    this.#free++;
  }

  /** For tests of what happens when one of them dies. */
  get threads(): Piscina['threads'] {
    return this.#pool.threads;
  }

  async close(): Promise<void> {
    await this.#pool.destroy();
  }
}

/** A thread that was to ask a module of somebody's own ended, or was ended. */
class ThreadLost extends Error {}

function abandoned(): ServeError {
  return new ServeError('ERR_ABANDONED', 'whoever asked has gone');
}

function isLong({ explain, policy, vehicles, shipments }: RecommendRequest): boolean {
  return explain === true || policy === LOOKAHEAD || vehicles.length * shipments.length > SHORT;
}
