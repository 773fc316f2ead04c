// Divides rewards by the running standard deviation of the discounted return, so that one learning rate fits scenarios
// paid in cents and in hundreds (as in OpenAI Baselines' VecNormalize; Engstrom et al. 2020). Rewards are not centred.

export interface RewardScaleState {
  readonly returns: Float64Array;
  readonly count: number;
  readonly mean: number;
  readonly squares: number;
}

export class RewardScale {
  #returns: Float64Array;
  #count = 0;
  #mean = 0;
  #squares = 0;

  constructor(envs: number) {
    this.#returns = new Float64Array(envs);
  }

  /** Takes `[T, n]` rewards into account, step by step in order of environments, and then scales them in place. */
  apply(steps: number, rewards: Float32Array, terminated: Uint8Array, truncated: Uint8Array, gamma: number): void {
    const returns = this.#returns;
    const envs = returns.length;
    for (let p = 0; p < steps * envs; p++) {
      const e = p % envs;
      returns[e] = gamma * returns[e] + rewards[p];
      // Welford 1962.
      this.#count++;
      const delta = returns[e] - this.#mean;
      this.#mean += delta / this.#count;
      this.#squares += delta * (returns[e] - this.#mean);
      if (terminated[p] === 1 || truncated[p] === 1) returns[e] = 0;
    }
    const scale = 1 / Math.sqrt(this.#squares / this.#count + 1e-8);
    for (let p = 0; p < steps * envs; p++) rewards[p] *= scale;
  }

  snapshot(): RewardScaleState {
    return { returns: this.#returns.slice(), count: this.#count, mean: this.#mean, squares: this.#squares };
  }

  restore(state: RewardScaleState): void {
    this.#returns = Float64Array.from(state.returns);
    this.#count = state.count;
    this.#mean = state.mean;
    this.#squares = state.squares;
  }
}
