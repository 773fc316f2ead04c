// From a company's bookings to a scenario and its trace: what a policy can be trained on. Nothing that points to a
// person is kept: no ids, no names, and places only as exactly as asked for.

import { compileScenario, preset, toPlane } from '../engine/index.js';
import type { Dataset, Scenario, SkillSpec, Trace } from '../engine/index.js';
import { describe } from './booking-record.js';
import type { UsableBooking } from './booking-record.js';
import { TripsError } from './errors.js';
import { float32, int32, uint8 } from './shared-columns.js';

export interface Fleet {
  readonly drivers: readonly { readonly kind: 'REGULAR' | 'EMERGENCY'; readonly skills: readonly string[] }[];
}

export interface CollectOptions {
  /** Name of the scenario. */
  readonly name: string;
  /** Decimals of a degree that places keep: 3 are about 100 m. */
  readonly decimals: number;
  /** A booking enters the simulation this long before its window, or with its call if that is later. */
  readonly lookaheadSeconds: number;
}

export interface Collected {
  readonly scenario: Scenario;
  readonly dataset: Dataset;
  /** Booking of `bookings` that stands at each place of the trace. */
  readonly order: Int32Array;
}

const HOUR = 3600;
const MAX_SLOTS = 200;
/** Skills fit in the bits of a byte. */
const MAX_SKILLS = 8;
/** With too few rides to measure it: the built-in scenario's speed. */
const DEFAULT_KMH = 30;

/** @throws TripsError `ERR_DATA_FORMAT` if there are no bookings, or no drivers */
export function collectTrips(bookings: readonly UsableBooking[], fleet: Fleet, options: CollectOptions): Collected {
  const { name, decimals, lookaheadSeconds } = options;
  if (bookings.length === 0) throw new TripsError('ERR_DATA_FORMAT', 'no usable bookings: see the quality report');
  if (fleet.drivers.length === 0) throw new TripsError('ERR_DATA_FORMAT', 'the company has no active drivers');
  const round = (degrees: number): number => Number(degrees.toFixed(decimals));
  const places = bookings.map((b) => ({
    from: { longitude: round(b.pickupLongitude), latitude: round(b.pickupLatitude) },
    to: { longitude: round(b.dropoffLongitude), latitude: round(b.dropoffLatitude) },
  }));
  const all = places.flatMap(({ from, to }) => [from, to]);
  const centre = {
    longitude: round(median(all.map(({ longitude }) => longitude))),
    latitude: round(median(all.map(({ latitude }) => latitude))),
  };
  const cos = Math.cos((centre.latitude * Math.PI) / 180);
  const reach = all.reduce(
    (most, { longitude, latitude }) =>
      Math.max(most, Math.abs(longitude - centre.longitude) * cos, Math.abs(latitude - centre.latitude)),
    0.01,
  );

  const first = bookings.reduce((least, b) => Math.min(least, b.windowStartSecond), Infinity);
  const last = bookings.reduce((most, b) => Math.max(most, b.windowEndSecond), 0);
  const start = Math.max(0, Math.floor(first / HOUR) - 1) * HOUR;
  const horizon = (Math.ceil(last / HOUR) + 1) * HOUR - start;
  const knownAt = bookings.map((b) =>
    Math.max(0, Math.max(b.knownSecond, b.windowStartSecond - lookaheadSeconds) - start),
  );

  const days = [...new Set(bookings.map(({ day }) => day))].sort();
  const dayOf = new Map(days.map((day, k) => [day, k]));
  const order = Int32Array.from(bookings.keys()).sort(
    (a, b) => dayOf.get(bookings[a].day)! - dayOf.get(bookings[b].day)! || knownAt[a] - knownAt[b] || a - b,
  );
  const dayStart = new Int32Array(days.length + 1);
  for (const b of bookings) dayStart[dayOf.get(b.day)! + 1]++;
  for (let d = 0; d < days.length; d++) dayStart[d + 1] += dayStart[d];

  const skillNames = [...new Set(bookings.flatMap(({ skills }) => skills))].sort().slice(0, MAX_SKILLS);
  const { drivers } = fleet;
  const share = (count: number): number => count / drivers.length;
  const skills: SkillSpec[] = skillNames.map((skill) => ({
    name: skill,
    driverShare: share(drivers.filter((driver) => driver.skills.includes(skill)).length),
    bookingShare: bookings.filter((b) => b.skills.includes(skill)).length / bookings.length,
  }));
  const { medianRideKmh } = describe(bookings);
  const base = preset('geneva');
  const scenario: Scenario = {
    ...base,
    name,
    drivers: drivers.length,
    slots: slotsFor(bookings, knownAt, start, order, dayStart),
    regularShare: share(drivers.filter(({ kind }) => kind === 'REGULAR').length),
    skills,
    startSecondOfDay: start,
    horizonSeconds: horizon,
    decisionsPerTick: Infinity,
    travel: {
      kind: 'plane',
      centreLongitude: centre.longitude,
      centreLatitude: centre.latitude,
      halfSpanDegrees: Number((reach + 0.001).toFixed(3)),
      speedKmh: Number((medianRideKmh ?? DEFAULT_KMH).toFixed(1)),
    },
    // The measured speed has the traffic in it.
    trafficSlowdown: 0,
    traffic: { base: 0, parts: [] },
    demand: { kind: 'trace' },
  };

  const at = (place: { longitude: number; latitude: number }): { x: number; y: number } =>
    toPlane(place.longitude, place.latitude, centre.longitude, centre.latitude);
  const column = (f: (k: number) => number): number[] => Array.from(order, f);
  const plane = { from: places.map(({ from }) => at(from)), to: places.map(({ to }) => at(to)) };
  const zeros = int32(bookings.length);
  const trace: Trace = {
    days,
    dayStart: int32(dayStart),
    knownAt: int32(column((k) => knownAt[k])),
    windowStart: int32(column((k) => Math.max(0, bookings[k].windowStartSecond - start))),
    windowEnd: int32(column((k) => bookings[k].windowEndSecond - start)),
    pickupZone: zeros,
    dropoffZone: zeros,
    places: {
      pickupX: float32(column((k) => plane.from[k].x)),
      pickupY: float32(column((k) => plane.from[k].y)),
      dropoffX: float32(column((k) => plane.to[k].x)),
      dropoffY: float32(column((k) => plane.to[k].y)),
    },
    metres: int32(
      column((k) => Math.round(Math.hypot(plane.to[k].x - plane.from[k].x, plane.to[k].y - plane.from[k].y))),
    ),
    fare: zeros,
    priority: uint8(column((k) => bookings[k].priority)),
    skills: uint8(
      column((k) =>
        skillNames.reduce((bits, skill, bit) => bits | (bookings[k].skills.includes(skill) ? 1 << bit : 0), 0),
      ),
    ),
    leg: uint8(column((k) => (bookings[k].leg === 'return' ? 1 : 0))),
  };
  const dataset: Dataset = { scenario: name, travel: null, trace, splits: splitDays(days.length) };
  // Whatever is wrong with it shall show here, not when somebody trains on it.
  compileScenario(scenario, dataset);
  return { scenario, dataset, order };
}

/** Days in their order: the first 70% train, then 15% validation and 15% test, at least one of each if there are three. */
function splitDays(days: number): Dataset['splits'] {
  const held = Math.max(days >= 3 ? 1 : 0, Math.floor(0.15 * days));
  const range = (from: number, to: number): number[] => Array.from({ length: to - from }, (_, k) => from + k);
  return {
    training: range(0, days - 2 * held),
    validation: range(days - 2 * held, days - held),
    test: range(days - held, days),
  };
}

/** The most bookings that could be open at once if none were ever assigned, and a tenth more. */
function slotsFor(
  bookings: readonly UsableBooking[],
  knownAt: readonly number[],
  start: number,
  order: Int32Array,
  dayStart: Int32Array,
): number {
  let most = 1;
  for (let d = 0; d + 1 < dayStart.length; d++) {
    const changes: [second: number, by: number][] = [];
    for (let t = dayStart[d]; t < dayStart[d + 1]; t++) {
      const end = bookings[order[t]].windowEndSecond - start;
      changes.push([knownAt[order[t]], 1], [end, -1]);
    }
    changes.sort((a, b) => a[0] - b[0] || a[1] - b[1]);
    let open = 0;
    for (const [, by] of changes) most = Math.max(most, (open += by));
  }
  return Math.min(MAX_SLOTS, Math.ceil(1.1 * most));
}

function median(values: readonly number[]): number {
  const sorted = [...values].sort((a, b) => a - b);
  return sorted[sorted.length >> 1];
}
