// The categorical distribution over an environment's legal actions, given as logits `from` to `to` (exclusive).

import { exp, log } from '../engine/index.js';

/** Index of the largest logit; the lowest index on ties. */
export function argmax(logits: Float32Array, from: number, to: number): number {
  let best = from;
  for (let k = from + 1; k < to; k++) if (logits[k] > logits[best]) best = k;
  return best;
}

/** Logarithm of the sum of exponentials, safe for large logits. */
export function logSumExp(logits: Float32Array, from: number, to: number): number {
  const most = logits[argmax(logits, from, to)];
  let total = 0;
  for (let k = from; k < to; k++) total += exp(logits[k] - most);
  return most + log(total);
}

/** Index at which the cumulated probability first exceeds `u` of [0, 1); `normaliser` is their logSumExp. */
export function sample(logits: Float32Array, from: number, to: number, normaliser: number, u: number): number {
  let left = u;
  for (let k = from; k < to - 1; k++) {
    left -= exp(logits[k] - normaliser);
    if (left < 0) return k;
  }
  return to - 1;
}
