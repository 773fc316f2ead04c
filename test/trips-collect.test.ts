import { describe, expect, it } from 'vitest';
import { NEVER, VectorDispatchEnv, compileScenario } from '#engine/index.js';
import {
  CompanyClock,
  collectTrips,
  demoBookings,
  describe as describeBookings,
  examine,
  faultNames,
  recordOf,
  spoil,
} from '#trips/index.js';
import type { BookingInstants, BookingRecord, UsableBooking } from '#trips/index.js';
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
      [{ dropoffLongitude: 0, dropoffLatitude: 0 }, ['impossiblePlace']],
      [{ dropoffLongitude: 0 }, ['impossibleSpeed']],
      [{ pickupLatitude: 91 }, ['impossiblePlace']],
      [{ pickupLatitude: NaN }, ['impossiblePlace']],
      [{ dropoffLongitude: -Infinity }, ['impossiblePlace']],
      [{ dropoffLongitude: 6.1, dropoffLatitude: 46.2 }, ['samePlace']],
      [{ windowEndSecond: 35_999 }, ['windowReversed']],
      [{ knownSecond: 37_801, pickupSecond: null }, ['knownAfterWindow']],
      [{ pickupSecond: 29_999 }, ['pickupBeforeKnown']],
      [{ dropoffSecond: 36_000 }, ['dropoffBeforePickup']],
      [{ dropoffSecond: 36_610 }, ['impossibleSpeed']],
      [{ windowEndSecond: 36_000 }, []],
      [{ windowEndSecond: 36_000 + 30 * 86_400 }, ['windowTooLong']],
      [{ windowEndSecond: Infinity }, ['impossibleTime']],
      [{ windowStartSecond: -Infinity }, ['impossibleTime']],
      [{ knownSecond: NaN }, ['impossibleTime']],
      [{ knownSecond: -126 * 365 * 86_400 }, ['knownTooEarly']],
      [{ pickupSecond: 36_600 + 3 * 86_400, dropoffSecond: null }, ['pickupFarFromWindow']],
      [{ dropoffSecond: 36_600 + 36 * 365 * 86_400 }, ['rideTooLong']],
      [{ pickupSecond: null, dropoffSecond: 36_600 + 36 * 365 * 86_400 }, ['rideTooLong']],
      [{ pickupSecond: null, dropoffSecond: 29_000 }, ['dropoffBeforePickup']],
      [{ skills: [''] }, ['unreadableSkill']],
      [{ skills: [null as unknown as string] }, ['unreadableSkill']],
      [{ pickupLongitude: 180, dropoffLongitude: -180, dropoffLatitude: 46.2 }, ['samePlace']],
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

  it('takes rides for different that differ in driver, skills, leg, window or actual times, and those for one that do not', () => {
    const others: Partial<BookingRecord>[] = [
      { driverId: 5 },
      { driverId: '9223372036854775807' },
      { skills: ['wheelchair'] },
      { skills: ['wheelchair', 'stretcher'] },
      { skills: ['wheelchair stretcher'] },
      { leg: 'return' },
      { windowEndSecond: 37_801 },
      { pickupSecond: 36_601 },
      { dropoffSecond: 38_001 },
      { pickupSecond: null, dropoffSecond: null },
      { day: '2026-03-03' },
      { dropoffLatitude: 46.25001 },
    ];
    const rides = [booking, ...others.map((change) => ({ ...booking, ...change }))];
    expect(examine(rides.map((ride, id) => ({ ...ride, id }))).usable).toHaveLength(rides.length);
    // Entered once more, by somebody else, later, in another order: all of them are found, and nothing else.
    const again = rides.map((ride) => ({
      ...ride,
      skills: [...ride.skills].reverse(),
      knownSecond: 30_500,
      status: 'open',
      priority: 5,
    }));
    const { usable, report } = examine([...rides, ...again].map((ride, id) => ({ ...ride, id })));
    expect(usable.map(({ id }) => id)).toEqual(rides.map((_, k) => k));
    expect(report.faults.duplicate.count).toBe(rides.length);
  });

  it('collects the correction of a faulty row, whichever the fault', () => {
    const garbled: Partial<BookingRecord>[] = [
      { pickupLongitude: null },
      { dropoffLongitude: 46.25, dropoffLatitude: 6.2 },
      { pickupSecond: 20_000 },
      { dropoffSecond: 38_000 + 10 ** 9 },
      { knownSecond: 40_000 },
      { windowEndSecond: 30_000 },
    ];
    for (const fault of garbled) {
      const { usable, report } = examine([
        { ...booking, ...fault, id: 1 },
        { ...booking, id: 2 },
        { ...booking, id: 3 },
        { ...booking, id: 4, driverId: 1 },
      ]);
      expect(usable.map(({ id }) => id)).toEqual([2, 4]);
      expect(report.unusable.map(({ id }) => id).sort()).toEqual([1, 3]);
      expect(report.faults.duplicate).toEqual({ count: 1, examples: [3] });
    }
  });

  it('names every faulty row by its id, and leaves the statistics to the sound ones', () => {
    const rows = Array.from({ length: 40 }, (_, id) => ({ ...booking, id, windowStartSecond: 36_000 + 10 * id }));
    const { report } = examine(rows.map((row) => (row.id % 2 === 0 ? row : { ...row, windowEndSecond: 1, day: null })));
    expect(report).toMatchObject({ bookings: 40, usable: 20, unlisted: 0 });
    expect(report.unusable.map(({ id }) => id)).toEqual(rows.map(({ id }) => id).filter((id) => id % 2 === 1));
    expect(report.faults.missingWindow).toEqual({ count: 20, examples: [1, 3, 5, 7, 9] });
  });

  it('finds what the demo spoils', () => {
    const clean = demoBookings(1, days);
    expect(examine(clean).report.usable).toBeGreaterThan(0.97 * clean.length);
    const { report } = examine(spoil(1, demoBookings(1, [...days, ...days, ...days, ...days])));
    expect(report.faults.missingPlace.count).toBeGreaterThan(0);
    expect(report.faults.missingKnownTime.count).toBeGreaterThan(0);
  });
});

describe('the area of a company', () => {
  const at = (longitude: number, latitude: number, spread = 0.05): BookingRecord[] =>
    Array.from({ length: 20 }, (_, id) => ({
      ...booking,
      id,
      pickupLongitude: longitude + spread * Math.cos(id),
      pickupLatitude: latitude + spread * Math.sin(id),
      dropoffLongitude: longitude - spread * Math.cos(id),
      dropoffLatitude: latitude - spread * Math.sin(id),
    }));
  const turn = (b: BookingRecord): BookingRecord => {
    const one = (degrees: number): number => (degrees > 180 ? degrees - 360 : degrees < -180 ? degrees + 360 : degrees);
    return { ...b, pickupLongitude: one(b.pickupLongitude!), dropoffLongitude: one(b.dropoffLongitude!) };
  };

  it.each([
    ['Geneva', 6.14, 46.2],
    ['on the antimeridian', 180, -16.5],
    ['just west of it', 179.98, -16.5],
    ['just east of it', -179.98, 65],
    ['Greenwich', 0, 51.5],
    ['Quito', -78.5, 0],
    ['at 0, 0', 0, 0],
    ['far north', 25, 71],
  ])('%s: all rides are sound, as long as they are, and in a plane about their middle', (_, longitude, latitude) => {
    // The last one starts exactly on the lines, and is a hundredth of a degree long.
    const exact = { pickupLongitude: longitude, pickupLatitude: latitude, dropoffLatitude: latitude };
    const last = { ...booking, ...exact, id: 99, dropoffLongitude: longitude + 0.01 };
    const rides = [...at(longitude, latitude), last].map(turn);
    const { usable, report } = examine(rides);
    expect(report.unusable).toEqual([]);
    const cos = Math.cos((latitude * Math.PI) / 180);
    expect(describeBookings(usable.slice(20)).distanceKm.p50).toBeCloseTo(0.01 * 111.195 * cos, 2);
    const { scenario, dataset } = collectTrips(usable, fleet, options);
    const { travel } = scenario;
    if (travel.kind !== 'plane') throw new Error('plane expected');
    expect(Math.abs(Math.abs(travel.centreLongitude) - Math.abs(longitude))).toBeLessThan(0.06);
    expect(travel.centreLatitude).toBeCloseTo(latitude, 1);
    expect(travel.halfSpanDegrees).toBeLessThan(0.12);
    expect(Math.max(...dataset.trace.places!.pickupX.map(Math.abs))).toBeLessThan(12_000);
    expect(Math.max(...dataset.trace.metres)).toBeLessThan(13_000);
  });

  it.each([
    [
      'swapped at both ends',
      { pickupLongitude: 46.2, pickupLatitude: 6.1, dropoffLongitude: 46.25, dropoffLatitude: 6.2 },
      'swappedPlace',
    ],
    [
      'swapped at one end',
      { dropoffLongitude: 46.25, dropoffLatitude: 6.2, pickupSecond: null, dropoffSecond: null },
      'swappedPlace',
    ],
    ['with a lost sign', { pickupLongitude: -6.1, dropoffLongitude: -6.2 }, 'farPlace'],
    ['at 0, 0', { pickupLongitude: 0, pickupLatitude: 0, pickupSecond: null }, 'impossiblePlace'],
    [
      'on another continent',
      { dropoffLongitude: 139.7, dropoffLatitude: 35.7, pickupSecond: null, dropoffSecond: null },
      'farPlace',
    ],
  ] as const)('one booking %s is left out, the others are collected', (_, change, fault) => {
    const { usable, report } = examine([{ ...booking, ...change, id: 99 }, ...at(6.14, 46.2)]);
    expect(report.unusable).toEqual([{ id: 99, faults: [fault] }]);
    expect(collectTrips(usable, fleet, options).dataset.trace.knownAt).toHaveLength(20);
  });

  it('finds swapped coordinates where both orders lie near each other, too', () => {
    // Yerevan: 44.5 east, 40.2 north.
    const { report } = examine([
      ...at(44.5, 40.2),
      { ...at(40.2, 44.5)[3], id: 77, pickupSecond: null, dropoffSecond: null },
    ]);
    expect(report.unusable).toEqual([{ id: 77, faults: ['swappedPlace'] }]);
    // A sound one 50 km away that would be a little nearer swapped.
    const far = { pickupLongitude: 10.45, pickupLatitude: 10.1, pickupSecond: null, dropoffSecond: null };
    expect(examine([...at(10, 10.2), { ...at(10, 10.2)[0], ...far, id: 88 }]).report.unusable).toEqual([]);
  });
});

describe('nights in which clocks change', () => {
  const clock = new CompanyClock('Europe/Zurich');
  const span = { from: Date.UTC(2026, 0, 1) / 1000, to: Date.UTC(2027, 0, 1) / 1000 };
  const ride = (id: number, window: string, minutes: number, pickup: string, dropoff: string): BookingInstants => {
    const at = (text: string): number => Date.parse(text) / 1000;
    const { day: _, weekday: __, knownSecond: ___, windowStartSecond: _4, windowEndSecond: _5, ...rest } = booking;
    return {
      ...rest,
      id,
      knownAt: at(window) - 7200,
      windowStart: at(window),
      windowEnd: at(window) + 60 * minutes,
      pickedUpAt: at(pickup),
      droppedOffAt: at(dropoff),
    };
  };
  const examined = (...rides: BookingInstants[]) => examine(rides.map((r) => recordOf(r, clock, span)));

  it('autumn: sound rides are sound, last as long as they last, and the hour that comes twice is told apart', () => {
    const rides = [
      // 02:50 summer time to 02:10 winter time: twenty minutes.
      ride(1, '2026-10-25T02:40:00+02:00', 30, '2026-10-25T02:50:00+02:00', '2026-10-25T02:10:00+01:00'),
      // The same reading of the clock an hour later, picked up ten minutes into the window again.
      ride(2, '2026-10-25T02:40:00+01:00', 30, '2026-10-25T02:50:00+01:00', '2026-10-25T03:10:00+01:00'),
      // A window across the change: one hour and a half long.
      ride(3, '2026-10-25T02:30:00+02:00', 90, '2026-10-25T02:40:00+01:00', '2026-10-25T03:10:00+01:00'),
      // All day, 25 hours.
      ride(4, '2026-10-25T00:00:00+02:00', 25 * 60, '2026-10-25T12:00:00+01:00', '2026-10-25T12:30:00+01:00'),
    ];
    const { usable, report } = examined(...rides);
    expect(report.unusable).toEqual([]);
    expect(usable.map((b) => b.dropoffSecond! - b.pickupSecond!)).toEqual([1200, 1200, 1800, 1800]);
    expect(usable.map((b) => b.windowEndSecond - b.windowStartSecond)).toEqual([1800, 1800, 5400, 90_000]);
    expect(usable.map((b) => b.windowStartSecond)).toEqual([2 * 3600 + 2400, 2 * 3600 + 2400, 2 * 3600 + 1800, 0]);
    const { byHour, waitMinutes, latenessMinutes } = describeBookings(usable.slice(0, 3));
    expect(byHour[2]).toBe(3);
    expect(waitMinutes).toMatchObject({ count: 3, p50: 10 });
    expect(latenessMinutes.lateShare).toBe(0);
    // A negative duration stays one, although the clock runs on.
    expect(
      examined(ride(9, '2026-10-25T02:30:00+02:00', 90, '2026-10-25T02:10:00+01:00', '2026-10-25T02:50:00+02:00'))
        .report.unusable,
    ).toEqual([{ id: 9, faults: ['dropoffBeforePickup'] }]);
  });

  it('spring: seven minutes late is seven minutes, and the time of day stays the clock’s', () => {
    const { usable } = examined(
      ride(1, '2026-03-29T01:30:00+01:00', 25, '2026-03-29T03:02:00+02:00', '2026-03-29T03:32:00+02:00'),
      ride(2, '2026-03-29T09:00:00+02:00', 30, '2026-03-29T09:10:00+02:00', '2026-03-29T09:40:00+02:00'),
    );
    expect(describeBookings(usable.slice(0, 1)).latenessMinutes).toMatchObject({ p50: 7, lateShare: 1 });
    expect(describeBookings(usable).byHour[9]).toBe(1);
    expect(describeBookings(usable).byWeekday).toEqual([0, 0, 0, 0, 0, 0, 2]);
    const { scenario, dataset } = collectTrips(usable, fleet, options);
    const { trace } = dataset;
    expect([...trace.windowStart].map((s) => s + scenario.startSecondOfDay)).toEqual([5400, 9 * 3600]);
    expect([...trace.windowEnd].map((end, k) => end - trace.windowStart[k])).toEqual([1500, 1800]);
  });

  it('instants that are none, or of other centuries, are faults of their row', () => {
    const sound = ride(1, '2026-05-04T09:00:00+02:00', 30, '2026-05-04T09:10:00+02:00', '2026-05-04T09:40:00+02:00');
    const at = (year: number): number => Date.UTC(year, 0, 1) / 1000;
    const faultOf = (change: Partial<BookingInstants>): unknown =>
      examined({ ...sound, ...change }, { ...sound, id: 2 }).report.unusable;
    for (const [change, faults] of [
      [{ windowStart: at(9999), windowEnd: at(9999) + 60 }, ['impossibleTime']],
      [{ windowStart: Date.UTC(1900, 0, 1) / 1000 }, ['impossibleTime']],
      [{ windowStart: Infinity }, ['impossibleTime']],
      [{ windowStart: -Infinity, windowEnd: -Infinity, knownAt: -Infinity }, ['impossibleTime']],
      [{ windowEnd: at(9999) }, ['windowTooLong']],
      [{ windowEnd: Infinity }, ['impossibleTime']],
      [{ knownAt: NaN }, ['impossibleTime']],
      [{ pickedUpAt: at(9999), droppedOffAt: null }, ['pickupFarFromWindow']],
      [{ pickedUpAt: 9e15 }, ['pickupFarFromWindow', 'dropoffBeforePickup']],
      [{ droppedOffAt: at(2062) }, ['rideTooLong']],
      [
        { windowStart: null, windowEnd: null, pickedUpAt: 5, knownAt: 6 },
        ['missingWindow', 'pickupBeforeKnown', 'rideTooLong'],
      ],
    ] as const) {
      expect(faultOf(change)).toEqual([{ id: 1, faults }]);
    }
  });

  it('a clock is read in zones whose midnight is skipped, and with odd offsets', () => {
    const beirut = new CompanyClock('Asia/Beirut');
    // 29 March 2026 begins at 01:00 there.
    const start = beirut.startOfDay(Date.parse('2026-03-29T10:00:00Z') / 1000);
    expect(beirut.read(start)).toEqual({ day: '2026-03-29', weekday: 7, secondOfDay: 3600 });
    expect(beirut.read(start - 1).day).toBe('2026-03-28');
    expect(beirut.startOfDay(start + 86_400, 1)).toBe(start);
    const nepal = new CompanyClock('Asia/Kathmandu').read(Date.parse('2026-01-01T20:00:00Z') / 1000);
    expect(nepal).toEqual({ day: '2026-01-02', weekday: 5, secondOfDay: 6300 });
    const shown = Date.UTC(2026, 9, 25, 2, 30) / 1000;
    expect(clock.instantsOf(shown).map((s) => shown - s)).toEqual([7200, 3600]);
    expect(clock.instantsOf(Date.UTC(2026, 2, 29, 2, 30) / 1000)).toEqual([]);
    expect(() => new CompanyClock('Mars/Olympus')).toThrow('time zone is "Mars/Olympus": expected a name of the IANA');
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

  it('hold every driver’s skills, in a fleet of any size, and the eight skills that are needed most', () => {
    for (const size of [3, 49, 98, 187, 541]) {
      const drivers = Array.from({ length: size }, (_, k) => ({
        kind: 'REGULAR' as const,
        skills: k === 5 % size ? ['lift'] : [],
      }));
      const rides = bookings.map((b, k) => ({ ...b, skills: k % 3 === 0 ? ['lift'] : [] }));
      const { scenario: one, dataset: trips } = collectTrips(rides, { drivers }, options);
      const { driverSkills, emergency } = compileScenario(one, trips);
      expect([driverSkills.filter((bits) => bits === 1).length, emergency.includes(1)]).toEqual([1, false]);
    }
    const many = bookings.map((b, k) => ({ ...b, skills: [`s${Math.min(k % 12, 8)}`, 'all'] }));
    const { skillsLeftOut, scenario: eight } = collectTrips(many, fleet, options);
    expect(eight.skills.map(({ name }) => name)).toContain('all');
    expect([eight.skills.length, skillsLeftOut.length]).toEqual([8, 2]);
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
