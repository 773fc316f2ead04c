// The simd backend: gradients against automatic differentiation, the same bytes for any number of threads and on every machine.

import { execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { fileURLToPath } from 'node:url';
import type { Tensor2D, Variable } from '@tensorflow/tfjs';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  PAIR_COLUMNS,
  Purpose,
  RandomStream,
  compileScenario,
  cosTurns,
  exp,
  log,
  preset,
  wholePower,
} from '#engine/index.js';
import { networkLayout } from '#policy/index.js';
import type { Layer, NetworkShape } from '#policy/index.js';
import { Learner, Ppo, loadBackend, ppoDefaults, weightsSha256 } from '#train/index.js';
import type { Batch, PpoConfig, Tensorflow } from '#train/index.js';
import { RUNS } from './support/random-scenario.js';

const simd = await loadBackend('simd');
const geneva = compileScenario(preset('geneva'));
const small: PpoConfig = {
  ...ppoDefaults,
  seed: 3,
  numEnvs: 16,
  rolloutSteps: 32,
  minibatchSize: 200,
  totalSteps: 16 * 32 * 3,
};

/** A network's outputs, and the gradient of the sum of outputs times `dy`, by TensorFlow.js's own differentiation. */
function automatic(
  tf: Tensorflow,
  layers: readonly Layer[],
  weights: Float32Array,
  x: Float32Array,
  dy: Float32Array,
): { y: Float32Array; gradient: Float32Array } {
  const gradient = new Float32Array(weights.length);
  const y = tf.tidy(() => {
    const rows = x.length / layers[0].inputs;
    const variables: { readonly variable: Variable; readonly at: number }[] = [];
    const variable = (from: number, shape: [number, number] | [number]): Variable => {
      const length = shape.reduce((a, b) => a * (b ?? 1), 1);
      const made = tf.variable(tf.tensor(weights.slice(from, from + length), shape as number[]));
      variables.push({ variable: made, at: from });
      return made;
    };
    const w = layers.map((layer) => variable(layer.weights, [layer.inputs, layer.outputs]));
    const b = layers.map((layer) => variable(layer.biases, [layer.outputs]));
    const forward = (): Tensor2D =>
      layers.reduce(
        (h, _, k) => {
          const z = h.matMul(w[k] as never).add(b[k]);
          return (k < layers.length - 1 ? z.relu() : z) as Tensor2D;
        },
        tf.tensor2d(x, [rows, layers[0].inputs]),
      );
    const weight = tf.tensor2d(dy, [rows, layers.at(-1)!.outputs]);
    const { grads } = tf.variableGrads(() => forward().mul(weight).sum().asScalar());
    for (const { variable: one, at } of variables) gradient.set(grads[one.name].dataSync<'float32'>(), at);
    const outputs = forward().dataSync<'float32'>();
    for (const { variable: one } of variables) one.dispose();
    return outputs;
  });
  return { y, gradient };
}

/** The largest difference, in units of the largest number. */
function difference(got: Float32Array, expected: Float32Array): number {
  const scale = expected.reduce((most, value) => Math.max(most, Math.abs(value)), 1e-6);
  return got.reduce((most, value, k) => Math.max(most, Math.abs(value - expected[k])), 0) / scale;
}

/** Whether no sum before a rectifier is so near 0 that rounding alone decides on which side of its kink it lies. */
function isSmooth(layers: readonly Layer[], weights: Float32Array, x: Float32Array, rows: number): boolean {
  let h: ArrayLike<number> = x;
  for (const { inputs, outputs, weights: w, biases: b } of layers.slice(0, -1)) {
    const next = new Float64Array(rows * outputs);
    for (let k = 0; k < next.length; k++) {
      const [row, o] = [Math.floor(k / outputs), k % outputs];
      let sum = weights[b + o];
      for (let i = 0; i < inputs; i++) sum += h[row * inputs + i] * weights[w + i * outputs + o];
      if (Math.abs(sum) < 5e-6) return false;
      next[k] = Math.max(0, sum);
    }
    h = next;
  }
  return true;
}

describe('the gradient on simd', () => {
  it('is that of TensorFlow.js within 1e-5, for random networks, batches, masks and shares of zeros', async () => {
    const { tf } = await loadBackend('cpu');
    fc.assert(
      fc.property(
        fc.integer({ min: 1, max: 140 }),
        fc.array(fc.integer({ min: 1, max: 5 }), { maxLength: 3 }),
        fc.integer({ min: 1, max: 40 }),
        fc.integer({ min: 1, max: 150 }),
        fc.constantFrom(0.1, 0.4, 1),
        fc.constantFrom(0.1, 1),
        fc.nat(1e9),
        (inputs, hidden, actions, rows, filled, legal, seed) => {
          const shape: NetworkShape = {
            kind: 'flat',
            inputs,
            hidden: hidden.map((width) => 8 * width),
            criticHidden: [8],
            actions,
          };
          const { actor, size } = networkLayout(shape);
          const stream = new RandomStream(seed, Purpose.weights);
          const random = (length: number, share: number): Float32Array =>
            Float32Array.from({ length }, () => (stream.float() < share ? stream.normal() : 0));
          const weights = random(size, 1).map((w) => 0.3 * w);
          const x = random(rows * inputs, filled);
          const dy = random(rows * actions, legal);
          fc.pre(isSmooth(actor, weights, x, rows));
          const mlp = simd.mlp(actor);
          mlp.load(weights);
          const got = new Float32Array(size);
          const y = mlp.forward(x, rows);
          expect(y).toHaveLength(rows * actions);
          mlp.backward(dy, got);
          mlp.dispose();
          const reference = automatic(tf, actor, weights, x, dy);
          expect(difference(y, reference.y)).toBeLessThan(1e-5);
          const end = actor.at(-1)!.biases + actions;
          expect(difference(got.subarray(0, end), reference.gradient.subarray(0, end))).toBeLessThan(1e-5);
          // The rest of a flat array is another network's.
          expect(got.subarray(end).every((g) => g === 0)).toBe(true);
        },
      ),
      { numRuns: RUNS },
    );
  });

  it('after 200 updates the weights are those of the reference backend within 1e-3', async () => {
    const shape: NetworkShape = { kind: 'pairs', inputs: 90, hidden: [32, 32], criticHidden: [64], actions: 5 };
    const { size } = networkLayout(shape);
    const train = async (name: 'simd' | 'cpu'): Promise<Float32Array> => {
      const stream = new RandomStream(5, Purpose.weights);
      const weights = Float32Array.from({ length: size }, () => 0.2 * stream.normal());
      const learner = new Learner(await loadBackend(name), shape, weights);
      const rows = 20;
      const batch: Batch = {
        rows,
        starts: Int32Array.from({ length: rows + 1 }, (_, r) => 3 * r),
        observations: Float32Array.from({ length: rows * 90 }, () => (stream.float() < 0.3 ? stream.normal() : 0)),
        legalActions: Int32Array.from({ length: 3 * rows }, (_, k) => k % 3),
        features: Float32Array.from({ length: 3 * rows * PAIR_COLUMNS }, () => stream.normal()),
      };
      for (let k = 0; k < 200; k++) {
        const { scores, values } = learner.forward(batch);
        const dOutputs = learner.roomFor(batch);
        // Half the squared distance from 1 and from 2.
        for (let e = 0; e < 3 * rows; e++) dOutputs.scores[e] = (scores[e] - 1) / rows;
        for (let r = 0; r < rows; r++) dOutputs.values[r] = (values[r] - 2) / rows;
        learner.update(batch, dOutputs, 1e-3, 1);
      }
      learner.dispose();
      return weights;
    };
    expect(difference(await train('simd'), await train('cpu'))).toBeLessThan(1e-3);
  });
});

async function trained(config: PpoConfig, workers: number): Promise<Ppo> {
  const ppo = new Ppo(geneva, simd, config, workers);
  try {
    while (ppo.iteration < ppo.iterations) await ppo.step();
  } finally {
    await ppo.close();
  }
  return ppo;
}

describe('PPO in shards', () => {
  it.each(['pairs', 'flat'] as const)('%s: 1, 2 and 4 workers end with the same bytes', async (network) => {
    const hashes: string[] = [];
    for (const workers of [1, 2, 4]) {
      hashes.push(weightsSha256((await trained({ ...small, network }, workers)).weights));
    }
    expect(new Set(hashes).size).toBe(1);
  });

  it.each(['pairs', 'flat'] as const)(
    '%s: one iteration moves the weights as the whole minibatch on the reference backend does',
    async (network) => {
      const config: PpoConfig = { ...small, network, totalSteps: 512, epochs: 1, shards: 5 };
      const ours = await trained(config, 2);
      const reference = new Ppo(geneva, await loadBackend('cpu'), config, 1);
      const before = reference.weights.slice();
      const expected = await reference.step();
      await reference.close();
      const again = new Ppo(geneva, simd, config, 1);
      const metrics = await again.step();
      await again.close();
      expect(again.weights).toEqual(ours.weights);
      for (const name of ['policy_loss', 'value_loss', 'entropy', 'approx_kl', 'clipfrac', 'grad_norm']) {
        expect(metrics[`losses/${name}`]).toBeCloseTo(expected[`losses/${name}`]!, 4);
      }
      const moved = (weights: Float32Array): Float32Array => weights.map((w, k) => w - before[k]);
      // Adam's first steps are of equal length whatever the gradient, so a tiny one may turn its step round.
      const far = moved(ours.weights).filter((d, k) => Math.abs(d - (reference.weights[k] - before[k])) > 1e-4).length;
      expect(far).toBeLessThan(0.01 * before.length);
      expect(moved(ours.weights).filter((d) => Math.abs(d) > 1e-4).length).toBeGreaterThan(0.3 * before.length);
    },
  );

  it('the number of shards is part of the run: other numbers round otherwise, and impossible ones are refused', async () => {
    const one = await trained({ ...small, shards: 1 }, 2);
    const eight = await trained({ ...small, shards: 8 }, 2);
    expect(weightsSha256(one.weights)).not.toBe(weightsSha256(eight.weights));
    // That of a config from an earlier version, which a checkpoint is read with.
    expect(ppoDefaults.shards).toBe(8);
    expect(() => new Ppo(geneva, simd, { ...small, shards: 0 }, 1)).toThrow(
      'shards is 0: it must be a whole number from 1 to 256',
    );
  });

  it('more shards than samples leave some empty', async () => {
    const ppo = await trained(
      { ...small, numEnvs: 2, rolloutSteps: 4, minibatchSize: 4, totalSteps: 16, shards: 7 },
      2,
    );
    expect(ppo.weights.every((w) => Number.isFinite(w))).toBe(true);
  });
});

describe('exact functions', () => {
  const stream = new RandomStream(11, Purpose.demand);
  const numbers = Float64Array.from(
    { length: 20_000 },
    (_, k) => (stream.float() - 0.5) * [1, 20, 1400, 1e-4, 1e-9][k % 5],
  );

  it('are within a unit in the last place of the engine’s own', () => {
    const unit = 2.3e-16;
    for (const x of numbers) {
      expect(Math.abs(exp(x) - Math.exp(x))).toBeLessThanOrEqual(unit * Math.exp(x));
      const y = Math.exp(x / 2);
      expect(Math.abs(log(y) - Math.log(y))).toBeLessThanOrEqual(unit * Math.max(1e-9, Math.abs(Math.log(y))) + 1e-300);
      const turns = Math.abs(x % 1);
      expect(Math.abs(cosTurns(turns) - Math.cos(2 * Math.PI * turns))).toBeLessThan(1e-15);
    }
    for (const [x, y] of [
      [0, 1],
      [-0, 1],
      [1, Math.E],
      [-Infinity, 0],
      [Infinity, Infinity],
      [710, Infinity],
      [-746, 0],
      [-745, 5e-324],
      [709.782712893384, 1.7976931348622732e308],
      [NaN, NaN],
    ]) {
      expect(exp(x)).toBe(y);
    }
    for (const [x, y] of [
      [0, -Infinity],
      [-1, NaN],
      [1, 0],
      [Infinity, Infinity],
      [NaN, NaN],
      [5e-324, -744.4400719213812],
      [Number.MAX_VALUE, 709.782712893384],
    ]) {
      expect(log(x)).toBe(y);
    }
    expect([wholePower(0.9, 0), wholePower(0.5, 10), wholePower(3, 5)]).toEqual([1, 1 / 1024, 243]);
    expect(wholePower(0.999, 5000)).toBeCloseTo(0.999 ** 5000, 15);
  });

  it('give the same bits on every machine', () => {
    const hash = createHash('sha256');
    for (const f of [exp, (x: number) => log(Math.abs(x)), (x: number) => cosTurns(Math.abs(x % 1))]) {
      hash.update(new Uint8Array(numbers.map(f).buffer));
    }
    expect(hash.digest('hex')).toBe('3a0696e96d34740e2b2586e8781ec2b2c13cc7442e6147b6a8d454a0f56ebf78');
  });
});

describe('a short run has the weights that it has on every machine', () => {
  const script = fileURLToPath(new URL('./support/golden-run.js', import.meta.url));
  const golden = {
    pairs: 'd612c5f5b19443036cc58e6a09db76893f8b56486b1f9b88c450d04b37b45e35',
    flat: '969046617d4d195e4b7c2f4ba1a90ec0e39a29b7c61668811a060e267c3be75b',
  };

  it.each([
    ['as this machine is', []],
    [
      'on a processor without AVX and fused multiplication',
      ['--no-enable-avx', '--no-enable-avx2', '--no-enable-fma3'],
    ],
    ['without optimising compilers', ['--no-opt', '--liftoff-only']],
  ] as const)('%s', (_, flags) => {
    // These flags are the x64 compiler's; elsewhere Node refuses them.
    const known = process.arch === 'x64' ? flags : flags.filter((flag) => !flag.startsWith('--no-enable-'));
    const out = execFileSync(process.execPath, [...known, script], { encoding: 'utf8' });
    expect(JSON.parse(out)).toEqual(golden);
  });
});
