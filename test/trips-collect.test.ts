import { describe, expect, it } from 'vitest';
import { NEVER, VectorDispatchEnv, compileScenario } from '#engine/index.js';
import { collectTrips, demoBookings, describe as describeBookings, examine, faultNames, spoil } from '#trips/index.js';
import type { BookingRecord, UsableBooking } from '#trips/index.js';
import { simulate } from '#workers/index.js';

const days = Array.from({ length: 6 }, (_, k) => ({ day: `2026-03-0${k + 2}`, weekday: k + 1 }));
const fleet = {
  drivers: [
    { kind: 'REGULAR' as const, skills: ['wheelchair'] },
    { kind: 'REGULAR' as const, skills: [] },
    { kind: 'EMERGENCY' as const, skills: ['wheelchair', 'stretcher'] },
  ],
};
const options = { name: 'company-7', decimals: 3, lookaheadSeconds: 7200 };

const booking: UsableBooking = {
  id: 1,
  driverId: null,
  status: 'completed',
  priority: 3,
  leg: 'outbound',
  skills: [],
  pickupLongitude: 6.1,
  pickupLatitude: 46.2,
  dropoffLongitude: 6.2,
  dropoffLatitude: 46.25,
  day: '2026-03-02',
  weekday: 1,
  knownSecond: 30_000,
  windowStartSecond: 36_000,
  windowEndSecond: 37_800,
  pickupSecond: 36_600,
  dropoffSecond: 38_000,
};

describe('examine', () => {
  it('names what is missing, impossible or entered twice, and lets the rest through', () => {
    const bad: [Partial<BookingRecord>, (typeof faultNames)[number][]][] = [
      [{}, []],
      [{ pickupLatitude: null }, ['missingPlace']],
      [{ windowEndSecond: null }, ['missingWindow']],
      [{ day: null, weekday: null, windowStartSecond: null }, ['missingWindow']],
      [{ knownSecond: null }, ['missingKnownTime']],
      [{ dropoffLongitude: 0 }, ['impossiblePlace']],
      [{ pickupLatitude: 91 }, ['impossiblePlace']],
      [{ dropoffLongitude: 6.1, dropoffLatitude: 46.2 }, ['samePlace']],
      [{ windowEndSecond: 35_999 }, ['windowReversed']],
      [{ knownSecond: 37_801, pickupSecond: null }, ['knownAfterWindow']],
      [{ pickupSecond: 29_999 }, ['pickupBeforeKnown']],
      [{ dropoffSecond: 36_000 }, ['dropoffBeforePickup']],
      [{ dropoffSecond: 36_610 }, ['impossibleSpeed']],
      [{ pickupLatitude: null, knownSecond: null }, ['missingPlace', 'missingKnownTime']],
    ];
    bad.forEach(([changes, expected]) => {
      const { usable, report } = examine([{ ...booking, ...changes }]);
      expect(faultNames.filter((name) => report.faults[name].count > 0)).toEqual(expected);
      expect(usable).toHaveLength(expected.length === 0 ? 1 : 0);
    });
    const { usable, report } = examine([
      booking,
      { ...booking, id: 2 },
      { ...booking, id: 3, windowStartSecond: 36_001 },
    ]);
    expect(usable.map(({ id }) => id)).toEqual([1, 3]);
    expect(report.faults.duplicate).toEqual({ count: 1, examples: [2] });
  });

  it('finds what the demo spoils', () => {
    const clean = demoBookings(1, days);
    expect(examine(clean).report.usable).toBeGreaterThan(0.97 * clean.length);
    const { report } = examine(spoil(1, demoBookings(1, [...days, ...days, ...days, ...days])));
    expect(report.faults.missingPlace.count).toBeGreaterThan(0);
    expect(report.faults.missingKnownTime.count).toBeGreaterThan(0);
  });
});

describe('statistics of bookings', () => {
  it('count by status, hour and weekday, and measure distance, wait, lateness and speed', () => {
    const late = { ...booking, id: 2, pickupSecond: 38_400, dropoffSecond: 39_000, status: 'expired', weekday: 7 };
    const open = {
      ...booking,
      id: 3,
      windowStartSecond: 50_000,
      windowEndSecond: 51_000,
      pickupSecond: null,
      dropoffSecond: null,
    };
    const result = describeBookings([booking, late, open]);
    expect(result).toMatchObject({ days: 1, bookings: 3, byStatus: { completed: 2, expired: 1 }, medianRideKmh: null });
    expect(result.byHour[10]).toBe(2);
    expect(result.byHour[13]).toBe(1);
    expect(result.byWeekday).toEqual([2, 0, 0, 0, 0, 0, 1]);
    // From 10:00 to 10:10, and to 10:40, ten minutes after the window.
    expect(result.waitMinutes).toMatchObject({ count: 2, p50: 25 });
    expect(result.latenessMinutes).toMatchObject({ count: 2, p50: 5, lateShare: 0.5 });
    expect(result.distanceKm.p50).toBeCloseTo(9.5, 0);
  });
});

describe('collected trips', () => {
  const bookings = examine(demoBookings(3, days)).usable;
  const { scenario, dataset, order } = collectTrips(bookings, fleet, options);
  const compiled = compileScenario(scenario, dataset);

  it('hold every booking once, in the order in which it becomes known, at its rounded place', () => {
    expect([...order].sort((a, b) => a - b)).toEqual(bookings.map((_, k) => k));
    const { trace } = dataset;
    expect(trace.days).toEqual(days.map(({ day }) => day));
    const { travel } = scenario;
    if (travel.kind !== 'plane') throw new Error('plane expected');
    order.forEach((k, t) => {
      const b = bookings[k];
      const x =
        (Number(b.pickupLongitude.toFixed(3)) - travel.centreLongitude) *
        111_195 *
        Math.cos((travel.centreLatitude * Math.PI) / 180);
      expect(Math.abs(trace.places!.pickupX[t] - x)).toBeLessThan(2);
      expect(trace.windowEnd[t]).toBe(b.windowEndSecond - scenario.startSecondOfDay);
      expect(trace.knownAt[t]).toBe(
        Math.max(0, Math.max(b.knownSecond, b.windowStartSecond - 7200) - scenario.startSecondOfDay),
      );
    });
  });

  it('say nothing of whose they were: no ids, and places no finer than asked', () => {
    expect(Object.keys(dataset.trace).sort()).toEqual([
      'dayStart',
      'days',
      'dropoffZone',
      'fare',
      'knownAt',
      'leg',
      'metres',
      'pickupZone',
      'places',
      'priority',
      'skills',
      'windowEnd',
      'windowStart',
    ]);
    const fine = new Set(bookings.map((b) => b.pickupLongitude));
    const coarse = new Set(dataset.trace.places!.pickupX);
    expect(coarse.size).toBeLessThan(fine.size);
  });

  it('give three parts of days in their order, and a scenario that holds all that is open at once', () => {
    expect(dataset.splits).toEqual({ training: [0, 1, 2, 3], validation: [4], test: [5] });
    expect(scenario).toMatchObject({ drivers: 3, horizonEnd: 'truncate', demand: { kind: 'trace' } });
    const env = new VectorDispatchEnv({
      scenario: compiled,
      numEnvs: 6,
      autoresetMode: 'DISABLED',
      source: { mode: 'listed', days: Int32Array.from(days.keys()) },
    });
    env.reset({ seed: 1 });
    while (env.world.state.ended.includes(0)) env.step(new Int32Array(6));
    expect([...env.world.state.created]).toEqual(
      days.map((_, d) => dataset.trace.dayStart[d + 1] - dataset.trace.dayStart[d]),
    );
    expect([...env.world.state.refused]).toEqual([0, 0, 0, 0, 0, 0]);
  });

  it('are played by the engine as they were recorded: a booking is picked up at its place, in straight lines at its speed', () => {
    const { events } = simulate({
      compiled,
      policy: { kind: 'heuristic', name: 'edf' },
      split: 'test',
      episode: 0,
      seed: 1,
    });
    const first = dataset.trace.dayStart[5];
    const { travel } = scenario;
    if (travel.kind !== 'plane') throw new Error('plane expected');
    const pickups = new Map(
      events.filter(({ kind }) => kind === 'pickedUp').map((event) => [event.booking, event.second]),
    );
    expect(pickups.size).toBeGreaterThan(20);
    for (const { kind, booking: number, second } of events) {
      if (kind === 'created') expect(second).toBe(dataset.trace.knownAt[first + number]);
      if (kind !== 'completed') continue;
      const ride = dataset.trace.metres[first + number] / (travel.speedKmh / 3.6);
      expect(Math.abs(second - pickups.get(number)! - ride)).toBeLessThan(1.01);
    }
    expect(NEVER).toBeGreaterThan(scenario.horizonSeconds);
  });

  it('are refused without bookings or drivers, with a reason', () => {
    expect(() => collectTrips([], fleet, options)).toThrow(/no usable bookings/);
    expect(() => collectTrips(bookings, { drivers: [] }, options)).toThrow(/no active drivers/);
    expect(() =>
      compileScenario(scenario, { ...dataset, travel: null, trace: { ...dataset.trace, places: undefined! } }),
    ).toThrow(/places/);
    expect(() => compileScenario({ ...scenario, reward: { kind: 'fare', costPerMetre: 0.0045 } }, dataset)).toThrow(
      /reward.kind/,
    );
  });
});
