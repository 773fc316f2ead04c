// Paired comparison of evaluations that played the same episodes.

import { halfWidth } from '../policy/index.js';
import type { Evaluation } from '../workers/index.js';

/** Difference of one policy's return from the best of others, over the same episodes. */
export interface Comparison {
  /** Name of the policy with the highest mean return among the others. */
  readonly against: string;
  /** Mean of the differences of returns, episode by episode. */
  readonly meanDifference: number;
  /** Half width of its 95% confidence interval; null of a single episode, which has none. */
  readonly halfWidth: number | null;
  /** Paired episodes. */
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
  return {
    against: best.policy,
    meanDifference: differences.reduce((sum, d) => sum + d, 0) / differences.length,
    halfWidth: halfWidth(differences),
    episodes: differences.length,
  };
}
