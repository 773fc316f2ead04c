// The ONNX graphs of bench/onnx.ts learn what our kernels learn; on onnxruntime-web, which the tests have anyway.

import * as runtime from 'onnxruntime-web';
import { describe, expect, it } from 'vitest';
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
});
