// The checker of logs: it finds nothing in what the simulator wrote, whatever was played, and it finds whatever is changed.

import './support/uncounted.js';
import fc from 'fast-check';
import { beforeAll, describe, expect, it } from 'vitest';
import { compileScenario, preset } from '#engine/index.js';
import type { CompiledScenario } from '#engine/index.js';
import { heuristicNames } from '#policy/index.js';
import { loadScenario } from '#trips/index.js';
import { VerifyError, ruleMeaning, verifyLog } from '#verify/index.js';
import type { RuleName } from '#verify/index.js';
import { logOf, playedAnyhow, playedBy } from './support/played-episode.js';
import { anyScenario } from './support/random-scenario.js';
import { describeWithTrips, nycAmod } from './support/shared-data.js';
import { sized, told } from './support/size.js';

type Row = Record<string, unknown> & { kind: string; second: number };

const rowsOf = (log: string): Row[] =>
  log
    .trimEnd()
    .split('\n')
    .map((line) => JSON.parse(line) as Row);
const textOf = (rows: readonly object[]): string => rows.map((row) => `${JSON.stringify(row)}\n`).join('');

const RUNS = sized(20, 200);

describe('a log that the simulator wrote', () => {
  it(`breaks no rule: ${told(RUNS)} episodes of any scenario and rule`, { tags: ['attack'] }, () => {
    const kinds = new Set<string>();
    fc.assert(
      fc.property(anyScenario, fc.constantFrom(...heuristicNames), fc.nat(1e9), (compiled, name, seed) => {
        const log = logOf(playedBy(compiled, name, 0, seed));
        for (const { kind } of rowsOf(log)) kinds.add(kind);
        expect(verifyLog(log).findings).toEqual([]);
      }),
      { numRuns: RUNS },
    );
    // All kinds of lines must have come up, or the claim says little. Rules take no illegal actions.
    expect([...kinds].sort()).toEqual(
      'arrived assigned completed created departed driver end expired header pickedUp refused tick'.split(' '),
    );
  });

  it(`breaks no rule: ${told(RUNS)} episodes of any actions, legal or not`, { tags: ['attack'] }, () => {
    let invalid = 0;
    fc.assert(
      fc.property(anyScenario, fc.nat(1e9), fc.boolean(), (compiled, seed, joint) => {
        const log = logOf(playedAnyhow(compiled, seed, joint && compiled.scenario.decisionsPerTick > 1));
        invalid += rowsOf(log).filter(({ kind }) => kind === 'invalid').length;
        expect(verifyLog(log).findings).toEqual([]);
      }),
      { numRuns: RUNS },
    );
    expect(invalid).toBeGreaterThan(RUNS);
  });

  it('is the same with and without windows that were over before they were known', () => {
    const geneva = preset('geneva-live');
    const compiled = compileScenario(
      { ...geneva, name: 'late', demand: { kind: 'trace' }, horizonSeconds: 1800 },
      lateDataset(),
    );
    for (const name of heuristicNames) expect(verifyLog(logOf(playedBy(compiled, name, 0, 1))).findings).toEqual([]);
  });
});

/** Bookings whose windows end before they are known, before the episode begins, or both. */
function lateDataset(): NonNullable<CompiledScenario['dataset']> {
  const known = [-900, -400, -50, 0, 10, 400, 900];
  const end = [-600, -700, 600, 0, 5, 300, 1200];
  const n = known.length;
  const ints = (f: (k: number) => number): Int32Array => Int32Array.from({ length: n }, (_, k) => f(k));
  const metres = Float32Array.from({ length: n }, (_, k) => 300 * k);
  return {
    scenario: 'late',
    travel: null,
    trace: {
      days: ['a'],
      dayStart: Int32Array.of(0, n),
      knownAt: Int32Array.from(known),
      windowStart: ints((k) => end[k] - 100),
      windowEnd: Int32Array.from(end),
      pickupZone: new Int32Array(n),
      dropoffZone: new Int32Array(n),
      places: { pickupX: metres, pickupY: metres, dropoffX: new Float32Array(n), dropoffY: metres },
      metres: ints((k) => 300 * k),
      fare: new Int32Array(n),
      priority: new Uint8Array(n).fill(3),
      skills: new Uint8Array(n),
      leg: new Uint8Array(n),
    },
    splits: { training: [0], validation: [0], test: [] },
  };
}

// ------------------------------------------------------------------------------------------------ planted faults

/** A way to spoil a log: changes `rows` in place. `at` picks one of several places. */
type Plant = (rows: Row[], at: (of: readonly Row[]) => Row) => void;

const of = (rows: readonly Row[], kind: string): Row[] => rows.filter((row) => row.kind === kind);
const drop = (rows: Row[], row: Row): void => void rows.splice(rows.indexOf(row), 1);
const add = (row: Row, member: string, by: number): void => void (row[member] = (row[member] as number) + by);
const place = (row: Row, member = 'place'): { x: number; y: number } => row[member] as { x: number; y: number };
const shift = (row: Row, member = 'place'): void =>
  void (row[member] = { ...place(row, member), x: place(row, member).x + 60 });
const rules = (rows: Row[]): Record<string, unknown> => rows[0]['scenario'] as Record<string, unknown>;
/** Bookings that somebody was given. */
const served = (rows: Row[]): Row[] => {
  const given = new Set(of(rows, 'assigned').map((row) => row['booking']));
  return of(rows, 'created').filter((row) => given.has(row['booking']));
};

const plants: Readonly<Record<string, readonly [RuleName, Plant]>> = {
  'a moved pickup': ['promise', (rows, at) => shift(at(of(rows, 'pickedUp')))],
  'a moved arrival': ['promise', (rows, at) => shift(at(of(rows, 'arrived')))],
  'a moved departure': ['promise', (rows, at) => shift(at(of(rows, 'departed')))],
  'a moved drop-off': ['promise', (rows, at) => shift(at(of(rows, 'completed')))],
  'a booking at another place': ['promise', (rows, at) => shift(at(served(rows)), 'pickup')],
  'a driver that starts elsewhere': ['fleet', (rows, at) => shift(at(of(rows, 'driver')))],
  'a driver of another type': ['fleet', (rows, at) => void (at(of(rows, 'driver'))['type'] = 'SPARE')],
  'a skill that nobody has': ['fleet', (rows, at) => void (at(of(rows, 'driver'))['skills'] = ['flight'])],
  'a driver that is missing': ['fleet', (rows, at) => drop(rows, at(of(rows, 'driver')))],
  'an earlier arrival': ['travel', (rows, at) => add(at(of(rows, 'assigned')), 'arriveAt', -2)],
  'an earlier departure': ['travel', (rows, at) => add(at(of(rows, 'assigned')), 'departAt', -2)],
  'a faster ride': ['travel', (rows, at) => add(at(of(rows, 'assigned')), 'reachAt', -2)],
  'a shorter approach': ['travel', (rows, at) => add(at(of(rows, 'assigned')), 'approachMetres', -50)],
  'a pickup out of its time': ['window', (rows, at) => add(at(of(rows, 'assigned')), 'pickupAt', -1)],
  'no time at the pickup': ['service', (rows, at) => add(at(of(rows, 'assigned')), 'leaveAt', -1)],
  'no time at the drop-off': ['service', (rows, at) => add(at(of(rows, 'assigned')), 'dropoffAt', 1)],
  'a swapped driver': ['driver', (rows, at) => add(at(of(rows, 'pickedUp')), 'driver', 1)],
  'an assignment to another driver': ['driver', (rows, at) => swapDriver(at(of(rows, 'assigned')))],
  'a driver that does not exist': ['fleet', (rows, at) => void (at(of(rows, 'assigned'))['driver'] = 999)],
  'a swapped booking': ['driver', (rows, at) => add(at(of(rows, 'arrived')), 'booking', 1)],
  'a duplicated pickup': ['life', (rows, at) => repeat(rows, at(of(rows, 'pickedUp')))],
  'a duplicated drop-off': ['driver', (rows, at) => repeat(rows, at(of(rows, 'completed')))],
  'a duplicated booking': ['booking', (rows, at) => repeat(rows, at(of(rows, 'created')))],
  'a duplicated assignment': ['life', (rows, at) => repeat(rows, at(of(rows, 'assigned')))],
  'a duplicated tick': ['order', (rows, at) => repeat(rows, at(of(rows, 'tick')))],
  'a dropped pickup': ['driver', (rows, at) => drop(rows, at(of(rows, 'pickedUp')))],
  'a dropped arrival': ['driver', (rows, at) => drop(rows, at(of(rows, 'arrived').slice(0, -20)))],
  'a dropped drop-off': ['promise', (rows) => drop(rows, of(rows, 'completed').at(-1)!)],
  'a dropped booking': ['booking', (rows, at) => drop(rows, at(of(rows, 'created').slice(0, -1)))],
  'a dropped assignment': ['driver', (rows, at) => drop(rows, at(of(rows, 'assigned').slice(0, -20)))],
  'a dropped loss': ['expiry', (rows, at) => drop(rows, at(lost(rows)))],
  'a dropped tick': ['order', (rows, at) => drop(rows, at(of(rows, 'tick')))],
  'a dropped end': ['order', (rows) => void rows.pop()],
  'an episode that is cut short': ['order', (rows) => void rows.splice(rows.length >> 1, rows.length >> 2)],
  'a line after the end': ['order', (rows) => void rows.push({ ...rows.at(-2)! })],
  'lines in another order': ['order', (rows) => void rows.push(...rows.splice(rows.length >> 1, 5))],
  'an invented loss': ['life', (rows) => inventLoss(rows)],
  'a loss at another time': ['expiry', (rows, at) => add(at(lost(rows)), 'second', -1)],
  'a higher reward': ['reward', (rows, at) => add(at(of(rows, 'assigned')), 'reward', 0.01)],
  'a higher reward of a tick': ['reward', (rows, at) => add(at(of(rows, 'tick')), 'reward', 0.01)],
  'a cheaper wait': ['reward', (rows, at) => add(at(of(rows, 'tick')), 'waitReward', 0.01)],
  'a cheaper loss': ['reward', (rows, at) => add(at(of(rows, 'tick')), 'lostReward', 0.01)],
  'another return so far': ['reward', (rows, at) => add(at(of(rows, 'tick')), 'return', 0.01)],
  'another return at the end': ['reward', (rows) => add(rows.at(-1)!, 'return', 0.01)],
  'another service rate': ['figures', (rows) => add(rows.at(-1)!['figures'] as Row, 'serviceRate', 0.001)],
  'one open booking too many': ['conservation', (rows, at) => add(at(of(rows, 'tick')), 'open', 1)],
  'a booking that nobody counted': ['conservation', (rows, at) => add(at(of(rows, 'tick')), 'created', 1)],
  'a longer queue than allowed': ['queue', (rows) => void (rules(rows)['queue'] = 0)],
  'more decisions than allowed': ['decisions', (rows) => void (rules(rows)['decisionsPerTick'] = 0)],
  'more bookings for a driver than allowed': [
    'decisions',
    (rows) => void (rules(rows)['assignmentsPerDriverPerTick'] = 0),
  ],
  'later pickups than allowed': ['lateness', (rows) => void (rules(rows)['lateToleranceSeconds'] = -7200)],
  'a ride after the end of the shift': ['shift', (rows) => endShifts(rules(rows))],
  'fewer slots than open bookings': ['slots', (rows) => void (rules(rows)['slots'] = 1)],
  'a skill that the driver lacks': ['skills', (rows, at) => void (at(served(rows))['skills'] = ['lift'])],
  'a skill that there is not': ['booking', (rows, at) => void (at(of(rows, 'created'))['skills'] = ['lift'])],
  'a higher priority than there is': ['booking', (rows, at) => void (at(of(rows, 'created'))['priority'] = 9)],
  'a window that ends before it begins': ['booking', (rows, at) => void (at(of(rows, 'created'))['windowEnd'] = -1)],
  'a decision in the middle of a tick': ['decisions', (rows, at) => add(at(of(rows, 'assigned')), 'second', -7)],
  'a decision of another tick': ['decisions', (rows, at) => add(at(of(rows, 'assigned')), 'tick', 1)],
  'an illegal action that nobody counted': ['reward', (rows, at) => inventIllegal(rows, at(of(rows, 'assigned')))],
};

/** All drivers are done a second after the start. */
function endShifts(scenario: Record<string, unknown>): void {
  const { drivers, startSecondOfDay } = scenario;
  const home = { homeLatitude: 46.2044, homeLongitude: 6.1432 };
  const shift = { shiftFromSecondOfDay: 0, shiftToSecondOfDay: Number(startSecondOfDay) + 1 };
  scenario['fleet'] = [{ drivers, type: 'REGULAR', skills: [], ...home, ...shift }];
}

function lost(rows: readonly Row[]): Row[] {
  return rows.filter(({ kind }) => kind === 'expired' || kind === 'refused');
}

function swapDriver(row: Row): void {
  row['driver'] = row['driver'] === 0 ? 1 : 0;
}

function repeat(rows: Row[], row: Row): void {
  rows.splice(rows.indexOf(row), 0, { ...row });
}

function inventLoss(rows: Row[]): void {
  const last = of(rows, 'completed').at(-1)!;
  const { booking, second } = last;
  rows.splice(rows.indexOf(last) + 1, 0, { kind: 'expired', second, booking, place: last['place'] });
}

function inventIllegal(rows: Row[], row: Row): void {
  rows.splice(rows.indexOf(row), 0, { kind: 'invalid', second: row.second });
}

/** Members of a booking that may be another and nobody can tell, if nobody is paid by them. */
function isFree(row: Row, member: string, rows: Row[]): boolean {
  if (row.kind !== 'created') return false;
  const isRecorded = (rules(rows)['demand'] as Row).kind === 'trace';
  // A priority is what is lost with a booking, or what a driver of the other kind is paid for; a fare is paid for pickups in time.
  if (member === 'priority' || member === 'fare') return true;
  // Recorded trips may have any windows, and rides between zones any length: they count only once they are driven.
  return isRecorded && ['windowStart', 'windowEnd', 'rideMetres'].includes(member);
}

function spoil(name: string, log: string, from: number): void {
  const [rule, plant] = plants[name];
  const rows = rowsOf(log);
  const untouched = textOf(rows);
  const places = [0.3, 0.5, 0.7];
  plant(rows, (found) => {
    expect(found).not.toEqual([]);
    return found[Math.floor(places[from] * found.length)];
  });
  const text = textOf(rows);
  expect(text, name).not.toBe(untouched);
  const { ok, findings } = verifyLog(text);
  expect(ok).toBe(false);
  expect([name, findings.map((finding) => finding.rule)]).toEqual([name, expect.arrayContaining([rule])]);
  for (const { line, subject } of findings) {
    expect(line).toBeGreaterThan(0);
    expect(line).toBeLessThanOrEqual(rows.length);
    expect(subject).not.toBe('');
  }
}

/** Changes each member of every so many lines, and expects it to be noticed. */
function changeEverything(log: string, step: number): number {
  const rows = rowsOf(log);
  let changed = 0;
  const missed: string[] = [];
  for (let k = 1; k < rows.length; k += step) {
    const row = rows[k];
    const tell = (path: string, spoiled: Row): void => {
      changed++;
      if (verifyLog(textOf([...rows.slice(0, k), spoiled, ...rows.slice(k + 1)])).ok)
        missed.push(`${k + 1} ${row.kind} ${path}`);
    };
    for (const [member, value] of Object.entries(row)) {
      if (member === 'kind' || isFree(row, member, rows)) continue;
      if (typeof value === 'number') tell(member, { ...row, [member]: value + 2 });
      else if (typeof value === 'string') tell(member, { ...row, [member]: 'other' });
      else if (Array.isArray(value)) tell(member, { ...row, [member]: [...(value as string[]), 'other'] });
      else {
        for (const [name, part] of Object.entries(value as Record<string, number>)) {
          tell(`${member}.${name}`, { ...row, [member]: { ...(value as object), [name]: part + 2 } });
        }
      }
    }
  }
  expect(missed).toEqual([]);
  return changed;
}

describe.each(['geneva', 'geneva-live'])('in a log of %s', (scenario) => {
  const log = logOf(playedBy(compileScenario(preset(scenario)), 'edf', 1, 1));

  it.each(Object.keys(plants))('%s is found', (name) => {
    for (const from of [0, 1, 2]) spoil(name, log, from);
  });

  it('no member of a line can be changed unnoticed', { tags: ['attack'] }, () => {
    expect(changeEverything(log, sized(37, 1))).toBeGreaterThan(100);
  });
});

describeWithTrips('in a log of nyc-small', () => {
  let compiled: CompiledScenario;
  let log: string;
  beforeAll(() => {
    compiled = loadScenario({ scenario: 'nyc-small', data: nycAmod });
    log = logOf(playedBy(compiled, 'edf', 0, 1));
  });

  it('nothing is wrong, whoever played', () => {
    for (const name of heuristicNames) expect(verifyLog(logOf(playedBy(compiled, name, 2, 1))).findings).toEqual([]);
  });

  it.each(Object.keys(plants))('%s is found', (name) => {
    for (const from of [0, 1, 2]) spoil(name, log, from);
  });

  it('no member of a line can be changed unnoticed', { tags: ['attack'] }, () => {
    expect(changeEverything(log, sized(151, 5))).toBeGreaterThan(100);
  });
});

it('every rule has a fault that is planted to break it', () => {
  expect(new Set(Object.values(plants).map(([rule]) => rule))).toEqual(new Set(Object.keys(ruleMeaning)));
});

describe('a file that is no log is refused with what is wrong with it', () => {
  const log = logOf(playedBy(compileScenario(preset('geneva')), 'edf', 1, 1));
  const rows = rowsOf(log);
  const changed = (k: number, change: object): string =>
    textOf([...rows.slice(0, k), { ...rows[k], ...change }, ...rows.slice(k + 1)]);

  it.each([
    ['', 'line 1: the file is empty, expected the header'],
    ['hello', 'line 1: it is no JSON: '],
    ['[1]', 'line 1: it is [1], expected an object'],
    [log.slice(0, -40), `line ${rows.length}: it is no JSON: `],
    [
      textOf(rows.slice(1)),
      'line 1: it is no header of a log: kind is "driver" and format is missing, expected "header"',
    ],
    [changed(0, { version: 2 }), 'line 1: version is 2, this program reads 1'],
    [
      changed(0, { scenario: { ...(rows[0]['scenario'] as object), queue: 'three' } }),
      'line 1: scenario.queue is "three", expected a whole number',
    ],
    [
      changed(0, { scenario: { ...(rows[0]['scenario'] as object), tickSeconds: 0 } }),
      'line 1: scenario.tickSeconds is 0, expected above 0',
    ],
    [
      changed(0, { scenario: { ...(rows[0]['scenario'] as object), travel: { kind: 'boat' } } }),
      'line 1: scenario.travel.kind is "boat", expected plane or matrix',
    ],
    [
      changed(0, { scenario: { ...(rows[0]['scenario'] as object), travel: { kind: 'matrix' } } }),
      'line 1: matrix is null, expected an object',
    ],
    [changed(3, { kind: 'ghost' }), 'line 4: kind is "ghost", expected one of driver, created, '],
    [changed(3, { kind: 'constructor' }), 'line 4: kind is "constructor", expected one of '],
    [changed(3, { place: { x: 1 } }), 'line 4: place.y is missing, expected a number'],
    [changed(3, { place: { x: 1, y: 1, zone: 'length' } }), 'line 4: place.zone is "length", expected a whole number'],
    [changed(3, { skills: [7] }), 'line 4: skills[0] is 7, expected a text'],
    [changed(12, { second: 1.5 }), 'line 13: second is 1.5, expected a whole number'],
  ])('%#', (text, message) => {
    expect(() => verifyLog(text)).toThrow(VerifyError);
    expect(() => verifyLog(text)).toThrow(message);
  });
});
