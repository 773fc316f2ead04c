// Plans for all vehicles: first the worth of what is served, then the cost. Built by insertion, improved by ruin and recreate: strings
// of neighbouring stops are taken out and put in again (Christiaens and Vanden Berghe 2020), worse plans of the same worth are taken
// by simulated annealing. The same problem, seed and number of turns give the same plan.

import { Purpose, STREAM_WORDS, nextFloat, seedStream } from '../engine/index.js';
import { NOWHERE, Nodes } from './problem.js';
import type { RoutingProblem } from './problem.js';
import { Route } from './route.js';
import type { Insertion } from './route.js';
import { Scheduler } from './schedule.js';
import type { Step } from './schedule.js';

/** How a plan is searched for. */
export interface SearchOptions {
  /** Seed of the search, a whole number. */
  readonly seed: number;
  /** Most turns of ruin and recreate; default: until the temperature has fallen. */
  readonly turns?: number | undefined;
  /** Called now and then; true ends the search. */
  readonly isOver: () => boolean;
  /** Sequences of nodes to begin with, one for each vehicle; each must be possible. Default: built by insertion. */
  readonly initial?: readonly (readonly number[])[] | undefined;
}

/** A plan: for each vehicle its steps, and what nobody serves. */
export interface RoutingPlan {
  /** By vehicle; empty where it is not used. */
  readonly steps: readonly (readonly Step[])[];
  /** Cost of each route. */
  readonly costs: readonly number[];
  /** Tasks that are not served, in order. */
  readonly unserved: readonly number[];
  /** Turns that were made: a search of as many gives the same plan. */
  readonly turns: number;
}

/** Tasks that are taken out in a turn, on average; and most stops in a string. */
const MEAN_REMOVED = 10;
const LONGEST_STRING = 10;
/** How often a vehicle that has room is passed over. */
const BLINK = 0.01;
/** Temperatures at the beginning and the end of the search, as parts of a task's mean cost. */
const HOT = 0.3;
const COLD = 0.003;
/** How often a turn begins at a task that is not served, if there is one. */
const FROM_BANK = 0.5;

/** Turns over which the temperature falls, at least, and for each task. Not over those that are asked for: a search that ends early has done the same until then. */
const FALLING = 300;
const FALLING_PER_TASK = 60;

/** The route that a search was to begin with is not possible. */
export class ImpossibleRoute extends Error {
  /** Number of the vehicle. */
  readonly vehicle: number;

  constructor(vehicle: number) {
    super(`the plan of vehicle ${vehicle} is not possible`);
    this.vehicle = vehicle;
  }
}

/** Which of two plans is better, and by what measure they are compared. */
interface Value {
  worth: number;
  cost: number;
}

/**
 * Searches for a plan.
 * @throws ImpossibleRoute if a sequence of `initial` is not possible
 */
export function solve(problem: RoutingProblem, options: SearchOptions): RoutingPlan {
  const search = new Search(problem, options);
  search.build();
  const turns = search.improve();
  return search.plan(turns);
}

class Search {
  readonly #problem: RoutingProblem;
  readonly #options: SearchOptions;
  readonly #nodes: Nodes;
  readonly #scheduler: Scheduler;
  readonly #routes: readonly Route[];
  /** `[tasks]` vehicle of each task; -1 where it is not served. */
  readonly #vehicleOf: Int32Array;
  readonly #stream = new Int32Array(STREAM_WORDS);
  readonly #isOut: Uint8Array;
  /** Tasks to be put in, in order, and the keys by which they are ordered. */
  readonly #queue: number[] = [];
  readonly #key: Float64Array;
  /** How often each task was not served. */
  readonly #absent: Float64Array;
  /** For each task the others, the nearest first; null until it is asked for. */
  readonly #near: (Int32Array | null)[];
  /** Routes that a turn has changed, as they were. */
  readonly #touched = new Map<Route, { readonly sequence: Int32Array; readonly version: number }>();
  /** `[vehicles * tasks]` cheapest insertion, and the version of the route for which it is known. */
  readonly #known: Insertion[] = [];
  readonly #knownVersion: Int32Array;
  #versions = 0;
  /** 1 where no vehicle could do the task even alone. */
  readonly #isHopeless: Uint8Array;
  #now: Value = { worth: 0, cost: 0 };
  #blink = 0;

  constructor(problem: RoutingProblem, options: SearchOptions) {
    const { tasks, vehicles } = problem;
    this.#problem = problem;
    this.#options = options;
    this.#nodes = new Nodes(problem);
    this.#scheduler = new Scheduler(this.#nodes);
    this.#routes = vehicles.map((_, k) => new Route(this.#nodes, this.#scheduler, k));
    this.#vehicleOf = new Int32Array(tasks.length).fill(-1);
    this.#isOut = new Uint8Array(tasks.length);
    this.#isHopeless = new Uint8Array(tasks.length);
    this.#key = new Float64Array(tasks.length);
    this.#absent = new Float64Array(tasks.length);
    this.#near = tasks.map(() => null);
    const pairs = vehicles.length * tasks.length;
    for (let k = 0; k < pairs; k++) this.#known.push({ cost: 0, first: 0, second: 0 });
    this.#knownVersion = new Int32Array(pairs).fill(-1);
    seedStream(this.#stream, 0, options.seed, 0, 0, Purpose.action);
  }

  #random(): number {
    return nextFloat(this.#stream, 0);
  }

  // ---------------------------------------------------------------- a first plan

  /** The plan to begin with: the given one, or each task where it costs least, the worthiest and the most urgent first. */
  build(): void {
    const { tasks } = this.#problem;
    for (const route of this.#routes) route.refresh();
    for (let t = 0; t < tasks.length; t++) {
      // Before anything is planned: what does not fit now never will.
      if (!this.#findCheapest(t)) this.#isHopeless[t] = 1;
    }
    for (const [k, sequence] of (this.#options.initial ?? []).entries()) {
      const nodes = Int32Array.from(sequence);
      if (!this.#scheduler.isPossible(k, nodes, nodes.length)) throw new ImpossibleRoute(k);
      this.#routes[k].set(nodes, nodes.length);
      this.#routes[k].version = ++this.#versions;
      for (const node of nodes) this.#vehicleOf[this.#nodes.task[node]] = k;
    }
    for (let t = 0; t < tasks.length; t++) {
      if (this.#vehicleOf[t] >= 0 || this.#isHopeless[t] === 1) continue;
      this.#queue.push(t);
      this.#key[t] = this.#lastSecond(t);
    }
    this.#queue.sort((a, b) => tasks[b].worth - tasks[a].worth || this.#key[a] - this.#key[b] || a - b);
    for (const t of this.#queue) this.#insert(t);
    this.#touched.clear();
    this.#now = this.#value();
  }

  /** The last second at which a task can begin. */
  #lastSecond(t: number): number {
    return this.#nodes.until[this.#nodes.firstOf[t]];
  }

  #value(): Value {
    const { tasks } = this.#problem;
    let worth = 0;
    let cost = 0;
    for (let t = 0; t < tasks.length; t++) if (this.#vehicleOf[t] >= 0) worth += tasks[t].worth;
    for (const route of this.#routes) cost += route.cost;
    return { worth, cost };
  }

  #isBetter(value: Value, than: Value): boolean {
    return value.worth > than.worth || (value.worth === than.worth && value.cost < than.cost - 1e-6);
  }

  /** The vehicle in whose route a task costs least; null if it fits nowhere. */
  #findCheapest(t: number): Route | null {
    let vehicle: Route | null = null;
    let least = Infinity;
    for (const route of this.#routes) {
      const found = this.#insertion(route, t);
      if (!(found.cost < least) || (this.#blink > 0 && this.#random() < this.#blink)) continue;
      least = found.cost;
      vehicle = route;
    }
    return vehicle;
  }

  /** The cheapest place for a task in a route. */
  #insertion(route: Route, t: number): Insertion {
    const pair = route.k * this.#vehicleOf.length + t;
    const found = this.#known[pair];
    if (this.#knownVersion[pair] === route.version) return found;
    this.#knownVersion[pair] = route.version;
    route.best(t, found);
    return found;
  }

  #insert(t: number): void {
    const route = this.#findCheapest(t);
    if (route === null) return;
    this.#touch(route);
    route.insert(t, this.#insertion(route, t));
    route.version = ++this.#versions;
    this.#vehicleOf[t] = route.k;
  }

  #touch(route: Route): void {
    if (this.#touched.has(route)) return;
    const { version } = route;
    this.#touched.set(route, { sequence: route.sequence.slice(0, route.length), version });
  }

  // ---------------------------------------------------------------- the search

  /** Takes out and puts in again, turn by turn. @returns turns made */
  improve(): number {
    const { tasks } = this.#problem;
    const falling = FALLING + FALLING_PER_TASK * tasks.length;
    const { turns = falling, isOver } = this.#options;
    const possible = tasks.length - this.#isHopeless.reduce((sum, one) => sum + one, 0);
    if (possible === 0 || this.#routes.length === 0) return 0;
    let best = this.#now;
    let kept = this.#sequences();
    const meanCost = Math.max(1, best.cost / possible);
    let done = 0;
    for (; done < turns; done++) {
      if ((done & 7) === 0 && isOver()) break;
      const temperature = meanCost * HOT * (COLD / HOT) ** Math.min(1, done / falling);
      const before = this.#now;
      const absent = this.#unserved();
      this.#ruin();
      this.#recreate();
      const after = this.#value();
      const isBest = this.#isBetter(after, best);
      if (isBest || this.#isTaken(before, after, absent, temperature)) {
        this.#now = after;
        if (isBest) {
          best = after;
          kept = this.#sequences();
        }
      } else {
        this.#undo();
      }
      this.#touched.clear();
    }
    for (const [k, sequence] of kept.entries()) this.#routes[k].set(sequence, sequence.length);
    this.#readVehicles();
    return done;
  }

  #sequences(): Int32Array[] {
    return this.#routes.map(({ sequence, length }) => sequence.slice(0, length));
  }

  #unserved(): number[] {
    const list: number[] = [];
    for (let t = 0; t < this.#vehicleOf.length; t++) {
      if (this.#vehicleOf[t] < 0 && this.#isHopeless[t] === 0) list.push(t);
    }
    return list;
  }

  /** Whether the search goes on from the plan after a turn: never for less worth, else by how much more it costs. */
  #isTaken(before: Value, after: Value, absentBefore: readonly number[], temperature: number): boolean {
    const absentAfter = this.#unserved();
    for (const t of absentAfter) this.#absent[t]++;
    if (after.worth !== before.worth) return after.worth > before.worth;
    // Those that have waited often come to be served: their sum says whether the exchange is a new one.
    const sum = (list: readonly number[]): number => list.reduce((total, t) => total + this.#absent[t], 0);
    if (absentAfter.length > 0 && sum(absentAfter) < sum(absentBefore)) return true;
    return after.cost < before.cost - temperature * Math.log(1 - this.#random());
  }

  #undo(): void {
    for (const route of this.#touched.keys()) {
      for (let p = 0; p < route.length; p++) this.#vehicleOf[this.#nodes.task[route.sequence[p]]] = -1;
    }
    for (const [route, { sequence, version }] of this.#touched) {
      route.set(sequence, sequence.length);
      route.version = version;
      for (const node of sequence) this.#vehicleOf[this.#nodes.task[node]] = route.k;
    }
  }

  #readVehicles(): void {
    this.#vehicleOf.fill(-1);
    for (const { k, sequence, length } of this.#routes) {
      for (let p = 0; p < length; p++) this.#vehicleOf[this.#nodes.task[sequence[p]]] = k;
    }
  }

  /** Takes strings of stops out of the routes near a task. */
  #ruin(): void {
    const { tasks } = this.#problem;
    this.#queue.length = 0;
    const bank = this.#unserved();
    for (const t of bank) this.#queue.push(t);
    const used = this.#routes.filter(({ length }) => length > 0);
    if (used.length === 0) return;
    const mean = used.reduce((sum, { length }) => sum + length, 0) / used.length;
    const longest = Math.min(LONGEST_STRING, mean);
    const most = (4 * MEAN_REMOVED) / (1 + longest) - 1;
    const strings = Math.floor(1 + this.#random() * most);
    const seed =
      bank.length > 0 && this.#random() < FROM_BANK
        ? bank[Math.floor(this.#random() * bank.length)]
        : Math.floor(this.#random() * tasks.length);
    let ruined = 0;
    for (const t of this.#neighbours(seed)) {
      if (ruined >= strings) break;
      const k = this.#vehicleOf[t];
      if (k < 0) continue;
      const route = this.#routes[k];
      if (this.#touched.has(route)) continue;
      ruined++;
      this.#touch(route);
      const length = Math.floor(1 + this.#random() * Math.min(route.length, longest));
      const at = route.sequence.indexOf(this.#nodes.firstOf[t]);
      const from = Math.max(0, Math.min(route.length - length, at - Math.floor(this.#random() * length)));
      for (let p = from; p < from + length; p++) this.#takeOut(this.#nodes.task[route.sequence[p]]);
      route.version = ++this.#versions;
      if (route.remove(this.#isOut)) continue;
      // Without some of its stops it is no longer possible: where a way by another place is shorter, or a ride has become too long.
      for (let p = 0; p < route.length; p++) this.#takeOut(this.#nodes.task[route.sequence[p]]);
      route.remove(this.#isOut);
    }
    for (const t of this.#queue) this.#isOut[t] = 0;
  }

  #takeOut(t: number): void {
    if (this.#isOut[t] === 1) return;
    this.#isOut[t] = 1;
    this.#vehicleOf[t] = -1;
    this.#queue.push(t);
  }

  /** All tasks, the nearest first, the task itself being one of them. */
  #neighbours(t: number): Int32Array {
    const known = this.#near[t];
    if (known !== null) return known;
    const { tasks, places, travels } = this.#problem;
    const { firstOf, place } = this.#nodes;
    const { durations } = travels[0];
    const distance = new Float64Array(tasks.length);
    const here = place[firstOf[t]];
    const late = this.#lastSecond(t);
    for (let u = 0; u < tasks.length; u++) {
      const there = place[firstOf[u]];
      const way = Math.min(1e9, durations[here * places + there] + durations[there * places + here]);
      const apart = Math.abs(this.#lastSecond(u) - late);
      distance[u] = u === t ? -1 : way + 0.5 * (Number.isNaN(apart) ? 0 : Math.min(apart, 1e9));
    }
    const order = Int32Array.from(tasks.keys()).sort((a, b) => distance[a] - distance[b] || a - b);
    this.#near[t] = order;
    return order;
  }

  /** Puts in what is not served, in an order that is drawn. */
  #recreate(): void {
    const { tasks, travels, places, vehicles } = this.#problem;
    const { firstOf, place } = this.#nodes;
    const kind = this.#random();
    const home = vehicles[0].start === NOWHERE ? vehicles[0].end : vehicles[0].start;
    for (const t of this.#queue) {
      const random = this.#random();
      const way = travels[0].durations[home * places + place[firstOf[t]]];
      if (kind < 0.35) this.#key[t] = random;
      else if (kind < 0.6) this.#key[t] = -way;
      else if (kind < 0.7) this.#key[t] = way;
      else if (kind < 0.85) this.#key[t] = this.#lastSecond(t) + random;
      else this.#key[t] = -tasks[t].worth + 1e-6 * random;
    }
    const key = this.#key;
    this.#queue.sort((a, b) => key[a] - key[b] || a - b);
    this.#blink = BLINK;
    for (const t of this.#queue) this.#insert(t);
    this.#blink = 0;
  }

  /** The plan as it is. */
  plan(turns: number): RoutingPlan {
    const unserved: number[] = [];
    for (let t = 0; t < this.#vehicleOf.length; t++) if (this.#vehicleOf[t] < 0) unserved.push(t);
    return {
      steps: this.#routes.map(({ k, sequence, length }) =>
        length === 0 ? [] : this.#scheduler.steps(k, sequence, length),
      ),
      costs: this.#routes.map(({ cost }) => cost),
      unserved,
      turns,
    };
  }
}
