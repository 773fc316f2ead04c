// A tick decided jointly: a scorer says what each assignment is worth against leaving its driver and its booking free, and one
// matching of drivers and bookings with the highest sum is made. What is worth less than nothing is not assigned.

import type { World } from '../engine/index.js';
import { AssignmentSolver } from './assignment.js';
import { FleetRows } from './fleet-rows.js';
import { checkWeights, networkLayout } from './network.js';
import type { NetworkShape } from './network.js';
import { PolicyError } from './policy.js';
import type { JointPolicy } from './policy.js';
import { SimdMlp } from './simd-mlp.js';

/** Rows and their scores, and the matching on them, for the environments of one world. */
export class Matching {
  /** What rows are made of; those last written. */
  readonly rows: FleetRows;
  /** `[rows]` worth of each assignment against leaving its driver and its booking free, in the unit of rewards. */
  readonly scores: Float64Array;
  /** `[rows, columns]` */
  readonly features: Float32Array;
  readonly #world: World;
  readonly #mlp: SimdMlp | null;
  readonly #outputs: Float32Array;
  readonly #solver = new AssignmentSolver();
  readonly #costs: Float64Array;
  readonly #driverIndex: Int32Array;
  readonly #slotIndex: Int32Array;
  readonly #driverList: Int32Array;
  readonly #slotList: Int32Array;
  readonly #columnOf: Int32Array;
  readonly #limit: number;
  #count = 0;
  #e = 0;

  /**
   * @param shape   of the scorer; null for none: assignments are worth what they earn at once
   * @throws PolicyError `ERR_NETWORK` for a scorer that does not fit the world
   */
  constructor(world: World, shape: NetworkShape | null, weights: Float32Array | null) {
    const { drivers, slots } = world;
    const pairs = drivers * slots;
    this.#world = world;
    this.rows = new FleetRows(world);
    this.scores = new Float64Array(pairs);
    this.features = new Float32Array(pairs * this.rows.columns);
    this.#outputs = new Float32Array(pairs);
    this.#costs = new Float64Array(pairs);
    this.#driverIndex = new Int32Array(drivers);
    this.#slotIndex = new Int32Array(slots);
    this.#driverList = new Int32Array(drivers);
    this.#slotList = new Int32Array(slots);
    this.#columnOf = new Int32Array(Math.min(drivers, slots));
    this.#limit = world.compiled.scenario.decisionsPerTick;
    this.#mlp = null;
    if (shape === null || weights === null) return;
    if (shape.inputs !== this.rows.columns) {
      throw new PolicyError(
        'ERR_NETWORK',
        `the scorer takes ${shape.inputs} numbers, rows of ${world.compiled.scenario.name} have ${this.rows.columns}: it was made for another number of zones`,
      );
    }
    this.#mlp = new SimdMlp(networkLayout(shape).actor);
    this.#mlp.load(weights);
  }

  /** Rows that `consider` has written. */
  get count(): number {
    return this.#count;
  }

  /**
   * Writes and scores the rows of environment e.
   * @returns how many
   * @throws PolicyError `ERR_NETWORK` if a score is no number
   */
  consider(e: number): number {
    const { rows, scores } = this;
    const count = rows.write(e, this.features);
    this.#count = count;
    this.#e = e;
    const outputs = this.#outputs;
    this.#mlp?.run(this.features, 0, count, outputs, 0);
    for (let k = 0; k < count; k++) {
      scores[k] = this.#mlp === null ? rows.rewards[k] : rows.rewards[k] + outputs[k];
      if (scores[k] - scores[k] === 0) continue;
      throw new PolicyError(
        'ERR_NETWORK',
        `the scorer gives ${scores[k]}: its weights, or what it sees, are too large`,
      );
    }
    return count;
  }

  /**
   * The matching of the rows last considered: the one with the highest sum of scores. Where a tick takes fewer assignments than it
   * has, the best of them; where it takes a single one, the best of all rows.
   * @param slotOf  output, `[>= at + N]`: the slot of each driver, -1 for none
   * @param notDriver a driver that gets none, -1 for no such
   * @param notSlot   a slot that nobody gets, -1 for no such
   */
  solve(slotOf: Int32Array, at = 0, notDriver = -1, notSlot = -1): void {
    const { drivers: driverOf, slots: slotOfRow } = this.rows;
    const { scores } = this;
    const driverIndex = this.#driverIndex.fill(-1);
    const slotIndex = this.#slotIndex.fill(-1);
    slotOf.fill(-1, at, at + this.#world.drivers);
    const left = this.#limit - this.#world.state.decisions[this.#e];
    if (left === 1) {
      this.#takeBest(slotOf, at, notDriver, notSlot);
      return;
    }
    let drivers = 0;
    let slots = 0;
    for (let k = 0; k < this.#count; k++) {
      const i = driverOf[k];
      const j = slotOfRow[k];
      if (!(scores[k] > 0) || i === notDriver || j === notSlot) continue;
      if (driverIndex[i] < 0) this.#driverList[(driverIndex[i] = drivers++)] = i;
      if (slotIndex[j] < 0) this.#slotList[(slotIndex[j] = slots++)] = j;
    }
    if (drivers === 0) return;
    // The solver wants the shorter side as rows. A pair that is not worth it costs nothing, as leaving both free does.
    const byDriver = drivers <= slots;
    const height = byDriver ? drivers : slots;
    const width = byDriver ? slots : drivers;
    const costs = this.#costs.fill(0, 0, height * width);
    for (let k = 0; k < this.#count; k++) {
      const i = driverOf[k];
      const j = slotOfRow[k];
      if (!(scores[k] > 0) || i === notDriver || j === notSlot) continue;
      const p = byDriver ? driverIndex[i] * width + slotIndex[j] : slotIndex[j] * width + driverIndex[i];
      costs[p] = -scores[k];
    }
    this.#solver.solve(costs, height, width, this.#columnOf);
    for (let r = 0; r < height; r++) {
      const c = this.#columnOf[r];
      if (costs[r * width + c] === 0) continue;
      slotOf[at + this.#driverList[byDriver ? r : c]] = this.#slotList[byDriver ? c : r];
    }
    if (left < height) this.#keepBest(slotOf, at, left);
  }

  /** The row with the highest score, the first of them on ties, if it is worth anything. */
  #takeBest(slotOf: Int32Array, at: number, notDriver: number, notSlot: number): void {
    const { drivers, slots } = this.rows;
    let best = -1;
    let highest = 0;
    for (let k = 0; k < this.#count; k++) {
      if (!(this.scores[k] > highest) || drivers[k] === notDriver || slots[k] === notSlot) continue;
      best = k;
      highest = this.scores[k];
    }
    if (best >= 0) slotOf[at + drivers[best]] = slots[best];
  }

  /** Takes the least of the matched assignments back until `most` are left. */
  #keepBest(slotOf: Int32Array, at: number, most: number): void {
    const { drivers, slots } = this.rows;
    const matched: number[] = [];
    for (let k = 0; k < this.#count; k++) if (slotOf[at + drivers[k]] === slots[k]) matched.push(k);
    matched.sort((a, b) => this.scores[b] - this.scores[a] || a - b);
    for (const k of matched.slice(most)) slotOf[at + drivers[k]] = -1;
  }
}

/** Decides each tick by one matching. */
export class MatchingPolicy implements JointPolicy {
  /** As it was given, for tables. */
  readonly name: string;
  readonly #shape: NetworkShape | null;
  readonly #weights: Float32Array | null;
  readonly #matchings = new WeakMap<World, Matching>();
  #slotOf = new Int32Array(0);

  /**
   * @param shape   of the scorer; null: assignments are worth what they earn at once
   * @throws PolicyError `ERR_NETWORK` for weights that are not such a network's
   */
  constructor(name: string, shape: NetworkShape | null = null, weights: Float32Array | null = null) {
    if (shape !== null) checkWeights(shape, weights!, `policy ${name}`);
    this.name = name;
    this.#shape = shape;
    this.#weights = weights;
  }

  decide(world: World, e: number, slotOf: Int32Array, at = 0): void {
    let matching = this.#matchings.get(world);
    if (matching === undefined) {
      matching = new Matching(world, this.#shape, this.#weights);
      this.#matchings.set(world, matching);
    }
    matching.consider(e);
    matching.solve(slotOf, at);
  }

  /** One assignment of the matching, that of the lowest driver; 0 if there is none. */
  act(world: World, from: number, to: number, actions: Int32Array): void {
    if (this.#slotOf.length < world.drivers) this.#slotOf = new Int32Array(world.drivers);
    for (let e = from; e < to; e++) {
      this.decide(world, e, this.#slotOf);
      const i = this.#slotOf.findIndex((j, k) => k < world.drivers && j >= 0);
      actions[e] = i < 0 ? 0 : world.actionOf(i, this.#slotOf[i]);
    }
  }
}
