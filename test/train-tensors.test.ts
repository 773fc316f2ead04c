// Tensors of an environment's arrays, and the examples that train on them with TensorFlow.js alone.

import { spawnSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';
import { VectorDispatchEnv } from '#engine/index.js';
import { actionMaskTensor, loadBackend, observationTensor, tensorOf } from '#train/index.js';

describe.each(['wasm', 'cpu'] as const)('tensors on %s', (name) => {
  it('hold what an environment shows now, whatever it does later', async () => {
    const { tf } = await loadBackend(name);
    const env = new VectorDispatchEnv({ scenario: 'geneva', numEnvs: 3 });
    const { observations, infos } = env.reset({ seed: 1 });
    const [seen, masks] = [observations.slice(), infos.actionMasks.slice()];
    const [x, m] = [observationTensor(tf, env), actionMaskTensor(tf, env)];
    expect([x.shape, x.dtype, m.shape, m.dtype]).toEqual([[3, observations.length / 3], 'float32', [3, 201], 'bool']);
    for (let k = 0; k < 20; k++) env.step(Int32Array.of(0, 0, 0));
    expect(observations).not.toEqual(seen);
    expect(x.dataSync()).toEqual(seen);
    expect(Uint8Array.from(m.dataSync())).toEqual(masks);
    const numbers = Int32Array.of(4, 5, 6);
    const whole = tensorOf(tf, numbers, [3, 1]);
    numbers[0] = 9;
    expect([whole.dtype, Array.from(whole.dataSync())]).toEqual(['int32', [4, 5, 6]]);
    expect(() => tensorOf(tf, numbers, [2, 2])).toThrow('shape is [2, 2], which holds 4 numbers: values has 3');
    expect(() => tensorOf(tf, [1, 2] as never, [2])).toThrow('values is an Array: it must be a Float32Array');
    tf.dispose([x, m, whole]);
  });
});

describe.each(['tfjs-dqn', 'tfjs-reinforce'])('examples/%s.js', (name) => {
  const file = fileURLToPath(new URL(`../examples/${name}.js`, import.meta.url));

  it('is short and uses public names alone', () => {
    const text = readFileSync(file, 'utf8');
    expect(text.split('\n').length).toBeLessThanOrEqual(151);
    const imports = [...text.matchAll(/from '([^']+)'/g)].map(([, from]) => from);
    expect(new Set(imports)).toEqual(
      new Set(['node:util', 'fleetstep/engine', 'fleetstep/train', 'fleetstep/workers']),
    );
  });

  it('trains in its short form, and compares itself with "nearest"', { tags: ['long'] }, () => {
    const { status, stdout, stderr } = spawnSync(process.execPath, [file, '--steps', '2100'], { encoding: 'utf8' });
    expect([status, stderr]).toEqual([0, '']);
    expect(stdout).toMatch(/steps, mean return of the last episodes -?\d+/);
    expect(stdout).toMatch(/mean return on 20 validation episodes: (DQN|REINFORCE) -?\d+, nearest 2694\n$/);
  });
});
