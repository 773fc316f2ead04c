// A live state from outside, copies of environments, and other futures of them.

import { describe, expect, it } from 'vitest';
import { NEVER, VectorDispatchEnv, compileScenario, preset } from '#engine/index.js';
import type { MatrixTravel, Scenario, Snapshot, World } from '#engine/index.js';
import { heuristic } from '#policy/index.js';

const scenario: Scenario = {
  ...preset('geneva'),
  decisionsPerTick: Infinity,
  assignmentsPerDriverPerTick: 64,
  skills: [{ name: 'wheelchair', driverShare: 0.5, bookingShare: 0.3 }],
  pickupServiceSeconds: 60,
  dropoffServiceSeconds: 30,
};

function played(decisions: number, seed = 1, changes: Partial<Scenario> = {}): VectorDispatchEnv {
  const env = new VectorDispatchEnv({ scenario: { ...scenario, ...changes }, numEnvs: 1 });
  const policy = heuristic('nearest');
  const actions = new Int32Array(1);
  env.reset({ seed });
  for (let k = 0; k < decisions; k++) {
    // Four of five decisions wait, so that bookings stay open.
    if (k % 5 === 0) policy.act(env.world, 0, 1, actions);
    else actions[0] = 0;
    env.step(actions);
  }
  return env;
}

function openOf(world: World): number[] {
  const slots = new Int32Array(world.slots);
  return [...slots.subarray(0, world.openSlots(0, slots))];
}

/** What a dispatcher who sees environment 0 would write down. */
function snapshotOf(world: World): Snapshot {
  const st = world.state;
  const { queue } = world.compiled.scenario;
  return {
    now: st.now[0],
    drivers: Array.from({ length: world.drivers }, (_, i) => ({
      x: st.endX[i],
      y: st.endY[i],
      zone: st.endZone[i],
      freeAt: st.freeAt[i],
      plan: Array.from({ length: st.planLength[i] }, (_, k) => {
        const place = i * queue + ((st.planHead[i] + k) % queue);
        return { pickupAt: st.planPickupAt[place], dropoffAt: st.planDropoffAt[place] };
      }),
      onBoard: st.onBoard[i] === 1,
      load: st.load[i],
      offDuty: false,
    })),
    bookings: openOf(world).map((j) => ({
      pickupX: st.pickupX[j],
      pickupY: st.pickupY[j],
      pickupZone: st.pickupZone[j],
      dropoffX: st.dropoffX[j],
      dropoffY: st.dropoffY[j],
      dropoffZone: st.dropoffZone[j],
      knownAt: st.knownAt[j],
      windowStart: st.windowStart[j],
      windowEnd: st.windowEnd[j],
      priority: st.priority[j],
      skills: st.skills[j],
      leg: st.leg[j],
      fare: st.fare[j],
      pickupService: st.pickupService[j],
      dropoffService: st.dropoffService[j],
    })),
  };
}

describe('a snapshot', () => {
  it('that describes an environment makes the same one: what is legal, when, and what it pays', () => {
    let compared = 0;
    for (let seed = 1; seed <= 30; seed++) {
      const { world } = played(30 + seed, seed);
      const copy = new VectorDispatchEnv({ scenario, numEnvs: 1 }).world;
      copy.restore(0, 9, 0, snapshotOf(world));
      openOf(world).forEach((j, k) => {
        for (let i = 0; i < world.drivers; i++) {
          expect(copy.accepts(0, i, k)).toBe(world.accepts(0, i, j));
          expect(copy.out.actionMasks[1 + i * copy.slots + k]).toBe(copy.accepts(0, i, k) ? 1 : 0);
          expect(copy.pickupSecond(0, i, k)).toBe(world.pickupSecond(0, i, j));
          expect(copy.assignmentReward(0, i, k)).toBe(world.assignmentReward(0, i, j));
          compared++;
        }
      });
      const st = copy.state;
      expect(st.created[0]).toBe(st.open[0] + st.assigned[0] + st.pickedUp[0]);
      // Plans are driven on: everything under way is dropped off when it should be.
      const underWay = world.state.assigned[0] + world.state.pickedUp[0];
      expect(st.assigned[0] + st.pickedUp[0]).toBe(underWay);
      for (let k = 0; k < 40; k++) copy.step(0, 0);
      expect(st.completed[0]).toBe(underWay);
      expect(st.created[0]).toBe(st.open[0] + st.completed[0] + st.expired[0] + st.refused[0]);
    }
    expect(compared).toBeGreaterThan(500);
  });

  it('leaves drivers off duty alone, those beyond its list too, for good', () => {
    const { world } = played(0);
    const snapshot = snapshotOf(world);
    const drivers = snapshot.drivers.slice(0, 4).map((driver, i) => ({ ...driver, offDuty: i === 1 }));
    world.restore(0, 1, 0, { ...snapshot, drivers });
    const taken = new Set<number>();
    const policy = heuristic('random');
    const actions = new Int32Array(1);
    while (world.state.tick[0] < world.compiled.ticks) {
      policy.act(world, 0, 1, actions);
      if (actions[0] !== 0) taken.add(Math.floor((actions[0] - 1) / world.slots));
      world.step(0, actions[0]);
    }
    expect([...taken].sort()).toEqual([0, 2, 3]);
  });

  it('takes service times and skills booking by booking', () => {
    const { world } = played(0);
    const snapshot = snapshotOf(world);
    const [first] = snapshot.bookings;
    const [driver] = snapshot.drivers;
    const bookings = [{ ...first, skills: 0, windowEnd: 20_000, pickupService: 400, dropoffService: 200 }];
    const free = (services: object): number => {
      world.restore(0, 1, 0, { ...snapshot, drivers: [driver], bookings: [{ ...bookings[0], ...services }] });
      expect(world.accepts(0, 0, 0)).toBe(true);
      world.step(0, 1);
      return world.state.freeAt[0];
    };
    expect(free({}) - free({ pickupService: 0, dropoffService: 0 })).toBeGreaterThanOrEqual(600);
    world.restore(0, 1, 0, { ...snapshot, drivers: [driver], bookings: [{ ...bookings[0], skills: 0b100 }] });
    expect([world.hasSkills(0, 0, 0), world.isInTime(0, 0, 0), world.accepts(0, 0, 0)]).toEqual([false, true, false]);
    world.restore(0, 1, 0, {
      ...snapshot,
      drivers: [driver],
      bookings: [{ ...bookings[0], windowStart: -3000, windowEnd: -2000 }],
    });
    expect([world.hasSkills(0, 0, 0), world.isInTime(0, 0, 0), world.accepts(0, 0, 0)]).toEqual([true, false, false]);
  });

  it('drives what is promised first, in its order, however late', () => {
    const { world } = played(12);
    const snapshot = snapshotOf(world);
    const [driver] = snapshot.drivers;
    const [a, b, c] = snapshot.bookings;
    const late = { ...b, windowStart: snapshot.now - 6000, windowEnd: snapshot.now - 5000 };
    const idle = { ...driver, plan: [], onBoard: false, freeAt: 0, load: 2 };
    world.restore(0, 1, 0, { ...snapshot, drivers: [{ ...idle, promised: [a, late] }], bookings: [c] });
    const st = world.state;
    expect([st.load[0], st.planLength[0], st.open[0], st.created[0]]).toEqual([4, 2, 1, 3]);
    const promised = [st.planPickupAt[0], st.planDropoffAt[0], st.planPickupAt[1], st.planDropoffAt[1], st.freeAt[0]];

    // The same by hand: the first accepted, the second as if it were in time.
    const free = { ...a, windowEnd: NEVER - 1000, skills: 0 };
    const also = { ...b, windowEnd: NEVER - 1000, skills: 0 };
    world.restore(0, 1, 0, { ...snapshot, drivers: [idle], bookings: [free, also] });
    for (const action of [1, 2]) {
      expect(world.out.actionMasks[action]).toBe(1);
      world.step(0, action);
    }
    expect([...st.planPickupAt.subarray(0, 2), st.freeAt[0]]).toEqual([promised[0], promised[2], promised[4]]);
    expect([...st.planDropoffAt.subarray(0, 2)]).toEqual([promised[1], promised[3]]);
  });

  it('ends shifts and drop-offs when they must: mask and predicate agree', () => {
    let refused = 0;
    for (let seed = 1; seed <= 20; seed++) {
      const { world } = played(25, seed);
      const snapshot = snapshotOf(world);
      const { now } = snapshot;
      const copy = new VectorDispatchEnv({ scenario, numEnvs: 1 }).world;
      const drivers = snapshot.drivers.map((driver, i) => ({ ...driver, shiftEnd: now + 600 * i }));
      const bookings = snapshot.bookings.map((booking, k) =>
        k % 2 === 0 ? booking : { ...booking, earliestDropoff: now + 1500, latestDropoff: now + 2000 },
      );
      copy.restore(0, 1, 0, { ...snapshot, drivers, bookings });
      openOf(world).forEach((j, k) => {
        for (let i = 0; i < world.drivers; i++) {
          const { earliestDropoff = 0, latestDropoff = NEVER } = bookings[k];
          const service = scenario.dropoffServiceSeconds;
          const done = Math.max(world.dropoffSecond(0, i, j) - service, earliestDropoff) + service;
          expect(copy.dropoffSecond(0, i, k)).toBe(done);
          const legal = world.accepts(0, i, j) && done <= latestDropoff && done <= now + 600 * i;
          if (world.accepts(0, i, j) && !legal) refused++;
          expect(copy.accepts(0, i, k)).toBe(legal);
          expect(copy.out.actionMasks[1 + i * copy.slots + k]).toBe(legal ? 1 : 0);
          if (!legal) continue;
          const twin = new VectorDispatchEnv({ scenario, numEnvs: 1 }).world;
          twin.copy(0, copy, 0);
          twin.step(0, 1 + i * copy.slots + k);
          expect(twin.state.freeAt[i]).toBe(done);
        }
      });
    }
    expect(refused).toBeGreaterThan(20);
  });

  it('travels by the table of the minute in which a leg begins', () => {
    const zones = 3;
    // Minute 480 is 8:00, the start; from 8:40 on, all ways take three times as long.
    const calm = Int32Array.from([0, 600, 900, 660, 0, 300, 960, 360, 0]);
    const matrix: MatrixTravel = {
      zones,
      seconds: calm,
      periods: {
        ofMinute: Uint8Array.from({ length: 1440 }, (_, minute) => (minute >= 520 ? 1 : 0)),
        seconds: [calm, calm.map((second) => 3 * second)],
      },
      metres: calm.map((second) => 8 * second),
      fares: new Int32Array(9),
      x: new Float32Array(3),
      y: new Float32Array(3),
    };
    const compiled = {
      ...compileScenario({ ...scenario, drivers: 1, skills: [], trafficSlowdown: 0 }),
      matrix,
    };
    compiled.arrivalByTick.fill(0);
    const { world } = new VectorDispatchEnv({ scenario: compiled, numEnvs: 1 });
    const place = {
      pickupX: 0,
      pickupY: 0,
      dropoffX: 0,
      dropoffY: 0,
      knownAt: 0,
      leg: 0,
      fare: 0,
      skills: 0,
      priority: 3,
    };
    const services = { pickupService: 60, dropoffService: 30 };
    const booking = { ...place, ...services, pickupZone: 1, dropoffZone: 2, windowStart: 0, windowEnd: 20_000 };
    const driver = { x: 0, y: 0, zone: 0, freeAt: 0, plan: [], onBoard: false, load: 0, offDuty: false };
    const at = (now: number, freeAt = 0): [pickup: number, dropoff: number] => {
      world.restore(0, 1, 0, { now, drivers: [{ ...driver, freeAt }], bookings: [booking] });
      return [world.pickupSecond(0, 0, 0), world.dropoffSecond(0, 0, 0)];
    };
    expect(at(0)).toEqual([600, 600 + 60 + 300 + 30]);
    // Leaves at 8:39 and arrives in the slow period, in which the ride begins.
    expect(at(2340)).toEqual([2940, 2940 + 60 + 900 + 30]);
    expect(at(2400)).toEqual([2400 + 1800, 2400 + 1800 + 60 + 900 + 30]);
    expect(at(0, 2400)).toEqual(at(2400));

    // The clock passes the boundary while the vehicle stands idle.
    world.restore(0, 1, 0, { now: 2100, drivers: [driver], bookings: [booking, { ...booking, windowEnd: 3100 }] });
    expect(world.pickupSecond(0, 0, 1)).toBe(2700);
    expect(world.out.actionMasks[2]).toBe(1);
    world.step(0, 0);
    expect(world.pickupSecond(0, 0, 1)).toBe(2400 + 1800);
    expect(world.out.actionMasks[2]).toBe(0);
    world.step(0, 1);
    expect(world.state.freeAt[0]).toBe(2400 + 1800 + 60 + 900 + 30);
  });

  it('is refused if it does not fit the world', () => {
    const { world } = played(10);
    const snapshot = snapshotOf(world);
    const [driver] = snapshot.drivers;
    const [booking] = snapshot.bookings;
    const plan = Array.from({ length: 4 }, () => ({ pickupAt: 0, dropoffAt: NEVER }));
    for (const [wrong, message] of [
      [{ now: 28_800 }, /second 28800.*0 to 28799/],
      [{ now: -1 }, /second -1/],
      [{ drivers: Array.from({ length: 11 }, () => driver) }, /11 drivers.*10/],
      [{ bookings: Array.from({ length: 21 }, () => booking) }, /21 bookings.*20/],
      [
        { bookings: [{ ...booking, windowStart: 600, windowEnd: 599 }] },
        /bookings\[0\]\.windowEnd is 599: expected at least windowStart \(600\)/,
      ],
      [{ drivers: [{ ...driver, plan }] }, /4 bookings in a driver's plan.*3/],
    ] as const) {
      expect(() => world.restore(0, 1, 0, { ...snapshot, ...wrong })).toThrow(message);
    }
  });
});

describe('a copy', () => {
  it('goes on as its original does, and neither knows of the other', () => {
    const env = played(25);
    const pair = new VectorDispatchEnv({ scenario, numEnvs: 3 }).world;
    pair.copy(2, env.world, 0);
    const policy = heuristic('edf');
    const [mine, theirs] = [new Int32Array(1), new Int32Array(3)];
    for (let k = 0; k < 120; k++) {
      policy.act(env.world, 0, 1, mine);
      policy.act(pair, 2, 3, theirs);
      expect(theirs[2]).toBe(mine[0]);
      expect(pair.step(2, theirs[2])).toBe(env.world.step(0, mine[0]));
    }
    expect(pair.state.created[0]).toBe(0);
    expect(pair.state.episodeReturn[2]).toBe(env.world.state.episodeReturn[0]);
  });

  it('is refused between worlds of different size', () => {
    const other = new VectorDispatchEnv({ scenario: { ...scenario, drivers: 4 }, numEnvs: 1 });
    expect(() => other.world.copy(0, played(1).world, 0)).toThrow(/differ in/);
  });
});

describe('another future', () => {
  it('is the same for the same numbers, another for others, and changes nothing that is known', () => {
    const env = played(20);
    const worlds = new VectorDispatchEnv({ scenario, numEnvs: 3 }).world;
    const before = [...env.world.out.observations];
    const futures = [7, 7, 8].map((episode, k) => {
      worlds.copy(k, env.world, 0);
      worlds.resampleDemand(k, 5, episode, 0);
      const size = worlds.observationSize;
      expect([...worlds.out.observations.subarray(k * size, (k + 1) * size)]).toEqual(before);
      for (let t = 0; t < 30; t++) worlds.step(k, 0);
      return [worlds.state.created[k], worlds.state.expired[k], worlds.state.episodeReturn[k]];
    });
    expect(futures[1]).toEqual(futures[0]);
    expect(futures[2]).not.toEqual(futures[0]);
  });
});
