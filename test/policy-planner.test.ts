// The planner against the world that it plans in, against every plan there is on small problems, and against itself.

import { describe, expect, it } from 'vitest';
import { Purpose, RandomStream, VectorDispatchEnv, preset } from '#engine/index.js';
import type { Snapshot, SnapshotBooking, SnapshotDriver, World } from '#engine/index.js';
import { Planner, worthOf } from '#policy/index.js';

const QUEUE = 3;
const forever = (): boolean => false;

/** A world of geneva's rules in which a whole plan may be given at once. */
function worldOf(drivers: number, slots: number, numEnvs: number, lateToleranceSeconds: number): World {
  return new VectorDispatchEnv({
    scenario: {
      ...preset('geneva'),
      drivers,
      slots,
      lateToleranceSeconds,
      queue: QUEUE,
      decisionsPerTick: Infinity,
      assignmentsPerDriverPerTick: QUEUE,
      skills: [{ name: 'wheelchair', driverShare: 0.5, bookingShare: 0.2 }],
    },
    numEnvs,
  }).world;
}

/** Busy and idle vehicles within 7 km, windows of which most are tight, now and then a deadline or the end of a shift. */
function snapshotOf(seed: number, drivers: number, bookings: number): { snapshot: Snapshot; priorities: number[] } {
  const stream = new RandomStream(seed, Purpose.demand);
  const place = (): number => stream.integer(-5000, 5000);
  const now = 300 * stream.integer(0, 60);
  const driver = (): SnapshotDriver => {
    const busy = stream.integer(0, 2) === 0;
    const freeAt = busy ? now + stream.integer(1, 1200) : 0;
    return {
      x: place(),
      y: place(),
      zone: 0,
      freeAt,
      plan: busy ? [{ pickupAt: now, dropoffAt: freeAt }] : [],
      onBoard: busy,
      load: 0,
      offDuty: false,
      ...(stream.integer(0, 4) === 0 ? { shiftEnd: now + stream.integer(1200, 7200) } : {}),
    };
  };
  const booking = (): SnapshotBooking => {
    const windowStart = now + stream.integer(-600, 1200);
    return {
      pickupX: place(),
      pickupY: place(),
      pickupZone: 0,
      dropoffX: place(),
      dropoffY: place(),
      dropoffZone: 0,
      knownAt: now,
      windowStart,
      windowEnd: Math.max(now + 120, windowStart + stream.integer(300, 2400)),
      priority: 3,
      skills: stream.integer(0, 3) === 0 ? 1 : 0,
      leg: 0,
      fare: 0,
      pickupService: stream.integer(0, 180),
      dropoffService: stream.integer(0, 120),
      ...(stream.integer(0, 4) === 0 ? { latestDropoff: windowStart + stream.integer(1800, 5400) } : {}),
    };
  };
  return {
    snapshot: {
      now,
      drivers: Array.from({ length: drivers }, driver),
      bookings: Array.from({ length: bookings }, booking),
    },
    priorities: Array.from({ length: bookings }, () => stream.integer(0, 100)),
  };
}

interface Stop {
  readonly i: number;
  readonly j: number;
  readonly pickupAt: number;
}

function stopsOf(planner: Planner): Stop[] {
  const { drivers, driver } = planner.input;
  return Array.from({ length: drivers }, (_, k) =>
    Array.from({ length: planner.length(k) }, (_, p) => ({
      i: driver[k],
      j: planner.slotAt(k, p),
      pickupAt: planner.pickupAt(k, p),
    })),
  ).flat();
}

describe.each(['improve', 'search'] as const)('a plan, by %s,', (way) => {
  it('is accepted by the world, stop by stop, with the seconds that the planner told', () => {
    const planner = new Planner();
    let served = 0;
    for (let seed = 1; seed <= 150; seed++) {
      const [drivers, bookings] = [1 + (seed % 7), 1 + (seed % 17)];
      const world = worldOf(drivers, bookings, 1, [0, 300, 900][seed % 3]);
      const { snapshot, priorities } = snapshotOf(seed, drivers, bookings);
      world.restore(0, seed, 0, snapshot);
      planner.construct(world, 0, Float64Array.from(priorities));
      const first = stopsOf(planner);
      planner[way](200, seed, forever);
      const last = stopsOf(planner);
      for (const stops of [first, last]) {
        world.restore(0, seed, 0, snapshot);
        for (const { i, j, pickupAt } of stops) {
          expect(world.accepts(0, i, j)).toBe(true);
          expect(world.pickupSecond(0, i, j)).toBe(pickupAt);
          world.step(0, world.actionOf(i, j));
        }
        const worth = stops.reduce((sum, { j }) => sum + worthOf(priorities[j]), 0);
        if (stops === last) expect(planner.servedWorth).toBe(worth);
        else expect(planner.servedWorth).toBeGreaterThanOrEqual(worth);
        served += stops.length;
      }
      for (let j = 0; j < bookings; j++) expect(planner.serves(j)).toBe(last.some((stop) => stop.j === j));
    }
    expect(served).toBeGreaterThan(500);
  });

  it('is the best of all there are, on small problems', () => {
    const planner = new Planner();
    const count = { problems: 0, sameWorth: 0, sameLateness: 0, sameCost: 0, contested: 0 };
    for (let seed = 1; seed <= 240; seed++) {
      const [drivers, bookings] = seed % 2 === 0 ? [3, 4] : [2, 4 + (seed % 4 === 1 ? 1 : 0)];
      const world = worldOf(drivers, bookings, 2 + drivers * QUEUE, seed % 3 === 0 ? 600 : 0);
      const { snapshot, priorities } = snapshotOf(seed, drivers, bookings);
      world.restore(0, seed, 0, snapshot);
      planner.construct(world, 0, Float64Array.from(priorities));
      planner[way](bookings * bookings * 8, 1, forever);
      const best = bestOf(world, priorities);
      const stops = stopsOf(planner);
      const lateness = stops.reduce(
        (sum, { j, pickupAt }) => sum + (1 + priorities[j]) * Math.max(0, pickupAt - world.state.windowEnd[j]),
        0,
      );
      count.problems++;
      // Never better than the best: else one of the two counts wrongly.
      expect(planner.servedWorth).toBeLessThanOrEqual(best.worth);
      if (stops.length < bookings) count.contested++;
      if (planner.servedWorth !== best.worth) continue;
      count.sameWorth++;
      if (lateness === best.lateness) count.sameLateness++;
      expect(planner.cost).toBeGreaterThanOrEqual(best.cost - 1e-3);
      if (planner.cost <= best.cost + 1e-3) count.sameCost++;
    }
    expect(count.contested).toBeGreaterThan(60);
    expect(count.sameWorth).toBeGreaterThanOrEqual(0.98 * count.problems);
    expect(count.sameLateness).toBeGreaterThanOrEqual(0.97 * count.problems);
    expect(count.sameCost).toBeGreaterThanOrEqual(0.9 * count.problems);
  });

  it('leaves an important booking more than a minute to spare, where both orders are in time', () => {
    const now = 10_800;
    const booking = (pickup: [number, number], dropoff: [number, number], windowEnd: number): SnapshotBooking => ({
      pickupX: pickup[0],
      pickupY: pickup[1],
      pickupZone: 0,
      dropoffX: dropoff[0],
      dropoffY: dropoff[1],
      dropoffZone: 0,
      knownAt: now,
      windowStart: now,
      windowEnd,
      priority: 3,
      skills: 0,
      leg: 0,
      fare: 0,
      pickupService: 0,
      dropoffService: 0,
    });
    const world = worldOf(1, 2, 1, 0);
    world.restore(0, 1, 0, {
      now,
      drivers: [{ x: 0, y: 0, zone: 0, freeAt: 0, plan: [], onBoard: false, load: 0, offDuty: false }],
      bookings: [booking([1000, -2000], [-1000, -2500], now + 960), booking([1500, 500], [2000, 1500], now + 2160)],
    });
    const planner = new Planner();
    planner.construct(world, 0, Float64Array.of(80, 60));
    planner[way](50, 1, forever);
    // The other order drives less and has 65 s to spare at the booking of priority 80.
    expect(stopsOf(planner)).toEqual([
      { i: 0, j: 0, pickupAt: now + 316 },
      { i: 0, j: 1, pickupAt: now + 1158 },
    ]);
  });

  it('is the same for the same question, in whatever order vehicles and bookings come', () => {
    for (let seed = 1; seed <= 40; seed++) {
      const [drivers, bookings] = [6, 14];
      const { snapshot, priorities } = snapshotOf(seed, drivers, bookings);
      // All vehicles alike in skills, as those belong to the world and not to the snapshot.
      const rides = snapshot.bookings.map((one) => ({ ...one, skills: 0 }));
      const order = (n: number): number[] => Array.from({ length: n }, (_, k) => (k * 5 + seed) % n);
      const plan = (vehicles: number[], slots: number[]): string[] => {
        const world = worldOf(drivers, bookings, 1, 0);
        world.restore(0, 1, 0, {
          ...snapshot,
          drivers: vehicles.map((i) => snapshot.drivers[i]),
          bookings: slots.map((j) => rides[j]),
        });
        world.compiled.driverSkills.fill(0);
        const planner = new Planner();
        planner.construct(
          world,
          0,
          Float64Array.from(slots, (j) => priorities[j]),
        );
        planner[way](300, 7, forever);
        return stopsOf(planner)
          .map(({ i, j, pickupAt }) => `${vehicles[i]} ${slots[j]} ${pickupAt}`)
          .sort();
      };
      const plain = plan([...Array(drivers).keys()], [...Array(bookings).keys()]);
      expect(plan(order(drivers), order(bookings))).toEqual(plain);
    }
  });

  it('that was stopped by the clock comes out again with the turns that were done', () => {
    const world = worldOf(10, 30, 1, 0);
    const { snapshot, priorities } = snapshotOf(5, 10, 30);
    world.restore(0, 1, 0, snapshot);
    const plan = (timeIsUp: (done: number) => boolean): [number, Stop[]] => {
      const planner = new Planner();
      planner.construct(world, 0, Float64Array.from(priorities));
      const turns = planner[way](900, 3, timeIsUp);
      return [turns, stopsOf(planner)];
    };
    for (const most of [0, 5, 64, 200]) {
      let asked = 0;
      const [turns, stops] = plan(() => asked++ >= most / 8);
      expect(turns).toBeLessThanOrEqual(most + 8);
      if (most < 180) expect(turns).toBeGreaterThanOrEqual(most - 8);
      expect(plan((done) => done >= turns)).toEqual([turns, stops]);
    }
  });
});

interface Best {
  worth: number;
  lateness: number;
  cost: number;
}

/** Tries every plan: environment k + 1 is environment k with one stop more. */
function bestOf(world: World, priorities: readonly number[]): Best {
  const { drivers, slots, state: st } = world;
  const best: Best = { worth: -1, lateness: 0, cost: 0 };
  const extend = (e: number, from: number, worth: number, lateness: number, soft: number): void => {
    const better =
      worth > best.worth ||
      (worth === best.worth && (lateness < best.lateness || (lateness === best.lateness && soft < best.cost)));
    if (better) Object.assign(best, { worth, lateness, cost: soft });
    for (let i = from; i < drivers; i++) {
      for (let j = 0; j < slots; j++) {
        if (!world.accepts(e, i, j)) continue;
        const spare = st.windowEnd[e * slots + j] - world.pickupSecond(e, i, j);
        const missing = Math.max(0, 1800 - spare) * (0.5 + priorities[j] / 100);
        const short = 300 - Math.min(300, Math.max(0, spare));
        const risk = (0.2 * (1 + priorities[j]) * short * short) / 1200;
        const way = world.approachSeconds(e, i, j);
        world.copy(e + 1, world, e);
        world.step(e + 1, world.actionOf(i, j));
        const late = (1 + priorities[j]) * Math.max(0, -spare);
        extend(e + 1, i, worth + worthOf(priorities[j]), lateness + late, soft + way + missing + risk);
      }
    }
  };
  extend(0, 0, 0, 0, 0);
  return { ...best, cost: best.cost + 1e4 * best.lateness };
}
