// What was decided on a problem, in the world's own terms, and what of it the clock had a say in.

import type { Provenance } from './answer.js';

/** What the clock decided when an answer was first given: with it, the same comes out again. */
export interface Replay {
  readonly fallback: Provenance['fallback'];
  readonly futures: readonly number[];
  readonly turns: number;
  /** Of look-ahead's own decisions. */
  readonly decision_futures?: readonly number[];
}

/** An assignment as it was decided, in the world's own terms. */
export interface Decision {
  /** Driver and slot. */
  readonly i: number;
  readonly j: number;
  readonly confidence: number | null;
}

/** Where the planner's plan serves a slot. */
export interface PlannedStop {
  readonly i: number;
  /** Slot that the vehicle serves before, -1 if none of the open ones. */
  readonly after: number;
  /** Second of the episode. */
  readonly pickupAt: number;
}

/** A plan for a problem, and how it came about. */
export interface Decided {
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
