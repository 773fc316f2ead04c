// The shapes of a person's plan, pair by pair, and of what the rules make of it. Seconds on the request's clock, metres.

import type { Constraint } from './answer.js';
import type { Id } from './schema.js';

/** One assignment of a plan, by the ids of the request. */
export interface PlannedPair {
  readonly vehicle: Id;
  readonly shipment: Id;
}

/** A pair of a plan with its figures; null where it breaks a constraint. Seconds and metres. */
export interface AnalyzedPair extends PlannedPair {
  /** Constraints that it breaks, so that it is left out of the rest; `unknown` for what the request does not leave open:
   *  other ids, shipments at fault, promised, later than the horizon, or in the plan twice. */
  readonly breaks: readonly (Constraint | 'unknown')[];
  readonly pickup_eta: number | null;
  readonly lateness: number | null;
  readonly approach_distance: number | null;
  readonly score: number | null;
}

/** Sums over the pairs of a plan that break nothing: seconds of lateness, metres of empty driving. */
export interface PlanTotals {
  readonly assigned: number;
  readonly score: number;
  readonly lateness: number;
  readonly late: number;
  readonly approach_distance: number;
  /** Shipments that could be served at the start and are not in the plan. */
  readonly left_open: number;
}

/** A person’s plan beside the policy’s own: what `POST /v1/analyze` answers. */
export interface Analysis {
  readonly plan: readonly AnalyzedPair[];
  readonly totals: PlanTotals;
  /** Of the policy's own plan for the same state. */
  readonly policy: { readonly name: string; readonly totals: PlanTotals };
}
