// The least and the greatest value that each number of an observation can have, from the rules and the demand alone. They hold for
// every episode that begins with a reset; a live state from outside may lie beyond them.

import type { CompiledScenario } from './compile.js';
import { observationShape, observationSize } from './observation.js';
import type { ObservationKind } from './observation.js';

/** Least and greatest values of one observation, `[observationSize]` each, in the order of its numbers. */
export interface ObservationBounds {
  readonly low: Float32Array;
  readonly high: Float32Array;
}

type Range = readonly [low: number, high: number];
type Numbers = ArrayLike<number>;

const HOUR = 3600;

/** Room for sums that are rounded in another order; the bound is rounded to float32 afterwards, as what it bounds. */
const ABOVE = 1 + 2 ** -40;

const share: Range = [0, 1];

/**
 * The bounds of an observation. All are finite, and no value that an episode brings lies beyond them. Times are bounded by what a full
 * plan can take, counts by the bookings that can come, so that some are wide; a number
 * that never changes has a range of 1.
 */
export function observationBounds(compiled: CompiledScenario, kind: ObservationKind): ObservationBounds {
  const { scenario, trafficByTick, dayFractionByTick } = compiled;
  const { drivers, slots } = scenario;
  const shape = observationShape(scenario, kind);
  const low = new Float32Array(observationSize(scenario, kind));
  const high = new Float32Array(low.length);
  let p = 0;
  const write = (columns: readonly string[], ranges: readonly Range[]): void => {
    // What follows the named columns are skills, unless it has a range of its own.
    columns.forEach((_, k) => {
      const [least, greatest] = ranges[k] ?? share;
      low[p] = least;
      // A number that never changes: spaces want a range all the same.
      high[p++] = greatest > least ? greatest : least + 1;
    });
  };
  const created = mostBookings(compiled);
  const longest = longestService(compiled);
  const [x, y] = placeRanges(compiled);
  const { left, wait, age } = lives(compiled);
  const { priority, fare } = worth(compiled);
  const load = Math.min(
    created,
    compiled.ticks * Math.min(scenario.assignmentsPerDriverPerTick, scenario.decisionsPerTick),
  );
  const hours = (seconds: number): Range => [0, (seconds / HOUR) * ABOVE];
  const { shifts } = compiled;
  // Nothing is driven before a shift starts.
  const first = shifts === null ? 0 : greatest(shifts.from, 0);

  for (let i = 0; i < drivers; i++) {
    write(shape.driverColumns, [
      x,
      y,
      share,
      [0, load / 10],
      share,
      hours(first + scenario.queue * longest.service),
      hours(first + longest.service),
      share,
      ...(shifts === null ? [] : [...scenario.skills.map(() => share), hours(greatest(shifts.to, 0))]),
    ]);
  }
  for (let j = 0; j < slots; j++) {
    write(shape.bookingColumns, [
      x,
      y,
      [0, priority / 5],
      [(left[0] / HOUR) * ABOVE, (left[1] / HOUR) * ABOVE],
      share,
      x,
      y,
      hours(wait),
      hours(longest.ride),
      share,
      hours(age),
      [0, fare / 1e5],
    ]);
  }
  write(shape.contextColumns, [rangeOf(dayFractionByTick), rangeOf(trafficByTick), share, share, [0, created / 100]]);
  return { low, high };
}

/** Bookings that can become known in an episode. */
function mostBookings({ scenario, dataset, ticks }: CompiledScenario): number {
  const { demand } = scenario;
  if (demand.kind === 'synthetic') {
    return demand.initialBookings[1] + (demand.prebooked?.bookings[1] ?? 0) + ticks * demand.bookingsPerArrival[1];
  }
  let most = 0;
  const { dayStart } = dataset!.trace;
  for (let day = 0; day + 1 < dayStart.length; day++) most = Math.max(most, dayStart[day + 1] - dayStart[day]);
  return most;
}

/** Seconds that the longest ride takes in free flow, and the longest service of a booking from the end of the one before it. */
function longestService(compiled: CompiledScenario): { readonly ride: number; readonly service: number } {
  const { scenario, matrix, dataset, factorByMinute } = compiled;
  const { travel } = scenario;
  let approach: number;
  let ride: number;
  if (matrix !== null) {
    ride = approach = [matrix.seconds, ...(matrix.periods?.seconds ?? [])].reduce(
      (most, table) => greatest(table, most),
      0,
    );
  } else {
    const metresPerSecond = (travel.kind === 'plane' ? travel.speedKmh : 1) / 3.6;
    const [x, y] = reach(compiled);
    approach = Math.hypot(2 * x, 2 * y) / metresPerSecond;
    ride = dataset === null ? approach : greatest(dataset.trace.metres, 0) / metresPerSecond;
  }
  const factor = greatest(factorByMinute, 1);
  // Each is rounded to whole seconds.
  const underTraffic = (seconds: number): number => Math.ceil(seconds * factor * ABOVE) + 1;
  return {
    ride: ride * ABOVE,
    service:
      Math.max(underTraffic(approach), lives(compiled).wait) +
      scenario.pickupServiceSeconds +
      scenario.idleBoardingSeconds +
      underTraffic(ride) +
      scenario.dropoffServiceSeconds,
  };
}

/** Metres from the centre to the farthest place, east and north. */
function reach({ dataset, extentX, extentY }: CompiledScenario): readonly [x: number, y: number] {
  const places = dataset?.trace.places;
  if (places === undefined) return [extentX, extentY];
  return [
    farthest(places.dropoffX, farthest(places.pickupX, extentX)),
    farthest(places.dropoffY, farthest(places.pickupY, extentY)),
  ];
}

function placeRanges(compiled: CompiledScenario): readonly [x: Range, y: Range] {
  const [x, y] = reach(compiled);
  // As places are kept and scaled (observe.ts): rounding does not change the order of numbers.
  const scaled = (metres: number, extent: number): Range => {
    const limit = Math.fround(metres) * (1 / extent);
    return [-limit, limit];
  };
  return [scaled(x, compiled.extentX), scaled(y, compiled.extentY)];
}

/** Of open bookings, in seconds: how much of their window can be left, until it starts, and since they are known. */
function lives({ scenario, dataset }: CompiledScenario): {
  readonly left: Range;
  readonly wait: number;
  readonly age: number;
} {
  const { demand, tickSeconds, openUntil } = scenario;
  // A booking that is open for its tick alone is seen less than a tick after it is known.
  const late = openUntil === 'tickEnd' ? tickSeconds : 0;
  let shortest = Infinity;
  let longest = 0;
  let wait = 0;
  let before = 0;
  if (demand.kind === 'synthetic') {
    shortest = 60 * Math.min(demand.urgentWindowMinutes[0], demand.windowMinutes[0]);
    wait = 60 * (demand.prebooked?.windowStartMinutes[1] ?? 0);
    longest = wait + 60 * Math.max(demand.urgentWindowMinutes[1], demand.windowMinutes[1]);
  } else {
    const { knownAt, windowStart, windowEnd } = dataset!.trace;
    for (let t = 0; t < knownAt.length; t++) {
      const seen = Math.max(knownAt[t], 0);
      shortest = Math.min(shortest, windowEnd[t] - seen);
      longest = Math.max(longest, windowEnd[t] - seen);
      wait = Math.max(wait, windowStart[t] - seen);
      before = Math.max(before, seen - knownAt[t]);
    }
  }
  return {
    left: [Math.min(0, shortest - late), longest],
    wait,
    age: before + (late > 0 ? late : Math.max(longest, tickSeconds)),
  };
}

/** Greatest priority, and greatest fare in 1/10000 of the money unit. */
function worth({ scenario, dataset }: CompiledScenario): { readonly priority: number; readonly fare: number } {
  const { demand } = scenario;
  if (demand.kind === 'synthetic') return { priority: demand.priorities[1], fare: 0 };
  const { trace } = dataset!;
  return { priority: greatest(trace.priority, 0), fare: greatest(trace.fare, 0) };
}

function greatest(values: Numbers, atLeast: number): number {
  let most = atLeast;
  for (let k = 0; k < values.length; k++) if (values[k] > most) most = values[k];
  return most;
}

function farthest(values: Numbers, atLeast: number): number {
  let most = atLeast;
  for (let k = 0; k < values.length; k++) most = Math.max(most, Math.abs(values[k]));
  return most;
}

function rangeOf(values: Float64Array): Range {
  return [values.reduce((least, value) => Math.min(least, value)), greatest(values, -Infinity)];
}
