// The TensorFlow.js that the library hands out: the same namespace on every backend, and one that differentiates.

import { createRequire } from 'node:module';
import type { ModelFitArgs, Scalar, Tensor2D, Tensor4D } from '@tensorflow/tfjs';
import { describe, expect, it } from 'vitest';
import { loadBackend } from '#train/index.js';
import { loadableTfjs } from './support/backends.js';

// tfjs-node draws a progress bar otherwise.
const silent = { verbose: 0 } as unknown as ModelFitArgs;

const require = createRequire(import.meta.url);

it('all backends stand on one instance of tfjs-core', () => {
  const ours = require.resolve('@tensorflow/tfjs-core', { paths: [require.resolve('@tensorflow/tfjs')] });
  for (const name of ['@tensorflow/tfjs-backend-wasm', '@tensorflow/tfjs-layers', '@tensorflow/tfjs-backend-cpu']) {
    expect(require.resolve('@tensorflow/tfjs-core', { paths: [require.resolve(name)] })).toBe(ours);
  }
});

it('all backends bring the same names', async () => {
  const names = async (name: (typeof loadableTfjs)[number]): Promise<string[]> =>
    // tfjs-node adds its own `node`.
    Object.keys((await loadBackend(name)).tf)
      .filter((key) => key !== 'node' && key !== 'default')
      .sort();
  const first = await names(loadableTfjs[0]);
  for (const name of loadableTfjs.slice(1)) expect(await names(name)).toEqual(first);
  expect(first).toEqual(expect.arrayContaining(['sequential', 'layers', 'train', 'losses', 'grads', 'variableGrads']));
});

describe.each(loadableTfjs)('TensorFlow.js on %s', (name) => {
  it('trains a network of tf.layers with fit', async () => {
    const { tf } = await loadBackend(name);
    expect(tf.getBackend()).toBe(name);
    const model = tf.sequential({
      layers: [
        tf.layers.dense({
          units: 16,
          activation: 'relu',
          inputShape: [2],
          kernelInitializer: tf.initializers.heNormal({ seed: 1 }),
        }),
        tf.layers.dense({ units: 1, kernelInitializer: tf.initializers.heNormal({ seed: 2 }) }),
      ],
    });
    const xs = tf.tensor2d(Array.from({ length: 128 }, (_, k) => [Math.sin(k), Math.cos(3 * k)]));
    const ys = tf.tidy(() =>
      xs
        .mul(tf.tensor1d([2, -1]))
        .sum(1, true)
        .add(0.5),
    );
    for (const optimizer of [tf.train.adam(0.02), tf.train.rmsprop(0.002), tf.train.sgd(0.01)]) {
      model.compile({ optimizer, loss: 'meanSquaredError' });
      await model.fit(xs, ys, { epochs: 20, batchSize: 32, shuffle: false, ...silent });
    }
    const [loss] = (model.evaluate(xs, ys) as Scalar).dataSync<'float32'>();
    // At the start it is above 2; backends round differently.
    expect(loss).toBeLessThan(0.01);
    const weights = model.getWeights().map((weight) => weight.shape);
    expect(weights).toEqual([[2, 16], [16], [16, 1], [1]]);
  });

  it('descends a loss of chained operations with variableGrads, as a loop of DQN does', async () => {
    const { tf } = await loadBackend(name);
    const w = tf.variable(tf.tensor2d([0.5, -0.5, 0.25, 1, -1, 0.75], [2, 3]));
    const b = tf.variable(tf.zeros([3]));
    const observations = tf.tensor2d([1, 2, -1, 0.5, 0.3, -2, 2, 1], [4, 2]);
    const taken = tf.tensor1d([0, 2, 1, 1], 'int32');
    const targets = tf.tensor1d([1, -1, 0.5, 2]);
    const loss = (): Scalar =>
      observations
        .matMul(w as never)
        .add(b)
        .mul(tf.oneHot(taken, 3))
        .sum(1)
        .sub(targets)
        .square()
        .mean()
        .asScalar();
    const optimizer = tf.train.sgd(0.1);
    const { value, grads } = tf.variableGrads(loss);
    // By hand: twice the error times the observation, over four rows.
    const x = [
      [1, 2],
      [-1, 0.5],
      [0.3, -2],
      [2, 1],
    ];
    const weights = [
      [0.5, -0.5, 0.25],
      [1, -1, 0.75],
    ];
    const actions = [0, 2, 1, 1];
    const errors = x.map(([p, q], r) => p * weights[0][actions[r]] + q * weights[1][actions[r]] - [1, -1, 0.5, 2][r]);
    expect(value.dataSync()[0]).toBeCloseTo(errors.reduce((sum, error) => sum + error ** 2, 0) / 4, 5);
    const expected = [0, 1].flatMap((row) =>
      [0, 1, 2].map((a) =>
        errors.reduce((sum, error, r) => sum + (actions[r] === a ? (2 * error * x[r][row]) / 4 : 0), 0),
      ),
    );
    const got = Array.from(grads[w.name].dataSync());
    got.forEach((g, k) => expect(g).toBeCloseTo(expected[k], 5));
    const before = value.dataSync()[0];
    for (let step = 0; step < 200; step++) optimizer.minimize(loss);
    expect(loss().dataSync()[0]).toBeLessThan(before / 100);
    w.dispose();
    b.dispose();
  });

  it.each([
    ['sum', (x: Tensor2D) => x.sum(), [1, 1, 1, 1]],
    ['mean', (x: Tensor2D) => x.mean(), [0.25, 0.25, 0.25, 0.25]],
    ['a quotient', (x: Tensor2D) => x.div(x.add(1)).sum(), [1 / 4, 1 / 9, 1 / 16, 1 / 25]],
    ['a maximum', (x: Tensor2D) => x.max(1).sum(), [0, 1, 0, 1]],
    ['a soft maximum', (x: Tensor2D) => x.logSumExp(1).sum(), [0.268941, 0.731059, 0.268941, 0.731059]],
    ['a clipped value', (x: Tensor2D) => x.clipByValue(1.5, 3.5).square().sum(), [0, 4, 6, 0]],
    ['columns', (x: Tensor2D) => x.slice([0, 1], [2, 1]).log().sum(), [0, 1 / 2, 0, 1 / 4]],
    ['a product with itself', (x: Tensor2D) => x.transpose().matMul(x).sum(), [6, 6, 14, 14]],
  ] as const)('differentiates %s', async (_, f, expected) => {
    const { tf } = await loadBackend(name);
    const gradient = tf
      .grad(f as never)(tf.tensor2d([1, 2, 3, 4], [2, 2]))
      .dataSync();
    gradient.forEach((g, k) => expect(g).toBeCloseTo(expected[k], 5));
  });

  it('differentiates gathered rows, embeddings and convolutions, which wasm has no kernels for', async () => {
    const { tf } = await loadBackend(name);
    const tensors = tf.memory().numTensors;
    tf.tidy(() => {
      const x = tf.tensor2d([1, 2, 3, 4], [2, 2]);
      const rows = tf.tensor1d([1, 0, 1], 'int32');
      const gathered = tf.grad((t) => t.gather(rows, 0).square().sum())(x);
      expect(Array.from(gathered.dataSync())).toEqual([2, 4, 12, 16]);
      expect(Array.from(tf.einsum('ij,kj->ik', x, x).dataSync())).toEqual([5, 11, 11, 25]);
      const image = tf.tensor4d([1, 2, 3, 4], [1, 2, 2, 1]);
      const filter = tf.tensor4d([1, 0, 0, 1], [2, 2, 1, 1]);
      const convolved = [
        tf.grads((i, f) => tf.conv2d(i as Tensor4D, f as Tensor4D, 1, 'valid').sum())([image, filter]),
        tf.grads((i, f) => tf.depthwiseConv2d(i as Tensor4D, f as Tensor4D, 1, 'valid').sum())([image, filter]),
      ];
      for (const [dImage, dFilter] of convolved) {
        expect(Array.from(dImage.dataSync())).toEqual([1, 0, 0, 1]);
        expect(Array.from(dFilter.dataSync())).toEqual([1, 2, 3, 4]);
      }
    });
    expect(tf.memory().numTensors).toBe(tensors);
  });
});
