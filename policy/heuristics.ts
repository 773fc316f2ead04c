// The rules that a trained policy must beat. Each chooses among the legal pairs of the present state; where assignments are paid
// by fares, it takes no pair that earns nothing.

import { Purpose } from '../engine/index.js';
import type { World } from '../engine/index.js';
import { AssignmentSolver } from './assignment.js';
import { LinearRule } from './linear.js';
import { PolicyError } from './policy.js';
import { PlannerPolicy } from './planner-policy.js';
import type { Policy } from './policy.js';

/** A rule that decides for one environment at a time. */
abstract class Heuristic implements Policy {
  abstract readonly name: string;
  /** Open slots of the present environment, ascending; grows, never shrinks. */
  protected slots: Int32Array = new Int32Array(0);

  act(world: World, from: number, to: number, actions: Int32Array): void {
    for (let e = from; e < to; e++) actions[e] = this.choose(world, e);
  }

  protected abstract choose(world: World, e: number): number;

  /** Fills `slots`; returns how many there are. */
  protected open(world: World, e: number): number {
    if (this.slots.length < world.slots) this.slots = new Int32Array(world.slots);
    return world.openSlots(e, this.slots);
  }
}

function worthwhile(world: World, e: number, i: number, j: number): boolean {
  return (
    world.accepts(e, i, j) && (world.compiled.scenario.reward.kind !== 'fare' || world.assignmentReward(e, i, j) > 0)
  );
}

/** Uniform over the legal actions, waiting included. */
export class RandomLegal extends Heuristic {
  /** For tables. */
  readonly name = 'random';

  protected choose(world: World, e: number): number {
    const masks = world.out.actionMasks;
    const base = e * world.actions;
    let legal = 0;
    for (let a = 0; a < world.actions; a++) legal += masks[base + a];
    let pick = Math.floor(world.floatNow(e, Purpose.action) * legal);
    for (let a = 0; a < world.actions; a++) {
      if (masks[base + a] === 1 && pick-- === 0) return a;
    }
    return 0;
  }
}

/** The pair with the fewest empty metres; lowest driver, then slot, on ties. */
export class Nearest extends Heuristic {
  /** For tables. */
  readonly name = 'nearest';

  protected choose(world: World, e: number): number {
    const open = this.open(world, e);
    let best = 0;
    let least = Infinity;
    for (let i = 0; i < world.drivers; i++) {
      if (!world.isAvailable(e, i)) continue;
      for (let k = 0; k < open; k++) {
        const j = this.slots[k];
        const metres = world.approachMetres(e, i, j);
        if (metres < least && worthwhile(world, e, i, j)) {
          least = metres;
          best = world.actionOf(i, j);
        }
      }
    }
    return best;
  }
}

/** The booking whose window ends first, to the driver who picks it up first. */
export class EarliestDeadline extends Heuristic {
  /** For tables. */
  readonly name = 'edf';

  protected choose(world: World, e: number): number {
    const open = this.open(world, e);
    let best = 0;
    let deadline = Infinity;
    let pickup = Infinity;
    for (let k = 0; k < open; k++) {
      const j = this.slots[k];
      const end = world.state.windowEnd[e * world.slots + j];
      if (end > deadline) continue;
      for (let i = 0; i < world.drivers; i++) {
        const at = world.pickupSecond(e, i, j);
        if ((end < deadline || at < pickup) && worthwhile(world, e, i, j)) {
          deadline = end;
          pickup = at;
          best = world.actionOf(i, j);
        }
      }
    }
    return best;
  }
}

/**
 * The benchmark paper's greedy: bookings in slot order; among drivers who reach the pickup within its window, the one with
 * the fewest empty metres, lowest index on ties. By that definition a booking that can only be picked up late, within the
 * world's tolerance, waits even where a driver is free.
 */
export class Greedy extends Heuristic {
  /** For tables. */
  readonly name = 'greedy';

  protected choose(world: World, e: number): number {
    const open = this.open(world, e);
    for (let k = 0; k < open; k++) {
      const j = this.slots[k];
      const end = world.state.windowEnd[e * world.slots + j];
      let best = 0;
      let least = Infinity;
      for (let i = 0; i < world.drivers; i++) {
        if (!world.isAvailable(e, i)) continue;
        const metres = world.approachMetres(e, i, j);
        if (metres < least && world.pickupSecond(e, i, j) <= end && worthwhile(world, e, i, j)) {
          least = metres;
          best = world.actionOf(i, j);
        }
      }
      if (best !== 0) return best;
    }
    return 0;
  }
}

/** The legal action with the highest immediate reward, waiting included; the lowest action on ties. */
export class Myopic extends Heuristic {
  /** For tables. */
  readonly name = 'myopic';

  protected choose(world: World, e: number): number {
    const open = this.open(world, e);
    let best = 0;
    let most = world.compiled.scenario.waitRewardPerOpen * open;
    for (let i = 0; i < world.drivers; i++) {
      for (let k = 0; k < open; k++) {
        const j = this.slots[k];
        if (!world.accepts(e, i, j)) continue;
        const reward = world.assignmentReward(e, i, j);
        if (reward > most) {
          most = reward;
          best = world.actionOf(i, j);
        }
      }
    }
    return best;
  }
}

/** Cost of a pair that must not be matched: above any other pair's, so that it is used last. */
const UNMATCHED = 1e9;

/**
 * All open bookings to drivers at once, at most one each, at the least sum of seconds until pickup plus priority times
 * seconds late. Takes the pair of that matching with the least time to spare.
 */
export class BatchedHungarian extends Heuristic {
  /** For tables. */
  readonly name = 'hungarian';
  readonly #solver = new AssignmentSolver();
  #costs = new Float64Array(0);
  #columnOf = new Int32Array(0);
  #drivers = new Int32Array(0);
  /** Of the last matching: actions, and seconds between pickup and the window's end. */
  #matched = new Int32Array(0);
  #spare = new Float64Array(0);

  protected choose(world: World, e: number): number {
    const count = this.#solve(world, e);
    let best = 0;
    let least = Infinity;
    for (let k = 0; k < count; k++) {
      if (this.#spare[k] < least) {
        least = this.#spare[k];
        best = this.#matched[k];
      }
    }
    return best;
  }

  /**
   * All actions of the matching, the pair with the least time to spare first. Its cost is that of calling `act` for one pair
   * after the other, because the rest of an optimal matching is an optimal matching of the rest.
   */
  match(world: World, e: number): number[] {
    const order = Array.from({ length: this.#solve(world, e) }, (_, k) => k);
    order.sort((a, b) => this.#spare[a] - this.#spare[b]);
    return order.map((k) => this.#matched[k]);
  }

  /** Fills `#matched` and `#spare`; returns how many pairs there are. */
  #solve(world: World, e: number): number {
    const open = this.open(world, e);
    if (open === 0) return 0;
    if (this.#costs.length < world.drivers * world.slots) {
      this.#costs = new Float64Array(world.drivers * world.slots);
    }
    if (this.#columnOf.length < Math.max(world.drivers, world.slots)) {
      this.#columnOf = new Int32Array(Math.max(world.drivers, world.slots));
      this.#matched = new Int32Array(this.#columnOf.length);
      this.#spare = new Float64Array(this.#columnOf.length);
    }
    if (this.#drivers.length < world.drivers) this.#drivers = new Int32Array(world.drivers);
    let available = 0;
    for (let i = 0; i < world.drivers; i++) if (world.isAvailable(e, i)) this.#drivers[available++] = i;
    if (available === 0) return 0;

    // The solver wants the shorter side as rows.
    const byDriver = available <= open;
    const rows = byDriver ? available : open;
    const columns = byDriver ? open : available;
    const now = world.state.now[e];
    const costs = this.#costs;
    for (let r = 0; r < rows; r++) {
      for (let c = 0; c < columns; c++) {
        const i = this.#drivers[byDriver ? r : c];
        const j = this.slots[byDriver ? c : r];
        let cost = UNMATCHED;
        if (worthwhile(world, e, i, j)) {
          const s = e * world.slots + j;
          const pickup = world.pickupSecond(e, i, j);
          cost = pickup - now + world.state.priority[s] * Math.max(0, pickup - world.state.windowEnd[s]);
        }
        costs[r * columns + c] = cost;
      }
    }
    this.#solver.solve(costs, rows, columns, this.#columnOf);
    let count = 0;
    for (let r = 0; r < rows; r++) {
      const c = this.#columnOf[r];
      if (costs[r * columns + c] >= UNMATCHED) continue;
      const i = this.#drivers[byDriver ? r : c];
      const j = this.slots[byDriver ? c : r];
      this.#matched[count] = world.actionOf(i, j);
      this.#spare[count++] = world.state.windowEnd[e * world.slots + j] - world.pickupSecond(e, i, j);
    }
    return count;
  }
}

/** Name of a rule, as `heuristic` and the command line take it. */
export type HeuristicName = 'random' | 'nearest' | 'edf' | 'greedy' | 'myopic' | 'hungarian' | 'planner' | 'linear';

const makers: Readonly<Record<HeuristicName, () => Policy>> = {
  random: () => new RandomLegal(),
  nearest: () => new Nearest(),
  edf: () => new EarliestDeadline(),
  greedy: () => new Greedy(),
  myopic: () => new Myopic(),
  hungarian: () => new BatchedHungarian(),
  planner: () => new PlannerPolicy(),
  linear: () => new LinearRule(),
};

/** Names of all rules. */
export const heuristicNames: readonly HeuristicName[] = Object.keys(makers) as HeuristicName[];

/** Whether `name` is that of a rule. */
export function isHeuristic(name: string): name is HeuristicName {
  return Object.hasOwn(makers, name);
}

/** A new policy that plays by this rule. @throws PolicyError `ERR_POLICY` if there is no such rule */
export function heuristic(name: HeuristicName): Policy {
  if (!isHeuristic(name)) {
    throw new PolicyError(
      'ERR_POLICY',
      `unknown heuristic ${JSON.stringify(name)}: choose one of ${heuristicNames.join(', ')}`,
    );
  }
  return makers[name]();
}
