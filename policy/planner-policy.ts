// The planner as a policy: it plans for all vehicles, and assigns the first booking of one vehicle per decision.

import type { World } from '../engine/index.js';
import { Planner } from './planner.js';
import type { Policy } from './policy.js';

/** Search steps per decision: few, because a simulated day has hundreds of decisions. */
const TURNS = 32;

const forever = (): boolean => false;

/** A short run of the planner at each decision. */
export class PlannerPolicy implements Policy {
  /** For tables. */
  readonly name = 'planner';
  readonly #planner = new Planner();

  act(world: World, from: number, to: number, actions: Int32Array): void {
    for (let e = from; e < to; e++) actions[e] = this.#choose(world, e);
  }

  /** Among the first bookings of all plans, the one with the least time to spare. */
  #choose(world: World, e: number): number {
    const planner = this.#planner;
    if (world.state.open[e] === 0) return 0;
    planner.construct(world, e, null);
    planner.improve(TURNS, 1, forever);
    const { drivers, driver } = planner.input;
    const paid = world.compiled.scenario.reward.kind === 'fare';
    let best = 0;
    let least = Infinity;
    for (let k = 0; k < drivers; k++) {
      if (planner.length(k) === 0) continue;
      const i = driver[k];
      const j = planner.slotAt(k, 0);
      // Where fares are paid, a booking that earns nothing is not assigned.
      if (!world.accepts(e, i, j) || (paid && world.assignmentReward(e, i, j) <= 0)) continue;
      const spare = world.state.windowEnd[e * world.slots + j] - world.pickupSecond(e, i, j);
      if (spare < least) {
        least = spare;
        best = world.actionOf(i, j);
      }
    }
    return best;
  }
}
