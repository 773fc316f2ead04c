// Backend simd-relaxed: the same kernels with fused multiplication and addition, only if asked for. Node 20 cannot run it and has
// to say so; a newer Node has to train on it.

import { describe, expect, it } from 'vitest';
import { RandomStream, Purpose, compileScenario, preset } from '#engine/index.js';
import { networkLayout } from '#policy/index.js';
import type { NetworkShape } from '#policy/index.js';
import { Ppo, defaultBackend, loadBackend, ppoDefaults, weightsSha256 } from '#train/index.js';
import type { PpoConfig } from '#train/index.js';

const old = process.versions.node.startsWith('20.');
if (old) console.warn(`SKIPPED: training on simd-relaxed, which Node ${process.version} cannot run`);

describe('backend simd-relaxed', () => {
  it('is not what a run uses by default', () => {
    expect(defaultBackend).toBe('simd');
  });

  it.runIf(old)('is refused where Node has no relaxed SIMD, with what to do', async () => {
    const refused = loadBackend('simd-relaxed');
    await expect(refused).rejects.toMatchObject({ code: 'ERR_BACKEND' });
    await expect(refused).rejects.toThrow(
      `backend simd-relaxed: Node ${process.version} on ${process.arch} has no relaxed SIMD: use Node 22 or later, or backend simd`,
    );
  });

  it.skipIf(old)('computes outputs and gradients of simd within 1e-5', async () => {
    const shape: NetworkShape = { kind: 'flat', inputs: 90, hidden: [64, 40], criticHidden: [8], actions: 21 };
    const { actor, size } = networkLayout(shape);
    const run = async (name: 'simd' | 'simd-relaxed'): Promise<readonly [Float32Array, Float32Array]> => {
      const stream = new RandomStream(3, Purpose.weights);
      const random = (length: number): Float32Array => Float32Array.from({ length }, () => 0.3 * stream.normal());
      const rows = 70;
      const backend = await loadBackend(name);
      expect(backend.name).toBe(name);
      const mlp = backend.mlp(actor);
      mlp.load(random(size));
      const y = mlp.forward(random(rows * 90), rows).slice();
      const gradient = new Float32Array(size);
      mlp.backward(random(rows * 21), gradient);
      mlp.dispose();
      return [y, gradient];
    };
    const exact = await run('simd');
    const relaxed = await run('simd-relaxed');
    for (const k of [0, 1] as const) {
      const scale = exact[k].reduce((most, value) => Math.max(most, Math.abs(value)), 0);
      const far = exact[k].reduce((most, value, i) => Math.max(most, Math.abs(value - relaxed[k][i])), 0);
      expect(far / scale).toBeLessThan(1e-5);
    }
  });

  it.skipIf(old)('trains in shards: the same bytes for 1 and 2 workers, near those of simd', async () => {
    const config: PpoConfig = {
      ...ppoDefaults,
      seed: 1,
      numEnvs: 8,
      rolloutSteps: 64,
      minibatchSize: 128,
      totalSteps: 1024,
    };
    const train = async (name: 'simd' | 'simd-relaxed', workers: number): Promise<Float32Array> => {
      const ppo = new Ppo(compileScenario(preset('geneva')), await loadBackend(name), config, workers);
      try {
        while (ppo.iteration < ppo.iterations) await ppo.step();
        return ppo.weights.slice();
      } finally {
        await ppo.close();
      }
    };
    const one = await train('simd-relaxed', 1);
    expect(weightsSha256(await train('simd-relaxed', 2))).toBe(weightsSha256(one));
    const exact = await train('simd', 1);
    const far = exact.reduce((most, w, k) => Math.max(most, Math.abs(w - one[k])), 0);
    expect(far).toBeLessThan(0.02);
  });
});
