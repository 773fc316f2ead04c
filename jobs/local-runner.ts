// Slices in processes of this machine.

import type { Slice, SliceProgress, SliceResult, StudyIdentity } from './slice.js';
import { runInProcess } from './slice-process.js';
import type { StudyFolder } from './study-folder.js';
import type { SliceRunner } from './sweep.js';

/** How many processes, and of how many threads. */
export interface LocalRunnerOptions {
  readonly folder: StudyFolder;
  readonly identity: StudyIdentity;
  /** Processes at the same time. */
  readonly parallel: number;
  /** Threads of each. */
  readonly workers: number;
  /** Seconds without a sign of life after which a process is killed and its slice runs again. */
  readonly silentSeconds: number;
  /** Called with the number of each process. */
  readonly onStart?: ((pid: number) => void) | undefined;
}

/** Runs each slice in a process of its own. */
export class LocalRunner implements SliceRunner {
  /** Processes at the same time. */
  readonly parallel: number;
  readonly #options: LocalRunnerOptions;

  /** Starts nothing yet. */
  constructor(options: LocalRunnerOptions) {
    this.parallel = options.parallel;
    this.#options = options;
  }

  /** As of `SliceRunner`. @throws JobsError `ERR_SLICE` */
  run(slice: Slice, signal: AbortSignal, onProgress: (progress: SliceProgress) => void): Promise<SliceResult | null> {
    const { folder, identity, workers, silentSeconds, onStart } = this.#options;
    return runInProcess(
      { slice, identity, folder: folder.runFolder(slice), workers },
      { signal, silentSeconds, onProgress, onStart },
    );
  }
}
