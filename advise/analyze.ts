// A person's plan, simulated under the same rules: the figures of each assignment, what it breaks, and the policy's plan beside it.

import { round } from './answer.js';
import type { Analysis, AnalyzedPair, PlannedPair, PlanTotals } from './analysis.js';
import type { Recommender } from './recommend.js';
import type { RecommendRequest } from './request.js';

/**
 * Drives a person's plan beside the policy's own, in the same state.
 * @throws AdviseError `ERR_REQUEST` for a request that is not valid
 */
export function analyze(recommender: Recommender, request: RecommendRequest, plan: readonly PlannedPair[]): Analysis {
  const answer = recommender.recommend(request, { decisionId: '', stateHash: '' });
  const pairs = recommender.drive(request, plan);
  const servable = answer.assignments.length + answer.waiting.length;
  return {
    plan: pairs,
    totals: totalsOf(keptOf(pairs), servable),
    // Both in the same world, so that their scores compare.
    policy: {
      name: answer.provenance.policy,
      totals: totalsOf(keptOf(recommender.drive(request, answer.assignments)), servable),
    },
  };
}

/** Those that break nothing have all figures. */
function keptOf(pairs: readonly AnalyzedPair[]): readonly Figures[] {
  return pairs.filter(({ breaks }) => breaks.length === 0) as readonly Figures[];
}

interface Figures {
  readonly score: number;
  readonly lateness: number;
  readonly approach_distance: number;
}

function totalsOf(list: readonly Figures[], servable: number): PlanTotals {
  const sum = (of: (one: Figures) => number): number => list.reduce((total, one) => total + of(one), 0);
  return {
    assigned: list.length,
    score: round(sum(({ score }) => score)),
    lateness: sum(({ lateness }) => lateness),
    late: list.filter(({ lateness }) => lateness > 0).length,
    approach_distance: sum((one) => one.approach_distance),
    left_open: Math.max(0, servable - list.length),
  };
}
