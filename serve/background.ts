// Chooses the thread that computes an answer: short requests are computed on this thread at once, long ones on worker threads, so
// that short requests need not wait. Long are explanations, look-ahead, and requests of many vehicles and shipments. With
// `worker.ts`, the only file of this room that knows of threads.

import { availableParallelism } from 'node:os';
import { setTimeout } from 'node:timers/promises';
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
  VroomAnswer,
} from '../advise/index.js';
import { ServeError } from './errors.js';

/** What a worker thread needs to give the same answers as this one. */
export interface Setup {
  /** The trained networks that are served. */
  readonly networks: readonly TrainedNetwork[];
  /** The scenario of all policies that were not trained on one. */
  readonly base: CompiledScenario;
  /** Modules of the user's own. */
  readonly own: readonly OwnPolicySpec[];
  /** Version of the package, for the answer's provenance. */
  readonly version: string;
  /** Counts the threads that have loaded their code. */
  readonly loaded: Int32Array<SharedArrayBuffer>;
}

/**
 * Work for a thread. `packed` is the request from `pack`: to answer, to score a plan for, to find candidates for a shipment, or to plan
 * routes for.
 */
export type Task =
  | { readonly packed: Uint8Array; readonly context: Context }
  | { readonly packed: Uint8Array; readonly plan: readonly PlannedPair[] }
  | { readonly packed: Uint8Array; readonly shipment: Id }
  | { readonly packed: Uint8Array; readonly form: 'vroom' };

type Done = Answer | Analysis | AnalyzedPair[] | VroomAnswer;

/** What a thread gives back. An AdviseError goes as a plain object, because errors lose their class between threads. */
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

/** Pairs of vehicle and shipment that are computed within a few milliseconds. */
const SHORT = 5000;
/** Milliseconds that a module of somebody's own has beyond the deadline, and to start its thread. */
const OWN_MS = 3000;
/** Requests that wait for a thread; more are rejected. */
const MOST_WAITING = 32;
/** Requests of one caller, waiting or being computed; the rest of the queue is for others. */
const MOST_OF_ONE = 28;

/** Where a request came from. */
export interface Way {
  /** The request from `pack`, if the caller has it; default: it is packed when needed. */
  readonly packed?: Uint8Array | undefined;
  /** Aborts when the client has disconnected: a request that still waits for a thread is then dropped. */
  readonly signal?: AbortSignal | undefined;
  /** The account that asks, for its share of the threads; default: all without a name share one. */
  readonly by?: string | undefined;
}

/** Computes answers, on this thread or on a pool of worker threads. Close it when done. */
export class Background {
  readonly #recommender: Recommender;
  readonly #pool: Piscina;
  /** Requests of each caller, waiting or being computed. */
  readonly #asked = new Map<string, number>();
  /** Requests that wait for a thread, the oldest first. Kept here because the pool's queue has no limit and no way to leave it. */
  readonly #queue = new Set<() => void>();
  #free: number;
  /** Threads that have been started, and those that have loaded their code. */
  #started = 0;
  readonly #loaded = new Int32Array(new SharedArrayBuffer(4));

  /**
   * @param recommender answers short requests; its networks are copied to the threads
   * @param threads     worker threads; default: cores less one, from 1 to 4
   */
  constructor(recommender: Recommender, threads: number = Math.max(1, Math.min(4, availableParallelism() - 1))) {
    const {
      policies: { networks, base, own },
      version,
    } = recommender;
    this.#recommender = recommender;
    this.#free = threads;
    this.#pool = new Piscina({
      filename: fileURLToPath(new URL('./worker.js', import.meta.url)),
      // One thread is ready when the first request comes.
      minThreads: 1,
      maxThreads: threads,
      // Milliseconds: starting a thread takes longer than computing most answers.
      idleTimeout: 60_000,
      concurrentTasksPerWorker: 1,
      workerData: { networks, base, own, version, loaded: this.#loaded } satisfies Setup,
    });
    // The first thread was started by the constructor of the pool.
    this.#started = this.#pool.threads.length;
    this.#pool.on('workerCreate', () => this.#started++);
  }

  /**
   * Answers a request.
   * @throws AdviseError as `Recommender.recommend`; ServeError `ERR_BUSY` if a thread died, or too many requests wait already;
   *   `ERR_ABANDONED` if `way.signal` aborted while it waited
   */
  async recommend(request: RecommendRequest, context: Context, way: Way = {}): Promise<Answer> {
    const task = (): Task => ({ packed: way.packed ?? pack(request), context });
    if (this.#isOwn(request)) return this.#recommendByOwn(request, context, way, task());
    if (!isLong(request)) return this.#recommender.recommend(request, context);
    return (await this.#run(task(), way)) as Answer;
  }

  /** Scores a plan for the state of a request. @throws AdviseError, ServeError as `recommend` */
  async analyze(request: RecommendRequest, plan: readonly PlannedPair[], way: Way = {}): Promise<Analysis> {
    if (!isLong(request) && !this.#isOwn(request)) return analyze(this.#recommender, request, plan);
    return (await this.#run({ packed: pack(request), plan }, way)) as Analysis;
  }

  /** Each vehicle's figures for a shipment, as if it were given that one alone. @throws AdviseError, ServeError as `recommend` */
  async candidates(request: RecommendRequest, shipment: Id, way: Way = {}): Promise<AnalyzedPair[]> {
    if (!isLong(request)) return this.#recommender.candidates(request, shipment);
    return (await this.#run({ packed: way.packed ?? pack(request), shipment }, way)) as AnalyzedPair[];
  }

  /** Plans routes for a request in VROOM's form, unchecked. @throws AdviseError, ServeError as `recommend` */
  async routes(body: object, way: Way = {}): Promise<VroomAnswer> {
    return (await this.#run({ packed: pack(body), form: 'vroom' }, way)) as VroomAnswer;
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
      throw busy(`${MOST_OF_ONE} long requests of this account wait already`);
    }
    this.#asked.set(by, mine + 1);
    try {
      return await this.#answered(task, signal, limit);
    } finally {
      const left = (this.#asked.get(by) ?? 1) - 1;
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
      throw busy('the thread that computed this request ended', cause);
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

  /** Waits for a free thread, first come, first served. @throws ServeError `ERR_ABANDONED`, `ERR_BUSY` */
  async #turn(signal: AbortSignal | undefined): Promise<void> {
    if (signal?.aborted === true) throw abandoned();
    if (this.#free > 0) {
      this.#free--;
      return;
    }
    if (this.#queue.size >= MOST_WAITING) throw busy(`${MOST_WAITING} long requests wait already`);
    await new Promise<void>((resolve, reject) => {
      const leave = (): void => {
        this.#queue.delete(begin);
        reject(abandoned());
      };
      const begin = (): void => {
        signal?.removeEventListener('abort', leave);
        resolve();
      };
      this.#queue.add(begin);
      signal?.addEventListener('abort', leave, { once: true });
    });
  }

  /** Gives the thread that has become free to the oldest request of the queue. */
  #next(): void {
    for (const begin of this.#queue) {
      this.#queue.delete(begin);
      begin();
      return;
    }
    this.#free++;
  }

  /** The worker threads, for tests of what happens when one of them dies. */
  get threads(): Piscina['threads'] {
    return this.#pool.threads;
  }

  /** Ends the threads; requests that they compute fail with `ERR_BUSY`. It waits for threads that still load, up to ten seconds. */
  async close(): Promise<void> {
    // Node aborts the whole process where a thread is ended while it loads.
    for (let tries = 0; tries < 500 && Atomics.load(this.#loaded, 0) < this.#started; tries++) await setTimeout(20);
    await this.#pool.destroy();
  }
}

/** A thread that was to ask a module of somebody's own ended, or was ended. */
class ThreadLost extends Error {}

function abandoned(): ServeError {
  return new ServeError('ERR_ABANDONED', 'the client disconnected before the answer was computed');
}

function busy(reason: string, cause?: unknown): ServeError {
  return new ServeError('ERR_BUSY', `${reason}: retry after 1 s`, { cause });
}

function isLong({ explain, policy, vehicles, shipments }: RecommendRequest): boolean {
  return explain === true || policy === LOOKAHEAD || vehicles.length * shipments.length > SHORT;
}
