// Live states are checked here, whole, before any of them is placed: every field has its own bounds, and what contradicts
// itself is refused. Knows nothing of how a state is stored.

import { check } from './check-options.js';
import type { CompiledScenario } from './compile.js';
import { EngineError } from './errors.js';
import { NEVER } from './snapshot.js';
import type { PlannedBooking, Snapshot, SnapshotBooking, SnapshotDriver } from './snapshot.js';
import type { Window } from './windows.js';
import { shown } from './shown.js';

/** Latest start of anything, 34 years: what follows from it still is a second that 32 bits hold. */
const LATEST_START = 2 ** 30;
/** Metres from the centre, more than once round the Earth. */
const FARTHEST = 5e7;
/** Most that traffic can stretch a way by; see `trafficSlowdown` in validate.ts. */
const SLOWEST = 20;

type Range = readonly [min: number, max: number];
const TIME: Range = [-NEVER, NEVER];
const START: Range = [-NEVER, LATEST_START];

const snapshotMembers: readonly (keyof Snapshot)[] = ['now', 'drivers', 'bookings', 'patience'];
const plannedMembers = ['pickupAt', 'dropoffAt'];
const driverMembers: readonly (keyof SnapshotDriver)[] = [
  'x',
  'y',
  'zone',
  'freeAt',
  'plan',
  'onBoard',
  'load',
  'offDuty',
  'promised',
  'shiftEnd',
];
const bookingMembers: readonly (keyof SnapshotBooking)[] = [
  'pickupX',
  'pickupY',
  'pickupZone',
  'dropoffX',
  'dropoffY',
  'dropoffZone',
  'knownAt',
  'windowStart',
  'windowEnd',
  'priority',
  'skills',
  'leg',
  'fare',
  'pickupService',
  'dropoffService',
  'earliestDropoff',
  'latestDropoff',
  'windows',
  'dropoffWindows',
];
/** Whole numbers of a booking that must be there; zones depend on the world, the rest on nothing. */
const bookingNumbers: readonly (readonly [keyof SnapshotBooking, Range])[] = [
  ['windowStart', START],
  ['windowEnd', TIME],
  ['priority', [1, 5]],
  ['skills', [0, NEVER]],
  ['leg', [0, 1]],
  ['fare', [0, NEVER]],
  ['pickupService', [0, 864_000]],
  ['dropoffService', [0, 864_000]],
];

/**
 * Checks that `snapshot` makes sense and fits the world of `compiled`.
 * @throws EngineError `ERR_OPTION` with the path of the first offending field, what it is and what was expected
 */
export function checkSnapshot(snapshot: Snapshot, compiled: CompiledScenario): void {
  check.members('snapshot', snapshot, snapshotMembers);
  const { scenario, matrix } = compiled;
  const { now, drivers, bookings } = snapshot;
  list('snapshot.drivers', drivers);
  list('snapshot.bookings', bookings);
  fits('drivers', drivers.length, scenario.drivers);
  fits('bookings', bookings.length, scenario.slots);
  if (!(Number.isInteger(now) && now >= 0 && now < scenario.horizonSeconds)) {
    throw new EngineError(
      'ERR_OPTION',
      `snapshot.now is second ${shown(now)}: the scenario has whole seconds 0 to ${scenario.horizonSeconds - 1}`,
    );
  }
  const zones: Range = [0, matrix === null ? NEVER : matrix.zones - 1];
  const { travel } = scenario;
  // So near that every way takes a number of seconds that 32 bits hold.
  const reach = travel.kind === 'plane' ? Math.min(FARTHEST, (2 ** 28 * (travel.speedKmh / 3.6)) / SLOWEST) : FARTHEST;
  if (snapshot.patience !== undefined) whole('snapshot', 'patience', snapshot.patience, [0, NEVER]);
  const checks: Checks = { now, queue: scenario.queue, zones, reach, windows: compiled.windows };
  for (let i = 0; i < drivers.length; i++) checkDriver(`snapshot.drivers[${i}]`, drivers[i], checks);
  for (let k = 0; k < bookings.length; k++) checkBooking(`snapshot.bookings[${k}]`, bookings[k], checks);
}

interface Checks {
  readonly now: number;
  readonly queue: number;
  readonly zones: Range;
  readonly reach: number;
  /** Of a booking at most, 0 for one. */
  readonly windows: number;
}

function checkDriver(path: string, driver: SnapshotDriver, checks: Checks): void {
  const { queue, zones, reach } = checks;
  check.members(path, driver, driverMembers);
  const { plan, promised, onBoard, offDuty, freeAt } = driver;
  list(`${path}.plan`, plan);
  if (promised !== undefined) list(`${path}.promised`, promised);
  fits(`bookings in a driver's plan (${path})`, plan.length + (promised?.length ?? 0), queue);
  metres(path, 'x', driver.x, reach);
  metres(path, 'y', driver.y, reach);
  whole(path, 'zone', driver.zone, zones);
  whole(path, 'freeAt', freeAt, START);
  whole(path, 'load', driver.load, [0, 1_000_000]);
  flag(path, 'onBoard', onBoard);
  flag(path, 'offDuty', offDuty);
  if (driver.shiftEnd !== undefined) whole(path, 'shiftEnd', driver.shiftEnd, TIME);
  if (onBoard && plan.length === 0) wrong(path, 'onBoard', true, 'false, as plan is empty');
  let end = -NEVER;
  for (let k = 0; k < plan.length; k++) end = checkPlanned(`${path}.plan[${k}]`, plan[k], end);
  if (plan.length > 0 && freeAt < end) wrong(path, 'freeAt', freeAt, `at least ${end}, when the plan ends`);
  if (promised === undefined) return;
  for (let k = 0; k < promised.length; k++) checkBooking(`${path}.promised[${k}]`, promised[k], checks);
}

/** @returns when it is dropped off, which the next one is picked up after */
function checkPlanned(path: string, planned: PlannedBooking, after: number): number {
  check.members(path, planned, plannedMembers);
  const { pickupAt, dropoffAt } = planned;
  whole(path, 'pickupAt', pickupAt, TIME);
  whole(path, 'dropoffAt', dropoffAt, TIME);
  if (pickupAt < after) wrong(path, 'pickupAt', pickupAt, `at least ${after}, when the one before is dropped off`);
  if (dropoffAt < pickupAt) wrong(path, 'dropoffAt', dropoffAt, `at least pickupAt (${pickupAt})`);
  return dropoffAt;
}

function checkBooking(path: string, booking: SnapshotBooking, { now, zones, reach, windows }: Checks): void {
  check.members(path, booking, bookingMembers);
  metres(path, 'pickupX', booking.pickupX, reach);
  metres(path, 'pickupY', booking.pickupY, reach);
  metres(path, 'dropoffX', booking.dropoffX, reach);
  metres(path, 'dropoffY', booking.dropoffY, reach);
  whole(path, 'pickupZone', booking.pickupZone, zones);
  whole(path, 'dropoffZone', booking.dropoffZone, zones);
  whole(path, 'knownAt', booking.knownAt, TIME);
  if (booking.knownAt > now) wrong(path, 'knownAt', booking.knownAt, `at most now (${now})`);
  for (const [name, range] of bookingNumbers) whole(path, name, booking[name], range);
  if (booking.earliestDropoff !== undefined) whole(path, 'earliestDropoff', booking.earliestDropoff, START);
  if (booking.latestDropoff !== undefined) whole(path, 'latestDropoff', booking.latestDropoff, TIME);
  const { windowStart, windowEnd, earliestDropoff = 0, latestDropoff = NEVER, dropoffService } = booking;
  if (windowEnd < windowStart) wrong(path, 'windowEnd', windowEnd, `at least windowStart (${windowStart})`);
  checkWindows(path, 'windows', booking.windows, [windowStart, windowEnd], windows);
  checkWindows(
    path,
    'dropoffWindows',
    booking.dropoffWindows,
    [earliestDropoff, latestDropoff - dropoffService],
    windows,
  );
}

/** A list is ascending, its windows lie apart, and it reaches from the start of `whole` to its end. */
function checkWindows(
  path: string,
  name: 'windows' | 'dropoffWindows',
  windows: readonly Window[] | undefined,
  [from, to]: Window,
  most: number,
): void {
  if (windows === undefined) return;
  const at = `${path}.${name}`;
  list(at, windows);
  if (windows.length > Math.max(1, most)) fits(`windows of a booking (${at})`, windows.length, Math.max(1, most));
  let last = -Infinity;
  for (let k = 0; k < windows.length; k++) {
    const window = windows[k];
    list(`${at}[${k}]`, window);
    whole(`${at}[${k}]`, '0', window[0], START);
    whole(`${at}[${k}]`, '1', window[1], TIME);
    if (window[0] <= last) wrong(`${at}[${k}]`, '0', window[0], `more than ${last}, where the window before ends`);
    if (window[1] < window[0]) wrong(`${at}[${k}]`, '1', window[1], `at least its start, ${window[0]}`);
    last = window[1];
  }
  if (windows.length > 0 && (windows[0][0] !== from || last !== to)) {
    wrong(path, name, windows, `windows from ${from}, where the first begins, to ${to}, where the last ends`);
  }
}

function fits(what: string, value: number, most: number): void {
  if (value > most) throw new EngineError('ERR_OPTION', `snapshot has ${value} ${what}, the world ${most}`);
}

function list(path: string, value: unknown): void {
  if (!Array.isArray(value)) throw new EngineError('ERR_OPTION', `${path} is ${shown(value)}: expected a list`);
}

function metres(path: string, name: string, value: unknown, reach: number): void {
  if (typeof value === 'number' && Math.abs(value) <= reach) return;
  wrong(path, name, value, `metres from the centre, from ${-reach} to ${reach}`);
}

function whole(path: string, name: string, value: unknown, [min, max]: Range): void {
  if (Number.isInteger(value) && (value as number) >= min && (value as number) <= max) return;
  wrong(path, name, value, `a whole number from ${min} to ${max}`);
}

function flag(path: string, name: string, value: unknown): void {
  if (typeof value !== 'boolean') wrong(path, name, value, 'true or false');
}

function wrong(path: string, name: string, value: unknown, expected: string): never {
  throw new EngineError('ERR_OPTION', `${path}.${name} is ${shown(value)}: expected ${expected}`);
}
