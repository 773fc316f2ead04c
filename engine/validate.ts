// Scenarios are checked here and nowhere else; the only engine file that uses a library. Every error names the field,
// the value that was found, and what would be right.

import type { ValidationError, ValidationSchema } from 'fastest-validator';
import { EngineError } from './errors.js';
import { didYouMean } from './nearest-name.js';
import type { FleetGroup, PlaneTravelSpec, Scenario, SyntheticDemandSpec } from './scenario.js';
import { shownJson } from './shown.js';
import { planeExtent, toPlane } from './travel.js';
import { Validator } from './validator.js';

const count = (max: number) => ({ type: 'number', integer: true, min: 1, max }) as const;
const seconds = (min: number, max = 864_000) => ({ type: 'number', integer: true, min, max }) as const;
const share = { type: 'number', min: 0, max: 1 } as const;
const amount = { type: 'number', min: -1e6, max: 1e6 } as const;

const profile = (max: number) =>
  ({
    type: 'object',
    strict: true,
    props: {
      base: { type: 'number', min: 0, max },
      parts: {
        type: 'array',
        items: {
          type: 'object',
          strict: true,
          props: {
            fromSecondOfDay: seconds(0, 86_400),
            toSecondOfDay: seconds(0, 86_400),
            level: { type: 'number', min: 0, max },
          },
        },
      },
    },
  }) as const;

const range = (min: number, max: number) =>
  ({ type: 'array', length: 2, items: { type: 'number', integer: true, min, max } }) as const;

const start = { type: 'enum', values: ['depot', 'roundRobin', 'random'] } as const;

const travelKinds = {
  plane: {
    kind: { type: 'equal', value: 'plane' },
    centreLatitude: { type: 'number', min: -85, max: 85 },
    centreLongitude: { type: 'number', min: -180, max: 180 },
    halfSpanDegrees: { type: 'number', positive: true, max: 5 },
    speedKmh: { type: 'number', min: 1, max: 300 },
  },
  matrix: { kind: { type: 'equal', value: 'matrix' } },
} as const;

const demandKinds = {
  synthetic: {
    kind: { type: 'equal', value: 'synthetic' },
    arrivalProbability: profile(1),
    bookingsPerArrival: range(1, 100),
    initialBookings: range(0, 100),
    priorities: range(1, 5),
    urgentPriority: { type: 'number', integer: true, min: 1, max: 6 },
    urgentWindowMinutes: range(1, 1440),
    windowMinutes: range(1, 1440),
    returnShare: share,
    prebooked: {
      type: 'object',
      optional: true,
      strict: true,
      props: { bookings: range(0, 1000), windowStartMinutes: range(0, 14_400) },
    },
    hotSpots: {
      type: 'array',
      optional: true,
      max: 50,
      items: {
        type: 'object',
        strict: true,
        props: {
          name: { type: 'string', empty: false },
          latitude: { type: 'number', min: -85, max: 85 },
          longitude: { type: 'number', min: -180, max: 180 },
          reachMetres: { type: 'number', min: 0, max: 1e6 },
          share,
        },
      },
    },
  },
  trace: { kind: { type: 'equal', value: 'trace' } },
} as const;

const rewardKinds = {
  weighted: {
    kind: { type: 'equal', value: 'weighted' },
    weights: {
      type: 'object',
      strict: true,
      props: { punctuality: amount, distance: amount, equity: amount, efficiency: amount, satisfaction: amount },
    },
  },
  fare: { kind: { type: 'equal', value: 'fare' }, costPerMetre: { type: 'number', min: 0, max: 1000 } },
} as const;

/** The schema of the members whose shape depends on their `kind`. */
function byKind(kinds: Readonly<Record<string, object>>, value: unknown): object {
  const kind = (value as { kind?: unknown } | null | undefined)?.kind;
  const props = typeof kind === 'string' && Object.hasOwn(kinds, kind) ? kinds[kind] : undefined;
  return {
    type: 'object',
    strict: true,
    props: props ?? { kind: { type: 'enum', values: Object.keys(kinds) } },
  };
}

/** What each field of a scenario may hold, as fastest-validator's schema; `candidate` tells which kinds of travel, demand and reward. */
export function scenarioSchema(candidate: Partial<Record<keyof Scenario, unknown>>): ValidationSchema {
  return {
    $$strict: true,
    name: { type: 'string', pattern: /^[a-z0-9][a-z0-9-]*$/, max: 60 },
    drivers: count(2000),
    slots: count(2000),
    queue: count(64),
    regularShare: share,
    skills: {
      type: 'array',
      max: 8,
      items: {
        type: 'object',
        strict: true,
        props: { name: { type: 'string', empty: false }, driverShare: share, bookingShare: share },
      },
    },
    fleet: {
      type: 'array',
      optional: true,
      max: 50,
      items: {
        type: 'object',
        strict: true,
        props: {
          name: { type: 'string', empty: false },
          drivers: count(2000),
          type: { type: 'enum', values: ['REGULAR', 'EMERGENCY'] },
          skills: { type: 'array', items: { type: 'string', empty: false } },
          homeLatitude: { type: 'number', min: -85, max: 85 },
          homeLongitude: { type: 'number', min: -180, max: 180 },
          shiftFromSecondOfDay: seconds(0),
          shiftToSecondOfDay: seconds(0),
        },
      },
    },
    startSecondOfDay: seconds(0, 86_399),
    horizonSeconds: seconds(1),
    tickSeconds: seconds(1, 86_400),
    horizonEnd: { type: 'enum', values: ['terminate', 'truncate'] },
    decisionsPerTick: { type: 'any' },
    assignmentsPerDriverPerTick: count(64),
    openUntil: { type: 'enum', values: ['windowEnd', 'tickEnd'] },
    lateToleranceSeconds: { type: 'any' },
    pickupServiceSeconds: seconds(0),
    dropoffServiceSeconds: seconds(0),
    idleBoardingSeconds: seconds(0),
    trainingStart: start,
    evaluationStart: start,
    travel: byKind(travelKinds, candidate.travel),
    trafficSlowdown: { type: 'number', min: 0, max: 0.95 },
    traffic: profile(1),
    demand: byKind(demandKinds, candidate.demand),
    reward: byKind(rewardKinds, candidate.reward),
    waitRewardPerOpen: amount,
    invalidActionReward: amount,
    expiryRewardPerPriority: amount,
    refusalRewardPerPriority: amount,
  };
}

const validator = new Validator();

/**
 * Checks `candidate` and gives it back as a scenario.
 * @throws EngineError `ERR_SCENARIO` that names the first offending field, its value and what it must be
 */
export function validateScenario(candidate: unknown): Scenario {
  if (typeof candidate !== 'object' || candidate === null || Array.isArray(candidate)) {
    throw new EngineError('ERR_SCENARIO', `a scenario must be an object, got ${shownJson(candidate)}`);
  }
  // The validator writes into what it checks; the caller's object stays as it was.
  const copy = structuredClone(candidate) as Record<string, unknown>;
  const result = validator.compile(scenarioSchema(copy))(copy);
  if (result !== true && Array.isArray(result)) {
    // A misspelt field is why another one is missing.
    const first = result.find(({ type }) => type === 'objectStrict') ?? result[0];
    if (first.type === 'objectStrict') {
      const place = first.field === undefined ? '' : `${first.field}.`;
      const known = String(first.expected).split(', ');
      const [name] = String(first.actual).split(', ');
      throw new EngineError(
        'ERR_SCENARIO',
        `scenario field "${place}${name}" is unknown${didYouMean(name, known)}: known are ${known.join(', ')}`,
      );
    }
    const path = first.field.split(/[.[\]]+/).filter(Boolean);
    const actual = path.reduce<unknown>(step, candidate);
    throw fault(first.field, actual, inWords(first));
  }
  const scenario = copy as unknown as Scenario;
  checkWhole(scenario);
  return scenario;
}

/** What single-field rules cannot see. */
function checkWhole(s: Scenario): void {
  const wholeOrInfinite = (field: 'decisionsPerTick' | 'lateToleranceSeconds', min: number): void => {
    const value: unknown = s[field];
    if (typeof value !== 'number' || !(value === Infinity || Number.isInteger(value)) || value < min) {
      throw fault(field, value, `must be a whole number of at least ${min}, or "Infinity" in a file`);
    }
  };
  wholeOrInfinite('decisionsPerTick', 1);
  wholeOrInfinite('lateToleranceSeconds', 0);
  if (s.horizonSeconds % s.tickSeconds !== 0) {
    throw fault('horizonSeconds', s.horizonSeconds, `must be a multiple of tickSeconds (${s.tickSeconds})`);
  }
  s.skills.forEach(({ name }, k) => {
    const first = s.skills.findIndex((skill) => skill.name === name);
    if (first < k) throw fault(`skills[${k}].name`, name, `must differ from the name of skills[${first}]`);
  });
  if (s.drivers * s.slots > 1_000_000) {
    throw fault('drivers', s.drivers, `times slots (${s.slots}) must not exceed 1000000`);
  }
  if (s.travel.kind === 'matrix' && s.demand.kind !== 'trace') {
    throw fault('demand.kind', s.demand.kind, 'must be "trace" where travel.kind is "matrix"');
  }
  if (s.reward.kind === 'fare' && s.travel.kind !== 'matrix') {
    throw fault('reward.kind', s.reward.kind, 'must be "weighted" unless travel.kind is "matrix", which has fares');
  }
  if (
    s.reward.kind === 'fare' &&
    Math.abs(s.reward.costPerMetre * 1e4 - Math.round(s.reward.costPerMetre * 1e4)) > 1e-6
  ) {
    throw fault('reward.costPerMetre', s.reward.costPerMetre, 'must be a multiple of 0.0001');
  }
  for (const [name, value] of [
    ['traffic', s.traffic],
    ...(s.demand.kind === 'synthetic' ? [['demand.arrivalProbability', s.demand.arrivalProbability] as const] : []),
  ] as const) {
    value.parts.forEach((part, i) => {
      if (part.fromSecondOfDay >= part.toSecondOfDay) {
        throw fault(
          `${name}.parts[${i}].toSecondOfDay`,
          part.toSecondOfDay,
          `must be after fromSecondOfDay (${part.fromSecondOfDay})`,
        );
      }
      if (part.fromSecondOfDay % 60 !== 0 || part.toSecondOfDay % 60 !== 0) {
        throw fault(
          `${name}.parts[${i}]`,
          `${part.fromSecondOfDay}..${part.toSecondOfDay}`,
          'must start and end on a whole minute',
        );
      }
    });
  }
  if (s.fleet !== undefined) checkFleet(s, s.fleet);
  if (s.demand.kind === 'synthetic') {
    checkPlaces(s, s.demand);
    for (const field of [
      'bookingsPerArrival',
      'initialBookings',
      'priorities',
      'urgentWindowMinutes',
      'windowMinutes',
    ] as const) {
      const [low, high] = s.demand[field];
      if (low > high) throw fault(`demand.${field}`, [low, high], 'must be [low, high] with low <= high');
    }
  }
}

function checkFleet(s: Scenario, fleet: readonly FleetGroup[]): void {
  if (s.travel.kind !== 'plane') throw fault('fleet', fleet, 'must be left out unless travel.kind is "plane"');
  const sum = fleet.reduce((drivers, group) => drivers + group.drivers, 0);
  if (sum !== s.drivers) throw fault('drivers', s.drivers, `must be ${sum}, the drivers of all groups of the fleet`);
  for (const [k, group] of fleet.entries()) {
    const at = `fleet[${k}]`;
    const { skills, homeLatitude, homeLongitude, shiftFromSecondOfDay, shiftToSecondOfDay: to } = group;
    skills.forEach((name, n) => {
      if (s.skills.some((skill) => skill.name === name)) return;
      const known = s.skills.map((skill) => skill.name).join(', ') || 'none';
      throw fault(`${at}.skills[${n}]`, name, `must be one of the scenario's skills: ${known}`);
    });
    if (to <= shiftFromSecondOfDay) {
      throw fault(`${at}.shiftToSecondOfDay`, to, `must be after shiftFromSecondOfDay (${shiftFromSecondOfDay})`);
    }
    if (to <= s.startSecondOfDay) {
      throw fault(`${at}.shiftToSecondOfDay`, to, `must be after startSecondOfDay (${s.startSecondOfDay})`);
    }
    inArea(s.travel, `${at}.homeLatitude`, `${at}.homeLongitude`, homeLatitude, homeLongitude, 0);
  }
}

function checkPlaces(s: Scenario, { hotSpots = [], prebooked }: SyntheticDemandSpec): void {
  if (s.travel.kind !== 'plane') return;
  let sum = 0;
  for (const [k, { latitude, longitude, reachMetres, share: part }] of hotSpots.entries()) {
    const at = `demand.hotSpots[${k}]`;
    inArea(s.travel, `${at}.latitude`, `${at}.longitude`, latitude, longitude, reachMetres);
    sum += part;
    if (sum > 1 + 1e-9) throw fault(`${at}.share`, part, 'must not bring the sum of all shares above 1');
  }
  if (prebooked === undefined) return;
  for (const field of ['bookings', 'windowStartMinutes'] as const) {
    const [low, high] = prebooked[field];
    if (low > high) throw fault(`demand.prebooked.${field}`, [low, high], 'must be [low, high] with low <= high');
  }
  const { windowStartMinutes } = prebooked;
  if (windowStartMinutes[1] * 60 >= s.horizonSeconds) {
    const most = `the horizon's ${s.horizonSeconds / 60} minutes`;
    throw fault('demand.prebooked.windowStartMinutes', windowStartMinutes, `must end before ${most}`);
  }
}

/** A square about a place lies in the area. */
function inArea(
  travel: PlaneTravelSpec,
  latitudeField: string,
  longitudeField: string,
  latitude: number,
  longitude: number,
  reachMetres: number,
): void {
  const extent = planeExtent(travel);
  const { x, y } = toPlane(longitude, latitude, travel.centreLongitude, travel.centreLatitude);
  const remedy = `must lie in the area, ${travel.halfSpanDegrees} degrees about its centre, with all its reach`;
  if (Math.abs(y) + reachMetres > extent.y) throw fault(latitudeField, latitude, remedy);
  if (Math.abs(x) + reachMetres > extent.x) throw fault(longitudeField, longitude, remedy);
}

function fault(field: string, actual: unknown, remedy: string): EngineError {
  return new EngineError('ERR_SCENARIO', `scenario field "${field}" is ${shownJson(actual)}: it ${remedy}`);
}

/** What the field must be: the library's sentences, where they are ones, and what they leave open. */
function inWords({ type, field, expected, message }: ValidationError): string {
  switch (type) {
    case 'required':
      return 'must be given';
    case 'object':
      return 'must be an object';
    case 'array':
      return 'must be a list in [ ]';
    case 'arrayLength':
      return `must be a list of ${String(expected)} values: [low, high]`;
    case 'arrayMax':
      return `must list at most ${String(expected)}`;
    case 'enumValue':
      return `must be one of ${String(expected)}`;
    case 'stringEmpty':
      return 'must not be empty';
    case 'stringMax':
      return `must have at most ${String(expected)} characters`;
    case 'stringPattern':
      return 'must be of lower-case letters, digits and hyphens, and start with a letter or a digit, such as "geneva-2"';
    default: {
      // It begins with the field's name, which is said already.
      const sentence = message ?? 'is not valid';
      const verb = sentence.indexOf('must');
      return (verb < 0 ? sentence.replace(`The '${field}' field `, '') : sentence.slice(verb)).replace(/[.!]$/, '');
    }
  }
}

function step(value: unknown, key: string): unknown {
  return typeof value === 'object' && value !== null ? (value as Record<string, unknown>)[key] : undefined;
}
