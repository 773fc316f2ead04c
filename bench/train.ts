// What does training cost on all cores: environment, environment + policy, environment + policy + learning?

import { availableParallelism } from 'node:os';
import { compileScenario, preset } from '../engine/index.js';
import { Ppo, backendNames, loadBackend, ppoDefaults } from '../train/index.js';
import type { Backend, PpoMetrics } from '../train/index.js';
import type { Benchmark, Row } from './report.js';
import { spread } from './report.js';

const figures = [
  ['environment', 'charts/SPS_env'],
  ['environment + policy', 'charts/SPS_env_policy'],
  ['environment + policy + training', 'charts/SPS'],
] as const satisfies readonly (readonly [string, keyof PpoMetrics])[];

async function measure(backend: Backend, iterations: number): Promise<Row[]> {
  const samples = ppoDefaults.numEnvs * ppoDefaults.rolloutSteps;
  const config = { ...ppoDefaults, seed: 1, totalSteps: samples * (iterations + 1) };
  const ppo = new Ppo(compileScenario(preset('geneva')), backend, config, availableParallelism());
  const seen: PpoMetrics[] = [];
  try {
    while (ppo.iteration < ppo.iterations) seen.push(await ppo.step());
  } finally {
    await ppo.close();
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
