// Divides rewards by the standard deviation of the discounted return, so that one learning rate fits scenarios paid in
// cents and in hundreds (after VecNormalize of OpenAI Baselines; Engstrom et al. 2020). Rewards are not centred. Unlike
// there, the deviation is a moving average over iterations: the first, random policy may lose a thousand times what a good
// one earns, and must not set the scale for the rest of the run.

import { wholePower } from '../engine/index.js';

/** The scale's state: all that its next call depends on. */
export interface RewardScaleState {
  /** `[n]` discounted return so far of each environment's episode */
  readonly returns: Float64Array;
  /** Calls of `apply` so far. */
  readonly iterations: number;
  /** Moving average of the returns' variance, not yet corrected for its start at 0. */
  readonly variance: number;
}

/** Weight of the past; the average reaches about ten iterations back. */
const DECAY = 0.9;

/** Scales the rewards of `n` environments by a moving estimate of the return's spread. */
export class RewardScale {
  #returns: Float64Array;
  #iterations = 0;
  #variance = 0;

  constructor(envs: number) {
    this.#returns = new Float64Array(envs);
  }

  /**
   * Updates the estimate with the rewards of T steps, and then scales them in place.
   * @param steps      T
   * @param rewards    `[T, n]` input and output
   * @param terminated `[T, n]` 0/1
   * @param truncated  `[T, n]` 0/1
   * @param gamma      discount per decision
   */
  apply(steps: number, rewards: Float32Array, terminated: Uint8Array, truncated: Uint8Array, gamma: number): void {
    const returns = this.#returns;
    const envs = returns.length;
    let mean = 0;
    let squares = 0;
    for (let p = 0; p < steps * envs; p++) {
      const e = p % envs;
      returns[e] = gamma * returns[e] + rewards[p];
      // Welford 1962.
      const delta = returns[e] - mean;
      mean += delta / (p + 1);
      squares += delta * (returns[e] - mean);
      if (terminated[p] === 1 || truncated[p] === 1) returns[e] = 0;
    }
    this.#iterations++;
    this.#variance = DECAY * this.#variance + ((1 - DECAY) * squares) / (steps * envs);
    // Without the correction the first iterations would count as if zeros had come before (Kingma and Ba 2015).
    const variance = this.#variance / (1 - wholePower(DECAY, this.#iterations));
    const scale = 1 / Math.sqrt(variance + 1e-8);
    for (let p = 0; p < steps * envs; p++) rewards[p] *= scale;
  }

  /** A copy of the state. */
  snapshot(): RewardScaleState {
    return { returns: this.#returns.slice(), iterations: this.#iterations, variance: this.#variance };
  }

  /** Takes over a copy of `state`, which must be of as many environments. */
  restore(state: RewardScaleState): void {
    this.#returns = Float64Array.from(state.returns);
    this.#iterations = state.iterations;
    this.#variance = state.variance;
  }
}
