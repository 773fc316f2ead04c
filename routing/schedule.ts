// When a vehicle is where, on a given sequence of nodes: as early as possible, with its breaks where they fit.

import { NOWHERE, firstWithin } from './problem.js';
import type { Nodes, StopSpec, VehicleSpec } from './problem.js';

/** One step of a schedule. */
export interface Step {
  /** Number of the node, or of the break; 0 for the beginning and the end. */
  readonly index: number;
  readonly type: 'start' | 'stop' | 'break' | 'end';
  /** When the vehicle comes there. */
  readonly arrival: number;
  /** Seconds until it can begin. */
  readonly waiting: number;
  readonly setup: number;
  readonly service: number;
  /** Seconds and metres of driving up to here. */
  readonly travelled: number;
  readonly distance: number;
  /** `[dimensions]` on board when the step is over. */
  readonly load: readonly number[];
}

/** Seconds at a stop; setup falls away at the place of the stop before. */
export function secondsAt(stop: StopSpec, kind: number, placeBefore: number): number {
  return stop.service[kind] + (stop.place === placeBefore ? 0 : stop.setup[kind]);
}

/** How the state of a schedule was reached. */
const BY_STOP = 0;
const BY_BREAK = 1;

/** Schedules of one problem; its memory is reused. */
export class Scheduler {
  readonly #nodes: Nodes;
  /** By position and breaks taken: when the vehicle can go on, how far the next stop still is, and how it came to this. */
  #time = new Float64Array(0);
  #left = new Float64Array(0);
  #way = new Uint8Array(0);
  /** `[positions]` when service begins. */
  begins: Float64Array = new Float64Array(0);

  constructor(nodes: Nodes) {
    this.#nodes = nodes;
  }

  /** Whether vehicle k can drive the sequence within all its limits. */
  isPossible(k: number, sequence: Int32Array, length: number): boolean {
    if (length === 0) return true;
    const vehicle = this.#nodes.problem.vehicles[k];
    return (
      this.#keepsLimits(vehicle, sequence, length) &&
      this.#keepsLoad(vehicle, sequence, length) &&
      (vehicle.breaks.length === 0
        ? this.#keepsTimes(vehicle, sequence, length)
        : this.#keepsBreaks(vehicle, sequence, length))
    );
  }

  #keepsLimits(vehicle: VehicleSpec, sequence: Int32Array, length: number): boolean {
    if (length > vehicle.maxStops) return false;
    if (vehicle.maxTravel === Infinity && vehicle.maxDistance === Infinity) return true;
    const { durations, distances } = this.#nodes.problem.travels[vehicle.travel];
    let seconds = 0;
    let metres = 0;
    for (let p = 0; p <= length; p++) {
      const leg = this.#leg(vehicle, sequence, length, p);
      if (leg < 0) continue;
      seconds += durations[leg];
      if (distances !== null) metres += distances[leg];
    }
    return seconds <= vehicle.maxTravel && metres <= vehicle.maxDistance;
  }

  /** Index in the tables of the way to position p, `length` being the end; -1 where none is driven. */
  #leg(vehicle: VehicleSpec, sequence: Int32Array, length: number, p: number): number {
    const { place, problem } = this.#nodes;
    const from = p === 0 ? vehicle.start : place[sequence[p - 1]];
    const to = p === length ? vehicle.end : place[sequence[p]];
    return from === NOWHERE || to === NOWHERE ? -1 : from * problem.places + to;
  }

  #seconds(vehicle: VehicleSpec, sequence: Int32Array, length: number, p: number): number {
    const leg = this.#leg(vehicle, sequence, length, p);
    return leg < 0 ? 0 : this.#nodes.problem.travels[vehicle.travel].durations[leg];
  }

  #atStop(vehicle: VehicleSpec, sequence: Int32Array, p: number): number {
    const { place, stops } = this.#nodes;
    const before = p === 0 ? vehicle.start : place[sequence[p - 1]];
    return secondsAt(stops[sequence[p]], vehicle.kind, before);
  }

  #keepsLoad(vehicle: VehicleSpec, sequence: Int32Array, length: number): boolean {
    const { change, loaded, problem } = this.#nodes;
    const d = problem.dimensions;
    for (let x = 0; x < d; x++) {
      let load = 0;
      for (let p = 0; p < length; p++) load += loaded[sequence[p] * d + x];
      if (load > vehicle.capacity[x]) return false;
      for (let p = 0; p < length; p++) {
        load += change[sequence[p] * d + x];
        if (load > vehicle.capacity[x]) return false;
      }
    }
    return true;
  }

  #loadBefore(sequence: Int32Array, length: number, position: number, x: number): number {
    const { change, loaded, problem } = this.#nodes;
    const d = problem.dimensions;
    let load = 0;
    for (let p = 0; p < length; p++) load += loaded[sequence[p] * d + x];
    for (let p = 0; p < position; p++) load += change[sequence[p] * d + x];
    return load;
  }

  /** Without breaks: the earliest times, with pickups put off where a ride would be too long otherwise. */
  #keepsTimes(vehicle: VehicleSpec, sequence: Int32Array, length: number): boolean {
    if (this.begins.length < length) this.begins = new Float64Array(2 * length);
    if (!this.#push(vehicle, sequence, length, 0, -Infinity)) return false;
    // Every repair only puts off, so that the first schedule without a fault is the earliest one. A pickup is put off at most once
    // for each delivery and window, but the sum may be large: what takes longer than this is taken for impossible.
    for (let repairs = 0; repairs < 4 * length; repairs++) {
      const late = this.#tooLong(vehicle, sequence, length);
      if (late === null) return true;
      if (!this.#push(vehicle, sequence, length, late.position, late.notBefore)) return false;
    }
    return false;
  }

  /** Recomputes the times from a position on, where service does not begin before a time. */
  #push(vehicle: VehicleSpec, sequence: Int32Array, length: number, from: number, notBefore: number): boolean {
    const { stops } = this.#nodes;
    const { begins } = this;
    const isFirst = notBefore === -Infinity;
    let time = from === 0 ? vehicle.shift[0] : begins[from - 1] + this.#atStop(vehicle, sequence, from - 1);
    for (let p = from; p < length; p++) {
      time += this.#seconds(vehicle, sequence, length, p);
      // What was put off before stays so.
      const least = p === from ? notBefore : isFirst ? -Infinity : begins[p];
      const begin = firstWithin(stops[sequence[p]].windows, Math.max(time, least));
      if (begin === Infinity) return false;
      begins[p] = begin;
      time = begin + this.#atStop(vehicle, sequence, p);
    }
    const end = time + this.#seconds(vehicle, sequence, length, length);
    return end < Infinity && end <= vehicle.shift[1];
  }

  /** The first ride that takes too long: where its pickup is, and when that may begin at the earliest. */
  #tooLong(
    vehicle: VehicleSpec,
    sequence: Int32Array,
    length: number,
  ): { readonly position: number; readonly notBefore: number } | null {
    const { maxRide } = this.#nodes;
    for (let q = 0; q < length; q++) {
      const most = maxRide[sequence[q]];
      if (most === Infinity) continue;
      const position = sequence.indexOf(sequence[q] - 1);
      const service = this.#atStop(vehicle, sequence, position);
      const notBefore = this.begins[q] - most - service;
      if (this.begins[position] < notBefore) return { position, notBefore };
    }
    return null;
  }

  /**
   * With breaks: for each position and number of breaks taken, the state from which the next stop is reached first. A break may be
   * taken on the way.
   */
  #keepsBreaks(vehicle: VehicleSpec, sequence: Int32Array, length: number): boolean {
    const { stops, maxRide } = this.#nodes;
    const { breaks } = vehicle;
    const wide = breaks.length + 1;
    if (this.#time.length < (length + 2) * wide) {
      this.#time = new Float64Array(2 * (length + 2) * wide);
      this.#left = new Float64Array(2 * (length + 2) * wide);
      this.#way = new Uint8Array(2 * (length + 2) * wide);
    }
    const [time, left, way] = [this.#time, this.#left, this.#way];
    for (let p = 0; p <= length; p++) {
      for (let b = 0; b < wide; b++) {
        const here = p * wide + b;
        time[here] = Infinity;
        left[here] = 0;
        if (p === 0 && b === 0) {
          time[here] = vehicle.shift[0];
        } else if (p > 0) {
          const before = here - wide;
          const begin = firstWithin(stops[sequence[p - 1]].windows, time[before] + left[before]);
          time[here] = begin + this.#atStop(vehicle, sequence, p - 1);
          way[here] = BY_STOP;
        }
        left[here] = this.#seconds(vehicle, sequence, length, p);
        if (b === 0) continue;
        const [at, rest] = this.#afterBreak(vehicle, sequence, length, p, b - 1, time[here - 1], left[here - 1]);
        if (at + rest < time[here] + left[here]) {
          time[here] = at;
          left[here] = rest;
          way[here] = BY_BREAK;
        }
      }
    }
    const last = length * wide + breaks.length;
    const end = time[last] + left[last];
    if (!(end < Infinity && end <= vehicle.shift[1])) return false;
    if (sequence.subarray(0, length).every((node) => maxRide[node] === Infinity)) return true;
    if (this.begins.length < length) this.begins = new Float64Array(2 * length);
    for (let p = length, b = breaks.length; p > 0;) {
      if (way[p * wide + b] === BY_BREAK) {
        b--;
      } else {
        this.begins[p - 1] = time[p * wide + b] - this.#atStop(vehicle, sequence, p - 1);
        p--;
      }
    }
    return this.#tooLong(vehicle, sequence, length) === null;
  }

  /** When the vehicle can go on after a break that it takes from such a state, and how far the next stop is then. */
  #afterBreak(
    vehicle: VehicleSpec,
    sequence: Int32Array,
    length: number,
    position: number,
    number: number,
    time: number,
    left: number,
  ): [time: number, left: number] {
    const { windows, service, maxLoad } = vehicle.breaks[number];
    const begin = firstWithin(windows, time);
    if (begin === Infinity) return [Infinity, 0];
    if (maxLoad?.some((most, x) => this.#loadBefore(sequence, length, position, x) > most) === true)
      return [Infinity, 0];
    return [begin + service, Math.max(0, left - (begin - time))];
  }

  /** The schedule of a sequence that is possible, step by step; the vehicle sets out so that it does not wait at its first stop. */
  steps(k: number, sequence: Int32Array, length: number): Step[] {
    if (!this.isPossible(k, sequence, length)) throw new RangeError('the sequence is not possible');
    const { problem, stops, place } = this.#nodes;
    const vehicle = problem.vehicles[k];
    const order = this.#order(vehicle, sequence, length);
    const d = problem.dimensions;
    const load = Array.from({ length: d }, (_, x) => this.#loadBefore(sequence, length, 0, x));
    const { durations, distances } = problem.travels[vehicle.travel];
    const list: Step[] = [];
    let at = vehicle.shift[0];
    let travelled = 0;
    let distance = 0;
    /** Seconds of the way to the next stop that are still to be driven. */
    let left = this.#seconds(vehicle, sequence, length, 0);
    const first = order[0];
    if (first.type === 'stop') {
      const begin = this.#beginOf(vehicle, sequence, 0, at + left);
      at = Math.max(at, begin - left);
    } else {
      const begin = firstWithin(vehicle.breaks[first.index].windows, at);
      at = Math.max(at, begin - left);
    }
    list.push({ ...nothing('start'), arrival: at, load: [...load] });
    const drive = (seconds: number, p: number): void => {
      const leg = this.#leg(vehicle, sequence, length, p);
      const whole = leg < 0 ? 0 : durations[leg];
      travelled += seconds;
      if (leg >= 0 && distances !== null && whole > 0) distance += (distances[leg] * seconds) / whole;
      at += seconds;
      left -= seconds;
    };
    let p = 0;
    for (const { type, index } of order) {
      if (type === 'break') {
        const { windows, service } = vehicle.breaks[index];
        const begin = firstWithin(windows, at);
        drive(Math.min(left, begin - at), p);
        list.push({
          ...{ index, type, arrival: at, waiting: begin - at, setup: 0, service },
          ...{ travelled, distance, load: [...load] },
        });
        at = begin + service;
        continue;
      }
      drive(left, p);
      const node = sequence[p];
      const begin = this.#beginOf(vehicle, sequence, p, at);
      const setup =
        stops[node].place === (p === 0 ? vehicle.start : place[sequence[p - 1]]) ? 0 : stops[node].setup[vehicle.kind];
      const service = stops[node].service[vehicle.kind];
      for (let x = 0; x < d; x++) load[x] += this.#nodes.change[node * d + x];
      const waiting = begin - at;
      list.push({ index: node, type, arrival: at, waiting, setup, service, travelled, distance, load: [...load] });
      at = begin + setup + service;
      p++;
      left = this.#seconds(vehicle, sequence, length, p);
    }
    drive(left, p);
    // What jobs have brought along is unloaded behind the end.
    list.push({ ...nothing('end'), arrival: at, travelled, distance, load: [...load] });
    return list;
  }

  /** When service begins at a position that is reached at a time. */
  #beginOf(vehicle: VehicleSpec, sequence: Int32Array, p: number, arrival: number): number {
    const begin = firstWithin(this.#nodes.stops[sequence[p]].windows, arrival);
    // Put off for a ride that would be too long.
    return vehicle.breaks.length === 0 ? Math.max(begin, this.begins[p]) : begin;
  }

  /** Stops and breaks in the order in which `#keepsBreaks` has found that they are possible. */
  #order(vehicle: VehicleSpec, sequence: Int32Array, length: number): { type: 'stop' | 'break'; index: number }[] {
    const list: { type: 'stop' | 'break'; index: number }[] = [];
    const wide = vehicle.breaks.length + 1;
    let b = vehicle.breaks.length;
    for (let p = length; p > 0 || b > 0;) {
      if (b > 0 && (p === 0 || this.#way[p * wide + b] === BY_BREAK)) list.push({ type: 'break', index: --b });
      else list.push({ type: 'stop', index: sequence[--p] });
    }
    return list.reverse();
  }
}

function nothing<T extends 'start' | 'end'>(type: T) {
  return { index: 0, type, waiting: 0, setup: 0, service: 0, travelled: 0, distance: 0 };
}
