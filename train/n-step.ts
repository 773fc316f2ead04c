// n-step returns as they come in: each decision waits until n rewards have followed it, or its episode has ended. What is
// summed never crosses the end of an episode. It knows no networks and no memory but its own.

import { restoreViews } from './records.js';
import type { SavedViews } from './records.js';

/** Takes transitions that are complete. */
export interface TransitionSink {
  /**
   * @param state      number of the state in which the decision was taken
   * @param total      discounted sum of the rewards that followed
   * @param steps      how many rewards that is: fewer than n where the episode ended before
   * @param terminated 1: nothing follows
   * @param successor  number of the state that followed, the final one of a truncated episode; -1 if nothing follows
   */
  complete(state: number, total: number, steps: number, terminated: number, successor: number): void;
}

/** The decisions of `envs` environments whose transitions are not complete yet. */
export class NStepQueue {
  readonly #n: number;
  /** `[n]` discount to the power of the index */
  readonly #discounts: Float64Array;
  readonly #sink: TransitionSink;
  readonly #views: {
    /** `[envs]` decisions that wait */
    readonly waiting: Int32Array;
    /** `[envs, n]` numbers of their states, oldest first */
    readonly states: Float64Array;
    /** `[envs, n]` discounted sums so far */
    readonly totals: Float64Array;
  };

  constructor(envs: number, n: number, gamma: number, sink: TransitionSink) {
    this.#n = n;
    this.#discounts = Float64Array.from({ length: n }, (_, k) => gamma ** k);
    this.#sink = sink;
    this.#views = {
      waiting: new Int32Array(envs),
      states: new Float64Array(envs * n),
      totals: new Float64Array(envs * n),
    };
  }

  /** Environment e has come to a state, and a decision is taken there. */
  decide(e: number, state: number): void {
    const n = this.#n;
    const { waiting, states, totals } = this.#views;
    const p = e * n;
    if (waiting[e] === n) {
      // Seen by n rewards: what followed is the state that has come now.
      this.#sink.complete(states[p], totals[p], n, 0, state);
      states.copyWithin(p, p + 1, p + n);
      totals.copyWithin(p, p + 1, p + n);
      waiting[e]--;
    }
    states[p + waiting[e]] = state;
    totals[p + waiting[e]] = 0;
    waiting[e]++;
  }

  /** The reward of environment e's last decision. */
  reward(e: number, reward: number): void {
    const { waiting, totals } = this.#views;
    const p = e * this.#n;
    const last = waiting[e] - 1;
    for (let k = 0; k <= last; k++) totals[p + k] += this.#discounts[last - k] * reward;
  }

  /**
   * Environment e's episode has ended with the last reward.
   * @param final number of its final state where it was truncated, -1 where it terminated
   */
  end(e: number, final: number): void {
    const { waiting, states, totals } = this.#views;
    const p = e * this.#n;
    for (let k = 0; k < waiting[e]; k++) {
      this.#sink.complete(states[p + k], totals[p + k], waiting[e] - k, final < 0 ? 1 : 0, final);
    }
    waiting[e] = 0;
  }

  /** Its memory: all that its next call depends on. */
  get views(): SavedViews {
    return this.#views;
  }

  /** Takes over saved memory. @throws TrainError `ERR_CHECKPOINT` if it does not fit */
  restore(saved: SavedViews): void {
    restoreViews(this.#views, saved);
  }
}
