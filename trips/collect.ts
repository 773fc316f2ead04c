// From a company's bookings to a scenario and its trace: what a policy can be trained on. Nothing that points to a
// person is kept: no ids, no names, and places only as exactly as asked for.

import { compileScenario, preset, toPlane } from '../engine/index.js';
import type { Dataset, Scenario, SkillSpec, Trace } from '../engine/index.js';
import { describe, longitudeBetween } from './booking-record.js';
import type { BookingTimes, UsableBooking, UsableTimes } from './booking-record.js';
import { TripsError } from './errors.js';
import { serviceArea, turned } from './service-area.js';
import { float32, int32, uint8 } from './shared-columns.js';

/** A company's active drivers. */
export interface Fleet {
  readonly drivers: readonly { readonly kind: 'REGULAR' | 'EMERGENCY'; readonly skills: readonly string[] }[];
}

/** How bookings become a scenario. */
export interface CollectOptions {
  /** Name of the scenario. */
  readonly name: string;
  /** Decimals of a degree that places keep: 3 are about 100 m. */
  readonly decimals: number;
  /** A booking enters the simulation this long before its window, or with its call if that is later. */
  readonly lookaheadSeconds: number;
  /** Where the quality report lies, for the error that there is nothing to collect. */
  readonly report?: string;
}

/** A scenario and its trips, made from bookings. */
export interface Collected {
  readonly scenario: Scenario;
  readonly dataset: Dataset;
  /** Booking of `bookings` that stands at each place of the trace. */
  readonly order: Int32Array;
  /** Skills beyond the eight that a scenario holds, the least needed ones: bookings lose the need for them. */
  readonly skillsLeftOut: readonly string[];
}

const HOUR = 3600;
const MAX_SLOTS = 200;
/** Skills fit in the bits of a byte. */
const MAX_SKILLS = 8;
/** With too few rides to measure it: the built-in scenario's speed. */
const DEFAULT_KMH = 30;

/** @throws TripsError `ERR_DATA_FORMAT` if there are no bookings, or no drivers */
export function collectTrips(bookings: readonly UsableBooking[], fleet: Fleet, options: CollectOptions): Collected {
  const { name, decimals } = options;
  const played = playedDays(bookings, fleet, options);
  const { order, column } = played;
  const round = (degrees: number): number => Number(degrees.toFixed(decimals));
  const places = bookings.map((b) => ({
    from: { longitude: round(b.pickupLongitude), latitude: round(b.pickupLatitude) },
    to: { longitude: round(b.dropoffLongitude), latitude: round(b.dropoffLatitude) },
  }));
  const all = places.flatMap(({ from, to }) => [from, to]);
  const middle = serviceArea(all)!.centre;
  const centre = { longitude: round(turned(middle.longitude)), latitude: round(middle.latitude) };
  const cos = Math.cos((centre.latitude * Math.PI) / 180);
  const reach = all.reduce(
    (most, { longitude, latitude }) =>
      Math.max(
        most,
        Math.abs(longitudeBetween(centre.longitude, longitude)) * cos,
        Math.abs(latitude - centre.latitude),
      ),
    0.01,
  );
  const { medianRideKmh } = describe(bookings);
  const scenario: Scenario = {
    ...played.scenario,
    name,
    travel: {
      kind: 'plane',
      centreLongitude: centre.longitude,
      centreLatitude: centre.latitude,
      halfSpanDegrees: Number((reach + 0.001).toFixed(3)),
      speedKmh: plausibleKmh(medianRideKmh),
    },
  };

  const at = (place: { longitude: number; latitude: number }): { x: number; y: number } =>
    toPlane(place.longitude, place.latitude, centre.longitude, centre.latitude);
  const plane = { from: places.map(({ from }) => at(from)), to: places.map(({ to }) => at(to)) };
  const zeros = int32(bookings.length);
  const trace: Trace = {
    ...played.trace,
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
  };
  const dataset: Dataset = {
    scenario: name,
    travel: null,
    trace,
    recordedSeconds: scenario.horizonSeconds,
    splits: played.splits,
  };
  // Whatever is wrong with it shall show here, not when somebody trains on it.
  compileScenario(scenario, dataset);
  return { scenario, dataset, order, skillsLeftOut: played.skillsLeftOut };
}

/** A measured speed as a scenario's; the built-in one's where it was not measured. */
export function plausibleKmh(measured: number | null): number {
  return Math.max(1, Number((measured ?? DEFAULT_KMH).toFixed(1)));
}

/** Days as the engine plays them, wherever their places come from. */
export interface PlayedDays {
  /** Everything of a scenario but its name, its travel and its reward. */
  readonly scenario: Omit<Scenario, 'name' | 'travel'>;
  /** Everything of a trace but its places and zones, metres and fares. */
  readonly trace: Omit<Trace, 'pickupZone' | 'dropoffZone' | 'places' | 'metres' | 'fare'>;
  readonly splits: Dataset['splits'];
  readonly order: Int32Array;
  /** A column of the trace from what booking k says. */
  readonly column: (f: (k: number) => number) => number[];
  readonly skillsLeftOut: readonly string[];
}

/** @throws TripsError `ERR_DATA_FORMAT` if there are no bookings, or no drivers */
export function playedDays(
  bookings: readonly (BookingTimes & UsableTimes)[],
  fleet: Fleet,
  { lookaheadSeconds, report = 'the quality report' }: Pick<CollectOptions, 'lookaheadSeconds' | 'report'>,
): PlayedDays {
  if (bookings.length === 0) throw new TripsError('ERR_DATA_FORMAT', `no usable bookings: see ${report}`);
  if (fleet.drivers.length === 0) throw new TripsError('ERR_DATA_FORMAT', 'the company has no active drivers');
  const first = bookings.reduce((least, b) => Math.min(least, b.windowStartSecond), Infinity);
  const last = bookings.reduce((most, b) => Math.max(most, b.windowEndSecond), 0);
  const start = Math.max(0, Math.floor(first / HOUR) - 1) * HOUR;
  const horizon = (Math.ceil(last / HOUR) + 1) * HOUR - start;
  const knownAt = bookings.map((b) =>
    Math.max(0, Math.max(b.knownSecond, b.windowStartSecond - lookaheadSeconds) - start),
  );

  const days = [...new Set(bookings.map(({ day }) => day))].sort();
  const dayOf = new Map(days.map((day, k) => [day, k]));
  const dayIndex = Int32Array.from(bookings, ({ day }) => dayOf.get(day)!);
  const order = Int32Array.from(bookings.keys()).sort(
    (a, b) => dayIndex[a] - dayIndex[b] || knownAt[a] - knownAt[b] || a - b,
  );
  const dayStart = new Int32Array(days.length + 1);
  for (const d of dayIndex) dayStart[d + 1]++;
  for (let d = 0; d < days.length; d++) dayStart[d + 1] += dayStart[d];

  const needs = new Map<string, number>();
  for (const b of bookings) for (const skill of new Set(b.skills)) needs.set(skill, (needs.get(skill) ?? 0) + 1);
  const byNeed = [...needs.keys()].sort((a, b) => needs.get(b)! - needs.get(a)! || (a < b ? -1 : 1));
  const skillNames = byNeed.slice(0, MAX_SKILLS).sort();
  const bitOf = new Map(skillNames.map((skill, bit) => [skill, 1 << bit]));
  const { drivers } = fleet;
  const skills: SkillSpec[] = skillNames.map((skill) => ({
    name: skill,
    driverShare: shareOf(drivers.filter((driver) => driver.skills.includes(skill)).length, drivers.length),
    bookingShare: needs.get(skill)! / bookings.length,
  }));
  const column = (f: (k: number) => number): number[] => Array.from(order, f);
  return {
    scenario: {
      ...preset('geneva'),
      drivers: drivers.length,
      slots: slotsFor(bookings, knownAt, start, order, dayStart),
      regularShare: shareOf(drivers.filter(({ kind }) => kind === 'REGULAR').length, drivers.length),
      skills,
      startSecondOfDay: start,
      horizonSeconds: horizon,
      decisionsPerTick: Infinity,
      // Measured speeds have the traffic in them.
      trafficSlowdown: 0,
      traffic: { base: 0, parts: [] },
      demand: { kind: 'trace' },
    },
    trace: {
      days,
      dayStart: int32(dayStart),
      knownAt: int32(column((k) => knownAt[k])),
      windowStart: int32(column((k) => Math.max(0, bookings[k].windowStartSecond - start))),
      windowEnd: int32(column((k) => bookings[k].windowEndSecond - start)),
      priority: uint8(column((k) => bookings[k].priority)),
      skills: uint8(column((k) => bookings[k].skills.reduce((bits, skill) => bits | (bitOf.get(skill) ?? 0), 0))),
      leg: uint8(column((k) => (bookings[k].leg === 'return' ? 1 : 0))),
    },
    splits: splitDays(days.length),
    order,
    column,
    skillsLeftOut: byNeed.slice(MAX_SKILLS).sort(),
  };
}

/** The share of a fleet that the engine turns into `count` drivers again, although 49 * (1 / 49) is less than 1. */
function shareOf(count: number, drivers: number): number {
  let share = count / drivers;
  while (Math.floor(drivers * share) < count) share += Number.EPSILON / 2;
  return share;
}

/**
 * Days in their order: the first 70% train, then 15% validation and 15% test, at least one of each. With fewer than three
 * days all parts are all days: a policy can be tried, but not evaluated.
 */
function splitDays(days: number): Dataset['splits'] {
  const range = (from: number, to: number): number[] => Array.from({ length: to - from }, (_, k) => from + k);
  if (days < 3) return { training: range(0, days), validation: range(0, days), test: range(0, days) };
  const held = Math.max(1, Math.floor(0.15 * days));
  return {
    training: range(0, days - 2 * held),
    validation: range(days - 2 * held, days - held),
    test: range(days - held, days),
  };
}

/** The most bookings that could be open at once if none were ever assigned, and a tenth more. */
function slotsFor(
  bookings: readonly UsableTimes[],
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
