// Bookings with several windows: which one a pickup belongs to, and masks that say the same.

import { describe, expect, it } from 'vitest';
import { NEVER, Purpose, RandomStream, VectorDispatchEnv, compileScenario, preset } from '#engine/index.js';
import { Planner } from '#policy/index.js';
import type { CompiledScenario, Snapshot, SnapshotBooking, SnapshotDriver, Window, World } from '#engine/index.js';

const compiled: CompiledScenario = {
  ...compileScenario({
    ...preset('geneva'),
    drivers: 2,
    slots: 6,
    decisionsPerTick: Infinity,
    assignmentsPerDriverPerTick: 8,
    queue: 8,
    skills: [],
    trafficSlowdown: 0,
    lateToleranceSeconds: 600,
  }),
  windows: 4,
};
compiled.arrivalByTick.fill(0);

const here = { pickupX: 0, pickupY: 0, pickupZone: 0, dropoffX: 0, dropoffY: 0, dropoffZone: 0 };
const plain = { knownAt: 0, priority: 3, skills: 0, leg: 0, fare: 0, pickupService: 0, dropoffService: 60 };
const idle: SnapshotDriver = {
  x: 0,
  y: 0,
  zone: 0,
  freeAt: 0,
  plan: [],
  onBoard: false,
  load: 0,
  offDuty: false,
};

function booking(windows: readonly Window[], deliveries: readonly Window[] = []): SnapshotBooking {
  return {
    ...here,
    ...plain,
    windowStart: windows[0][0],
    windowEnd: windows.at(-1)![1],
    windows,
    ...(deliveries.length === 0
      ? {}
      : {
          earliestDropoff: deliveries[0][0],
          latestDropoff: deliveries.at(-1)![1] + plain.dropoffService,
          dropoffWindows: deliveries,
        }),
  };
}

function placed(snapshot: Snapshot): World {
  const { world } = new VectorDispatchEnv({ scenario: compiled, numEnvs: 1 });
  world.restore(0, 1, 0, snapshot);
  return world;
}

/** Pickup, lateness and drop-off of one booking by a driver that is there at `freeAt`; null where it is not taken. */
function taken(
  one: SnapshotBooking,
  freeAt: number,
  more: Partial<SnapshotDriver> = {},
  patience = NEVER,
): readonly number[] | null {
  const world = placed({ now: 1000, drivers: [{ ...idle, freeAt, ...more }], bookings: [one], patience });
  expect(world.out.actionMasks[world.actionOf(0, 0)]).toBe(world.accepts(0, 0, 0) ? 1 : 0);
  if (!world.accepts(0, 0, 0)) return null;
  const pickup = world.pickupSecond(0, 0, 0);
  return [pickup, world.latenessAt(0, 0, pickup), world.dropoffSecond(0, 0, 0)];
}

function randomSnapshot(seed: number): Snapshot {
  const stream = new RandomStream(seed, Purpose.demand);
  const upTo = (most: number): number => stream.integer(0, most);
  const ascending = (): Window[] => {
    let at = upTo(3000);
    return Array.from({ length: 1 + upTo(3) }, () => {
      const window: Window = [at, at + upTo(1500)];
      at = window[1] + 1 + upTo(3000);
      return window;
    });
  };
  const spot = (): number => upTo(6000) - 3000;
  const bookings = Array.from({ length: 6 }, (_, k) => ({
    ...booking(ascending(), k % 2 === 0 ? [] : ascending().map(([from, to]): Window => [from + 1500, to + 1500])),
    pickupX: spot(),
    dropoffY: spot(),
  }));
  const drivers = Array.from({ length: 2 }, () => ({
    ...idle,
    x: spot(),
    freeAt: upTo(3000),
    ...(upTo(1) === 0 ? {} : { shiftEnd: 3000 + upTo(6000) }),
  }));
  return { now: upTo(2000), drivers, bookings, patience: 600 * upTo(10) };
}

describe('several windows', () => {
  const windows: Window[] = [
    [0, 2000],
    [3000, 4000],
    [6000, 6000],
  ];

  it('are kept by the first pickup that is in time; tolerance counts after the last one only where none can be', () => {
    const one = booking(windows);
    expect(taken(one, 0)).toEqual([1000, 0, 1060]);
    expect(taken(one, 2000)).toEqual([2000, 0, 2060]);
    expect(taken(one, 2001)).toEqual([3000, 0, 3060]);
    expect(taken(one, 3500)).toEqual([3500, 0, 3560]);
    expect(taken(one, 4001)).toEqual([6000, 0, 6060]);
    expect(taken(one, 6600)).toEqual([6600, 600, 6660]);
    expect(taken(one, 6601)).toBeNull();
  });

  it('give way to the one before, late, where a shift or a delivery leaves no time for the next', () => {
    const one = booking(windows);
    expect(taken(one, 2500, { shiftEnd: 3060 })).toEqual([3000, 0, 3060]);
    expect(taken(one, 2500, { shiftEnd: 3059 })).toEqual([2500, 500, 2560]);
    expect(taken(one, 2601, { shiftEnd: 3059 })).toBeNull();
    expect(taken(booking(windows, [[0, 2700]]), 2500)).toEqual([2500, 500, 2560]);
    expect(taken(booking(windows, [[0, 2499]]), 2500)).toBeNull();
  });

  it('are not waited for beyond the patience, but by promises', () => {
    const one = booking(windows);
    expect(taken(one, 2500, {}, 1999)).toEqual([2500, 500, 2560]);
    expect(taken(one, 2601, {}, 1999)).toBeNull();
    expect(taken(one, 2601, {}, 2000)).toEqual([3000, 0, 3060]);
    const promise = (freeAt: number): number => {
      const drivers = [{ ...idle, freeAt, promised: [one] }];
      return placed({ now: 1000, drivers, bookings: [], patience: 1999 }).state.planPickupAt[0];
    };
    expect(promise(2500)).toBe(2500);
    expect(promise(2601)).toBe(3000);
  });

  it('of a delivery are kept by the first that comes, and nothing is delivered after the last', () => {
    const deliveries: Window[] = [
      [0, 1500],
      [3000, 3100],
      [5000, 5500],
    ];
    const always = { ...booking([[0, 9000]]), ...booking([[0, 9000]], deliveries) };
    expect(taken(always, 1500)).toEqual([1500, 0, 1560]);
    expect(taken(always, 1501)).toEqual([1501, 0, 3060]);
    expect(taken(always, 3101)).toEqual([3101, 0, 5060]);
    expect(taken(always, 5500)).toEqual([5500, 0, 5560]);
    expect(taken(always, 5501)).toBeNull();
  });

  it('have exact masks as time goes by, in copies too', () => {
    const env = new VectorDispatchEnv({ scenario: compiled, numEnvs: 2 });
    const { world } = env;
    let legal = 0;
    let illegal = 0;
    for (let seed = 1; seed <= 150; seed++) {
      world.restore(0, seed, 0, randomSnapshot(seed));
      world.copy(1, world, 0);
      for (let step = 0; step < 40; step++) {
        for (const e of [0, 1]) {
          for (let i = 0; i < 2; i++) {
            for (let j = 0; j < 6; j++) {
              const mask = world.out.actionMasks[e * world.actions + world.actionOf(i, j)];
              expect(mask).toBe(world.accepts(e, i, j) ? 1 : 0);
              if (mask === 1) legal++;
              else illegal++;
            }
          }
        }
        const actions = world.out.actionMasks.subarray(0, world.actions);
        const action = step % 3 === 0 ? Math.max(0, actions.indexOf(1, 1)) : 0;
        for (const e of [0, 1]) world.step(e, action);
        expect(world.state.freeAt.subarray(2)).toEqual(world.state.freeAt.subarray(0, 2));
      }
    }
    expect(legal).toBeGreaterThan(500);
    expect(illegal).toBeGreaterThan(500);
  });

  it('are the same to the planner: its plans are driven second by second', () => {
    const planner = new Planner();
    let driven = 0;
    for (let seed = 1; seed <= 200; seed++) {
      const world = placed(randomSnapshot(seed));
      planner.construct(world, 0, null);
      planner.improve(50, seed, () => false);
      const { driver, drivers } = planner.input;
      for (let k = 0; k < drivers; k++) {
        for (let p = 0; p < planner.length(k); p++) {
          const [i, j] = [driver[k], planner.slotAt(k, p)];
          expect([seed, i, j, world.accepts(0, i, j)]).toEqual([seed, i, j, true]);
          expect(planner.pickupAt(k, p)).toBe(world.pickupSecond(0, i, j));
          world.step(0, world.actionOf(i, j));
          driven++;
        }
      }
    }
    expect(driven).toBeGreaterThan(300);
  });

  it('are refused where they are out of order, or more than the world has room for', () => {
    const place = (windows: Window[], scenario: CompiledScenario = compiled): void => {
      const { world } = new VectorDispatchEnv({ scenario, numEnvs: 1 });
      world.restore(0, 1, 0, { now: 0, drivers: [idle], bookings: [booking(windows)] });
    };
    const many = Array.from({ length: 5 }, (_, k): Window => [10 * k, 10 * k + 5]);
    expect(() => place(many)).toThrow(
      /snapshot has 5 windows of a booking \(snapshot\.bookings\[0\]\.windows\), the world 4/,
    );
    expect(() => place(many.slice(0, 2), { ...compiled, windows: 0 })).toThrow(
      /2 windows of a booking .*, the world 1/,
    );
    expect(() => place([many[0], many[2], many[1]])).toThrow(/windows\[2\]\.0 is 10: expected more than 25/);
    expect(() => place([many[0], [4, 20]])).toThrow(/windows\[1\]\.0 is 4: expected more than 5/);
    expect(() => place([many[0], [30, 20]])).toThrow(/windows\[1\]\.1 is 20: expected at least its start, 30/);
    expect(() => place([many[0], [NaN, 20]])).toThrow(/windows\[1\]\.0 is NaN/);
    const { world } = new VectorDispatchEnv({ scenario: compiled, numEnvs: 1 });
    const short = { ...booking([many[0], many[1]]), windowEnd: 16 };
    expect(() => world.restore(0, 1, 0, { now: 0, drivers: [idle], bookings: [short] })).toThrow(
      /bookings\[0\]\.windows is .*: expected windows from 0, where the first begins, to 16/,
    );
    expect(() => world.restore(0, 1, 0, { now: 0, drivers: [], bookings: [], patience: -1 })).toThrow(/patience is -1/);
  });
});
