// The ONNX graphs of bench/onnx.ts learn what our kernels learn; on onnxruntime-web, which the tests have anyway.

import * as runtime from 'onnxruntime-web';
import { describe, expect, it, vi } from 'vitest';
import { OnnxPool } from '#bench/onnx-pool.js';
import { OnnxNet } from '#bench/onnx.js';
import { networkLayout } from '#policy/index.js';
import { loadBackend } from '#train/index.js';

describe('the anchor on onnxruntime', () => {
  it('moves each weight against the gradient that our kernels compute', async () => {
    const rows = 9;
    const { actor } = networkLayout({ kind: 'flat', inputs: 5, hidden: [16, 8], criticHidden: [8], actions: 6 });
    const net = await OnnxNet.create(runtime, [5, 16, 8, 6], rows);
    const flat = (): Float32Array => Float32Array.from(net.parameters.flatMap((each) => [...each]));
    const before = flat();
    const mlp = (await loadBackend('simd')).mlp(actor);
    mlp.load(before);
    // As OnnxNet fills its inputs and its targets.
    const numbers = (length: number): Float32Array =>
      Float32Array.from({ length }, (_, k) => ((k * 7919) % 1000) / 5000 - 0.1);
    const y = mlp.forward(numbers(rows * 5), rows);
    const target = numbers(rows * 6);
    const gradient = new Float32Array(before.length);
    mlp.backward(
      y.map((value, k) => value - target[k]),
      gradient,
    );
    mlp.dispose();
    await net.update();
    const after = flat();
    await net.close();
    // Adam's first step has the same length for each weight, however small its gradient, so signs tell.
    const large = [...gradient.keys()].filter((k) => Math.abs(gradient[k]) > 1e-3);
    expect(large.length).toBeGreaterThan(50);
    for (const k of large) expect(Math.sign(before[k] - after[k])).toBe(Math.sign(gradient[k]));
  });

  it('learns on several threads what their shares come to', async () => {
    vi.stubEnv('FLEETSTEP_ONNXRUNTIME', 'onnxruntime-web');
    const widths = [5, 16, 8, 6];
    const net = await OnnxNet.create(runtime, widths, 9);
    const [one, two] = [
      await OnnxPool.create([{ widths, rows: 9 }], 1),
      await OnnxPool.create([{ widths, rows: 18 }], 2),
    ];
    const weights = new Float32Array(net.parameters.reduce((sum, each) => sum + each.length, 0));
    net.read(weights);
    const before = weights.slice();
    expect([one.weights[0], two.weights[0]]).toEqual([before, before]);
    for (let k = 0; k < 3; k++) {
      for (const each of [net, one, two]) await each.update();
    }
    net.read(weights);
    expect(weights).not.toEqual(before);
    expect(one.weights[0]).toEqual(weights);
    // Both threads have the same rows, and Adam hardly heeds that the sum is twice as long.
    for (const [k, weight] of two.weights[0].entries()) expect(weight).toBeCloseTo(weights[k], 4);
    for (const each of [net, one, two]) await each.close();
    vi.unstubAllEnvs();
  });
});
