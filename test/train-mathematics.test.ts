// The learner's mathematics against naive references, automatic differentiation and finite differences.

import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { PAIR_COLUMNS, Purpose, RandomStream } from '#engine/index.js';
import { initialiseNetwork, networkLayout } from '#policy/index.js';
import type { NetworkShape } from '#policy/index.js';
import {
  Adam,
  Learner,
  RewardScale,
  explainedVariance,
  generalisedAdvantages,
  loadBackend,
  ppoLoss,
} from '#train/index.js';
import type { Batch, Outputs, PpoLosses, PpoSamples, TfjsBackend } from '#train/index.js';
import { loadable } from './support/backends.js';
import { RUNS } from './support/random-scenario.js';

describe('generalisedAdvantages', () => {
  it('equals the sum of discounted temporal differences, cut where episodes end', () => {
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 9 }), fc.integer({ min: 1, max: 4 }), fc.nat(1e9), (steps, envs, seed) => {
        const stream = new RandomStream(seed, Purpose.demand);
        const n = steps * envs;
        const normal = (length: number): Float32Array => Float32Array.from({ length }, () => stream.normal());
        const [rewards, values, finalValues] = [normal(n), normal(n + envs), normal(n)];
        const terminated = Uint8Array.from({ length: n }, () => (stream.float() < 0.2 ? 1 : 0));
        const truncated = terminated.map((t) => (t === 0 && stream.float() < 0.2 ? 1 : 0));
        const got = new Float32Array(n);
        const [gamma, lambda] = [0.9, 0.8];
        generalisedAdvantages(steps, envs, rewards, values, terminated, truncated, finalValues, gamma, lambda, got);
        for (let e = 0; e < envs; e++) {
          for (let t = 0; t < steps; t++) {
            let expected = 0;
            for (let l = t, weight = 1; l < steps; l++, weight *= gamma * lambda) {
              const p = l * envs + e;
              const next = terminated[p] ? 0 : truncated[p] ? finalValues[p] : values[p + envs];
              expected += weight * (rewards[p] + gamma * next - values[p]);
              if (terminated[p] || truncated[p]) break;
            }
            expect(got[t * envs + e]).toBeCloseTo(expected, 4);
          }
        }
      }),
      { numRuns: RUNS },
    );
  });

  it('a truncated step counts on, a terminated one does not', () => {
    const advantage = (terminated: number, truncated: number): number => {
      const out = new Float32Array(1);
      generalisedAdvantages(
        1,
        1,
        Float32Array.of(1),
        Float32Array.of(0, 77),
        Uint8Array.of(terminated),
        Uint8Array.of(truncated),
        Float32Array.of(10),
        0.5,
        1,
        out,
      );
      return out[0];
    };
    expect([advantage(1, 0), advantage(0, 1), advantage(0, 0)]).toEqual([1, 6, 39.5]);
  });
});

/** Samples with one to five legal actions each; some ratios beyond the clip range on either side. */
function samples(rows: number, seed: number): { batch: PpoSamples; logits: Float32Array; values: Float32Array } {
  const stream = new RandomStream(seed, Purpose.demand);
  const starts = new Int32Array(rows + 1);
  for (let r = 0; r < rows; r++) starts[r + 1] = starts[r] + stream.integer(1, 5);
  const normal = (length: number): Float32Array => Float32Array.from({ length }, () => stream.normal());
  const logits = normal(starts[rows]);
  return {
    batch: {
      rows,
      starts,
      taken: Int32Array.from({ length: rows }, (_, r) => stream.integer(0, starts[r + 1] - starts[r] - 1)),
      logProbs: Float32Array.from({ length: rows }, () => -0.2 - 2 * stream.float()),
      advantages: normal(rows),
      returns: normal(rows),
    },
    logits,
    values: normal(rows),
  };
}

const coefficients = { clip: 0.2, valueCoefficient: 0.5, entropyCoefficient: 0.03 };

describe('ppoLoss', () => {
  it('has the value and the derivatives of the textbook formula, differentiated numerically in double precision', () => {
    const rows = 40;
    const { batch, logits, values } = samples(rows, 3);
    const dLogits = new Float32Array(logits.length);
    const dValues = new Float32Array(rows);
    const losses = ppoLoss(batch, coefficients, logits, values, dLogits, dValues);

    const formula = (z: readonly number[], v: readonly number[]): number => {
      let total = 0;
      for (let r = 0; r < rows; r++) {
        const row = z.slice(batch.starts[r], batch.starts[r + 1]);
        const normaliser = row.reduce((sum, x) => sum + Math.exp(x), 0);
        const p = row.map((x) => Math.exp(x) / normaliser);
        const ratio = p[batch.taken[r]] / Math.exp(batch.logProbs[r]);
        const clipped = Math.min(Math.max(ratio, 0.8), 1.2);
        const gain = Math.min(ratio * batch.advantages[r], clipped * batch.advantages[r]);
        const entropy = -p.reduce((sum, q) => sum + q * Math.log(q), 0);
        total += -gain + 0.5 * 0.5 * (v[r] - batch.returns[r]) ** 2 - 0.03 * entropy;
      }
      return total / rows;
    };
    const z = [...logits];
    const v = [...values];
    expect(losses.policyLoss + 0.5 * losses.valueLoss - 0.03 * losses.entropy).toBeCloseTo(formula(z, v), 10);
    // Samples on both sides of the clip, or half of the derivative goes untested.
    expect(losses.clipFraction).toBeGreaterThan(0.2);
    expect(losses.clipFraction).toBeLessThan(1);
    const h = 1e-5;
    const moved = (list: readonly number[], k: number, by: number): number[] =>
      list.map((x, i) => (i === k ? x + by : x));
    z.forEach((_, k) => {
      expect(dLogits[k]).toBeCloseTo((formula(moved(z, k, h), v) - formula(moved(z, k, -h), v)) / (2 * h), 7);
    });
    v.forEach((_, r) => {
      expect(dValues[r]).toBeCloseTo((formula(z, moved(v, r, h)) - formula(z, moved(v, r, -h))) / (2 * h), 7);
    });
  });

  it('pushes no logit whose sample has but one legal action', () => {
    const dLogits = new Float32Array(1);
    ppoLoss(
      {
        rows: 1,
        starts: Int32Array.of(0, 1),
        taken: Int32Array.of(0),
        logProbs: Float32Array.of(0),
        advantages: Float32Array.of(3),
        returns: Float32Array.of(0),
      },
      coefficients,
      Float32Array.of(2),
      Float32Array.of(0),
      dLogits,
      new Float32Array(1),
    );
    expect(Math.abs(dLogits[0])).toBeLessThan(1e-12);
  });
});

describe.each(loadable)('Learner on %s', (name) => {
  /** PPO's loss for a batch, and its derivatives where the learner wants them. */
  function lossOf(learner: Learner, batch: Batch & PpoSamples): PpoLosses & { readonly dOutputs: Outputs } {
    const { scores, values } = learner.forward(batch);
    const dOutputs = learner.roomFor(batch);
    return { ...ppoLoss(batch, coefficients, scores, values, dOutputs.scores, dOutputs.values), dOutputs };
  }

  function minibatch(shape: NetworkShape, rows: number): Batch & PpoSamples {
    const { batch } = samples(rows, 8);
    const stream = new RandomStream(9, Purpose.demand);
    const entries = batch.starts[rows];
    return {
      ...batch,
      observations: Float32Array.from({ length: rows * shape.inputs }, () => stream.normal()),
      legalActions: Int32Array.from({ length: entries }, (_, k) => k % 5),
      features: Float32Array.from({ length: entries * PAIR_COLUMNS }, () => stream.normal()),
    };
  }

  /** One update down PPO's loss; its losses before the step. */
  function descend(learner: Learner, batch: Batch & PpoSamples, learningRate: number): PpoLosses {
    const { dOutputs, ...losses } = lossOf(learner, batch);
    learner.update(batch, dOutputs, learningRate, 0.5);
    return losses;
  }

  it.each(['pairs', 'flat'] as const)('%s: the gradient is that of finite differences', async (kind) => {
    const backend = await loadBackend(name);
    const shape: NetworkShape = { kind, inputs: 6, hidden: [16, 8], criticHidden: [8], actions: 5 };
    const { size } = networkLayout(shape);
    const weights = new Float32Array(size);
    const stream = new RandomStream(2, Purpose.weights);
    for (let k = 0; k < size; k++) weights[k] = 0.3 * stream.normal();
    const batch = minibatch(shape, 12);
    const loss = (w: Float32Array): number => {
      const learner = new Learner(backend, shape, w);
      const { policyLoss, valueLoss, entropy } = lossOf(learner, batch);
      learner.dispose();
      return policyLoss + 0.5 * valueLoss - 0.03 * entropy;
    };
    const learner = new Learner(backend, shape, weights);
    const gradient = new Float32Array(size);
    learner.backward(batch, lossOf(learner, batch).dOutputs, gradient);
    learner.dispose();
    let checked = 0;
    for (let k = 0; k < size; k += 7) {
      const [up, down] = [weights.slice(), weights.slice()];
      up[k] += 1e-2;
      down[k] -= 1e-2;
      const numeric = (loss(up) - loss(down)) / (up[k] - down[k]);
      // A kink of ReLU or clip within the step shows as a larger difference; most entries have none.
      if (Math.abs(gradient[k] - numeric) < 1e-3 + 0.02 * Math.abs(numeric)) checked++;
    }
    expect(checked).toBeGreaterThan(0.9 * Math.ceil(size / 7));
    expect(gradient.filter((g) => g !== 0).length).toBeGreaterThan(0.5 * size);
  });

  it('has the gradient of the reference backend within 1e-5, and leaks no tensor', async () => {
    const shape: NetworkShape = { kind: 'pairs', inputs: 30, hidden: [32, 32], criticHidden: [64], actions: 5 };
    const weights = new Float32Array(networkLayout(shape).size);
    initialiseNetwork(shape, new RandomStream(2, Purpose.weights), weights);
    const batch = minibatch(shape, 300);
    const gradientOn = async (which: typeof name): Promise<Float32Array> => {
      const backend = await loadBackend(which);
      const tensors = (): number => (which === 'simd' ? 0 : (backend as TfjsBackend).tf.memory().numTensors);
      const before = tensors();
      const learner = new Learner(backend, shape, weights.slice());
      const gradient = new Float32Array(weights.length);
      learner.backward(batch, lossOf(learner, batch).dOutputs, gradient);
      descend(learner, batch, 1e-3);
      const during = tensors();
      descend(learner, batch, 1e-3);
      expect(tensors()).toBe(during);
      learner.dispose();
      expect(tensors()).toBe(before);
      return gradient;
    };
    const reference = await gradientOn('cpu');
    const ours = await gradientOn(name);
    const scale = Math.max(...reference.map(Math.abs));
    ours.forEach((g, k) => expect(Math.abs(g - reference[k])).toBeLessThan(1e-5 * scale));
  });

  it('goes down the loss, and refuses a gradient that is not finite without touching the weights', async () => {
    const backend = await loadBackend(name);
    const shape: NetworkShape = { kind: 'pairs', inputs: 6, hidden: [16], criticHidden: [8], actions: 5 };
    const weights = new Float32Array(networkLayout(shape).size);
    initialiseNetwork(shape, new RandomStream(2, Purpose.weights), weights);
    const batch = minibatch(shape, 64);
    const learner = new Learner(backend, shape, weights);
    const first = descend(learner, batch, 1e-2);
    let last = first;
    for (let k = 0; k < 60; k++) last = descend(learner, batch, 1e-2);
    expect(last.valueLoss).toBeLessThan(0.7 * first.valueLoss);
    expect(last.policyLoss).toBeLessThan(first.policyLoss);
    const kept = weights.slice();
    const broken = { ...batch, returns: batch.returns.map(() => NaN) };
    expect(() => descend(learner, broken, 1e-2)).toThrow(/norm is NaN: lower the learning rate/);
    expect(weights).toEqual(kept);
    learner.dispose();
  });

  it('serves other losses: action values are regressed on targets, as in Q-learning', async () => {
    const shape: NetworkShape = { kind: 'flat', inputs: 6, hidden: [32], criticHidden: [8], actions: 5 };
    const weights = new Float32Array(networkLayout(shape).size);
    initialiseNetwork(shape, new RandomStream(2, Purpose.weights), weights);
    const batch = minibatch(shape, 16);
    const learner = new Learner(await loadBackend(name), shape, weights);
    const critic = weights.slice(networkLayout(shape).critic[0].weights);
    /** Half the mean squared error of the taken action's value against the sample's return. */
    const step = (): { loss: number; norm: number } => {
      const { scores } = learner.forward(batch);
      const dOutputs = learner.roomFor(batch);
      dOutputs.scores.fill(0);
      dOutputs.values.fill(0);
      let loss = 0;
      for (let r = 0; r < batch.rows; r++) {
        const k = batch.starts[r] + batch.taken[r];
        const error = scores[k] - batch.returns[r];
        loss += (0.5 * error * error) / batch.rows;
        dOutputs.scores[k] = error / batch.rows;
      }
      return { loss, norm: learner.update(batch, dOutputs, 1e-2, 10) };
    };
    const first = step();
    expect(first.norm).toBeGreaterThan(0);
    let last = first;
    for (let k = 0; k < 150; k++) last = step();
    expect(last.loss).toBeLessThan(0.1 * first.loss);
    // A loss that does not ask the critic leaves it alone.
    expect(weights.slice(networkLayout(shape).critic[0].weights)).toEqual(critic);
    learner.dispose();
  });

  it('refuses a gradient without a forward pass of the same batch', async () => {
    const shape: NetworkShape = { kind: 'pairs', inputs: 6, hidden: [8], criticHidden: [8], actions: 5 };
    const weights = new Float32Array(networkLayout(shape).size);
    const learner = new Learner(await loadBackend(name), shape, weights);
    const batch = minibatch(shape, 4);
    const dOutputs = learner.roomFor(batch);
    expect(() => learner.update(batch, dOutputs, 1e-3, 1)).toThrow('call forward(batch) first');
    learner.forward(batch);
    learner.update(batch, dOutputs, 1e-3, 1);
    expect(() => learner.update(batch, dOutputs, 1e-3, 1)).toThrow('call forward(batch) first');
    learner.forward(batch);
    expect(() => learner.update({ ...batch }, dOutputs, 1e-3, 1)).toThrow('call forward(batch) first');
    learner.dispose();
  });
});

describe('Adam', () => {
  it('follows algorithm 1 of Kingma and Ba step by step', () => {
    const adam = new Adam(1);
    const weights = Float32Array.of(1);
    let [m, v, w] = [0, 0, 1];
    for (let t = 1; t <= 20; t++) {
      const g = Math.sin(t);
      adam.update(weights, Float32Array.of(2 * g), 0.01, 0.5);
      m = 0.9 * m + 0.1 * g;
      v = 0.999 * v + 0.001 * g * g;
      w -= (0.01 * (m / (1 - 0.9 ** t))) / (Math.sqrt(v / (1 - 0.999 ** t)) + 1e-5);
      expect(weights[0]).toBeCloseTo(w, 5);
    }
  });
});

describe('RewardScale', () => {
  it('divides by the standard deviation of the discounted return', () => {
    const scale = new RewardScale(1);
    const rewards = Float32Array.of(1, 1, 5, -3);
    scale.apply(4, rewards, Uint8Array.of(0, 1, 0, 0), new Uint8Array(4), 0.5);
    // Returns 1, 1.5, then anew 5, -0.5.
    const returns = [1, 1.5, 5, -0.5];
    const mean = returns.reduce((a, b) => a + b) / 4;
    const std = Math.sqrt(returns.reduce((sum, r) => sum + (r - mean) ** 2, 0) / 4);
    expect(rewards[2]).toBeCloseTo(5 / std, 5);
  });
});

describe('explainedVariance', () => {
  it('is 1 for a perfect critic and 0 for a constant one', () => {
    const returns = Float32Array.of(1, 2, 3, 7);
    expect(explainedVariance(returns, returns, 4)).toBeCloseTo(1);
    expect(explainedVariance(Float32Array.of(5, 5, 5, 5), returns, 4)).toBeCloseTo(0);
  });
});
