// Which policy decides, and what: the requested one, within its time and within the objective, or else the planner. Each plan
// is played to its end in an environment of a pooled world.

import type { World } from '../engine/index.js';
import { PolicyError } from '../policy/index.js';
import type { Planner } from '../policy/index.js';
import type { Decided, Decision, PlannedStop, Replay } from './decision.js';
import { isWorse, leftOut, priorityOf } from './objective.js';
import type { Policies, ServedPolicy } from './policies.js';
import type { PlanningInput } from './planning-input.js';
import { Env } from './world-pool.js';
import type { PooledWorld } from './world-pool.js';

/** Of the time to decide: the rest is for writing the answer down, and for explaining it; less is left where it need not be explained. */
const PLANNING_SHARE = 0.6;
const WHOLE_PLAN_SHARE = 0.8;

/** Turns of the planner's search at most, if there is time: 400 for up to 20 shipments, 40,000 for 200; ten times as many for whole plans. */
function turnsFor(shipments: number, isWhole: boolean): number {
  return Math.max(400, shipments * shipments) * (isWhole ? 10 : 1);
}

/**
 * Lets the policy decide in environment `Env.policy`, or the planner in its place, and plays the decisions there.
 * @param playing  the policy that is to decide
 * @param started  milliseconds, on `performance`'s clock, like `deadline`
 * @param replay   what the clock said before, in place of the clock
 * @param failed   the asked policy has been tried elsewhere, and did not return
 */
export function decide(
  policies: Policies,
  planner: Planner,
  playing: ServedPolicy,
  planning: PlanningInput,
  pooled: PooledWorld,
  started: number,
  deadline: number,
  replay: Replay | undefined,
  failed: boolean,
): Decided {
  const { world } = pooled;
  const e = Env.policy;
  const isWhole = planning.rules.assignmentsPerVehicle > 1;
  const plan = (most: number): number => {
    const share = isWhole && planning.request.explain !== true ? WHOLE_PLAN_SHARE : PLANNING_SHARE;
    const until = started + share * (deadline - started);
    planner.construct(world, Env.start, Float64Array.from(planning.considered, priorityOf));
    const isUp = replay === undefined ? () => performance.now() > until : (done: number) => done >= replay.turns;
    const seed = planning.request.seed ?? 1;
    return isWhole ? planner.search(most, seed, isUp) : planner.improve(most, seed, isUp);
  };
  const most = turnsFor(planning.considered.length, isWhole);
  let turns = 0;
  let gaveWay: Decided['gaveWay'] = null;
  if (playing.name === policies.fallback.name) {
    turns = plan(most);
  } else {
    const late =
      replay === undefined ? () => performance.now() > deadline : () => replay.fallback?.reason === 'deadline';
    const tried =
      failed || replay?.fallback?.reason === 'failed' ? 'failed' : attempt(policies, pooled, playing, e, late);
    if (tried === 'failed') {
      gaveWay = 'failed';
      turns = plan(most);
    } else if (tried === null) {
      gaveWay = 'deadline';
      // There is no time for more than a first plan.
      plan(0);
    } else {
      const lost = leftOut(planning, world, e);
      if (lost.length === 0) return { decisions: tried, env: e, gaveWay, plan: null, turns };
      turns = plan(most);
      if (!isWorse(planning, tried, lost, planner)) return { decisions: tried, env: e, gaveWay, plan: null, turns };
      gaveWay = 'objective';
    }
    world.copy(e, world, Env.start);
  }
  const stops = stopsOf(planner, world);
  return { decisions: release(planner, world, e), env: e, gaveWay, plan: stops, turns };
}

/** The asked policy's plan; null if the time was up. A policy of somebody's own may fail, which is reported and no reason to fail here. */
function attempt(
  policies: Policies,
  pooled: PooledWorld,
  playing: ServedPolicy,
  e: number,
  late: () => boolean,
): Decision[] | null | 'failed' {
  if (late()) return null;
  try {
    return play(pooled, playing, e, late);
  } catch (error) {
    if (!playing.isOwn || !(error instanceof PolicyError)) throw error;
    policies.report(error.message);
    return 'failed';
  }
}

function stopsOf(planner: Planner, world: World): (PlannedStop | undefined)[] {
  const stops: (PlannedStop | undefined)[] = Array.from({ length: world.slots });
  const { driver, drivers } = planner.input;
  for (let k = 0; k < drivers; k++) {
    for (let p = 0, after = -1; p < planner.length(k); p++) {
      const j = planner.slotAt(k, p);
      stops[j] = { i: driver[k], after, pickupAt: planner.pickupAt(k, p) };
      after = j;
    }
  }
  return stops;
}

/** As much of the planner's plan as may be given out now, first stops first, and of these the one with the least time to spare. */
function release(planner: Planner, world: World, e: number): Decision[] {
  const { driver, drivers } = planner.input;
  const stops: { k: number; p: number; i: number; j: number; spare: number }[] = [];
  for (let k = 0; k < drivers; k++) {
    for (let p = 0; p < planner.length(k); p++) {
      const j = planner.slotAt(k, p);
      const spare = world.state.windowEnd[e * world.slots + j] - planner.pickupAt(k, p);
      stops.push({ k, p, i: driver[k], j, spare });
    }
  }
  stops.sort((a, b) => a.p - b.p || a.spare - b.spare || a.k - b.k);
  const ended = new Set<number>();
  const decisions: Decision[] = [];
  for (const { i, j } of stops) {
    // After the first that has to wait, so has the rest.
    if (ended.has(i)) continue;
    if (world.accepts(e, i, j)) {
      decisions.push({ i, j, confidence: null });
      world.step(e, world.actionOf(i, j));
    } else {
      ended.add(i);
    }
  }
  return decisions;
}

/** The Hungarian plan: matchings, until nobody can take any more. */
export function matchAll({ world, hungarian }: PooledWorld, e: number): Decision[] {
  const decisions: Decision[] = [];
  for (;;) {
    const matched = hungarian.match(world, e);
    if (matched.length === 0) return decisions;
    for (const action of matched) {
      decisions.push(decisionOf(world.slots, action, null));
      world.step(e, action);
    }
  }
}

/** A policy's plan in environment e, until it waits. */
export function play(pooled: PooledWorld, policy: ServedPolicy, e: number): Decision[];
/** The same, or null if `late` said that the time was up before. */
export function play(pooled: PooledWorld, policy: ServedPolicy, e: number, late: () => boolean): Decision[] | null;
export function play(pooled: PooledWorld, policy: ServedPolicy, e: number, late?: () => boolean): Decision[] | null {
  const { world } = pooled;
  const decider = pooled.decider(policy);
  const decisions: Decision[] = [];
  for (;;) {
    const action = decider.decide(e);
    if (action === 0) return decisions;
    if (late?.() === true) return null;
    decisions.push(decisionOf(world.slots, action, decider.confidence));
    world.step(e, action);
  }
}

function decisionOf(slots: number, action: number, confidence: number | null): Decision {
  const i = Math.floor((action - 1) / slots);
  return { i, j: action - 1 - i * slots, confidence };
}

/** Driver by slot, -1 where there is none. */
export function driverOf({ world }: PooledWorld, decisions: readonly Decision[]): Int32Array {
  const drivers = new Int32Array(world.slots).fill(-1);
  for (const { i, j } of decisions) drivers[j] = i;
  return drivers;
}
