// How fast is training on all cores: environment, environment + policy, environment + policy + learning?

import { availableParallelism } from 'node:os';
import { compileScenario, preset } from '../engine/index.js';
import type { CompiledScenario } from '../engine/index.js';
import { Ppo, algorithm, backendNames, defaultAlgorithm, loadBackend } from '../train/index.js';
import type { Backend, Metrics } from '../train/index.js';
import { loadScenario } from '../trips/index.js';
import { cartPole, cartPolePpo, greedyReturn } from './cart-pole.js';
import { LocalRollouts } from './local-rollouts.js';
import type { Benchmark, Row } from './report.js';
import { spread } from './report.js';

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
  return figures.map(([label, key]) => {
    return {
      name: `${name}, ${backend.name}, all cores: ${label}`,
      unit: 'steps/s',
      ...spread(warm.map((metrics) => metrics[key])),
    };
  });
}

/** Benchmark of training. */
export const trainBenchmark: Benchmark = {
  name: 'train',
  question: 'steps a second on all cores, with the defaults of "fleetstep train", on each backend',
  run: async (quick, note) => {
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
    const data = process.env['FLEETSTEP_NYC_DATA'];
    if (data === undefined) {
      note('left out: nyc-small, as FLEETSTEP_NYC_DATA does not name the folder of the benchmark');
    } else {
      rows.push(...(await measure('nyc-small', loadScenario({ scenario: 'nyc-small', data }), simd, iterations)));
    }
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
