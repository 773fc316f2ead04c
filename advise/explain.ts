// What-if: each assignment against its alternatives and against waiting, all in the same simulated futures.

import { round } from './answer.js';
import type { Assignment, Explanation, WhatIf } from './answer.js';
import type { Decision, Replay } from './decision.js';
import type { PlanningInput } from './planning-input.js';
import type { Estimate, Lookahead } from '../policy/index.js';
import { Env } from './world-pool.js';
import type { PooledWorld } from './world-pool.js';

/** Candidates of one assignment: itself, waiting, and alternatives. */
const CANDIDATES = 4;

/**
 * Adds `what_if` to the assignments, in their order, until the deadline; those beyond it have null.
 * @param futures output: futures played for each that was explained
 */
export function explain(
  { request, demand }: PlanningInput,
  { world }: PooledWorld,
  lookahead: Lookahead,
  decisions: readonly Decision[],
  assignments: readonly Assignment[],
  deadline: number,
  replay: Replay | undefined,
  futures: number[],
): Assignment[] {
  const e = Env.nearest;
  world.copy(e, world, Env.start);
  const index = new Map(request.vehicles.map(({ id }, i) => [id, i]));
  return assignments.map((assignment, k): Assignment => {
    const { i, j } = decisions[k];
    const goOn = replay === undefined ? performance.now() < deadline : k < replay.futures.length;
    if (!goOn) return { ...assignment, what_if: null };
    const others = assignment.alternatives.slice(0, CANDIDATES - 2).map(({ vehicle }) => index.get(vehicle)!);
    const vehicles = [i, ...others];
    const actions = [...vehicles.map((vehicle) => world.actionOf(vehicle, j)), 0];
    const timeIsUp = (played: number): boolean =>
      // Without new demand all futures are one.
      (!demand && played > 0) || (replay === undefined ? performance.now() > deadline : played >= replay.futures[k]);
    const { forecasts, futures: played } = lookahead.evaluate(world, e, actions, request.seed ?? 1, timeIsUp);
    world.step(e, actions[0]);
    if (played === 0) return { ...assignment, what_if: null };
    futures.push(played);
    const candidates = forecasts.map((forecast, c): WhatIf => ({
      vehicle: c < vehicles.length ? request.vehicles[vehicles[c]].id : null,
      late: rounded(forecast.lateShare),
      minutes_late: rounded(forecast.minutesLate),
      lost: rounded(forecast.lost),
      advantage: rounded(forecast.advantage),
    }));
    const what: Explanation = {
      candidates,
      futures: played,
      seconds_ahead: lookahead.seconds,
      new_demand: demand,
    };
    return { ...assignment, what_if: what };
  });
}

function rounded({ mean, low, high }: Estimate): Estimate {
  return { mean: round(mean), low: round(low), high: round(high) };
}
