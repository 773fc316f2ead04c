// Folders of runs and of a study that are written by hand: what a report reads, without a training.

import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { Schedule, StudyFolder, checkStudy, rungResult, slicesOf } from '#jobs/index.js';
import type { SliceResult, Study } from '#jobs/index.js';
import { kpiNames } from '#engine/index.js';
import type { Kpis } from '#engine/index.js';
import { tinyStudy } from './tiny-study.js';

/** What a written run is made of. */
export interface WrittenRun {
  readonly seed?: number;
  /** Other members of the settings of the algorithm. */
  readonly config?: Readonly<Record<string, unknown>>;
  readonly scenario?: string;
  /** Lines of metrics.jsonl. */
  readonly metrics: readonly object[];
  /** Return of each episode by policy; the run's own first. */
  readonly returns?: Readonly<Record<string, readonly number[]>>;
}

/** Figures that all have one value. */
export const kpisOf = (value: number): Kpis =>
  Object.fromEntries(kpiNames.map((name) => [name, value])) as unknown as Kpis;

/** A line of metrics with speeds: a quarter of the second is the environment's, a quarter the policy's. */
export const metricsLine = (iteration: number, value: number): Readonly<Record<string, number | null>> => ({
  ...{ iteration, global_step: 1000 * iteration, seconds: 1 },
  ...{ 'charts/SPS_env': 4000, 'charts/SPS_env_policy': 2000, 'charts/SPS': 1000 },
  ...{ 'charts/episodic_return': value, 'losses/entropy': 1 / iteration },
});

/** Writes a run's folder. */
export function writeRun(path: string, { seed = 1, config, scenario = 'geneva', metrics, returns }: WrittenRun): void {
  mkdirSync(path, { recursive: true });
  const json = (name: string, value: unknown): void => writeFileSync(join(path, name), JSON.stringify(value));
  const settings = { seed, totalSteps: 10_000, ...config };
  json('config.json', { scenario: { name: scenario }, algorithm: 'ppo', backend: 'simd', config: settings });
  writeFileSync(join(path, 'metrics.jsonl'), metrics.map((line) => `${JSON.stringify(line)}\n`).join(''));
  const machine = { cpu: 'a processor', cores: 2, memoryGiB: 8, node: 'v20', platform: 'linux x64' };
  const start = { at: '2026-01-01T00:00:00.000Z', step: 0, fleetstep: '0.1.0', machine, workers: 2, backend: 'simd' };
  writeFileSync(join(path, 'starts.jsonl'), `${JSON.stringify({ ...start, commit: null })}\n`);
  if (returns === undefined) return;
  json(
    'evaluation.json',
    Object.entries(returns).map(([policy, values]) => ({
      ...{ policy, scenario, split: 'validation', seed: 1 },
      episodes: values.map((value, k) => ({ id: `validation-${k}`, return: value, kpis: kpisOf(value / 100) })),
      meanReturn: values.reduce((sum, value) => sum + value, 0) / values.length,
      kpis: kpisOf(values[0] / 100),
    })),
  );
}

/**
 * Writes the folder of a study whose trials have come as far as `results` results of slices go.
 * @param resultOf what a trial's training with one seed comes to
 */
export function writeStudy(
  path: string,
  changes: object,
  resultOf: (trial: number, seed: number, rung: number) => SliceResult,
  results = Infinity,
): Study {
  const study = checkStudy({ ...tinyStudy, ...changes }, 'a test');
  const identity = { fleetstep: '0.1.0', scenarioSha256: 'a', dataSha256: null };
  const folder = StudyFolder.create(path, { study, identity, limit: study.trials });
  const schedule = new Schedule(study);
  for (let left = results; left > 0 && !schedule.finished;) {
    const [task] = schedule.tasks;
    const slices = slicesOf(study, task);
    const all = slices.map(({ trial, seed, rung }) => resultOf(trial, seed, rung));
    for (const [k, slice] of slices.entries()) if (left-- > 0) folder.keep(slice, all[k]);
    schedule.complete(task, rungResult(study, all));
  }
  return study;
}
