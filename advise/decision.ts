// What was decided on a planning input, in the world's own terms, and what of it depended on the clock.

import type { Provenance } from './answer.js';

/** What the clock decided when an answer was first given: with it, the same comes out again. */
export interface Replay {
  /** Why another policy decided, as in the first answer. */
  readonly fallback: Provenance['fallback'];
  /** Futures that each assignment was explained in. */
  readonly futures: readonly number[];
  /** Turns of the planner’s search. */
  readonly turns: number;
  /** Of look-ahead's own decisions. */
  readonly decision_futures?: readonly number[];
}

/** An assignment as it was decided, in the world's own terms. */
export interface Decision {
  /** Driver of the world. */
  readonly i: number;
  /** Slot of the world. */
  readonly j: number;
  /** Probability that a network gave to it, 0..1; null for a rule. */
  readonly confidence: number | null;
}

/** Where the planner's plan serves a slot. */
export interface PlannedStop {
  /** Driver of the world. */
  readonly i: number;
  /** Slot that the vehicle serves before, -1 if none of the open ones. */
  readonly after: number;
  /** Second of the episode. */
  readonly pickupAt: number;
}

/** A plan for a planning input, and how it was made. */
export interface Decided {
  /** In the order of deciding. */
  readonly decisions: readonly Decision[];
  /** Environment in which they have been played. */
  readonly env: number;
  /** Why the policy that was to play did not decide. */
  readonly gaveWay: 'deadline' | 'objective' | 'failed' | null;
  /** By slot; null if the planner did not decide. */
  readonly plan: readonly (PlannedStop | undefined)[] | null;
  /** Turns of the planner's search; with the same number, the same plan. */
  readonly turns: number;
}
