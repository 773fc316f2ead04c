// How fast does the learner learn: updates of the networks beside TensorFlow.js and PyTorch, and what limits them?

import { availableParallelism } from 'node:os';
import { compileScenario, preset } from '../engine/index.js';
import { SimdMlp, kernelMemory, learningKernel, networkLayout } from '../policy/index.js';
import type { NetworkShape } from '../policy/index.js';
import { Ppo, loadBackend, ppoDefaults } from '../train/index.js';
import type { Backend, PpoConfig } from '../train/index.js';
import { interleave } from './report.js';
import { OnnxPool } from './onnx-pool.js';
import { OnnxNet } from './onnx.js';
import type { Benchmark, Row, Variant } from './report.js';
import { Torch } from './torch.js';

const cores: number = availableParallelism();
/** The original's observation and one output per action, 122-128-128-201, beside as small a critic as there is. */
const flat = { network: 'flat', observation: 'classic', hidden: [128, 128], criticHidden: [8] } as const;

/** A variant that trains by PPO and counts updates, or steps, in the seconds that they took. */
class Training {
  readonly #ppo: Ppo;

  constructor(backend: Backend, change: Partial<PpoConfig>, workers: number) {
    const config = { ...ppoDefaults, seed: 1, totalSteps: 1e9, targetKl: 100, learningRate: 1e-4, ...change };
    this.#ppo = new Ppo(compileScenario(preset('geneva')), backend, config, workers);
  }

  /** Updates, and the seconds of an iteration that were not spent collecting. */
  async updates(): Promise<{ work: number; seconds: number }> {
    const metrics = await this.#ppo.step();
    const { numEnvs, rolloutSteps } = this.#ppo.config;
    const collecting = (numEnvs * rolloutSteps) / metrics['charts/SPS_env_policy'];
    return { work: metrics['charts/updates'], seconds: metrics.seconds - collecting };
  }

  /** Environment steps, and all seconds of an iteration. */
  async steps(): Promise<{ work: number; seconds: number }> {
    const metrics = await this.#ppo.step();
    const { numEnvs, rolloutSteps } = this.#ppo.config;
    return { work: numEnvs * rolloutSteps, seconds: metrics.seconds };
  }

  async close(): Promise<void> {
    await this.#ppo.close();
  }
}

/** Multiplications and additions a second, in GFLOP/s, that a kernel call of `flop` makes. */
function kernel(name: string, flop: number, call: () => void, anchor?: string): Variant {
  return {
    name,
    unit: 'GFLOP/s',
    ...(anchor === undefined ? {} : { anchor }),
    run: () => {
      const started = performance.now();
      let calls = 0;
      while (performance.now() - started < 50) {
        for (let k = 0; k < 20; k++) call();
        calls += 20;
      }
      return { work: (calls * flop) / 1e9, seconds: (performance.now() - started) / 1000 };
    },
  };
}

/** The roofline, kernels below it, and the forward pass of one row. */
function kernels(): Variant[] {
  const memory = kernelMemory(16 << 20);
  const run = learningKernel(memory);
  const floats = new Float32Array(memory.buffer);
  for (let k = 0; k < floats.length; k++) floats[k] = ((k * 7919) % 1000) / 1000 - 0.5;
  const [x, w, y, g] = [1 << 10, 4 << 20, 8 << 20, 12 << 20];
  const peak = 'roofline: multiply and add in registers, one thread';
  const shape: NetworkShape = { kind: 'flat', inputs: 122, hidden: [128, 128], criticHidden: [8], actions: 201 };
  const { actor, size } = networkLayout(shape);
  const mlp = new SimdMlp(actor);
  mlp.load(Float32Array.from({ length: size }, (_, k) => ((k * 31) % 100) / 1000 - 0.05));
  const row = new Float32Array(122).fill(0.5);
  const out = new Float32Array(201);
  return [
    kernel(peak, 2 * 2 * 4 * 8 * 10_000, () => void run.peak(x, 10_000)),
    kernel(
      'forward, 64 rows 128 -> 128',
      2 * 64 * 128 * 128,
      () => run.multiply(x, 128, w, w, y, 64, 128, 128, 1, 0),
      peak,
    ),
    kernel(
      'gradient of weights, 64 rows 128 -> 128',
      2 * 64 * 128 * 128,
      () => run.addOuter(x, 128, y, g, 64, 128, 128),
      peak,
    ),
    kernel(
      'forward, 512 rows 32 -> 32',
      2 * 512 * 32 * 32,
      () => run.multiply(x, 32, w, w, y, 512, 32, 32, 1, 0),
      peak,
    ),
    {
      name: 'forward of one row, 122-128-128-201',
      unit: '1/s',
      run: () => {
        const started = performance.now();
        let calls = 0;
        for (; performance.now() - started < 50; calls++) mlp.run(row, 0, 1, out, 0);
        return { work: calls, seconds: (performance.now() - started) / 1000 };
      },
    },
  ];
}

/** Benchmark of the learner. */
export const learnerBenchmark: Benchmark = {
  name: 'learner',
  question: 'updates a second of backend simd, beside TensorFlow.js and PyTorch, and what limits them',
  run: async (quick, note) => {
    const rounds = quick ? 2 : 9;
    const open: { close(): void | Promise<void> }[] = [];
    const training = (backend: Backend, change: Partial<PpoConfig>, workers: number): Training => {
      const made = new Training(backend, change, workers);
      open.push(made);
      return made;
    };
    const rows: Row[] = await interleave(kernels(), rounds);
    try {
      const simd = await loadBackend('simd');
      const torch = await Torch.start('torch_update.py', note);
      if (torch !== null) open.push(torch);
      const onnx = await OnnxNet.runtime(note);
      const seconds = quick ? 0.3 : 1;
      const variants: Variant[] = [];
      /** Ours once for each anchor, so that each row has one. */
      const add = (name: string, ours: Training, anchors: readonly (readonly [string, Variant['run']])[]): void => {
        for (const [anchor, run] of anchors) variants.push({ name: `${name}: ${anchor}`, unit: 'updates/s', run });
        const run = (): Promise<{ work: number; seconds: number }> => ours.updates();
        if (anchors.length === 0) variants.push({ name, unit: 'updates/s', run });
        for (const [anchor] of anchors) {
          variants.push({
            name: `${name}: simd beside ${anchor}`,
            unit: 'updates/s',
            anchor: `${name}: ${anchor}`,
            anchorLabel: anchor,
            run,
          });
        }
      };

      const default1024: (readonly [string, Variant['run']])[] = [];
      for (const name of ['tensorflow', 'wasm'] as const) {
        try {
          const backend = await loadBackend(name);
          const theirs = training(backend, {}, cores);
          const run = async (): Promise<{ work: number; seconds: number }> => {
            // A process has one active build: the last that was asked for.
            await backend.tf.setBackend(name);
            return theirs.updates();
          };
          default1024.push([`TensorFlow.js ${name}`, run]);
        } catch (error) {
          note(`left out: ${(error as Error).message}`);
        }
      }
      // Ten legal actions a sample, as in the first iterations on geneva.
      const nets = [
        { widths: [32, 32, 32, 1], rows: 10 * 1024 },
        { widths: [325, 64, 64, 1], rows: 1024 },
      ];
      if (onnx !== null) {
        const pool = await OnnxPool.create(nets, cores);
        open.push(pool);
        default1024.push([`onnxruntime, ${cores} workers`, () => pool.updates(seconds)]);
      }
      if (torch !== null) {
        const threads = `PyTorch, ${cores} threads`;
        default1024.push([threads, () => torch.updates(nets, cores, seconds)]);
      }
      add('default networks, 1,024 samples, all cores', training(simd, {}, cores), default1024);

      // One shard: the gradients of more would be summed for other threads that are not there.
      for (const minibatchSize of [64, 256, 1024, 4096]) {
        const wide = [{ widths: [122, 128, 128, 201], rows: minibatchSize }];
        const anchors: (readonly [string, Variant['run']])[] = [];
        if (torch !== null) anchors.push(['PyTorch, 1 thread', () => torch.updates(wide, 1, seconds)]);
        if (onnx !== null) {
          const net = await OnnxNet.create(onnx, wide[0].widths, minibatchSize);
          open.push(net);
          anchors.push(['onnxruntime, 1 thread', () => net.updates(seconds)]);
        }
        add(
          `122-128-128-201, ${minibatchSize} samples, one thread`,
          training(simd, { ...flat, minibatchSize, epochs: 1, shards: 1 }, 1),
          anchors,
        );
      }

      const one = training(simd, {}, 1);
      const all = training(simd, {}, cores);
      const alone = 'geneva, simd, environment + policy + training: 1 worker';
      variants.push(
        { name: alone, unit: 'steps/s', run: () => one.steps() },
        {
          name: `geneva, simd, environment + policy + training: ${cores} workers`,
          unit: 'steps/s',
          anchor: alone,
          run: () => all.steps(),
        },
      );
      rows.push(...(await interleave(variants, rounds)));
      return rows;
    } finally {
      for (const each of open) await each.close();
    }
  },
};
