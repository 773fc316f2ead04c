// Slices through a queue: they are put there, and waited for, whoever does them.

import { setTimeout } from 'node:timers/promises';
import type { Deliveries } from './boss.js';
import { JobsError } from './errors.js';
import type { QueueStore, SliceState } from './queue-store.js';
import type { Slice, SliceProgress, SliceResult, SliceWorld, StudyIdentity } from './slice.js';
import { sliceKey } from './study-folder.js';
import type { SliceRunner } from './sweep.js';

/** Which study goes through which queue. */
export interface QueueRunnerOptions {
  readonly store: QueueStore;
  readonly deliveries: Deliveries;
  /** As `studyKey` names it. */
  readonly study: string;
  readonly identity: StudyIdentity;
  /** As `portableWorld` gives it: other machines have none of this one's scenario files. */
  readonly world: SliceWorld;
  /** Slices in the queue at the same time, at most. */
  readonly parallel: number;
  /** Told what people should know: that a worker refuses a slice, or that the database does not answer. */
  readonly report: (message: string) => void;
}

interface Waiting {
  readonly resolve: (result: SliceResult) => void;
  readonly reject: (error: Error) => void;
  readonly onProgress: (progress: SliceProgress) => void;
}

/** Milliseconds between looks at the table. */
const LOOK_MS = 300;
/** Seconds without an answer of the database after which the study is given up; it can be resumed. */
const SILENT_SECONDS = 120;

/** Puts slices into a queue and waits for their results. */
export class QueueRunner implements SliceRunner {
  /** Slices in the queue at the same time, at most. */
  readonly parallel: number;
  readonly #options: QueueRunnerOptions;
  readonly #waiting = new Map<string, Waiting>();
  readonly #told = new Set<string>();
  #looking = false;

  /** Enqueues nothing yet. */
  constructor(options: QueueRunnerOptions) {
    this.parallel = options.parallel;
    this.#options = options;
  }

  /** As of `SliceRunner`; once the signal aborts, the slice stays in the queue. @throws JobsError `ERR_SLICE`, `ERR_QUEUE` */
  async run(
    slice: Slice,
    signal: AbortSignal,
    onProgress: (progress: SliceProgress) => void,
  ): Promise<SliceResult | null> {
    const { store, deliveries, study, identity, world } = this.#options;
    const key = sliceKey(slice);
    if (await store.enqueue(study, { ...slice, ...world }, identity)) await deliveries.send({ study, key });
    if (signal.aborted) return null;
    return new Promise((resolve, reject) => {
      const leave = (): void => {
        this.#waiting.delete(key);
        resolve(null);
      };
      signal.addEventListener('abort', leave, { once: true });
      const end = (): void => {
        this.#waiting.delete(key);
        signal.removeEventListener('abort', leave);
      };
      this.#waiting.set(key, {
        resolve: (result) => {
          end();
          resolve(result);
        },
        reject: (error) => {
          end();
          reject(error);
        },
        onProgress,
      });
      void this.#look();
    });
  }

  /** Looks at the table again and again while somebody waits. */
  async #look(): Promise<void> {
    if (this.#looking) return;
    this.#looking = true;
    let answered = Date.now();
    while (this.#waiting.size > 0) {
      try {
        const states = await this.#options.store.states(this.#options.study, [...this.#waiting.keys()]);
        answered = Date.now();
        for (const state of states) this.#settle(state);
      } catch (error) {
        const seconds = Math.round((Date.now() - answered) / 1000);
        this.#tell(`${(error as Error).message}; trying again`);
        if (seconds > SILENT_SECONDS) for (const { reject } of this.#waiting.values()) reject(error as Error);
      }
      await setTimeout(LOOK_MS);
    }
    this.#looking = false;
  }

  #settle({ key, state, result, fault, progress, refusal }: SliceState): void {
    const waiting = this.#waiting.get(key);
    if (waiting === undefined) return;
    if (refusal !== null) this.#tell(refusal);
    if (state === 'done') waiting.resolve(result!);
    else if (state === 'failed') waiting.reject(new JobsError('ERR_SLICE', fault!));
    else if (progress !== null) waiting.onProgress(progress);
  }

  #tell(message: string): void {
    if (this.#told.has(message)) return;
    this.#told.add(message);
    this.#options.report(message);
  }
}
