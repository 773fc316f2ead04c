// Detects workers that hang, and spares those that are slow: each task counts its steps in shared memory, and a task whose count
// has not changed for long enough hangs. Time is counted in wake-ups of this thread, not by the clock: on a machine that was
// suspended, or is busy, workers get time when this thread does.

/** Steps of each task, one count per task. */
export type Beats = Int32Array<SharedArrayBuffer>;

/** Shared counts for `tasks` tasks, all 0. */
export function beatsOf(tasks: number): Beats {
  return new Int32Array(new SharedArrayBuffer(4 * tasks));
}

/** Seconds without a single step after which a worker counts as hanging. */
export const DEFAULT_HANG_SECONDS = 300;

/** Watches counts once a second; it does not keep the process alive. Stop it after use. */
export class Watchdog {
  readonly #beats: Beats;
  readonly #seen: Int32Array;
  /** Wake-ups since the count changed. */
  readonly #still: Int32Array;
  readonly #ended: Uint8Array;
  #stillAll = 0;
  readonly #timer: NodeJS.Timeout;

  /**
   * @param seconds limit without a step; called at each wake-up
   * @param onHang  called once, with the task that makes no step, or -1 if none ever began, and the limit
   */
  constructor(beats: Beats, seconds: () => number, onHang: (task: number, seconds: number) => void) {
    this.#beats = beats;
    this.#seen = new Int32Array(beats.length);
    this.#still = new Int32Array(beats.length);
    this.#ended = new Uint8Array(beats.length);
    this.#timer = setInterval(() => {
      const limit = seconds();
      const task = this.#look(limit);
      if (task === null) return;
      this.stop();
      onHang(task, limit);
    }, 1000);
    this.#timer.unref();
  }

  /** Says that a task has ended: it is no longer watched. */
  ended(task: number): void {
    this.#ended[task] = 1;
    this.#stillAll = 0;
  }

  /** Ends the watch; a second call does nothing. */
  stop(): void {
    clearInterval(this.#timer);
  }

  #look(limit: number): number | null {
    let moved = false;
    let hanging: number | null = null;
    for (let k = 0; k < this.#beats.length; k++) {
      const count = Atomics.load(this.#beats, k);
      if (count !== this.#seen[k]) {
        this.#seen[k] = count;
        this.#still[k] = 0;
        moved = true;
      } else if (count !== 0 && this.#ended[k] === 0) {
        this.#still[k]++;
        if (this.#still[k] >= limit) hanging ??= k;
      }
    }
    this.#stillAll = moved ? 0 : this.#stillAll + 1;
    // A task that waits for a thread has not begun; if no count changes at all, no thread runs.
    return hanging ?? (this.#stillAll >= limit ? -1 : null);
  }
}
