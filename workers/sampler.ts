// How a rollout draws an action from the network's scores. A sampler is named by plain data, because it must reach the worker
// threads; a new one is a class here and a case in `makeSampler`.

import { log } from '../engine/index.js';
import { argmax, logSumExp, sample } from '../policy/index.js';
import { check } from './check-options.js';

/** Which sampler a rollout uses, as plain data that threads can be sent. */
export type SamplerSpec =
  /** By the softmax of the scores: scores are logits (PPO). */
  | { readonly kind: 'softmax' }
  /**
   * A legal action chosen uniformly with probability `epsilon` (0 to 1), else the highest score (Mnih et al. 2015); with a
   * `temperature` above 0 (default 0) else by the softmax of the scores divided by it.
   */
  | { readonly kind: 'epsilon-greedy'; readonly epsilon: number; readonly temperature?: number };

/** Draws one of the legal actions of an environment. One object per thread: it keeps the last draw's probability. */
export interface Sampler {
  /** Natural logarithm of the probability with which the last action was drawn. */
  readonly logProb: number;
  /**
   * @param scores network outputs; those of the environment's legal actions are at `from` to `to` (exclusive)
   * @param u      a uniform number of [0, 1), the only source of randomness
   * @returns the index of the drawn action, from `from` to `to - 1`
   */
  draw(scores: Float32Array, from: number, to: number, u: number): number;
}

class SoftmaxSampler implements Sampler {
  logProb = 0;

  draw(scores: Float32Array, from: number, to: number, u: number): number {
    const normaliser = logSumExp(scores, from, to);
    const k = sample(scores, from, to, normaliser, u);
    this.logProb = scores[k] - normaliser;
    return k;
  }
}

class EpsilonGreedySampler implements Sampler {
  logProb = 0;
  readonly #epsilon: number;
  readonly #temperature: number;
  /** Weights of the softmax. */
  #weights = new Float64Array(0);

  constructor(epsilon: number, temperature: number) {
    this.#epsilon = epsilon;
    this.#temperature = temperature;
  }

  draw(scores: Float32Array, from: number, to: number, u: number): number {
    const epsilon = this.#epsilon;
    const count = to - from;
    if (this.#temperature > 0) return this.#drawSoftly(scores, from, to, u);
    const best = argmax(scores, from, to);
    // Given u < epsilon, u / epsilon is uniform again: one number decides both whether to explore and where.
    const k = u < epsilon ? from + Math.min(count - 1, Math.floor((u / epsilon) * count)) : best;
    this.logProb = log(epsilon / count + (k === best ? 1 - epsilon : 0));
    return k;
  }

  #drawSoftly(scores: Float32Array, from: number, to: number, u: number): number {
    const epsilon = this.#epsilon;
    const count = to - from;
    if (this.#weights.length < count) this.#weights = new Float64Array(2 * count);
    const weights = this.#weights;
    const most = scores[argmax(scores, from, to)];
    let total = 0;
    for (let k = 0; k < count; k++) total += weights[k] = Math.exp((scores[from + k] - most) / this.#temperature);
    // Above epsilon, what is left of u is uniform again, as below it.
    let left = u < epsilon ? (u / epsilon) * count : ((u - epsilon) / (1 - epsilon)) * total;
    let k = 0;
    while (k < count - 1 && (left -= u < epsilon ? 1 : weights[k]) >= 0) k++;
    this.logProb = Math.log(epsilon / count + ((1 - epsilon) * weights[k]) / total);
    return from + k;
  }
}

/** @throws WorkerError `ERR_WORKERS_OPTION` for an unknown kind, or an `epsilon` outside [0, 1] */
export function makeSampler(spec: SamplerSpec): Sampler {
  check.members('the sampler', spec, ['kind', 'epsilon', 'temperature'], ['kind']);
  check.oneOf('the sampler’s kind', spec.kind, ['softmax', 'epsilon-greedy']);
  switch (spec.kind) {
    case 'softmax':
      return new SoftmaxSampler();
    case 'epsilon-greedy':
      check.between('the sampler’s epsilon', spec.epsilon, 0, 1);
      check.between('the sampler’s temperature', spec.temperature ?? 0, 0, 1e6);
      return new EpsilonGreedySampler(spec.epsilon, spec.temperature ?? 0);
  }
}
