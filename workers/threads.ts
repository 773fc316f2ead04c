// A Piscina pool on our worker file. While its threads work, the calling thread sleeps.

import { availableParallelism } from 'node:os';
import { setImmediate, setTimeout } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { Piscina } from 'piscina';
import { check } from './check-options.js';
import { WorkerError } from './errors.js';
import { log } from './log.js';
import { DEFAULT_HANG_SECONDS, Watchdog } from './watchdog.js';
import type { Beats } from './watchdog.js';

/** One worker per core. */
export const defaultWorkers: number = availableParallelism();

/** Most threads that a caller may ask for. */
export const MAX_WORKERS = 256;

/**
 * Starts a pool of threads; close it with `closeThreads`.
 * @param workers    threads, 1 to 256
 * @param workerData cloned to each thread; shared memory stays shared
 * @throws WorkerError `ERR_WORKERS_OPTION`
 */
export function openThreads(workers: number, workerData: unknown): Piscina {
  check.whole('workers', workers, 1, MAX_WORKERS);
  const loaded = new Int32Array(new SharedArrayBuffer(4));
  const pool = new Piscina({
    filename: fileURLToPath(new URL('./worker.js', import.meta.url)),
    minThreads: workers,
    maxThreads: workers,
    idleTimeout: Infinity,
    // One task a worker: a thread that dies must not take a neighbour's task with it.
    concurrentTasksPerWorker: 1,
    workerData: { loaded, data: workerData } satisfies ThreadData,
  });
  const births = { loaded, expected: workers };
  let created = 0;
  pool.on('workerCreate', ({ id }: { readonly id: number }) => {
    if (++created <= workers) log('thread %d started', id);
    else log('thread %d started: it replaces one that died', id);
  });
  // A thread that dies is replaced by another.
  pool.on('workerDestroy', () => {
    births.expected++;
    // Whoever closes the pool has deleted it from the list before.
    if (birthsOf.has(pool)) log('a thread died');
  });
  birthsOf.set(pool, births);
  return pool;
}

/** What each thread is given. */
export interface ThreadData {
  /** Counts threads that have loaded their code. */
  readonly loaded: Int32Array;
  /** What the caller of `openThreads` gave. */
  readonly data: unknown;
}

const birthsOf = new WeakMap<Piscina, { readonly loaded: Int32Array; expected: number }>();

/** Ends the threads at once, except that it waits for those that still load: Node aborts the process if one is ended then. */
export async function closeThreads(pool: Piscina): Promise<void> {
  const births = birthsOf.get(pool);
  for (let tries = 0; births !== undefined && tries < 500; tries++) {
    if (Atomics.load(births.loaded, 0) >= births.expected) break;
    await setTimeout(20);
  }
  if (birthsOf.delete(pool)) log('ending %d threads', pool.threads.length);
  await pool.destroy();
}

/** How `runAll` reports and watches its tasks. */
export interface RunOptions<R> {
  /** File of the module that exports the tasks' function; default: our worker file. */
  readonly filename?: string;
  /** Called as tasks end. */
  readonly done?: (result: R) => void;
  /** Called when a task fails, before the others have ended. */
  readonly failed?: () => void;
  /** Where the tasks count their steps, in order of the tasks; without it hanging tasks are not detected. */
  readonly beats?: Beats;
  /** Seconds without a step after which a task counts as hanging; called again and again. Default 300. */
  readonly hangSeconds?: () => number;
}

/**
 * Runs `tasks`, and gives their results in order.
 * @throws WorkerError `ERR_WORKER` once all have ended, if any failed; the pool stays usable. `ERR_WORKER_HANGS` if one of
 *   them makes no step; the pool is then destroyed
 */
export async function runAll<T, R>(
  pool: Piscina,
  name: string,
  tasks: readonly T[],
  options: RunOptions<R> = {},
): Promise<R[]> {
  let hang: WorkerError | null = null;
  const watchdog =
    options.beats === undefined
      ? null
      : new Watchdog(options.beats, options.hangSeconds ?? (() => DEFAULT_HANG_SECONDS), (task, seconds) => {
          hang = new WorkerError(
            'ERR_WORKER_HANGS',
            `a worker hangs at "${name}": ${task < 0 ? 'no task has begun' : `task ${task} has made no step`} for ${seconds} s`,
          );
          log('watchdog: %s', hang.message);
          // Ends its threads at once; their tasks reject.
          void closeThreads(pool);
        });
  try {
    const results = await Promise.allSettled(
      tasks.map(async (task, k) => {
        try {
          const { filename } = options;
          const result = (await pool.run(task, { name, ...(filename === undefined ? {} : { filename }) })) as R;
          options.done?.(result);
          return result;
        } catch (error) {
          options.failed?.();
          throw error;
        } finally {
          watchdog?.ended(k);
        }
      }),
    );
    // Node hands over the messages of threads without looking at signals and timers in between: a caller who always finds the
    // next message there already, as his own work took longer, would never see an interrupt.
    await setImmediate();
    const failed = results.find((result) => result.status === 'rejected');
    if (failed !== undefined) {
      if (hang !== null) throw hang as WorkerError;
      const cause: unknown = failed.reason;
      log('task "%s" failed: %o', name, cause);
      throw new WorkerError(
        'ERR_WORKER',
        `a worker failed at "${name}": ${cause instanceof Error ? cause.message : String(cause)}`,
        { cause },
      );
    }
    return results.map((result) => (result as PromiseFulfilledResult<R>).value);
  } finally {
    watchdog?.stop();
  }
}

/** Cuts [0, count) into at most `parts` ranges of nearly equal length. */
export function ranges(count: number, parts: number): { from: number; to: number }[] {
  const cuts = Math.min(count, parts);
  return Array.from({ length: cuts }, (_, k) => ({
    from: Math.floor((k * count) / cuts),
    to: Math.floor(((k + 1) * count) / cuts),
  }));
}
