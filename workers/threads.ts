// A Piscina pool on our worker file. While its threads work, the calling thread sleeps.

import { availableParallelism } from 'node:os';
import { fileURLToPath } from 'node:url';
import { Piscina } from 'piscina';
import { WorkerError } from './errors.js';

/** One worker a core. */
export const defaultWorkers: number = availableParallelism();

/** @throws WorkerError `ERR_WORKERS_OPTION` */
export function openThreads(workers: number, workerData: unknown): Piscina {
  if (!Number.isInteger(workers) || workers < 1 || workers > 256) {
    throw new WorkerError('ERR_WORKERS_OPTION', `workers is ${workers}: it must be a whole number from 1 to 256`);
  }
  return new Piscina({
    filename: fileURLToPath(new URL('./worker.js', import.meta.url)),
    minThreads: workers,
    maxThreads: workers,
    idleTimeout: Infinity,
    // One task a worker: a thread that dies must not take a neighbour's task with it.
    concurrentTasksPerWorker: 1,
    workerData,
  });
}

/**
 * Runs `tasks`, and gives their results in order.
 * @throws WorkerError `ERR_WORKER` once all have ended, if any failed; the pool stays usable
 */
export async function runAll<T, R>(
  pool: Piscina,
  name: string,
  tasks: readonly T[],
  done?: (result: R) => void,
): Promise<R[]> {
  const results = await Promise.allSettled(
    tasks.map(async (task) => {
      const result = (await pool.run(task, { name })) as R;
      done?.(result);
      return result;
    }),
  );
  const failed = results.find((result) => result.status === 'rejected');
  if (failed !== undefined) {
    const cause: unknown = failed.reason;
    throw new WorkerError(
      'ERR_WORKER',
      `a worker failed at "${name}": ${cause instanceof Error ? cause.message : String(cause)}`,
      { cause },
    );
  }
  return results.map((result) => (result as PromiseFulfilledResult<R>).value);
}

/** Cuts [0, count) into at most `parts` ranges of nearly equal length. */
export function ranges(count: number, parts: number): { from: number; to: number }[] {
  const cuts = Math.min(count, parts);
  return Array.from({ length: cuts }, (_, k) => ({
    from: Math.floor((k * count) / cuts),
    to: Math.floor(((k + 1) * count) / cuts),
  }));
}
