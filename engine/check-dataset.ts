// Recorded trips are checked here, once, before anything plays them: kinds and lengths of columns, what each number may be,
// the tables of travel, and the days of the splits.

import { EngineError } from './errors.js';
import type { Scenario } from './scenario.js';
import { splits } from './trace.js';
import type { Dataset, Trace } from './trace.js';
import type { MatrixTravel } from './travel.js';
import { kindOf, shown } from './shown.js';

type ColumnKind = 'Int32Array' | 'Uint8Array' | 'Float32Array';
type ColumnName = Exclude<keyof Trace, 'days' | 'dayStart' | 'places'>;

const kinds: Readonly<Record<ColumnName, ColumnKind>> = {
  knownAt: 'Int32Array',
  windowStart: 'Int32Array',
  windowEnd: 'Int32Array',
  pickupZone: 'Int32Array',
  dropoffZone: 'Int32Array',
  metres: 'Int32Array',
  fare: 'Int32Array',
  priority: 'Uint8Array',
  skills: 'Uint8Array',
  leg: 'Uint8Array',
};
const columns = Object.keys(kinds) as ColumnName[];

/** Bounds that do not depend on the rest of the data. */
const bounds: readonly (readonly [ColumnName, min: number, max: number])[] = [
  ['metres', 0, Infinity],
  ['fare', 0, Infinity],
  ['priority', 1, 5],
  ['leg', 0, 1],
];

/**
 * Checks that a trace is sound by itself, and goes with its kind of travel.
 * @throws EngineError `ERR_TRACE` with day, booking, column, value and what was expected
 */
export function checkTrace(trace: Trace, travel: MatrixTravel | null): void {
  member('trace', trace);
  const { days, dayStart } = trace;
  if (!Array.isArray(days)) throw fault(`trace.days is ${shown(days)}: expected a list of labels`);
  column('trace.dayStart', dayStart, 'Int32Array', days.length + 1);
  if (dayStart[0] !== 0) throw fault(`trace.dayStart[0] is ${dayStart[0]}: expected 0`);
  for (let day = 0; day < days.length; day++) {
    if (dayStart[day + 1] < dayStart[day]) {
      throw fault(
        `trace.dayStart[${day + 1}] is ${dayStart[day + 1]}: expected at least its predecessor's ${dayStart[day]}`,
      );
    }
  }
  if (travel !== null) checkTravel(travel);
  const n = dayStart[days.length];
  // In a plane every booking is in the only zone.
  const zones = travel?.zones ?? 1;
  if ((travel === null) !== (trace.places !== undefined)) {
    const found = trace.places === undefined ? 'missing' : 'given';
    const expected = travel === null ? 'given, as travel is in a plane' : 'absent, as travel is between zones';
    throw fault(`trace.places is ${found}: expected it to be ${expected}`);
  }
  if (trace.places !== undefined) {
    for (const name of ['pickupX', 'pickupY', 'dropoffX', 'dropoffY'] as const) {
      finite(`trace column "${name}"`, trace.places[name], n, 'booking');
    }
  }
  for (const name of columns) column(`trace column "${name}"`, trace[name], kinds[name], n);
  for (let day = 0; day < days.length; day++) {
    for (let i = dayStart[day]; i < dayStart[day + 1]; i++) {
      const found = wrongIn(trace, i, i > dayStart[day], zones);
      if (found !== null) throw fault(`day ${days[day]}, booking ${i - dayStart[day]}: ${found}`);
    }
  }
}

/** What is wrong with booking i, or null. */
function wrongIn(trace: Trace, i: number, hasPredecessor: boolean, zones: number): string | null {
  const { knownAt, windowStart, windowEnd, pickupZone, dropoffZone } = trace;
  if (hasPredecessor && knownAt[i] < knownAt[i - 1]) {
    return `knownAt ${knownAt[i]} is before its predecessor's ${knownAt[i - 1]}`;
  }
  if (windowEnd[i] < windowStart[i]) return `window ${windowStart[i]}..${windowEnd[i]} ends before it starts`;
  if (pickupZone[i] < 0 || pickupZone[i] >= zones || dropoffZone[i] < 0 || dropoffZone[i] >= zones) {
    return `zones ${pickupZone[i]} -> ${dropoffZone[i]}, expected 0..${zones - 1}`;
  }
  for (const [name, min, max] of bounds) {
    const value = trace[name][i];
    if (value < min || value > max) return `${name} is ${value}, expected ${range(min, max)}`;
  }
  return null;
}

/**
 * Checks a data set against the scenario that runs on it: its trace, the days of its splits, and the skills asked for.
 * @throws EngineError `ERR_TRACE`
 */
export function checkDataset(dataset: Dataset, scenario: Scenario): void {
  member('dataset', dataset);
  const { trace, travel } = dataset;
  checkTrace(trace, travel);
  member('dataset.splits', dataset.splits);
  const days = trace.days.length;
  for (const split of splits) {
    const list = dataset.splits[split] as unknown;
    if (!Array.isArray(list)) throw fault(`dataset.splits.${split} is ${shown(list)}: expected a list of days`);
    const at = list.findIndex((day: unknown) => !isDay(day, days));
    if (at >= 0) throw fault(`dataset.splits.${split}[${at}] is ${shown(list[at])}: expected ${dayRange(days)}`);
  }
  const known = 2 ** scenario.skills.length - 1;
  const at = trace.skills.findIndex((bits) => (bits & ~known) !== 0);
  if (at < 0) return;
  const day = dayOf(trace, at);
  throw fault(
    `day ${trace.days[day]}, booking ${at - trace.dayStart[day]}: skills is ${trace.skills[at]}, expected bits of the ` +
      `scenario's ${scenario.skills.length} skills, ${range(0, known)}`,
  );
}

/** Whether `day` is an index into a trace of so many days. */
export function isDay(day: unknown, days: number): boolean {
  return Number.isInteger(day) && (day as number) >= 0 && (day as number) < days;
}

/** What a day's index may be, in words. */
export function dayRange(days: number): string {
  return days === 0 ? 'nothing, as the trace has no days' : `a day of the trace, 0 to ${days - 1}`;
}

function checkTravel(travel: MatrixTravel): void {
  member('travel', travel);
  const { zones, periods } = travel;
  if (!Number.isInteger(zones) || zones < 1) throw fault(`travel.zones is ${shown(zones)}: expected at least 1`);
  const pairs = zones * zones;
  for (const name of ['seconds', 'metres', 'fares'] as const) table(`travel.${name}`, travel[name], pairs);
  finite('travel.x', travel.x, zones, 'zone');
  finite('travel.y', travel.y, zones, 'zone');
  if (periods === undefined) return;
  member('travel.periods', periods);
  const { ofMinute, seconds } = periods;
  if (!Array.isArray(seconds) || seconds.length === 0) {
    throw fault(`travel.periods.seconds is ${shown(seconds)}: expected a list of tables`);
  }
  seconds.forEach((values: Int32Array, k) => table(`travel.periods.seconds[${k}]`, values, pairs));
  column('travel.periods.ofMinute', ofMinute, 'Uint8Array', 1440);
  const at = ofMinute.findIndex((period) => period >= seconds.length);
  if (at >= 0)
    throw fault(`travel.periods.ofMinute[${at}] is ${ofMinute[at]}: expected ${range(0, seconds.length - 1)}`);
}

/** A table of numbers that are not negative. */
function table(what: string, values: Int32Array, length: number): void {
  column(what, values, 'Int32Array', length);
  const at = values.findIndex((value) => value < 0);
  if (at >= 0) throw fault(`${what}[${at}] is ${values[at]}: expected at least 0`);
}

function finite(what: string, values: Float32Array, length: number, entry: string): void {
  column(what, values, 'Float32Array', length);
  const at = values.findIndex((value) => !Number.isFinite(value));
  if (at >= 0) throw fault(`${what} is ${values[at]} at ${entry} ${at}: expected metres`);
}

function column(what: string, values: ArrayLike<number>, kind: ColumnKind, length: number): void {
  const found = kindOf(values);
  if (found !== kind)
    throw fault(`${what} is ${shown(values)}: expected ${kind === 'Int32Array' ? 'an' : 'a'} ${kind}`);
  if (values.length !== length) throw fault(`${what} has ${values.length} entries, expected ${length}`);
}

function member(what: string, value: unknown): void {
  if (typeof value !== 'object' || value === null) throw fault(`${what} is ${shown(value)}: expected an object`);
}

function range(min: number, max: number): string {
  return max === Infinity ? `at least ${min}` : `${min} to ${max}`;
}

function dayOf({ dayStart }: Trace, booking: number): number {
  return dayStart.findLastIndex((start, day) => day < dayStart.length - 1 && start <= booking);
}

function fault(message: string): EngineError {
  return new EngineError('ERR_TRACE', message);
}
