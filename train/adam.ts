// Adam on flat arrays (Kingma and Ba 2015, algorithm 1). Not TensorFlow.js's, because this state can be saved and restored to
// the byte, and because it is the same on every backend.

import { wholePower } from '../engine/index.js';

/** The optimiser's state: with the weights, all that its next step depends on. */
export interface AdamState {
  /** `[size]` mean of the gradients, exponentially weighted */
  readonly m: Float32Array;
  /** `[size]` mean of the squared gradients, exponentially weighted */
  readonly v: Float32Array;
  /** Steps done. */
  readonly step: number;
}

/** Decay of the gradients' mean, and of the squared gradients'. */
export const BETA1 = 0.9;
/** Decay of the mean of squared gradients (Kingma and Ba 2015). */
export const BETA2 = 0.999;
/** Keeps the step finite where gradients are 0. */
export const EPSILON = 1e-5;

/** Adam's optimiser over one flat array of weights. */
export class Adam {
  #m: Float32Array;
  #v: Float32Array;
  #step = 0;

  constructor(size: number) {
    this.#m = new Float32Array(size);
    this.#v = new Float32Array(size);
  }

  /** Steps done. */
  get step(): number {
    return this.#step;
  }

  /** Moves `weights` against `gradient`, both `[size]`, the gradient scaled by `scale` first. */
  update(weights: Float32Array, gradient: Float32Array, learningRate: number, scale: number): void {
    const m = this.#m;
    const v = this.#v;
    this.#step++;
    const rate = learningRate / (1 - wholePower(BETA1, this.#step));
    const root = 1 / Math.sqrt(1 - wholePower(BETA2, this.#step));
    for (let k = 0; k < weights.length; k++) {
      const g = gradient[k] * scale;
      const mk = BETA1 * m[k] + (1 - BETA1) * g;
      const vk = BETA2 * v[k] + (1 - BETA2) * g * g;
      m[k] = mk;
      v[k] = vk;
      weights[k] -= (rate * mk) / (Math.sqrt(vk) * root + EPSILON);
    }
  }

  /** A copy of the state. */
  snapshot(): AdamState {
    return { m: this.#m.slice(), v: this.#v.slice(), step: this.#step };
  }

  /** Takes over a copy of `state`, which must be of the same size. */
  restore(state: AdamState): void {
    this.#m = Float32Array.from(state.m);
    this.#v = Float32Array.from(state.v);
    this.#step = state.step;
  }
}
