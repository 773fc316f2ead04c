// What algorithms do alike with the records and the memory of their environments: figures for the metrics, and copies for
// snapshots.

import type { TransitionViews } from '../workers/index.js';
import { TrainError } from './errors.js';

/** Typed arrays by name: a copy of an environment's memory. */
export type SavedViews = Readonly<Record<string, Float64Array | Float32Array | Int32Array | Uint8Array>>;

/** Means over the episodes that ended in the records. */
export interface EpisodeMeans {
  /** Undiscounted return; null if none ended. */
  readonly meanReturn: number | null;
  /** Decisions; null if none ended. */
  readonly meanLength: number | null;
}

/** Means over the episodes that ended within the first `samples` samples. */
export function episodeMeans(records: TransitionViews, samples: number): EpisodeMeans {
  const { terminated, truncated, episodeReturns, episodeLengths } = records;
  let count = 0;
  let returns = 0;
  let lengths = 0;
  for (let p = 0; p < samples; p++) {
    if (terminated[p] === 0 && truncated[p] === 0) continue;
    count++;
    returns += episodeReturns[p];
    lengths += episodeLengths[p];
  }
  return count === 0
    ? { meanReturn: null, meanLength: null }
    : { meanReturn: returns / count, meanLength: lengths / count };
}

/**
 * 1 - Var(returns - values) / Var(returns): 1 for a perfect critic, 0 for a constant one, and 0 if all returns are equal.
 * @param values  at least `length` predictions
 * @param returns at least `length` targets
 */
export function explainedVariance(values: Float32Array, returns: Float32Array, length: number): number {
  let meanReturn = 0;
  let meanError = 0;
  for (let p = 0; p < length; p++) {
    meanReturn += returns[p] / length;
    meanError += (returns[p] - values[p]) / length;
  }
  let variance = 0;
  let residual = 0;
  for (let p = 0; p < length; p++) {
    const deviation = returns[p] - meanReturn;
    const error = returns[p] - values[p] - meanError;
    variance += deviation * deviation;
    residual += error * error;
  }
  return variance === 0 ? 0 : 1 - residual / variance;
}

/** Copies of all typed arrays of `views`. */
export function copyViews(views: object): SavedViews {
  return Object.fromEntries(
    Object.entries(views as SavedViews).map(([name, view]): [string, SavedViews[string]] => [name, view.slice()]),
  );
}

/** Writes saved arrays back into `views`. @throws TrainError `ERR_CHECKPOINT` naming an array of another length */
export function restoreViews(views: object, saved: SavedViews): void {
  for (const [name, view] of Object.entries(views as SavedViews)) {
    const from = saved[name];
    if (from?.length !== view.length) {
      throw new TrainError(
        'ERR_CHECKPOINT',
        `the checkpoint's "${name}" has ${from?.length ?? 0} numbers, this run needs ${view.length}`,
      );
    }
    view.set(from);
  }
}
