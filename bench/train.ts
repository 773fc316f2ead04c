// How fast is training on all cores: environment, environment + policy, environment + policy + learning?

import { availableParallelism } from 'node:os';
import { PAIR_COLUMNS, compileScenario, preset } from '../engine/index.js';
import type { CompiledScenario } from '../engine/index.js';
import { Ppo, algorithm, backendNames, defaultAlgorithm, loadBackend, ppoDefaults } from '../train/index.js';
import type { Backend, Metrics } from '../train/index.js';
import { loadScenario } from '../trips/index.js';
import { cartPole, cartPolePpo, greedyReturn } from './cart-pole.js';
import { LocalRollouts } from './local-rollouts.js';
import type { Benchmark, Row } from './report.js';
import { interleave, spread } from './report.js';
import { Torch } from './torch.js';
import type { PpoSetting } from './torch.js';

const figures = [
  ['environment', 'charts/SPS_env'],
  ['environment + policy', 'charts/SPS_env_policy'],
  ['environment + policy + training', 'charts/SPS'],
] as const satisfies readonly (readonly [string, keyof Metrics])[];

async function measure(name: string, compiled: CompiledScenario, backend: Backend, iterations: number): Promise<Row[]> {
  const definition = algorithm(defaultAlgorithm);
  const { defaults } = definition;
  const samples = defaults.numEnvs * defaults.rolloutSteps;
  const config = { ...defaults, seed: 1, totalSteps: samples * (iterations + 1) };
  const learning = definition.create({ compiled, backend, workers: availableParallelism() }, config);
  const seen: Metrics[] = [];
  try {
    while (learning.iteration < learning.iterations) seen.push(await learning.step());
  } finally {
    await learning.close();
  }
  const warm = seen.slice(1);
  return figures.map(([what, key]) => {
    return {
      name: `${name}, ${backend.name}, all cores: ${what}`,
      unit: 'steps/s',
      ...spread(warm.map((metrics) => metrics[key])),
    };
  });
}

/** PPO all in, ours beside PyTorch's on as many threads as suit it best. */
async function besideTorch(rounds: number, note: (text: string) => void): Promise<Row[]> {
  const torch = await Torch.start('torch_ppo.py', note);
  if (torch === null) return [];
  const cores = availableParallelism();
  const config = { ...ppoDefaults, seed: 1, totalSteps: 1e9, targetKl: 100, learningRate: 1e-4 };
  const ours = new Ppo(compileScenario(preset('geneva')), await loadBackend('simd'), config, cores);
  try {
    const setting: PpoSetting = {
      inputs: ours.shape.inputs,
      pairColumns: PAIR_COLUMNS,
      // As in the first iterations on geneva.
      pairs: 10,
      hidden: config.hidden,
      criticHidden: config.criticHidden,
      envs: config.numEnvs,
      steps: config.rolloutSteps,
      epochs: config.epochs,
      minibatch: config.minibatchSize,
    };
    let threads = 1;
    let best = 0;
    for (const tried of new Set([1, cores])) {
      await torch.ppo(setting, tried);
      const { work, seconds } = await torch.ppo(setting, tried);
      if (work / seconds > best) [threads, best] = [tried, work / seconds];
    }
    const label = `PyTorch, ${threads === 1 ? '1 thread' : `${threads} threads`}`;
    const anchor = `${label}: PPO with the same networks, environment from memory`;
    return await interleave(
      [
        { name: anchor, unit: 'steps/s', run: () => torch.ppo(setting, threads) },
        {
          name: 'geneva 10 x 20, all cores, beside PyTorch: simd, environment + policy + training',
          unit: 'steps/s',
          anchor,
          anchorLabel: label,
          run: async () => {
            const { seconds } = await ours.step();
            return { work: config.numEnvs * config.rolloutSteps, seconds };
          },
        },
      ],
      rounds,
    );
  } finally {
    torch.close();
    await ours.close();
  }
}

/** Benchmark of training. */
export const trainBenchmark: Benchmark = {
  name: 'train',
  question: 'steps a second on all cores, with the defaults of "fleetstep train", on each backend',
  run: async (quick, note, data) => {
    const rows: Row[] = [];
    const iterations = quick ? 3 : 15;
    const geneva = compileScenario(preset('geneva'));
    // The cpu backend is for checking, not for training.
    for (const name of backendNames.filter((backend) => backend !== 'cpu')) {
      try {
        rows.push(...(await measure('geneva 10 x 20', geneva, await loadBackend(name), iterations)));
      } catch (error) {
        note(`left out: ${(error as Error).message}`);
      }
    }
    const simd = await loadBackend('simd');
    const trips = data ?? process.env['FLEETSTEP_NYC_AMOD'];
    if (trips === undefined) {
      note('left out: nyc-small, as its trips were not given: name their folder with --data or FLEETSTEP_NYC_AMOD');
    } else {
      const compiled = loadScenario({ scenario: 'nyc-small', data: trips });
      rows.push(...(await measure('nyc-small 24 x 24', compiled, simd, iterations)));
    }
    rows.push(...(await besideTorch(iterations, note)));
    rows.push(await secondsToBalance(simd, quick ? 3 : 10));
    return rows;
  },
};

/** Seconds until the best action of the network earns 475 of 500 on average: the mark at which CartPole counts as solved. */
async function secondsToBalance(backend: Backend, seeds: number): Promise<Row> {
  const seconds: number[] = [];
  for (let seed = 1; seed <= seeds; seed++) {
    const config = { ...cartPolePpo, seed };
    const { numEnvs, rolloutSteps, hidden } = config;
    const started = performance.now();
    const ppo = new Ppo(new LocalRollouts(cartPole, numEnvs, rolloutSteps, seed, hidden), backend, config);
    while (greedyReturn(cartPole, ppo.shape, ppo.weights, 20, seed) < 475 && ppo.iteration < ppo.iterations) {
      for (let k = 0; k < 5; k++) await ppo.step();
    }
    const solved = ppo.iteration < ppo.iterations;
    await ppo.close();
    // One that never balances takes for ever.
    seconds.push(solved ? (performance.now() - started) / 1000 : Infinity);
  }
  return { name: `CartPole, ppo to 475, one thread, ${seeds} seeds`, unit: 's', ...spread(seconds) };
}
