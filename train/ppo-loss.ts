// PPO's loss over legal actions, and its derivatives with respect to logits and values, in closed form. Networks only ever
// see these derivatives, so every backend minimises the same function; a test holds them to numerical ones.

import { logSumExp } from '../policy/index.js';

export interface PpoCoefficients {
  /** Clip range of the probability ratio. */
  readonly clip: number;
  readonly valueCoefficient: number;
  readonly entropyCoefficient: number;
}

/** Means over a minibatch. */
export interface PpoLosses {
  readonly policyLoss: number;
  readonly valueLoss: number;
  readonly entropy: number;
  /** KL divergence of the new policy from the old, estimated as mean(ratio - 1 - log ratio) (Schulman 2020). */
  readonly approxKl: number;
  /** Share of samples whose ratio lies outside the clip range. */
  readonly clipFraction: number;
}

/** What the loss needs of `rows` samples; sample r has entries `starts[r]` to `starts[r + 1]` of the logits. */
export interface PpoSamples {
  readonly rows: number;
  readonly starts: Int32Array;
  /** `[rows]` which entry of the sample was taken */
  readonly taken: Int32Array;
  /** `[rows]` log-probability when it was taken */
  readonly logProbs: Float32Array;
  readonly advantages: Float32Array;
  readonly returns: Float32Array;
}

/**
 * Loss = policy + valueCoefficient * value - entropyCoefficient * entropy (Schulman et al. 2017, eq. 9, as a loss).
 * @param logits  `[entries]`
 * @param values  `[rows]`
 * @param dLogits `[entries]` output: derivative of the loss
 * @param dValues `[rows]` output: derivative of the loss
 */
export function ppoLoss(
  samples: PpoSamples,
  coefficients: PpoCoefficients,
  logits: Float32Array,
  values: Float32Array,
  dLogits: Float32Array,
  dValues: Float32Array,
): PpoLosses {
  const { rows, starts, taken, logProbs, advantages, returns } = samples;
  const { clip, valueCoefficient, entropyCoefficient } = coefficients;
  let policyLoss = 0;
  let valueLoss = 0;
  let entropySum = 0;
  let kl = 0;
  let clipped = 0;
  for (let r = 0; r < rows; r++) {
    const from = starts[r];
    const to = starts[r + 1];
    const action = from + taken[r];
    const advantage = advantages[r];
    const normaliser = logSumExp(logits, from, to);
    const logRatio = logits[action] - normaliser - logProbs[r];
    const ratio = Math.exp(logRatio);
    const bounded = Math.min(Math.max(ratio, 1 - clip), 1 + clip);
    const plain = ratio * advantage;
    policyLoss -= Math.min(plain, bounded * advantage);
    // The derivative goes through the ratio only where the unclipped term is the smaller one.
    const dLogProb = plain <= bounded * advantage ? -plain : 0;
    kl += ratio - 1 - logRatio;
    if (Math.abs(ratio - 1) > clip) clipped++;

    let entropy = 0;
    for (let k = from; k < to; k++) {
      const logP = logits[k] - normaliser;
      entropy -= Math.exp(logP) * logP;
    }
    entropySum += entropy;
    for (let k = from; k < to; k++) {
      const logP = logits[k] - normaliser;
      const p = Math.exp(logP);
      dLogits[k] = (-dLogProb * p + entropyCoefficient * p * (logP + entropy)) / rows;
    }
    dLogits[action] += dLogProb / rows;

    const error = values[r] - returns[r];
    valueLoss += 0.5 * error * error;
    dValues[r] = (valueCoefficient * error) / rows;
  }
  return {
    policyLoss: policyLoss / rows,
    valueLoss: valueLoss / rows,
    entropy: entropySum / rows,
    approxKl: kl / rows,
    clipFraction: clipped / rows,
  };
}
