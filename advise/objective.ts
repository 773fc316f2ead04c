// Whether a played plan serves those whom a dispatcher would serve: no shipment is left out for a less important one. The plans of
// all policies are checked against it.

import { worthOf } from '../policy/index.js';
import type { Planner } from '../policy/index.js';
import type { World } from '../engine/index.js';
import type { Decision } from './decision.js';
import type { PlanningInput, Shipment } from './planning-input.js';
import { latestSafe } from './reasons.js';

/** 0..100 */
export function priorityOf({ input }: Shipment): number {
  return input.priority ?? 50;
}

/** Slots of environment e, in which a plan has been played to its end, that no vehicle can serve any more. */
export function leftOut(planning: PlanningInput, world: World, e: number): number[] {
  return [...planning.considered.keys()].filter(
    (j) => world.isOpen(e, j) && latestSafe(planning, world, e, j) === null,
  );
}

/**
 * Whether the planner's plan is to be answered instead of the played one: it serves a shipment that the other leaves out
 * for a less important one, or in all it serves more than the other still can.
 * @param lost from `leftOut`
 */
export function isWorse(
  { considered }: PlanningInput,
  decisions: readonly Decision[],
  lost: readonly number[],
  planner: Planner,
): boolean {
  const saved = lost.filter((j) => planner.serves(j));
  if (saved.length === 0) return false;
  const most = Math.max(...saved.map((j) => priorityOf(considered[j])));
  if (decisions.some(({ j }) => priorityOf(considered[j]) < most)) return true;
  const gone = new Set(lost);
  const possible = considered.reduce((sum, one, j) => (gone.has(j) ? sum : sum + worthOf(priorityOf(one))), 0);
  return planner.servedWorth > possible;
}
