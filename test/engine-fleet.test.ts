// Homes, shifts and skills of a fleet, rides ordered for later, hot spots: against a naive simulation of its own, and against what
// the scenario says. Preset geneva-medical has all of them.

import { describe, expect, it } from 'vitest';
import { Purpose, RandomStream, VectorDispatchEnv, compileScenario, levelAt, preset } from '#engine/index.js';
import type { Scenario } from '#engine/index.js';
import { heuristic, heuristicNames } from '#policy/index.js';
import { verifyLog } from '#verify/index.js';
import { logOf, playedAnyhow, playedBy } from './support/played-episode.js';
import { someAction } from './support/play.js';

type Point = readonly [x: number, y: number];

const medical = preset('geneva-medical');
const compiled = compileScenario(medical);
const fleet = medical.fleet!;
if (medical.demand.kind !== 'synthetic') throw new Error('geneva-medical draws its demand');
const { demand } = medical;
const START = medical.startSecondOfDay;
const METRES_PER_SECOND = 30 / 3.6;
const METRES_PER_DEGREE = (2 * Math.PI * 6371008.8) / 360;

function pointOf(latitude: number, longitude: number): Point {
  const east = METRES_PER_DEGREE * Math.cos((46.2044 * Math.PI) / 180);
  return [(longitude - 6.1432) * east, (latitude - 46.2044) * METRES_PER_DEGREE];
}
const distance = (a: Point, b: Point): number => Math.hypot(a[0] - b[0], a[1] - b[1]);
const factor = (second: number): number => 1 / (1 - 0.5 * levelAt(medical.traffic, START + second));

/** Whether the traffic changes within a minute of a second: a departure then may take either factor. */
const atChange = (second: number): boolean => factor(second - 2) !== factor(second + 2);

describe('a fleet with homes and shifts', () => {
  it('does what a naive simulation does, and may take exactly what it allows, over whole days', () => {
    let [legalSeen, tooLong, earlyTaken, forLater, expired] = [0, 0, 0, 0, 0];
    for (let seed = 0; seed < 6; seed++) {
      const env = new VectorDispatchEnv({ scenario: compiled, numEnvs: 1, autoresetMode: 'DISABLED' });
      const { world } = env;
      const { state: st, out } = world;
      const stream = new RandomStream(seed, Purpose.action);
      env.reset({ seed });
      const drivers = fleet.flatMap((group) =>
        Array.from({ length: group.drivers }, () => ({
          end: pointOf(group.homeLatitude, group.homeLongitude),
          freeAt: Math.max(0, group.shiftFromSecondOfDay - START),
          until: group.shiftToSecondOfDay - START,
          skills: medical.skills.reduce((bits, { name }, k) => bits + (group.skills.includes(name) ? 2 ** k : 0), 0),
          plan: [] as number[],
          takenAt: -1,
        })),
      );
      expect(drivers.length).toBe(world.drivers);
      while (st.ended[0] === 0) {
        const now = st.now[0];
        for (const [i, driver] of drivers.entries()) {
          driver.plan = driver.plan.filter((dropoff) => dropoff > now);
          expect(st.planLength[i]).toBe(driver.plan.length);
          for (let j = 0; j < world.slots; j++) {
            const masked = out.actionMasks[1 + i * world.slots + j];
            const free = driver.plan.length < 3 && driver.takenAt < now && world.isOpen(0, j);
            if (!free || (st.skills[j] & ~driver.skills) !== 0) {
              expect(masked).toBe(0);
              continue;
            }
            const depart = Math.max(now, driver.freeAt);
            const seconds = distance(driver.end, [st.pickupX[j], st.pickupY[j]]) / METRES_PER_SECOND;
            const pickup = Math.max(depart + seconds * factor(depart), st.windowStart[j]);
            const ride = distance([st.pickupX[j], st.pickupY[j]], [st.dropoffX[j], st.dropoffY[j]]) / METRES_PER_SECOND;
            const dropoff = pickup + 240 + ride * factor(pickup + 240) + 180;
            const late = pickup - (st.windowEnd[j] + 900);
            const over = dropoff - driver.until;
            // What is a matter of rounding may be either.
            if (Math.abs(late) < 2 || Math.abs(over) < 3 || atChange(pickup + 240)) continue;
            expect(masked).toBe(late < 0 && over < 0 ? 1 : 0);
            legalSeen += masked;
            tooLong += late < 0 && over > 0 ? 1 : 0;
            if (masked === 0) continue;
            expect(Math.abs(world.pickupSecond(0, i, j) - pickup)).toBeLessThanOrEqual(1);
            expect(Math.abs(world.dropoffSecond(0, i, j) - dropoff)).toBeLessThanOrEqual(2);
          }
        }
        // Half of the time it only waits, so that days go by.
        const action = stream.float() < 0.5 ? 0 : someAction(world, 0, stream, false);
        if (action > 0) {
          const [i, j] = [Math.floor((action - 1) / world.slots), (action - 1) % world.slots];
          const driver = drivers[i];
          const dropoff = world.dropoffSecond(0, i, j);
          expect(dropoff).toBeLessThanOrEqual(driver.until);
          if (now < driver.freeAt && driver.plan.length === 0) earlyTaken++;
          if (st.windowStart[j] > now) forLater++;
          driver.end = [st.dropoffX[j], st.dropoffY[j]];
          driver.freeAt = dropoff;
          driver.plan.push(dropoff);
          driver.takenAt = now;
        }
        env.step(Int32Array.of(action));
      }
      expired += st.expired[0];
    }
    // Each of these must have come up, or the comparison says little.
    expect(legalSeen).toBeGreaterThan(1000);
    expect(tooLong).toBeGreaterThan(100);
    expect(earlyTaken).toBeGreaterThan(5);
    expect(forLater).toBeGreaterThan(20);
    expect(expired).toBeGreaterThan(5);
  });

  it('shows what is left of each shift, and who lives where', () => {
    const { world } = new VectorDispatchEnv({ scenario: compiled, numEnvs: 1 });
    world.reset(0, 1, 0);
    const width = 8 + 2 + 1;
    const hours = (): number[] => Array.from({ length: 12 }, (_, i) => world.out.observations[i * width + 10]);
    expect(hours()).toEqual([8, 8, 8, 8, 12, 12, 12, 10, 10, 10, 17, 17]);
    for (let t = 0; t < 12 * 8.5; t++) world.step(0, 0);
    expect(hours()).toEqual([0, 0, 0, 0, 3.5, 3.5, 3.5, 1.5, 1.5, 1.5, 8.5, 8.5]);
    const [x, y] = pointOf(46.23, 6.08);
    expect(world.out.observations[4 * width]).toBeCloseTo(x / compiled.extentX, 5);
    expect(world.out.observations[4 * width + 1]).toBeCloseTo(y / compiled.extentY, 5);
    // Skills and types, group by group.
    expect([...compiled.driverSkills]).toEqual([0, 0, 0, 0, 0, 0, 0, 1, 1, 1, 3, 3]);
    expect([...compiled.emergency]).toEqual([0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 1]);
  });
});

describe('drawn demand', () => {
  it('has the rides ordered for later that it should, known from the start', () => {
    const counts = new Set<number>();
    const minutes: number[] = [];
    const none = compileScenario({ ...medical, demand: { ...demand, initialBookings: [0, 0] } });
    const env = new VectorDispatchEnv({ scenario: none, numEnvs: 300 });
    env.reset({ seed: 1 });
    const { state: st, slots } = env.world;
    for (let e = 0; e < 300; e++) {
      counts.add(st.created[e]);
      for (let s = e * slots; s < e * slots + st.open[e]; s++) {
        expect(st.knownAt[s]).toBe(0);
        minutes.push(st.windowStart[s] / 60);
        const length = (st.windowEnd[s] - st.windowStart[s]) / 60;
        const [low, high] = st.priority[s] >= 5 ? [15, 30] : [20, 60];
        expect(length).toBeGreaterThanOrEqual(low);
        expect(length).toBeLessThanOrEqual(high);
      }
    }
    expect([...counts].sort((a, b) => a - b)).toEqual(Array.from({ length: 11 }, (_, k) => 15 + k));
    expect(minutes.every((value) => Number.isInteger(value) && value >= 15 && value <= 600)).toBe(true);
    expect([Math.min(...minutes), Math.max(...minutes)]).toEqual([15, 600]);
    expect(minutes.reduce((a, b) => a + b) / minutes.length).toBeCloseTo(307.5, -1);
  });

  it('lies in hot spots as often as they say, and spread over each of them', () => {
    const env = new VectorDispatchEnv({ scenario: compiled, numEnvs: 300 });
    env.reset({ seed: 2 });
    const { state: st, slots } = env.world;
    const places: Point[] = [];
    for (let e = 0; e < 300; e++) {
      for (let s = e * slots; s < e * slots + st.open[e]; s++) {
        places.push([st.pickupX[s], st.pickupY[s]], [st.dropoffX[s], st.dropoffY[s]]);
      }
    }
    expect(places.length).toBeGreaterThan(10_000);
    for (const { latitude, longitude, reachMetres, share } of demand.hotSpots!) {
      const [x, y] = pointOf(latitude, longitude);
      const inside = places.filter(
        (place) => Math.abs(place[0] - x) < reachMetres + 0.01 && Math.abs(place[1] - y) < reachMetres + 0.01,
      );
      // The area is 15 by 22 km: hardly any of the other places falls into a spot by chance.
      expect(inside.length / places.length).toBeCloseTo(share, 1.5);
      for (const axis of [0, 1]) {
        const offsets = inside.map((place) => (place[axis] - [x, y][axis]) / reachMetres);
        expect(Math.abs(offsets.reduce((a, b) => a + b) / offsets.length)).toBeLessThan(0.1);
        expect(Math.min(...offsets)).toBeLessThan(-0.9);
        expect(Math.max(...offsets)).toBeGreaterThan(0.9);
      }
    }
  });

  it('is the same whatever is decided', () => {
    const [waiting, busy] = ['nearest', null].map((name) => {
      const env = new VectorDispatchEnv({ scenario: compiled, numEnvs: 1, autoresetMode: 'DISABLED' });
      env.reset({ seed: 3 });
      const policy = name === null ? null : heuristic('nearest');
      const actions = new Int32Array(1);
      const created: number[] = [];
      while (env.world.state.ended[0] === 0) {
        policy?.act(env.world, 0, 1, actions);
        const tick = env.world.state.tick[0];
        env.step(actions);
        if (env.world.state.tick[0] !== tick) created.push(env.world.state.created[0], env.world.state.demandStream[0]);
      }
      return created;
    });
    expect(busy).toEqual(waiting);
  });
});

describe('the log of geneva-medical', () => {
  it('breaks no rule, whoever plays', () => {
    for (const name of heuristicNames) expect(verifyLog(logOf(playedBy(compiled, name, 0, 1))).findings).toEqual([]);
    for (let seed = 0; seed < 4; seed++) {
      expect(verifyLog(logOf(playedAnyhow(compiled, seed, seed % 2 === 0))).findings).toEqual([]);
    }
  });

  it('is found wrong where homes, shifts, skills or rides ordered for later are not as the header says', () => {
    const log = logOf(playedBy(compiled, 'nearest', 0, 1));
    type Header = { scenario: Scenario };
    const changed = (change: (scenario: { -readonly [K in keyof Scenario]: Scenario[K] }) => void): string[] => {
      const [first, ...rest] = log.split('\n');
      const header = JSON.parse(first) as Header;
      change(header.scenario);
      const { findings } = verifyLog([JSON.stringify(header), ...rest].join('\n'));
      return [...new Set(findings.map(({ rule }) => rule))];
    };
    const group = (k: number, changes: object) => (s: { fleet?: Scenario['fleet'] }) => {
      s.fleet = s.fleet!.map((one, n) => (n === k ? { ...one, ...changes } : one));
    };
    expect(changed(() => undefined)).toEqual([]);
    expect(changed(group(0, { shiftToSecondOfDay: 11 * 3600 }))).toEqual(['shift']);
    expect(changed(group(1, { shiftFromSecondOfDay: 11 * 3600 }))).toContain('travel');
    expect(changed(group(0, { homeLatitude: 46.21 }))).toContain('fleet');
    expect(changed(group(2, { skills: [] }))).toEqual(['fleet']);
    expect(changed(group(3, { type: 'REGULAR' }))).toEqual(['fleet']);
    const prebooked = (changes: object) => (s: { demand: Scenario['demand'] }) => {
      s.demand = { ...demand, prebooked: { ...demand.prebooked!, ...changes } };
    };
    expect(changed(prebooked({ bookings: [1, 2] }))).toEqual(['booking']);
    expect(changed(prebooked({ windowStartMinutes: [15, 20] }))).toEqual(['booking']);
  });
});

describe('a scenario with a fleet, hot spots or rides ordered for later is refused', () => {
  const change = (k: number, changes: object): Partial<Scenario> => ({
    fleet: fleet.map((group, n) => (n === k ? { ...group, ...changes } : group)),
  });
  const spot = (changes: object): Partial<Scenario> => ({
    demand: { ...demand, hotSpots: [{ ...demand.hotSpots![0], ...changes }, demand.hotSpots![1]] },
  });
  const ordered = (changes: object): Partial<Scenario> => ({
    demand: { ...demand, prebooked: { ...demand.prebooked!, ...changes } },
  });
  it.each<[string, Partial<Scenario>]>([
    ['"drivers" is 12: it must be 13, the drivers of all groups of the fleet', change(0, { drivers: 5 })],
    [
      '"fleet[2].skills[0]" is "lift": it must be one of the scenario\'s skills: wheelchair, stretcher',
      change(2, { skills: ['lift'] }),
    ],
    [
      '"fleet[1].shiftToSecondOfDay" is 36000: it must be after shiftFromSecondOfDay (36000)',
      change(1, { shiftToSecondOfDay: 36_000 }),
    ],
    [
      '"fleet[0].shiftToSecondOfDay" is 25200: it must be after startSecondOfDay (25200)',
      change(0, { shiftToSecondOfDay: 25_200 }),
    ],
    ['"fleet[3].homeLatitude" is 46.4: it must lie in the area', change(3, { homeLatitude: 46.4 })],
    ['"fleet[3].homeLongitude" is 6.3: it must lie in the area', change(3, { homeLongitude: 6.3 })],
    ['"fleet[0].type" is "BUS": it must be one of REGULAR, EMERGENCY', change(0, { type: 'BUS' })],
    ['"fleet[0].speed" is unknown', change(0, { speed: 2 })],
    ['"fleet[0].drivers" is 0', change(0, { drivers: 0 })],
    ['"demand.hotSpots[0].latitude" is 46.303: it must lie in the area', spot({ latitude: 46.303 })],
    ['"demand.hotSpots[1].share" is 0.12: it must not bring the sum of all shares above 1', spot({ share: 0.9 })],
    ['"demand.hotSpots[0].reachMetres" is -1', spot({ reachMetres: -1 })],
    ['"demand.prebooked.bookings" is [3,2]: it must be [low, high] with low <= high', ordered({ bookings: [3, 2] })],
    [
      '"demand.prebooked.windowStartMinutes" is [0,660]: it must end before the horizon\'s 660 minutes',
      ordered({ windowStartMinutes: [0, 660] }),
    ],
  ])('scenario field %s', (message, changes) => {
    expect(() => compileScenario({ ...medical, ...changes })).toThrow(`scenario field ${message}`);
  });

  it('where travel is by tables', () => {
    expect(() => compileScenario({ ...preset('nyc-small'), drivers: 12, skills: medical.skills, fleet })).toThrow(
      'it must be left out unless travel.kind is "plane"',
    );
  });
});
