// The scenarios that come with fleetstep. `geneva` carries the numbers of the Python system that this project
// re-founds, its one decision a tick included; `geneva-live` is the same without that rule, as the service works;
// `geneva-medical` adds shifts, homes, rides ordered for later and hospitals;
// `nyc-small` and `nyc-large` have the rules of the real-trip benchmark (Enders et al., L4DC 2023).

import { EngineError } from './errors.js';
import type { Scenario } from './scenario.js';

const HOUR = 3600;

const geneva: Scenario = {
  name: 'geneva',
  drivers: 10,
  slots: 20,
  queue: 3,
  regularShare: 0.75,
  skills: [],
  startSecondOfDay: 8 * HOUR,
  horizonSeconds: 8 * HOUR,
  tickSeconds: 300,
  horizonEnd: 'truncate',
  // The original's rule, and a hard one: ten vehicles get one assignment in five minutes between them.
  decisionsPerTick: 1,
  assignmentsPerDriverPerTick: 1,
  openUntil: 'windowEnd',
  lateToleranceSeconds: 900,
  pickupServiceSeconds: 0,
  dropoffServiceSeconds: 0,
  idleBoardingSeconds: 0,
  trainingStart: 'depot',
  evaluationStart: 'depot',
  travel: {
    kind: 'plane',
    centreLatitude: 46.2044,
    centreLongitude: 6.1432,
    halfSpanDegrees: 0.1,
    speedKmh: 30,
  },
  trafficSlowdown: 0.5,
  traffic: {
    base: 0.3,
    parts: [
      { fromSecondOfDay: 8 * HOUR, toSecondOfDay: 9 * HOUR, level: 0.8 },
      { fromSecondOfDay: 17 * HOUR, toSecondOfDay: 18 * HOUR, level: 0.8 },
      { fromSecondOfDay: 12 * HOUR, toSecondOfDay: 14 * HOUR, level: 0.5 },
    ],
  },
  demand: {
    kind: 'synthetic',
    arrivalProbability: {
      base: 0.2,
      parts: [
        { fromSecondOfDay: 8 * HOUR, toSecondOfDay: 9.5 * HOUR, level: 0.5 },
        { fromSecondOfDay: 17 * HOUR, toSecondOfDay: 18.5 * HOUR, level: 0.5 },
        { fromSecondOfDay: 12 * HOUR, toSecondOfDay: 14 * HOUR, level: 0.35 },
      ],
    },
    bookingsPerArrival: [1, 3],
    initialBookings: [3, 7],
    priorities: [1, 5],
    urgentPriority: 4,
    urgentWindowMinutes: [10, 30],
    windowMinutes: [20, 60],
    returnShare: 0,
  },
  reward: {
    kind: 'weighted',
    weights: { punctuality: 1, distance: 0.5, equity: 0.3, efficiency: 0.2, satisfaction: 0.4 },
  },
  waitRewardPerOpen: -10,
  invalidActionReward: -100,
  expiryRewardPerPriority: -40,
  // The original did not price a refusal; free, it would pay to keep the slots full.
  refusalRewardPerPriority: -40,
};

/**
 * Patient transport: appointments that were ordered the day before, hospitals, vehicles with and without lifts, shifts. The town and
 * the rewards are geneva's; fleet, shares and rates are assumed, not measured.
 */
const genevaMedical: Scenario = {
  ...geneva,
  name: 'geneva-medical',
  drivers: 12,
  slots: 40,
  skills: [
    { name: 'wheelchair', driverShare: 5 / 12, bookingShare: 0.2 },
    { name: 'stretcher', driverShare: 2 / 12, bookingShare: 0.05 },
  ],
  fleet: [
    {
      name: 'early cars',
      drivers: 4,
      type: 'REGULAR',
      skills: [],
      homeLatitude: 46.2044,
      homeLongitude: 6.1432,
      shiftFromSecondOfDay: 6 * HOUR,
      shiftToSecondOfDay: 15 * HOUR,
    },
    {
      name: 'late cars',
      drivers: 3,
      type: 'REGULAR',
      skills: [],
      homeLatitude: 46.23,
      homeLongitude: 6.08,
      shiftFromSecondOfDay: 10 * HOUR,
      shiftToSecondOfDay: 19 * HOUR,
    },
    {
      name: 'vans with a lift',
      drivers: 3,
      type: 'REGULAR',
      skills: ['wheelchair'],
      homeLatitude: 46.175,
      homeLongitude: 6.14,
      shiftFromSecondOfDay: 7.5 * HOUR,
      shiftToSecondOfDay: 17 * HOUR,
    },
    {
      name: 'ambulances',
      drivers: 2,
      type: 'EMERGENCY',
      skills: ['wheelchair', 'stretcher'],
      homeLatitude: 46.194,
      homeLongitude: 6.149,
      shiftFromSecondOfDay: 0,
      shiftToSecondOfDay: 24 * HOUR,
    },
  ],
  startSecondOfDay: 7 * HOUR,
  horizonSeconds: 11 * HOUR,
  decisionsPerTick: Infinity,
  pickupServiceSeconds: 240,
  dropoffServiceSeconds: 180,
  demand: {
    kind: 'synthetic',
    arrivalProbability: {
      base: 0.3,
      parts: [
        { fromSecondOfDay: 8 * HOUR, toSecondOfDay: 11 * HOUR, level: 0.5 },
        { fromSecondOfDay: 14 * HOUR, toSecondOfDay: 16 * HOUR, level: 0.4 },
      ],
    },
    bookingsPerArrival: [1, 2],
    initialBookings: [1, 4],
    priorities: [1, 5],
    urgentPriority: 5,
    urgentWindowMinutes: [15, 30],
    windowMinutes: [20, 60],
    returnShare: 0.4,
    prebooked: { bookings: [15, 25], windowStartMinutes: [15, 600] },
    hotSpots: [
      { name: 'university hospital', latitude: 46.194, longitude: 6.149, reachMetres: 400, share: 0.3 },
      { name: 'hospital in the west', latitude: 46.231, longitude: 6.064, reachMetres: 300, share: 0.12 },
      { name: 'clinic in the east', latitude: 46.2, longitude: 6.185, reachMetres: 300, share: 0.08 },
    ],
  },
  // A ride that was ordered for later is no one's wait: what is lost costs enough.
  waitRewardPerOpen: 0,
};

const nycSmall: Scenario = {
  name: 'nyc-small',
  drivers: 24,
  slots: 24,
  queue: 2,
  regularShare: 1,
  skills: [],
  startSecondOfDay: 8 * HOUR,
  horizonSeconds: HOUR,
  tickSeconds: 60,
  horizonEnd: 'terminate',
  decisionsPerTick: Infinity,
  assignmentsPerDriverPerTick: 1,
  openUntil: 'tickEnd',
  // A pickup after its window is legal but earns no fare, exactly as in the benchmark's rules.
  lateToleranceSeconds: Infinity,
  pickupServiceSeconds: 0,
  dropoffServiceSeconds: 0,
  idleBoardingSeconds: 60,
  trainingStart: 'random',
  evaluationStart: 'roundRobin',
  travel: { kind: 'matrix' },
  trafficSlowdown: 0,
  traffic: { base: 0, parts: [] },
  demand: { kind: 'trace' },
  reward: { kind: 'fare', costPerMetre: 0.0045 },
  waitRewardPerOpen: 0,
  invalidActionReward: -100,
  expiryRewardPerPriority: 0,
  refusalRewardPerPriority: 0,
};

const presets: Readonly<Record<string, Scenario>> = {
  geneva,
  'geneva-live': { ...geneva, name: 'geneva-live', decisionsPerTick: Infinity },
  'geneva-medical': genevaMedical,
  'nyc-small': nycSmall,
  'nyc-large': { ...nycSmall, name: 'nyc-large', drivers: 100, slots: 20 },
};

/** What each built-in scenario is, for help and documentation. */
export const presetMeaning: Readonly<Record<string, string>> = {
  geneva:
    "ten vehicles, drawn demand; ONE assignment a tick of five minutes for all of them, the original system's rule",
  'geneva-live': 'the same with any number of assignments a tick, at most one a vehicle, as the service works',
  'geneva-medical':
    'patient transport: twelve vehicles with homes, shifts and lifts, hospitals, rides ordered for later, any number of assignments a tick',
  'nyc-small': 'recorded taxi trips, 24 vehicles in 11 zones',
  'nyc-large': 'recorded taxi trips, 100 vehicles in 38 zones',
};

/** Names of the built-in scenarios. */
export const presetNames: readonly string[] = Object.keys(presets);

/**
 * A built-in scenario.
 * @throws EngineError `ERR_SCENARIO` for a name that is not built in
 */
export function preset(name: string): Scenario {
  const found = Object.hasOwn(presets, name) ? presets[name] : undefined;
  if (found === undefined) {
    throw new EngineError(
      'ERR_SCENARIO',
      `unknown scenario "${name}": choose one of ${presetNames.join(', ')}, or give a .json file`,
    );
  }
  return found;
}
