// Whether TPE finds better settings than chance does: PPO on geneva, equal numbers of trials, paired sampler seeds.

import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Schedule, checkStudy, rungResult, runSlice, samplerNames, slicesOf, worldFor } from '../jobs/index.js';
import type { Slice, SliceResult, Study } from '../jobs/index.js';
import { halfWidth } from '../policy/index.js';
import type { Benchmark, Row } from './report.js';

/** What is searched: as a study file of `fleetstep sweep` holds it. */
const study = {
  name: 'search',
  scenario: 'geneva',
  config: { algorithm: 'ppo', steps: 24_576, numEnvs: 32, rolloutSteps: 64 },
  space: {
    learningRate: { float: [1e-5, 1e-1], log: true },
    gamma: { float: [0.8, 1] },
    lambda: { float: [0.5, 1] },
    entropyCoefficient: { float: [1e-4, 1], log: true },
    epochs: { int: [1, 8] },
    minibatchSize: { choice: [256, 512, 1024, 2048] },
  },
  trials: 30,
  objective: { episodes: 100 },
};
/** Seeds of the sampler, each for both samplers. */
const PAIRS = 12;

/** The value of the best trial of a study. @param trained the result of a slice */
async function bestOf(of: Study, trained: (slice: Slice) => Promise<SliceResult>): Promise<number> {
  const schedule = new Schedule(of);
  while (!schedule.finished) {
    const [task] = schedule.tasks;
    const results: SliceResult[] = [];
    for (const slice of slicesOf(of, task)) results.push(await trained(slice));
    schedule.complete(task, rungResult(of, results));
  }
  return schedule.ranking[0].results[0].value ?? Number.NaN;
}

export const searchBenchmark: Benchmark = {
  name: 'search',
  question:
    'the best return that TPE and random search find on geneva, at equal numbers of trials: means, with 95% intervals',
  async run(quick, note) {
    const file = quick ? { ...study, trials: 12, config: { ...study.config, steps: 2048 } } : study;
    const compiled = worldFor(study);
    // Both samplers begin with the same ten trials: what is trained once need not be trained again.
    const known = new Map<string, SliceResult>();
    const trained = async (slice: Slice): Promise<SliceResult> => {
      const key = JSON.stringify(slice.config);
      let result = known.get(key);
      if (result !== undefined) return result;
      const folder = mkdtempSync(join(tmpdir(), 'fleetstep-search-'));
      try {
        const signal = new AbortController().signal;
        result = (await runSlice(slice, { folder: join(folder, 'run'), compiled, workers: 1, signal }))!;
      } finally {
        rmSync(folder, { recursive: true });
      }
      known.set(key, result);
      return result;
    };
    const found: Record<(typeof samplerNames)[number], number[]> = { tpe: [], random: [] };
    for (let samplerSeed = 1; samplerSeed <= (quick ? 2 : PAIRS); samplerSeed++) {
      for (const sampler of samplerNames) {
        found[sampler].push(await bestOf(checkStudy({ ...file, sampler, samplerSeed }, 'bench'), trained));
      }
      note(
        `sampler seed ${samplerSeed}: tpe ${found.tpe.at(-1)!.toFixed(1)}, random ${found.random.at(-1)!.toFixed(1)}`,
      );
    }
    const row = (name: string, values: readonly number[]): Row => {
      const value = values.reduce((sum, one) => sum + one, 0) / values.length;
      const half = halfWidth(values)!;
      return { name, unit: 'return', value, low: value - half, high: value + half };
    };
    return [
      row('tpe', found.tpe),
      row('random', found.random),
      row(
        'tpe - random, paired',
        found.tpe.map((value, k) => value - found.random[k]),
      ),
    ];
  },
};
