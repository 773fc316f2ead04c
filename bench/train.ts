// How fast is training on all cores: environment, environment + policy, environment + policy + learning?

import { availableParallelism } from 'node:os';
import { compileScenario, preset } from '../engine/index.js';
import { algorithm, backendNames, defaultAlgorithm, loadBackend } from '../train/index.js';
import type { Backend, Metrics } from '../train/index.js';
import type { Benchmark, Row } from './report.js';
import { spread } from './report.js';

const figures = [
  ['environment', 'charts/SPS_env'],
  ['environment + policy', 'charts/SPS_env_policy'],
  ['environment + policy + training', 'charts/SPS'],
] as const satisfies readonly (readonly [string, keyof Metrics])[];

async function measure(backend: Backend, iterations: number): Promise<Row[]> {
  const definition = algorithm(defaultAlgorithm);
  const { defaults } = definition;
  const samples = defaults.numEnvs * defaults.rolloutSteps;
  const config = { ...defaults, seed: 1, totalSteps: samples * (iterations + 1) };
  const compiled = compileScenario(preset('geneva'));
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
      name: `geneva 10 x 20, ${backend.name}, all cores: ${label}`,
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
    // The cpu backend is for checking, not for training.
    for (const name of backendNames.filter((backend) => backend !== 'cpu')) {
      try {
        rows.push(...(await measure(await loadBackend(name), quick ? 3 : 15)));
      } catch (error) {
        note(`left out: ${(error as Error).message}`);
      }
    }
    return rows;
  },
};
