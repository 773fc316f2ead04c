// Exported networks: other programs get the same outputs from them.

import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { InferenceSession, Tensor } from 'onnxruntime-web';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { Purpose, RandomStream, compileScenario, pairColumns, preset } from '#engine/index.js';
import { SimdMlp, networkLayout } from '#policy/index.js';
import type { NetworkKind } from '#policy/index.js';
import { exportNetworks, loadBackend, ppoDefaults, readCheckpoint, runTraining } from '#train/index.js';
import type { Checkpoint, PpoConfig, Tensorflow } from '#train/index.js';

const root = mkdtempSync(join(tmpdir(), 'fleetstep-export-'));
afterAll(() => rmSync(root, { recursive: true, force: true }));
// As its own documentation loads it: no room of ours between.
const tf = createRequire(import.meta.url)('@tensorflow/tfjs') as Tensorflow;
const parts = ['actor', 'critic'] as const;
const ROWS = 37;

/** A model's files as plain TensorFlow.js takes them. */
async function loadLayers(folder: string): Promise<Awaited<ReturnType<Tensorflow['loadLayersModel']>>> {
  const model = JSON.parse(readFileSync(join(folder, 'model.json'), 'utf8')) as {
    modelTopology: object;
    weightsManifest: { paths: string[]; weights: never[] }[];
  };
  const [{ paths, weights }] = model.weightsManifest;
  expect(paths).toEqual(['weights.bin']);
  const bytes = readFileSync(join(folder, paths[0]));
  const weightData = bytes.buffer.slice(bytes.byteOffset, bytes.byteOffset + bytes.byteLength);
  return tf.loadLayersModel(tf.io.fromMemory({ modelTopology: model.modelTopology, weightSpecs: weights, weightData }));
}

describe.each(['pairs', 'flat'] as const)('a %s network', (kind: NetworkKind) => {
  let checkpoint: Checkpoint;
  const inputs = {} as Record<(typeof parts)[number], Float32Array>;
  const expected = {} as Record<(typeof parts)[number], Float32Array>;

  beforeAll(async () => {
    const config: PpoConfig = {
      ...{ ...ppoDefaults, seed: 3, totalSteps: 80, numEnvs: 4, rolloutSteps: 20, minibatchSize: 40, epochs: 1 },
      ...{ network: kind, hidden: [16, 8], criticHidden: kind === 'flat' ? [] : [24] },
    };
    const out = join(root, kind);
    await runTraining({
      ...{ compiled: compileScenario(preset('geneva')), backend: await loadBackend('cpu'), config, workers: 1, out },
      ...{ resume: null, checkpointSeconds: 3600, evaluationEpisodes: 0, signal: new AbortController().signal },
      ...{ onMetrics: () => undefined, onEvaluation: () => undefined },
    });
    checkpoint = readCheckpoint(out);
    const layout = networkLayout(checkpoint.shape);
    const stream = new RandomStream(5, Purpose.weights);
    for (const part of parts) {
      const mlp = new SimdMlp(layout[part]);
      mlp.load(checkpoint.state.weights);
      inputs[part] = Float32Array.from({ length: ROWS * mlp.inputs }, () => stream.normal());
      expected[part] = new Float32Array(ROWS * mlp.outputs);
      mlp.run(inputs[part], 0, ROWS, expected[part], 0);
    }
  });

  function same(part: (typeof parts)[number], outputs: ArrayLike<number>): void {
    expect(outputs.length).toBe(expected[part].length);
    const most = expected[part].reduce((worst, y, k) => Math.max(worst, Math.abs(y - outputs[k])), 0);
    expect(most, part).toBeLessThan(1e-6 * Math.max(1, ...expected[part].map(Math.abs)));
  }

  it('gives the same outputs as layers models of plain TensorFlow.js', async () => {
    const out = join(root, `${kind}-tfjs`);
    const files = await exportNetworks(checkpoint, 'tfjs', out);
    expect(files.map((file) => file.slice(out.length + 1))).toEqual([
      ...['actor/model.json', 'actor/weights.bin', 'critic/model.json', 'critic/weights.bin', 'fleetstep.json'],
    ]);
    await tf.setBackend('cpu');
    for (const part of parts) {
      const model = await loadLayers(join(out, part));
      const x = tf.tensor2d(inputs[part], [ROWS, inputs[part].length / ROWS]);
      same(part, (model.predict(x) as typeof x).dataSync());
    }
    const about = JSON.parse(readFileSync(join(out, 'fleetstep.json'), 'utf8')) as Record<string, unknown>;
    expect(about).toMatchObject({ network: kind, scenario: 'geneva', drivers: 10, slots: 20, steps: 80 });
    const columns = (about['actor'] as { columns: unknown }).columns;
    expect(columns).toEqual(kind === 'pairs' ? pairColumns : checkpoint.shape.inputs);
  });

  it('gives the same outputs as ONNX in ONNX Runtime', async () => {
    const out = join(root, `${kind}-onnx`);
    const files = await exportNetworks(checkpoint, 'onnx', out);
    expect(files.map((file) => file.slice(out.length + 1))).toEqual(['actor.onnx', 'critic.onnx', 'fleetstep.json']);
    for (const part of parts) {
      const session = await InferenceSession.create(readFileSync(join(out, `${part}.onnx`)));
      expect([session.inputNames, session.outputNames]).toEqual([['input'], ['output']]);
      const shape = [ROWS, inputs[part].length / ROWS];
      const { output } = await session.run({ input: new Tensor('float32', inputs[part], shape) });
      expect(output.dims).toEqual([ROWS, expected[part].length / ROWS]);
      same(part, output.data as Float32Array);
      await session.release();
    }
  });

  it('is refused for another format, and where something lies already', async () => {
    await expect(exportNetworks(checkpoint, 'keras' as never, join(root, 'x'))).rejects.toThrow(
      'format is "keras": choose one of tfjs, onnx',
    );
    await expect(exportNetworks(checkpoint, 'tfjs', join(root, kind))).rejects.toThrow('is not empty');
    const file = join(root, `${kind}.txt`);
    writeFileSync(file, '');
    await expect(exportNetworks(checkpoint, 'onnx', file)).rejects.toThrow('is a file: give another --out');
  });
});
