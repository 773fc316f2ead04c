// The route of one vehicle in the search, with what tells in few steps whether and where another task fits.

import { NOWHERE, NodeKind, firstWithin, lastWithin } from './problem.js';
import type { Nodes, VehicleSpec } from './problem.js';
import { secondsAt } from './schedule.js';
import type { Scheduler } from './schedule.js';

/** A task, where it would go, and what that would cost. */
export interface Insertion {
  /** Infinity where it does not fit. */
  cost: number;
  /** Positions in the sequence as it is: before which node it is picked up, or done, and before which it is delivered. */
  first: number;
  second: number;
}

/** The sequence of nodes of one vehicle. After a change call `refresh`. */
export class Route {
  /** Its limits. */
  readonly vehicle: VehicleSpec;
  /** Number of the vehicle. */
  readonly k: number;
  /** Nodes, in the first `length` places. */
  sequence: Int32Array = new Int32Array(8);
  /** Number of nodes. */
  length = 0;
  /** What the route costs; 0 if it is empty. */
  cost = 0;
  /** A number for each content that a route of the search has had: what is known of it holds while it has that. */
  version = 0;
  readonly #nodes: Nodes;
  readonly #scheduler: Scheduler;
  /** By position: when the vehicle leaves at the earliest, and at the latest so that all that follows is in time. */
  #leaves = new Float64Array(8);
  #latest = new Float64Array(8);
  /** `[(positions + 1) * dimensions]` load before each position, the most up to it, and the most from it on. */
  #load = new Float64Array(0);
  #mostBefore = new Float64Array(0);
  #mostAfter = new Float64Array(0);
  /** Whether a fit must be tried by a whole schedule: where there are breaks, limits of driving, or rides that must not be too long. */
  #isTried = false;
  #trial = new Int32Array(8);

  constructor(nodes: Nodes, scheduler: Scheduler, k: number) {
    this.#nodes = nodes;
    this.#scheduler = scheduler;
    this.k = k;
    this.vehicle = nodes.problem.vehicles[k];
  }

  /** Takes over a sequence. It must be possible. */
  set(sequence: ArrayLike<number>, length: number): void {
    this.#grow(length);
    for (let p = 0; p < length; p++) this.sequence[p] = sequence[p];
    this.length = length;
    this.refresh();
  }

  #grow(length: number): void {
    if (this.sequence.length >= length) return;
    const size = 2 * length;
    const longer = new Int32Array(size);
    longer.set(this.sequence);
    this.sequence = longer;
    this.#trial = new Int32Array(size + 2);
    this.#leaves = new Float64Array(size);
    this.#latest = new Float64Array(size);
  }

  /** Recomputes what follows from the sequence. */
  refresh(): void {
    const { stops, place, change, loaded, maxRide, problem } = this.#nodes;
    const { vehicle, sequence, length } = this;
    const { durations, costs } = problem.travels[vehicle.travel];
    const d = problem.dimensions;
    this.cost = length === 0 ? 0 : vehicle.fixed;
    this.#isTried = vehicle.breaks.length > 0 || vehicle.maxTravel < Infinity || vehicle.maxDistance < Infinity;
    let time = vehicle.shift[0];
    let from = vehicle.start;
    for (let p = 0; p <= length; p++) {
      const to = p === length ? vehicle.end : place[sequence[p]];
      if (length > 0 && from !== NOWHERE && to !== NOWHERE) {
        const leg = from * problem.places + to;
        this.cost += costs[leg];
        time += durations[leg];
      }
      if (p === length) break;
      const node = sequence[p];
      const seconds = secondsAt(stops[node], vehicle.kind, from);
      time = firstWithin(stops[node].windows, time) + seconds;
      this.#leaves[p] = time;
      this.cost += (vehicle.perTaskHour * seconds) / 3600;
      if (maxRide[node] !== Infinity) this.#isTried = true;
      from = to;
    }
    let latest = vehicle.shift[1];
    for (let p = length - 1; p >= 0; p--) {
      const node = sequence[p];
      const to = p === length - 1 ? vehicle.end : place[sequence[p + 1]];
      if (to !== NOWHERE) latest -= durations[place[node] * problem.places + to];
      this.#latest[p] = latest;
      const before = p === 0 ? vehicle.start : place[sequence[p - 1]];
      latest = lastWithin(stops[node].windows, latest - secondsAt(stops[node], vehicle.kind, before));
    }
    if (d === 0) return;
    if (this.#load.length < (length + 1) * d) {
      const size = 2 * (length + 1) * d;
      this.#load = new Float64Array(size);
      this.#mostBefore = new Float64Array(size);
      this.#mostAfter = new Float64Array(size);
    }
    for (let x = 0; x < d; x++) {
      let load = 0;
      for (let p = 0; p < length; p++) load += loaded[sequence[p] * d + x];
      let most = 0;
      for (let p = 0; p <= length; p++) {
        if (p > 0) load += change[sequence[p - 1] * d + x];
        most = Math.max(most, load);
        this.#load[p * d + x] = load;
        this.#mostBefore[p * d + x] = most;
      }
      most = 0;
      for (let p = length; p >= 0; p--) {
        most = Math.max(most, this.#load[p * d + x]);
        this.#mostAfter[p * d + x] = most;
      }
    }
  }

  /**
   * Finds the cheapest place for a task.
   * @param found written: the best position
   */
  best(task: number, found: Insertion): void {
    found.cost = Infinity;
    const { problem, firstOf } = this.#nodes;
    const spec = problem.tasks[task];
    if (spec.allowed[this.k] === 0) return;
    const more = spec.kind === 'job' ? 1 : 2;
    if (this.length + more > this.vehicle.maxStops) return;
    const isTried = this.#isTried || (spec.kind === 'shipment' && spec.maxRide !== Infinity);
    if (spec.kind === 'job') this.#bestJob(firstOf[task], found, isTried);
    else this.#bestShipment(firstOf[task], found, isTried);
  }

  #bestJob(node: number, found: Insertion, isTried: boolean): void {
    const { place, loaded, change, problem } = this.#nodes;
    const { vehicle, length, sequence } = this;
    const d = problem.dimensions;
    const base = vehicle.fixed * Number(length === 0) + (vehicle.perTaskHour * this.#serviceOf(node)) / 3600;
    for (let p = 0; p <= length; p++) {
      const from = p === 0 ? vehicle.start : place[sequence[p - 1]];
      const to = p === length ? vehicle.end : place[sequence[p]];
      const cost = base + this.#detour(from, place[node], to);
      if (!(cost < found.cost)) continue;
      let fits = true;
      for (let x = 0; x < d && fits; x++) {
        const own = loaded[node * d + x];
        const most = vehicle.capacity[x];
        const after = own + change[node * d + x];
        fits = this.#mostBefore[p * d + x] + own <= most && this.#mostAfter[p * d + x] + after <= most;
      }
      if (!fits) continue;
      if (isTried) {
        if (!this.#isPossible(node, p, -1, 0)) continue;
      } else {
        const leaves = this.#leaveAfter(node, from, this.#leavesBefore(p));
        if (!this.#isInTime(p, place[node], leaves)) continue;
      }
      found.cost = cost;
      found.first = found.second = p;
    }
  }

  #bestShipment(pickup: number, found: Insertion, isTried: boolean): void {
    const { place, change, stops, until, problem } = this.#nodes;
    const { vehicle, length, sequence } = this;
    const d = problem.dimensions;
    const delivery = pickup + 1;
    const a = place[pickup];
    const z = place[delivery];
    const service = this.#serviceOf(pickup) + this.#serviceOf(delivery);
    const base = vehicle.fixed * Number(length === 0) + (vehicle.perTaskHour * service) / 3600;
    const fitsAt = (p: number): boolean => {
      for (let x = 0; x < d; x++) {
        if (this.#load[p * d + x] + change[pickup * d + x] > vehicle.capacity[x]) return false;
      }
      return true;
    };
    for (let p = 0; p <= length; p++) {
      if (this.#leavesBefore(p) > until[pickup]) break;
      if (!fitsAt(p)) continue;
      const from = p === 0 ? vehicle.start : place[sequence[p - 1]];
      const next = p === length ? vehicle.end : place[sequence[p]];
      let time = this.#leaveAfter(pickup, from, this.#leavesBefore(p));
      if (!isTried && time === Infinity) continue;
      const direct = base + this.#cost(from, a) + this.#cost(a, z) + this.#cost(z, next) - this.#saved(from, next);
      if (direct < found.cost) {
        const fits = isTried
          ? this.#isPossible(pickup, p, delivery, p)
          : this.#isInTime(p, z, this.#leaveAfter(delivery, a, time));
        if (fits) {
          found.cost = direct;
          found.first = found.second = p;
        }
      }
      const apart = base + (p < length ? this.#detour(from, a, next) : 0);
      let last = a;
      for (let q = p + 1; q <= length; q++) {
        const node = sequence[q - 1];
        if (!fitsAt(q)) break;
        if (!isTried) {
          time = firstWithin(stops[node].windows, time + this.#travel(last, place[node]));
          time += secondsAt(stops[node], vehicle.kind, last);
          // What lies behind comes too late already.
          if (!(time < Infinity && time <= this.#latest[q - 1])) break;
        }
        last = place[node];
        const to = q === length ? vehicle.end : place[sequence[q]];
        const cost = apart + this.#detour(last, z, to);
        if (!(cost < found.cost)) continue;
        const fits = isTried
          ? this.#isPossible(pickup, p, delivery, q)
          : this.#isInTime(q, z, this.#leaveAfter(delivery, last, time));
        if (!fits) continue;
        found.cost = cost;
        found.first = p;
        found.second = q;
      }
    }
  }

  #serviceOf(node: number): number {
    const { service, setup } = this.#nodes.stops[node];
    return service[this.vehicle.kind] + setup[this.vehicle.kind];
  }

  #travel(from: number, to: number): number {
    if (from === NOWHERE || to === NOWHERE) return 0;
    const { problem } = this.#nodes;
    return problem.travels[this.vehicle.travel].durations[from * problem.places + to];
  }

  #cost(from: number, to: number): number {
    if (from === NOWHERE || to === NOWHERE) return 0;
    const { problem } = this.#nodes;
    return problem.travels[this.vehicle.travel].costs[from * problem.places + to];
  }

  /** What it costs to come by a place between two others. */
  #detour(from: number, by: number, to: number): number {
    return this.#cost(from, by) + this.#cost(by, to) - this.#saved(from, to);
  }

  /** What is saved where a way is no longer driven; a vehicle that is not used yet does not drive from its start to its end. */
  #saved(from: number, to: number): number {
    return this.length === 0 ? 0 : this.#cost(from, to);
  }

  #leavesBefore(p: number): number {
    return p === 0 ? this.vehicle.shift[0] : this.#leaves[p - 1];
  }

  /** When the vehicle is done with a node, if it leaves the place before at a time; Infinity if no window is left. */
  #leaveAfter(node: number, from: number, leaves: number): number {
    const { stops, place } = this.#nodes;
    const begins = firstWithin(stops[node].windows, leaves + this.#travel(from, place[node]));
    return begins + secondsAt(stops[node], this.vehicle.kind, from);
  }

  /** Whether all from position p on is in time, if the vehicle comes from a place that it leaves at a time. */
  #isInTime(p: number, from: number, leaves: number): boolean {
    const end = p === this.length;
    const at = end ? leaves + this.#travel(from, this.vehicle.end) : this.#leaveAfter(this.sequence[p], from, leaves);
    // A shift may have no end, and what is never reached is not in time either.
    return at < Infinity && at <= (end ? this.vehicle.shift[1] : this.#latest[p]);
  }

  /** Whether the whole is possible with one or two nodes more. */
  #isPossible(first: number, p: number, second: number, q: number): boolean {
    const { length, sequence } = this;
    const trial = this.#trial.length < length + 2 ? (this.#trial = new Int32Array(2 * length + 2)) : this.#trial;
    let n = 0;
    for (let x = 0; x <= length; x++) {
      if (x === p) trial[n++] = first;
      if (second >= 0 && x === q) trial[n++] = second;
      if (x < length) trial[n++] = sequence[x];
    }
    return this.#scheduler.isPossible(this.k, trial, n);
  }

  /** Puts a task where `best` has found it. */
  insert(task: number, { first, second }: Insertion): void {
    const { firstOf, kind } = this.#nodes;
    const node = firstOf[task];
    const isJob = kind[node] === NodeKind.job;
    this.#grow(this.length + 2);
    const { sequence } = this;
    const open = (p: number, what: number): void => {
      sequence.copyWithin(p + 1, p, this.length);
      sequence[p] = what;
      this.length++;
    };
    if (!isJob) open(second, node + 1);
    open(first, node);
    this.refresh();
  }

  /** Takes tasks out: those for which `isOut` is 1. @returns whether what is left is possible */
  remove(isOut: Uint8Array): boolean {
    const { task } = this.#nodes;
    let n = 0;
    for (let p = 0; p < this.length; p++) {
      const node = this.sequence[p];
      if (isOut[task[node]] === 0) this.sequence[n++] = node;
    }
    this.length = n;
    this.refresh();
    return this.#scheduler.isPossible(this.k, this.sequence, n);
  }
}
