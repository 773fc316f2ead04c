// Paired comparison of evaluations that played the same episodes.

import type { Evaluation } from '../workers/index.js';

export interface Comparison {
  readonly against: string;
  /** Mean of the differences of returns, episode by episode. */
  readonly meanDifference: number;
  /** Half width of its 95% confidence interval (normal approximation). */
  readonly halfWidth: number;
  readonly episodes: number;
}

/** `ours` against the evaluation with the highest mean return of `others`. */
export function againstBest(ours: Evaluation, others: readonly Evaluation[]): Comparison | null {
  if (others.length === 0) return null;
  const best = others.reduce((a, b) => (b.meanReturn > a.meanReturn ? b : a));
  const differences = ours.episodes.map((episode, k) => {
    const other = best.episodes[k];
    if (other?.id !== episode.id)
      throw new RangeError(`episodes are not paired: ${episode.id} and ${other?.id ?? 'none'}`);
    return episode.return - other.return;
  });
  const n = differences.length;
  const mean = differences.reduce((sum, d) => sum + d, 0) / n;
  const variance = differences.reduce((sum, d) => sum + (d - mean) ** 2, 0) / Math.max(1, n - 1);
  return { against: best.policy, meanDifference: mean, halfWidth: 1.96 * Math.sqrt(variance / n), episodes: n };
}
