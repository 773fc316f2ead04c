// Intervals and summaries of returns that come from several training seeds on the same episodes (Agarwal et al. 2021, "Deep
// reinforcement learning at the edge of the statistical precipice"). It knows only numbers.

import { Purpose, RandomStream } from '../engine/index.js';

/** Returns of one policy: `[seeds][episodes]`, every row of the same episodes in the same order. */
export type Returns = readonly (readonly number[])[];

/** A mean with its 95% interval; the bounds are null where a single seed and a single episode give none. */
export interface Interval {
  /** Mean over seeds and episodes. */
  readonly mean: number;
  /** 2.5% quantile of the resampled means. */
  readonly low: number | null;
  /** 97.5% quantile of the resampled means. */
  readonly high: number | null;
}

/** How many resampled means an interval is read from. */
const RESAMPLES = 5000;

/**
 * 95% percentile bootstrap intervals of means of returns, or of linear combinations of them. Seeds and episodes are both drawn
 * with replacement; all tables share the drawn episodes, so that differences are paired.
 * @param tables       returns of each policy, all over the same episodes
 * @param combinations what to bound: one weight for each table, such as `[1, -1]` for the difference of two
 * @param seed         of the draws
 */
export function bootstrap(
  tables: readonly Returns[],
  combinations: readonly (readonly number[])[],
  seed = 1,
): Interval[] {
  const episodes = tables[0][0].length;
  const flat = tables.map((rows) => rows.map((row) => Float64Array.from(row)));
  const means = flat.map((rows) => rows.reduce((sum, row) => sum + meanOf(row), 0) / rows.length);
  const single = episodes < 2 && tables.every((rows) => rows.length < 2);
  const resampled = combinations.map(() => new Float64Array(single ? 0 : RESAMPLES));
  const stream = new RandomStream(seed, Purpose.shuffle);
  const times = new Float64Array(episodes);
  for (let r = 0; !single && r < RESAMPLES; r++) {
    times.fill(0);
    for (let k = 0; k < episodes; k++) times[stream.integer(0, episodes - 1)]++;
    const drawn = flat.map((rows) => {
      let sum = 0;
      for (let k = 0; k < rows.length; k++) {
        const row = rows[rows.length === 1 ? 0 : stream.integer(0, rows.length - 1)];
        for (let p = 0; p < episodes; p++) sum += times[p] * row[p];
      }
      return sum / (rows.length * episodes);
    });
    combinations.forEach((weights, c) => {
      resampled[c][r] = weights.reduce((sum, weight, k) => sum + weight * drawn[k], 0);
    });
  }
  return combinations.map((weights, c) => {
    const sorted = resampled[c].sort();
    return {
      mean: weights.reduce((sum, weight, k) => sum + weight * means[k], 0),
      low: single ? null : sorted[Math.floor(0.025 * RESAMPLES)],
      high: single ? null : sorted[Math.ceil(0.975 * RESAMPLES) - 1],
    };
  });
}

/** Mean of the middle half of all returns, of which the outermost two count in part. */
export function interquartileMean(returns: Returns): number {
  const sorted = Float64Array.from(returns.flat()).sort();
  const n = sorted.length;
  let sum = 0;
  for (let k = 0; k < n; k++) {
    const inside = Math.min(k + 1, 0.75 * n) - Math.max(k, 0.25 * n);
    if (inside > 0) sum += inside * sorted[k];
  }
  return sum / (0.5 * n);
}

/** Share of (seed, seed, episode) in which `ours` returns more than `theirs`; a tie counts half. */
export function probabilityOfImprovement(ours: Returns, theirs: Returns): number {
  let better = 0;
  let all = 0;
  for (const a of ours) {
    for (const b of theirs) {
      for (let k = 0; k < a.length; k++) {
        better += a[k] > b[k] ? 1 : a[k] === b[k] ? 0.5 : 0;
        all++;
      }
    }
  }
  return better / all;
}

function meanOf(values: Float64Array): number {
  return values.reduce((sum, value) => sum + value, 0) / values.length;
}
