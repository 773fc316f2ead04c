// Arbitrary small scenarios of non-square sizes, synthetic or on invented zones and trips.

import fc from 'fast-check';
import { compileScenario, preset } from '#engine/index.js';
import type { CompiledScenario, Dataset, FleetGroup, Scenario } from '#engine/index.js';

const small = fc.record({
  drivers: fc.integer({ min: 1, max: 7 }),
  slots: fc.oneof(fc.integer({ min: 1, max: 9 }), fc.integer({ min: 31, max: 35 })),
  queue: fc.integer({ min: 1, max: 4 }),
  ticks: fc.integer({ min: 1, max: 12 }),
  tickSeconds: fc.constantFrom(60, 300, 600),
  decisionsPerTick: fc.constantFrom(1, 2, Infinity),
  assignmentsPerDriverPerTick: fc.integer({ min: 1, max: 2 }),
  openUntil: fc.constantFrom<Scenario['openUntil']>('windowEnd', 'tickEnd'),
  horizonEnd: fc.constantFrom<Scenario['horizonEnd']>('terminate', 'truncate'),
  lateToleranceSeconds: fc.constantFrom(0, 120, 900, Infinity),
  pickupServiceSeconds: fc.constantFrom(0, 45),
  dropoffServiceSeconds: fc.constantFrom(0, 30),
  idleBoardingSeconds: fc.constantFrom(0, 60),
  regularShare: fc.constantFrom(0, 0.5, 1),
  start: fc.constantFrom<Scenario['trainingStart']>('depot', 'roundRobin', 'random'),
  skills: fc.boolean(),
  arrival: fc.constantFrom(0.2, 1),
  fleet: fc.boolean(),
  prebooked: fc.boolean(),
  hotSpots: fc.boolean(),
});
type Small = typeof small extends fc.Arbitrary<infer T> ? T : never;

export const syntheticScenario: fc.Arbitrary<CompiledScenario> = small.map((s) => {
  const geneva = preset('geneva');
  if (geneva.demand.kind !== 'synthetic') throw new Error('geneva draws its demand');
  return compileScenario({
    ...geneva,
    name: 'random',
    ...fields(s),
    ...(s.fleet ? { fleet: someFleet(s) } : {}),
    // A small area: many pickups in reach.
    travel: { kind: 'plane', centreLatitude: 46, centreLongitude: 6, halfSpanDegrees: 0.03, speedKmh: 40 },
    demand: {
      ...geneva.demand,
      arrivalProbability: { base: s.arrival, parts: [] },
      initialBookings: [0, 9],
      urgentWindowMinutes: [1, 5],
      windowMinutes: [2, 20],
      returnShare: 0.3,
      ...(s.prebooked
        ? { prebooked: { bookings: [0, 4], windowStartMinutes: [0, Math.floor((s.ticks * s.tickSeconds) / 60) - 1] } }
        : {}),
      ...(s.hotSpots
        ? { hotSpots: [{ name: 'clinic', latitude: 46.01, longitude: 6, reachMetres: 200, share: 0.5 }] }
        : {}),
    },
  });
});

export const traceScenario: fc.Arbitrary<CompiledScenario> = fc
  .tuple(
    small,
    fc.integer({ min: 2, max: 5 }),
    fc.array(fc.tuple(fc.nat(1e6), fc.nat(99), fc.nat(99), fc.nat(600), fc.nat(900)), { maxLength: 60 }),
  )
  .map(([s, zones, bookings]) => {
    const horizon = s.ticks * s.tickSeconds;
    return compileScenario(
      {
        ...preset('nyc-small'),
        name: 'random-trace',
        ...fields(s),
        waitRewardPerOpen: -0.25,
        expiryRewardPerPriority: -1,
        refusalRewardPerPriority: -0.5,
      },
      inventedDataset(zones, horizon, bookings, s.skills ? 1 : 0),
    );
  });

export const anyScenario: fc.Arbitrary<CompiledScenario> = fc.oneof(syntheticScenario, traceScenario);

/** Some who go home early, and others who come late. */
function someFleet({ drivers, ticks, tickSeconds, skills }: Small): readonly FleetGroup[] {
  const [start, horizon] = [8 * 3600, ticks * tickSeconds];
  const early = Math.ceil(drivers / 2);
  const groups: FleetGroup[] = [
    {
      name: 'early',
      drivers: early,
      type: 'REGULAR',
      skills: [],
      homeLatitude: 46.01,
      homeLongitude: 6.02,
      shiftFromSecondOfDay: 0,
      shiftToSecondOfDay: start + Math.ceil(horizon / 2),
    },
    {
      name: 'late',
      drivers: drivers - early,
      type: 'EMERGENCY',
      skills: skills ? ['wheelchair'] : [],
      homeLatitude: 45.98,
      homeLongitude: 6,
      shiftFromSecondOfDay: start + Math.floor(horizon / 3),
      shiftToSecondOfDay: start + 2 * horizon,
    },
  ];
  return groups.filter((group) => group.drivers > 0);
}

function fields(s: Small): Partial<Scenario> {
  const { ticks, start, skills, arrival, fleet, prebooked, hotSpots, ...rest } = s;
  return {
    ...rest,
    horizonSeconds: ticks * s.tickSeconds,
    trainingStart: start,
    evaluationStart: start,
    skills: skills ? [{ name: 'wheelchair', driverShare: 0.5, bookingShare: 0.4 }] : [],
  };
}

type InventedBooking = readonly [at: number, from: number, to: number, early: number, length: number];

/** Zones on a line, 700 m and two minutes apart; two equal days. */
export function inventedDataset(
  zones: number,
  horizon: number,
  bookings: readonly InventedBooking[],
  skills: number,
): Dataset {
  const pairs = Array.from({ length: zones * zones }, (_, p) => Math.abs(Math.floor(p / zones) - (p % zones)));
  const day = bookings
    .map(([at, from, to, early, length]) => ({
      known: at % horizon,
      from: from % zones,
      to: to % zones,
      start: (at % horizon) + early,
      length,
    }))
    .sort((a, b) => a.known - b.known);
  const all = [...day, ...day];
  const column = (f: (booking: (typeof all)[number]) => number): Int32Array => Int32Array.from(all, f);
  return {
    scenario: 'random-trace',
    travel: {
      zones,
      seconds: Int32Array.from(pairs, (d) => 120 * d),
      metres: Int32Array.from(pairs, (d) => 700 * d),
      fares: Int32Array.from(pairs, (d) => 35_000 * d),
      x: Float32Array.from({ length: zones }, (_, k) => 700 * k),
      y: new Float32Array(zones),
    },
    trace: {
      days: ['a', 'b'],
      dayStart: Int32Array.of(0, day.length, 2 * day.length),
      knownAt: column((b) => b.known),
      windowStart: column((b) => b.start),
      windowEnd: column((b) => b.start + b.length),
      pickupZone: column((b) => b.from),
      dropoffZone: column((b) => b.to),
      metres: column((b) => 700 * Math.abs(b.from - b.to)),
      fare: column((b) => 35_000 * Math.abs(b.from - b.to)),
      priority: Uint8Array.from(all, (b) => 1 + (b.known % 5)),
      skills: Uint8Array.from(all, (b) => (b.known % 3 === 0 ? skills : 0)),
      leg: Uint8Array.from(all, (b) => b.known % 2),
    },
    splits: { training: [0, 1], validation: [0], test: [1] },
  };
}

/** How many cases a property runs: few while developing, more in CI. */
export const RUNS: number = process.env['CI'] === 'true' ? 300 : 80;
