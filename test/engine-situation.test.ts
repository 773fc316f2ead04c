// A live state from outside, copies of environments, and other futures of them.

import { describe, expect, it } from 'vitest';
import { NEVER, VectorDispatchEnv, preset } from '#engine/index.js';
import type { Scenario, Situation, World } from '#engine/index.js';
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
function situationOf(world: World): Situation {
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

describe('a situation', () => {
  it('that describes an environment makes the same one: what is legal, when, and what it pays', () => {
    let compared = 0;
    for (let seed = 1; seed <= 30; seed++) {
      const { world } = played(30 + seed, seed);
      const copy = new VectorDispatchEnv({ scenario, numEnvs: 1 }).world;
      copy.place(0, 9, 0, situationOf(world));
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
    const situation = situationOf(world);
    const drivers = situation.drivers.slice(0, 4).map((driver, i) => ({ ...driver, offDuty: i === 1 }));
    world.place(0, 1, 0, { ...situation, drivers });
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
    const situation = situationOf(world);
    const [first] = situation.bookings;
    const [driver] = situation.drivers;
    const bookings = [{ ...first, skills: 0, windowEnd: 20_000, pickupService: 400, dropoffService: 200 }];
    const free = (services: object): number => {
      world.place(0, 1, 0, { ...situation, drivers: [driver], bookings: [{ ...bookings[0], ...services }] });
      expect(world.accepts(0, 0, 0)).toBe(true);
      world.step(0, 1);
      return world.state.freeAt[0];
    };
    expect(free({}) - free({ pickupService: 0, dropoffService: 0 })).toBeGreaterThanOrEqual(600);
    world.place(0, 1, 0, { ...situation, drivers: [driver], bookings: [{ ...bookings[0], skills: 0b100 }] });
    expect([world.hasSkills(0, 0, 0), world.isInTime(0, 0, 0), world.accepts(0, 0, 0)]).toEqual([false, true, false]);
    world.place(0, 1, 0, { ...situation, drivers: [driver], bookings: [{ ...bookings[0], windowEnd: -2000 }] });
    expect([world.hasSkills(0, 0, 0), world.isInTime(0, 0, 0), world.accepts(0, 0, 0)]).toEqual([true, false, false]);
  });

  it('is refused if it does not fit the world', () => {
    const { world } = played(10);
    const situation = situationOf(world);
    const [driver] = situation.drivers;
    const plan = Array.from({ length: 4 }, () => ({ pickupAt: 0, dropoffAt: NEVER }));
    for (const [wrong, message] of [
      [{ now: 28_800 }, /second 28800.*0 to 28799/],
      [{ now: -1 }, /second -1/],
      [{ drivers: Array.from({ length: 11 }, () => driver) }, /11 drivers.*10/],
      [{ bookings: Array.from({ length: 21 }, () => situation.bookings[0]) }, /21 bookings.*20/],
      [{ drivers: [{ ...driver, plan }] }, /4 bookings in a driver's plan.*3/],
    ] as const) {
      expect(() => world.place(0, 1, 0, { ...situation, ...wrong })).toThrow(message);
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
      worlds.imagine(k, 5, episode, 0);
      const size = worlds.observationSize;
      expect([...worlds.out.observations.subarray(k * size, (k + 1) * size)]).toEqual(before);
      for (let t = 0; t < 30; t++) worlds.step(k, 0);
      return [worlds.state.created[k], worlds.state.expired[k], worlds.state.episodeReturn[k]];
    });
    expect(futures[1]).toEqual(futures[0]);
    expect(futures[2]).not.toEqual(futures[0]);
  });
});
