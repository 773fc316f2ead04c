// Replicates of a training: the same run with several seeds, one after the other, and what they come to together.

import { InvalidArgumentError } from 'commander';
import { halfWidth } from '../policy/index.js';
import type { TrainingResult } from '../train/index.js';
import { MAX_SEED } from '../workers/index.js';
import { counted, duration, printJson, table, withInterval } from './print.js';

const MOST = 100;

/** `1..5`, `1,2,3` or `1..3,7` as a list. */
export function seedList(text: string): number[] {
  const refuse = (why: string): never => {
    throw new InvalidArgumentError(`${why} Give seeds such as 1..5 or 1,2,3.`);
  };
  const seeds = text.split(',').flatMap((part) => {
    const match = /^(\d+)(?:\.\.(\d+))?$/.exec(part.trim());
    if (match === null) return refuse(`"${part}" is no seed.`);
    const [first, last] = [Number(match[1]), Number(match[2] ?? match[1])];
    if (last < first) refuse(`"${part}" runs backwards.`);
    if (last - first >= MOST) refuse(`"${part}" is more than ${MOST} seeds.`);
    return Array.from({ length: last - first + 1 }, (_, k) => first + k);
  });
  const twice = seeds.find((seed, k) => seeds.indexOf(seed) !== k);
  if (twice !== undefined) refuse(`Seed ${twice} is given twice.`);
  const high = seeds.find((seed) => seed > MAX_SEED);
  if (high !== undefined) refuse(`Seed ${high} is above ${MAX_SEED}.`);
  if (seeds.length > MOST) refuse(`These are ${seeds.length} seeds, at most ${MOST} are possible.`);
  return seeds;
}

/** What the replicates have come to; those that were not reached are not in it. */
export interface Replicates {
  /** Seeds that were asked for. */
  readonly seeds: readonly number[];
  /** Whether all of them are done. */
  readonly finished: boolean;
  readonly runs: readonly ({ readonly seed: number } & Omit<TrainingResult, 'evaluations'>)[];
  /** Mean over the seeds of the mean return on the held-out episodes; null without evaluation. */
  readonly meanReturn: number | null;
  /** Half width of its 95% interval over the seeds (Student's t); null for fewer than two. */
  readonly halfWidth: number | null;
}

/** Puts results together, in the order of the seeds. */
export function replicatesOf(seeds: readonly number[], results: readonly TrainingResult[]): Replicates {
  const returns = results.flatMap(({ meanReturn }) => meanReturn ?? []);
  return {
    seeds,
    finished: results.length === seeds.length && results.every(({ finished }) => finished),
    runs: results.map(({ evaluations: _, ...summary }, k) => ({ seed: seeds[k], ...summary })),
    meanReturn: returns.length === 0 ? null : returns.reduce((sum, value) => sum + value, 0) / returns.length,
    halfWidth: halfWidth(returns),
  };
}

/**
 * Trains with each seed, and prints what they come to: a table, or one line of JSON. After an interrupt the rest is left out.
 * @param train one run; it says by itself how it goes
 */
export async function trainReplicates(
  seeds: readonly number[],
  json: boolean,
  train: (seed: number) => Promise<TrainingResult>,
): Promise<void> {
  const results: TrainingResult[] = [];
  for (const seed of seeds) {
    const result = await train(seed);
    results.push(result);
    if (!result.finished) break;
  }
  const all = replicatesOf(seeds, results);
  if (json) {
    printJson(all);
    return;
  }
  const rows = all.runs.map(({ seed, meanReturn, seconds, run }) => [
    String(seed),
    meanReturn?.toFixed(2) ?? '-',
    duration(seconds),
    run,
  ]);
  process.stdout.write(`${table(['seed', 'return', 'time', 'run'], rows)}\n`);
  if (all.meanReturn !== null && all.runs.length > 1) {
    process.stdout.write(
      `mean return over ${counted(all.runs.length, 'seed')} ${withInterval(all.meanReturn, all.halfWidth)}\n`,
    );
  }
  const open = all.runs.find(({ finished }) => !finished);
  if (open !== undefined) {
    const left = seeds.slice(all.runs.length);
    process.stdout.write(
      `interrupted at seed ${open.seed}: fleetstep train --resume ${open.run}${left.length === 0 ? '' : `; then the others with --seeds ${left.join(',')}`}\n`,
    );
  }
}
