// A worker of a queue: takes slices while it has a free place, does each in a process of its own, and gives back what it cannot
// finish. It holds a slice only as long as the table says so.

import { existsSync, mkdirSync, readFileSync, readdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout } from 'node:timers/promises';
import { debuglog } from 'node:util';
import { writeFileAtomic } from '../files/index.js';
import { CHECKPOINT_FILE, TrainError, readCheckpoint } from '../train/index.js';
import type { Deliveries } from './boss.js';
import { JobsError } from './errors.js';
import type { Claim, QueueStore, SavedFile } from './queue-store.js';
import { checkIdentity, studyIdentity, worldFor } from './slice.js';
import type { Slice, SliceProgress, SliceResult } from './slice.js';
import { runInProcess } from './slice-process.js';
import { runName } from './study-folder.js';

/** How a worker works. */
export interface QueueWorkerOptions {
  readonly store: QueueStore;
  readonly deliveries: Deliveries;
  /** Told apart from other workers by it. */
  readonly name: string;
  /** Where its runs lie; of this worker alone. */
  readonly folder: string;
  /** Slices at the same time. */
  readonly parallel: number;
  /** Threads of each. */
  readonly workers: number;
  /** Recorded trips here, if they lie elsewhere than where the study was begun. */
  readonly data?: string | undefined;
  /** Seconds without a sign of life after which a slice is taken from its holder. The same for all workers of a queue. */
  readonly leaseSeconds: number;
  /** Leaves: slices under way save a checkpoint, and are given back. */
  readonly signal: AbortSignal;
  /** Told what people should know. */
  readonly report: (message: string) => void;
  /** Called when a slice is done. */
  readonly onDone?: ((slice: Slice) => void) | undefined;
}

/** Milliseconds between questions for work. */
const ASK_MS = 500;
const log = debuglog('fleetstep:jobs');

/** Works until the signal aborts. */
export async function runQueueWorker(options: QueueWorkerOptions): Promise<void> {
  const { store, deliveries, name, parallel, leaseSeconds, signal, report } = options;
  const underWay = new Set<Promise<void>>();
  const refused = new Set<string>();
  let silent = false;
  let looked = 0;
  while (!signal.aborted) {
    try {
      if (performance.now() - looked > (leaseSeconds / 3) * 1000) {
        for (const key of await store.overdue(leaseSeconds)) await deliveries.send(key);
        looked = performance.now();
      }
      if (underWay.size < parallel) {
        const claim = await deliveries.next((key) => store.claim(key, name));
        if (silent) report('the queue answers again');
        silent = false;
        if (claim !== null) {
          const working = work(claim, options, refused)
            .catch((error: unknown) => report((error as Error).message))
            .finally(() => underWay.delete(working));
          underWay.add(working);
          continue;
        }
      }
    } catch (error) {
      // What it holds goes on; what is lost is found out by its signs of life.
      if (!silent) report(`${(error as Error).message}; trying again`);
      silent = true;
    }
    await setTimeout(ASK_MS, undefined, { signal }).catch(() => undefined);
  }
  await Promise.allSettled(underWay);
}

async function work(claim: Claim, options: QueueWorkerOptions, refused: Set<string>): Promise<void> {
  const { store, deliveries, signal, report } = options;
  const slice: Slice = options.data === undefined ? claim.slice : { ...claim.slice, data: options.data };
  const folder = join(options.folder, claim.study, runName(slice));
  const told = `trial ${slice.trial}, seed ${slice.seed}, to step ${slice.toSteps}`;
  try {
    checkIdentity(claim.identity, studyIdentity(worldFor(slice)));
  } catch (error) {
    const reason = `worker ${options.name} refuses study ${claim.study}: ${(error as Error).message}`;
    if (!refused.has(claim.study)) report(reason);
    refused.add(claim.study);
    // Not at once, so that a worker which fits may have it.
    await setTimeout(ASK_MS * 4, undefined, { signal }).catch(() => undefined);
    if (await store.finish(claim, { refusal: reason }, null)) await deliveries.send(claim);
    return;
  }

  mkdirSync(folder, { recursive: true });
  await restore(claim, folder, store);
  const lost = new AbortController();
  const stop = AbortSignal.any([signal, lost.signal]);
  let progress: SliceProgress | null = null;
  const beating = beatWhile(lost, claim, options, () => progress);
  let end: { result: SliceResult } | { fault: string } | null = null;
  try {
    const result = await runInProcess(
      { slice, identity: claim.identity, folder, workers: options.workers },
      { signal: stop, silentSeconds: options.leaseSeconds, onProgress: (now) => (progress = now) },
    );
    if (result !== null) end = { result };
  } catch (error) {
    if (!(error instanceof JobsError)) throw error;
    end = { fault: error.message };
  } finally {
    await beating.stop();
  }
  if (lost.signal.aborted) {
    report(`${told}: taken from this worker, which was silent for too long`);
    return;
  }
  const kept = await store.finish(claim, end, savedIn(folder));
  log('%s: %s', told, kept ? (end === null ? 'given back' : 'finished') : 'not this worker’s any more');
  if (kept && end === null) await deliveries.send(claim);
  if (kept && end !== null) options.onDone?.(slice);
}

/** Signs of life until it is stopped. The slice counts as lost once the table says so, or has been silent for as long as others wait. */
function beatWhile(
  lost: AbortController,
  claim: Claim,
  { store, leaseSeconds }: QueueWorkerOptions,
  progress: () => SliceProgress | null,
): { stop(): Promise<void> } {
  const over = new AbortController();
  const beat = async (): Promise<void> => {
    let answered = performance.now();
    while (!over.signal.aborted && !lost.signal.aborted) {
      try {
        if (!(await store.beat(claim, progress()))) lost.abort();
        answered = performance.now();
      } catch {
        if (performance.now() - answered > leaseSeconds * 1000) lost.abort();
      }
      await setTimeout((leaseSeconds / 5) * 1000, undefined, { signal: over.signal }).catch(() => undefined);
    }
  };
  const beating = beat();
  return {
    stop: async () => {
      over.abort();
      await beating;
    },
  };
}

/** Steps of the checkpoint in a folder; -1 if there is none that can be read. */
function stepsIn(folder: string): number {
  try {
    return readCheckpoint(folder).steps;
  } catch (error) {
    if (error instanceof TrainError) return -1;
    throw error;
  }
}

/** Takes over what others have saved of the run, if that is further than what lies here. */
async function restore(claim: Claim, folder: string, store: QueueStore): Promise<void> {
  const files = await store.savedRun(claim, stepsIn(folder));
  if (files === null) return;
  rmSync(folder, { recursive: true, force: true });
  mkdirSync(folder, { recursive: true });
  // The checkpoint last: with it the folder is a run.
  const ordered = [...files].sort((a, b) => Number(a.name === CHECKPOINT_FILE) - Number(b.name === CHECKPOINT_FILE));
  for (const { name, bytes } of ordered) writeFileAtomic(join(folder, name), bytes);
}

/** What another worker needs to go on with the run; null without a checkpoint. */
function savedIn(folder: string): { steps: number; files: SavedFile[] } | null {
  if (!existsSync(join(folder, CHECKPOINT_FILE))) return null;
  const steps = stepsIn(folder);
  if (steps < 0) return null;
  const names = readdirSync(folder).filter((name) => /^(checkpoint|best|replay-\d+)\.msgpack$/.test(name));
  return { steps, files: names.map((name) => ({ name, bytes: readFileSync(join(folder, name)) })) };
}
