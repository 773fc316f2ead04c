// Plans as sequences of bookings per vehicle, and the cost of inserting one more booking. Times are computed as the world does, to
// the second, so that the world accepts every plan that fits here.

import { secondsAfter, windowAt } from '../engine/index.js';
import type { CompiledScenario } from '../engine/index.js';
import type { PlannerArrays } from './planner-arrays.js';

const MINUTES = 24 * 60;

/** Seconds before the window's end: a pickup planned nearer to it counts what is missing, at half to one and a half. */
const SPARE = 1800;
/** Seconds before the window's end: a pickup planned nearer to it may well be late, as travel times are uncertain. */
const RISK = 300;
/** What one second of that expected lateness counts at priority 0, in seconds of empty driving: little, so that it never causes lateness. */
const RISK_PRICE = 0.2;
/** One second of lateness at priority 0 counts as much as this many seconds of empty driving: lateness goes first. */
const LATE = 1e4;

/** The plans of all vehicles of one `PlannerArrays`, and their costs; its memory is reused. */
export class Routes {
  /** What is planned for. */
  input: PlannerArrays;
  /** Bookings in each vehicle's plan; the plan itself is `stops[i * depth]` and on. */
  length: Int32Array = new Int32Array(0);
  /** `[drivers, depth]` bookings in the order in which they are served */
  stops: Int32Array = new Int32Array(0);
  /** By booking: its vehicle, -1 if it has none. */
  vehicleOf: Int32Array = new Int32Array(0);
  /** `[drivers, depth]` second of the episode at which the vehicle is at each pickup */
  pickupAt: Int32Array = new Int32Array(0);
  /** Cost of the vehicle's plan: empty seconds, lack of slack, lateness. */
  cost: Float64Array = new Float64Array(0);
  /** Where the last `insertion` was best. */
  at = 0;

  /** When the vehicle is done with a stop, and the cost up to it. */
  #endAt = new Int32Array(0);
  #costTo = new Float64Array(0);
  /** A number for each content that a plan has had: what is known of it holds while it has that. */
  #version = new Int32Array(0);
  #versions = 0;
  #knownVersion = new Int32Array(0);
  #knownCost = new Float64Array(0);
  #knownAt = new Uint8Array(0);

  #savedLength = new Int32Array(0);
  #savedStops = new Int32Array(0);
  #savedEndAt = new Int32Array(0);
  #savedCostTo = new Float64Array(0);
  #savedCost = new Float64Array(0);
  #savedVersion = new Int32Array(0);

  #lateWeight = new Float64Array(0);
  #spareWeight = new Float64Array(0);
  #riskWeight = new Float64Array(0);
  #factor: Float64Array = new Float64Array(0);
  #startSecond = 0;
  #idleBoarding = 0;
  #matrix: CompiledScenario['matrix'] = null;

  constructor(input: PlannerArrays) {
    this.input = input;
  }

  /** Empty plans for what the input holds now. */
  clear({ factorByMinute, scenario, matrix }: CompiledScenario): void {
    const { drivers: n, bookings: m, depth, priority } = this.input;
    if (this.length.length < n) {
      this.length = new Int32Array(n);
      this.cost = new Float64Array(n);
      this.#version = new Int32Array(n);
      this.#savedLength = new Int32Array(n);
      this.#savedCost = new Float64Array(n);
      this.#savedVersion = new Int32Array(n);
    }
    if (this.stops.length < n * depth) {
      this.stops = new Int32Array(n * depth);
      this.pickupAt = new Int32Array(n * depth);
      this.#endAt = new Int32Array(n * depth);
      this.#costTo = new Float64Array(n * depth);
      this.#savedStops = new Int32Array(n * depth);
      this.#savedEndAt = new Int32Array(n * depth);
      this.#savedCostTo = new Float64Array(n * depth);
    }
    if (this.vehicleOf.length < m) {
      this.vehicleOf = new Int32Array(m);
      this.#lateWeight = new Float64Array(m);
      this.#spareWeight = new Float64Array(m);
      this.#riskWeight = new Float64Array(m);
    }
    if (this.#knownCost.length < n * m) {
      this.#knownCost = new Float64Array(n * m);
      this.#knownAt = new Uint8Array(n * m);
      this.#knownVersion = new Int32Array(n * m);
    }
    this.#factor = factorByMinute;
    this.#startSecond = scenario.startSecondOfDay;
    this.#idleBoarding = scenario.idleBoardingSeconds;
    this.#matrix = matrix?.periods === undefined ? null : matrix;
    for (let j = 0; j < m; j++) {
      this.#lateWeight[j] = LATE * (1 + priority[j]);
      this.#spareWeight[j] = 0.5 + priority[j] / 100;
      // (RISK - spare)^2 / (4 RISK) is close to the lateness to expect where the arrival is normal with a deviation of 3 min.
      this.#riskWeight[j] = (RISK_PRICE * (1 + priority[j])) / (4 * RISK);
    }
    this.#knownVersion.fill(0, 0, n * m);
    this.vehicleOf.fill(-1, 0, m);
    this.length.fill(0, 0, n);
    this.cost.fill(0, 0, n);
    this.#versions = n;
    for (let i = 0; i < n; i++) this.#version[i] = i + 1;
  }

  /** Added cost of booking j in the plan of vehicle i at its best position, which is put into `at`; Infinity if it fits nowhere. */
  insertion(i: number, j: number): number {
    const pair = i * this.input.bookings + j;
    if (this.#knownVersion[pair] !== this.#version[i]) {
      this.#knownVersion[pair] = this.#version[i];
      this.#knownCost[pair] = this.#cheapest(i, j);
      this.#knownAt[pair] = this.at;
    }
    this.at = this.#knownAt[pair];
    return this.#knownCost[pair];
  }

  #cheapest(i: number, j: number): number {
    const { room, skills, driverSkills, depth, startAt, idle, shiftEnd, now } = this.input;
    const { several, windowCounts, tolerance } = this.input;
    const { windowStart, windowEnd, latest, pickupService, dropoffService, earliestDropoff, latestDropoff } =
      this.input;
    const length = this.length[i];
    if (length >= room[i] || (skills[j] & ~driverSkills[i]) !== 0) return Infinity;
    const factor = this.#factor;
    const stops = this.stops;
    const base = i * depth;
    const end = base + length;
    const done = shiftEnd[i];
    let best = Infinity;
    for (let p = base; p <= end; p++) {
      let before = -1;
      let at = startAt[i];
      let cost = 0;
      if (p > base) {
        before = stops[p - 1];
        at = this.#endAt[p - 1];
        cost = this.#costTo[p - 1];
      }
      let next = j;
      let q = p;
      for (;;) {
        const minute = this.#minuteAt(at);
        const free = this.#freeFlow(i, before, next, minute);
        const way = (free * factor[minute] + 0.5) | 0;
        let pickup = at + way;
        if (pickup < windowStart[next]) pickup = windowStart[next];
        if (pickup > latest[next]) break;
        const boarding = free === 0 && idle[i] === 1 && (before < 0 || at <= now) ? this.#idleBoarding : 0;
        let spare = windowEnd[next] - pickup;
        if (several > 0 && windowCounts[2 * next] > 0) {
          pickup = this.#among(i, next, pickup, boarding);
          spare = this.#spare(next, pickup);
          if (-spare > tolerance) break;
        }
        const leave = pickup + pickupService[next] + boarding;
        const then = this.#minuteAt(leave);
        let drop = leave + ((this.#ride(next, then) * factor[then] + 0.5) | 0);
        if (drop < earliestDropoff[next]) drop = earliestDropoff[next];
        if (several > 0) drop = this.#begun(next, drop);
        drop += dropoffService[next];
        if (drop > latestDropoff[next] || drop > done) break;
        cost += way;
        if (spare < SPARE) {
          cost += (SPARE - spare) * this.#spareWeight[next];
          if (spare < RISK) {
            const short = spare > 0 ? RISK - spare : RISK;
            cost += short * short * this.#riskWeight[next];
            if (spare < 0) cost -= spare * this.#lateWeight[next];
          }
        }
        if (cost >= best) break;
        if (q === end) {
          best = cost;
          this.at = p - base;
          break;
        }
        before = next;
        next = stops[q++];
        at = drop;
      }
    }
    return best - this.cost[i];
  }

  /** Inserts booking j at position `at` of vehicle i's plan, as `insertion` found it to fit. */
  insert(i: number, j: number, at: number): void {
    const base = i * this.input.depth;
    const stops = this.stops;
    for (let p = base + this.length[i]; p > base + at; p--) stops[p] = stops[p - 1];
    stops[base + at] = j;
    this.length[i]++;
    this.vehicleOf[j] = i;
    this.#drive(i, at);
  }

  /**
   * Takes the stop at position `at` out of vehicle i's plan.
   * @returns the first position that does not fit any more, -1 if all do: a way through a third place, or one that begins later,
   * may be the shorter one
   */
  remove(i: number, at: number): number {
    const base = i * this.input.depth;
    const stops = this.stops;
    this.vehicleOf[stops[base + at]] = -1;
    const length = --this.length[i];
    for (let p = base + at; p < base + length; p++) stops[p] = stops[p + 1];
    return this.#drive(i, at);
  }

  /** Times and costs of vehicle i's plan from position `from` on; gives the first position that does not fit, or -1. */
  #drive(i: number, from: number): number {
    const { depth, startAt, idle, shiftEnd, now } = this.input;
    const { several, windowCounts, tolerance } = this.input;
    const { windowStart, windowEnd, latest, pickupService, dropoffService, earliestDropoff, latestDropoff } =
      this.input;
    let broken = -1;
    const base = i * depth;
    const end = base + this.length[i];
    for (let p = base + from; p < end; p++) {
      const next = this.stops[p];
      const before = p === base ? -1 : this.stops[p - 1];
      const at = p === base ? startAt[i] : this.#endAt[p - 1];
      const minute = this.#minuteAt(at);
      const free = this.#freeFlow(i, before, next, minute);
      const way = (free * this.#factor[minute] + 0.5) | 0;
      let pickup = Math.max(at + way, windowStart[next]);
      const boarding = free === 0 && idle[i] === 1 && (before < 0 || at <= now) ? this.#idleBoarding : 0;
      let isLate = pickup > latest[next];
      let spare = windowEnd[next] - pickup;
      if (several > 0 && windowCounts[2 * next] > 0) {
        pickup = this.#among(i, next, pickup, boarding);
        spare = this.#spare(next, pickup);
        isLate ||= -spare > tolerance;
      }
      this.pickupAt[p] = pickup;
      const leave = pickup + pickupService[next] + boarding;
      const then = this.#minuteAt(leave);
      const drop = leave + ((this.#ride(next, then) * this.#factor[then] + 0.5) | 0);
      let done = Math.max(drop, earliestDropoff[next]);
      if (several > 0) done = this.#begun(next, done);
      done += dropoffService[next];
      this.#endAt[p] = done;
      if (broken < 0 && (isLate || done > latestDropoff[next] || done > shiftEnd[i])) broken = p - base;
      let cost = (p === base ? 0 : this.#costTo[p - 1]) + way;
      if (spare < SPARE) {
        cost += (SPARE - spare) * this.#spareWeight[next];
        if (spare < RISK) {
          const short = spare > 0 ? RISK - spare : RISK;
          cost += short * short * this.#riskWeight[next];
          if (spare < 0) cost -= spare * this.#lateWeight[next];
        }
      }
      this.#costTo[p] = cost;
    }
    this.cost[i] = end === base ? 0 : this.#costTo[end - 1];
    this.#version[i] = ++this.#versions;
    return broken;
  }

  /** When booking j, with several windows, is picked up by who is there at `at`: as `World.pickupSecond` has it. */
  #among(i: number, j: number, at: number, boarding: number): number {
    const { windows, windowsAt, windowCounts, now, tolerance, patience } = this.input;
    const { pickupService, earliestDropoff, dropoffService, latestDropoff, shiftEnd } = this.input;
    const first = windowsAt[j];
    const count = windowCounts[2 * j];
    const p = first + 2 * windowAt(windows, first, count, at);
    if (p === first + 2 * count || windows[p] <= at) return at;
    const next = windows[p];
    const tolerated = at - windows[p - 1] <= tolerance;
    const planned = next - now <= patience;
    if (planned) {
      const leave = next + pickupService[j] + boarding;
      const then = this.#minuteAt(leave);
      const there = leave + ((this.#ride(j, then) * this.#factor[then] + 0.5) | 0);
      const done = this.#begun(j, Math.max(there, earliestDropoff[j])) + dropoffService[j];
      if (done <= latestDropoff[j] && done <= shiftEnd[i]) return next;
    }
    return planned && !tolerated ? next : at;
  }

  /** Seconds between a pickup at `at` and the end of its window; below 0 if it is late. */
  #spare(j: number, at: number): number {
    const { windows, windowsAt, windowCounts } = this.input;
    return -secondsAfter(windows, windowsAt[j], windowCounts[2 * j], at);
  }

  /** When the drop-off of booking j begins, of several windows within the next. */
  #begun(j: number, at: number): number {
    const { windows, windowsAt, windowCounts, several } = this.input;
    const first = windowsAt[j] + 2 * several;
    const count = windowCounts[2 * j + 1];
    const p = first + 2 * windowAt(windows, first, count, at);
    return p < first + 2 * count ? Math.max(at, windows[p]) : at;
  }

  /** Keeps vehicle i's plan as it is, for `restore`. */
  save(i: number): void {
    const base = i * this.input.depth;
    const length = this.length[i];
    this.#savedLength[i] = length;
    this.#savedCost[i] = this.cost[i];
    this.#savedVersion[i] = this.#version[i];
    for (let p = base; p < base + length; p++) {
      this.#savedStops[p] = this.stops[p];
      this.#savedEndAt[p] = this.#endAt[p];
      this.#savedCostTo[p] = this.#costTo[p];
    }
  }

  /** Marks the bookings of vehicle i as not served; the first half of going back to a saved plan. */
  release(i: number): void {
    const base = i * this.input.depth;
    for (let p = base; p < base + this.length[i]; p++) this.vehicleOf[this.stops[p]] = -1;
  }

  /** Gives vehicle i back the plan that `save` kept; call `release` for all such vehicles first. */
  restore(i: number): void {
    const base = i * this.input.depth;
    const length = this.#savedLength[i];
    this.length[i] = length;
    this.cost[i] = this.#savedCost[i];
    this.#version[i] = this.#savedVersion[i];
    for (let p = base; p < base + length; p++) {
      this.stops[p] = this.#savedStops[p];
      this.#endAt[p] = this.#savedEndAt[p];
      this.#costTo[p] = this.#savedCostTo[p];
      this.vehicleOf[this.stops[p]] = i;
    }
  }

  /** Gives vehicle i the plan that `stops` holds, at the same positions. */
  assign(i: number, length: number, stops: Int32Array): void {
    const base = i * this.input.depth;
    this.length[i] = length;
    for (let p = base; p < base + length; p++) {
      this.stops[p] = stops[p];
      this.vehicleOf[stops[p]] = i;
    }
    this.#drive(i, 0);
  }

  #minuteAt(second: number): number {
    const minute = ((this.#startSecond + second) / 60) | 0;
    return minute < MINUTES ? minute : minute % MINUTES;
  }

  #freeFlow(i: number, before: number, next: number, minute: number): number {
    const { bookings, first, between, dropoffZone, pickupZone } = this.input;
    if (before < 0) return first[i * bookings + next];
    if (this.#matrix === null) return between[before * bookings + next];
    const { zones, periods } = this.#matrix;
    return periods!.seconds[periods!.ofMinute[minute]][dropoffZone[before] * zones + pickupZone[next]];
  }

  #ride(j: number, minute: number): number {
    if (this.#matrix === null) return this.input.rideSeconds[j];
    const { zones, periods } = this.#matrix;
    return periods!.seconds[periods!.ofMinute[minute]][this.input.pickupZone[j] * zones + this.input.dropoffZone[j]];
  }
}
