// Reads the log of an episode: each line must be JSON, of a known kind, with all its members. Whether what they say can be true is
// not asked here.

import { wordToInfinity } from '../files/index.js';
import { VerifyError } from './errors.js';
import type { EpisodeLogFile, Header, Line, Place, Tables } from './lines.js';

/** Name of the format, in the header. */
const FORMAT = 'fleetstep-episode';
/** Version of the format that is read. */
const FORMAT_VERSION = 1;

type Shape = 'whole' | 'place' | 'number' | 'text' | 'texts' | 'numbers' | Members | readonly [Shape];
interface Members {
  readonly [member: string]: Shape;
}

const profile: Shape = {
  base: 'number',
  parts: [{ fromSecondOfDay: 'number', toSecondOfDay: 'number', level: 'number' }],
};
const served: Members = { second: 'whole', driver: 'whole', booking: 'whole', place: 'place' };
const lost: Members = { second: 'whole', booking: 'whole', place: 'place' };
const leg: Members = { ...served, leg: 'text' };

const shapes: Readonly<Record<Line['kind'], Members>> = {
  driver: { driver: 'whole', type: 'text', skills: 'texts', place: 'place' },
  created: {
    second: 'whole',
    booking: 'whole',
    pickup: 'place',
    dropoff: 'place',
    windowStart: 'whole',
    windowEnd: 'whole',
    priority: 'whole',
    skills: 'texts',
    leg: 'text',
    fare: 'number',
    rideMetres: 'number',
  },
  assigned: {
    second: 'whole',
    tick: 'whole',
    decision: 'whole',
    booking: 'whole',
    driver: 'whole',
    departAt: 'whole',
    arriveAt: 'whole',
    pickupAt: 'whole',
    leaveAt: 'whole',
    reachAt: 'whole',
    dropoffAt: 'whole',
    approachMetres: 'number',
    reward: 'number',
  },
  departed: leg,
  arrived: leg,
  pickedUp: served,
  completed: served,
  expired: lost,
  refused: lost,
  invalid: { second: 'whole' },
  tick: {
    second: 'whole',
    tick: 'whole',
    assignmentReward: 'number',
    invalidReward: 'number',
    waitReward: 'number',
    lostReward: 'number',
    reward: 'number',
    return: 'number',
    created: 'whole',
    open: 'whole',
    assigned: 'whole',
    pickedUp: 'whole',
    completed: 'whole',
    expired: 'whole',
    refused: 'whole',
  },
  end: { second: 'whole', end: 'text', return: 'number', figures: {} },
};

const rulesShape: Members = {
  name: 'text',
  drivers: 'whole',
  slots: 'whole',
  queue: 'whole',
  regularShare: 'number',
  skills: [{ name: 'text', driverShare: 'number' }],
  startSecondOfDay: 'whole',
  horizonSeconds: 'whole',
  tickSeconds: 'whole',
  horizonEnd: 'text',
  decisionsPerTick: 'number',
  assignmentsPerDriverPerTick: 'whole',
  openUntil: 'text',
  lateToleranceSeconds: 'number',
  pickupServiceSeconds: 'whole',
  dropoffServiceSeconds: 'whole',
  idleBoardingSeconds: 'whole',
  evaluationStart: 'text',
  travel: { kind: 'text' },
  trafficSlowdown: 'number',
  traffic: profile,
  demand: { kind: 'text' },
  reward: { kind: 'text' },
  waitRewardPerOpen: 'number',
  invalidActionReward: 'number',
  expiryRewardPerPriority: 'number',
  refusalRewardPerPriority: 'number',
};
const fleetShape: Members = {
  fleet: [
    {
      drivers: 'whole',
      type: 'text',
      skills: 'texts',
      homeLatitude: 'number',
      homeLongitude: 'number',
      shiftFromSecondOfDay: 'whole',
      shiftToSecondOfDay: 'whole',
    },
  ],
};
const prebookedShape: Members = { prebooked: { bookings: 'numbers', windowStartMinutes: 'numbers' } };
const planeShape: Members = {
  centreLatitude: 'number',
  centreLongitude: 'number',
  halfSpanDegrees: 'number',
  speedKmh: 'number',
};
const syntheticShape: Members = {
  arrivalProbability: profile,
  bookingsPerArrival: 'numbers',
  initialBookings: 'numbers',
  priorities: 'numbers',
  urgentPriority: 'number',
  urgentWindowMinutes: 'numbers',
  windowMinutes: 'numbers',
  returnShare: 'number',
};
const weightsShape: Members = {
  weights: {
    punctuality: 'number',
    distance: 'number',
    equity: 'number',
    efficiency: 'number',
    satisfaction: 'number',
  },
};
const tablesShape: Shape = { zones: 'whole', seconds: 'numbers', metres: 'numbers', x: 'numbers', y: 'numbers' };

/**
 * Reads the text of a log.
 * @throws VerifyError `ERR_LOG` naming the line, the member, and what was expected
 */
export function readLog(text: string): EpisodeLogFile {
  const rows = text.split('\n');
  if (rows.at(-1) === '') rows.pop();
  if (rows.length === 0) throw new VerifyError('ERR_LOG', 'line 1: the file is empty, expected the header');
  const header = readHeader(parsed(rows[0], 1));
  return { header, lines: rows.slice(1).map((row, k) => readLine(parsed(row, k + 2), k + 2)) };
}

function parsed(row: string, line: number): Record<string, unknown> {
  let value: unknown;
  try {
    value = JSON.parse(row, wordToInfinity);
  } catch (cause) {
    throw new VerifyError('ERR_LOG', `line ${line}: it is no JSON: ${(cause as Error).message}`, { cause });
  }
  if (typeof value !== 'object' || value === null || Array.isArray(value)) {
    throw new VerifyError('ERR_LOG', `line ${line}: it is ${JSON.stringify(value)}, expected an object`);
  }
  return value as Record<string, unknown>;
}

function readHeader(value: Record<string, unknown>): Header {
  if (value['kind'] !== 'header' || value['format'] !== FORMAT) {
    throw new VerifyError(
      'ERR_LOG',
      `line 1: it is no header of a log: kind is ${told(value['kind'])} and format is ${told(value['format'])}, expected "header" and "${FORMAT}"; "fleetstep simulate --events FILE" writes one`,
    );
  }
  if (value['version'] !== FORMAT_VERSION) {
    throw new VerifyError(
      'ERR_LOG',
      `line 1: version is ${told(value['version'])}, this program reads ${FORMAT_VERSION}`,
    );
  }
  hold(
    value,
    { scenario: rulesShape, policy: 'text', id: 'text', split: 'text', episode: 'whole', seed: 'whole' },
    1,
    '',
  );
  const header = value as unknown as Header;
  const { travel, demand, reward } = header.scenario;
  choice(travel.kind, ['plane', 'matrix'], 'scenario.travel.kind');
  choice(demand.kind, ['synthetic', 'trace'], 'scenario.demand.kind');
  choice(reward.kind, ['weighted', 'fare'], 'scenario.reward.kind');
  if (travel.kind === 'plane') hold(travel, planeShape, 1, 'scenario.travel.');
  if (demand.kind === 'synthetic') hold(demand, syntheticShape, 1, 'scenario.demand.');
  if (header.scenario.fleet !== undefined) hold(header.scenario, fleetShape, 1, 'scenario.');
  if (demand.prebooked !== undefined) hold(demand, prebookedShape, 1, 'scenario.demand.');
  hold(reward, reward.kind === 'weighted' ? weightsShape : { costPerMetre: 'number' }, 1, 'scenario.reward.');
  if (!(header.scenario.tickSeconds > 0)) {
    throw new VerifyError(
      'ERR_LOG',
      `line 1: scenario.tickSeconds is ${header.scenario.tickSeconds}, expected above 0`,
    );
  }
  if (travel.kind === 'matrix') readTables(value['matrix']);
  return header;
}

function readTables(matrix: unknown): void {
  hold({ matrix }, { matrix: tablesShape }, 1, '');
  const { zones, seconds, metres, x, y, periods } = matrix as Tables;
  const wrong = (name: string, found: number, expected: number): void => {
    if (found === expected) return;
    throw new VerifyError('ERR_LOG', `line 1: matrix.${name} has ${found} entries, expected ${expected}`);
  };
  wrong('seconds', seconds.length, zones * zones);
  wrong('metres', metres.length, zones * zones);
  wrong('x', x.length, zones);
  wrong('y', y.length, zones);
  if (periods === undefined) return;
  hold({ periods }, { periods: { ofMinute: 'numbers', seconds: ['numbers'] } }, 1, 'matrix.');
  wrong('periods.ofMinute', periods.ofMinute.length, 1440);
  periods.seconds.forEach((table, k) => wrong(`periods.seconds[${k}]`, table.length, zones * zones));
  const at = periods.ofMinute.findIndex((period) => !(period in periods.seconds));
  if (at >= 0) {
    throw new VerifyError(
      'ERR_LOG',
      `line 1: matrix.periods.ofMinute[${at}] is ${periods.ofMinute[at]}, expected 0 to ${periods.seconds.length - 1}`,
    );
  }
}

function choice(found: string, expected: readonly string[], path: string): void {
  if (expected.includes(found)) return;
  throw new VerifyError('ERR_LOG', `line 1: ${path} is ${told(found)}, expected ${expected.join(' or ')}`);
}

function readLine(value: Record<string, unknown>, line: number): Line {
  const { kind } = value;
  if (typeof kind !== 'string' || !Object.hasOwn(shapes, kind)) {
    throw new VerifyError(
      'ERR_LOG',
      `line ${line}: kind is ${told(kind)}, expected one of ${Object.keys(shapes).join(', ')}`,
    );
  }
  hold(value, shapes[kind as Line['kind']], line, '');
  return value as unknown as Line;
}

/** @throws VerifyError `ERR_LOG` unless each member of `shape` is there and of its kind */
function hold(value: object, shape: Members, line: number, path: string): void {
  for (const [name, expected] of Object.entries(shape)) {
    const member = Object.hasOwn(value, name) ? (value as Readonly<Record<string, unknown>>)[name] : undefined;
    holdMember(member, expected, line, path + name);
  }
}

function holdMember(value: unknown, shape: Shape, line: number, path: string): void {
  const fault = (expected: string): VerifyError =>
    new VerifyError('ERR_LOG', `line ${line}: ${path} is ${told(value)}, expected ${expected}`);
  if (shape === 'whole') {
    if (!Number.isSafeInteger(value)) throw fault('a whole number');
  } else if (shape === 'number') {
    if (typeof value !== 'number') throw fault('a number');
  } else if (shape === 'text') {
    if (typeof value !== 'string') throw fault('a text');
  } else if (shape === 'place') {
    holdMember(value, { x: 'number', y: 'number' }, line, path);
    // Places in a plane have no zone.
    if (Object.hasOwn(value as object, 'zone')) holdMember((value as Place).zone, 'whole', line, `${path}.zone`);
  } else if (shape === 'numbers' || shape === 'texts' || isListShape(shape)) {
    if (!Array.isArray(value)) throw fault('a list');
    const each: Shape = shape === 'numbers' ? 'number' : shape === 'texts' ? 'text' : shape[0];
    value.forEach((one: unknown, k) => holdMember(one, each, line, `${path}[${k}]`));
  } else {
    if (typeof value !== 'object' || value === null || Array.isArray(value)) throw fault('an object');
    hold(value, shape, line, `${path}.`);
  }
}

function isListShape(shape: Members | readonly [Shape]): shape is readonly [Shape] {
  return Array.isArray(shape);
}

function told(value: unknown): string {
  return value === undefined ? 'missing' : JSON.stringify(value).slice(0, 80);
}
