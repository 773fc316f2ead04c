// The transition against a naive simulation of its own: plain objects, degrees of freedom spelt out, no caches.

import { describe, expect, it } from 'vitest';
import {
  Purpose,
  RandomStream,
  VectorDispatchEnv,
  compileScenario,
  kpisOf,
  levelAt,
  preset,
  weightedReward,
} from '#engine/index.js';
import { someAction } from './support/play.js';

interface Booking {
  readonly pickup: readonly [number, number];
  readonly dropoff: readonly [number, number];
  readonly windowStart: number;
  readonly windowEnd: number;
  readonly knownAt: number;
  readonly priority: number;
}

interface Driver {
  end: readonly [number, number];
  freeAt: number;
  load: number;
  /** Pickup and drop-off second of every booking taken, in order. */
  readonly plan: [number, number][];
}

const geneva = preset('geneva');
const METRES_PER_SECOND = 30 / 3.6;
const distance = (a: readonly [number, number], b: readonly [number, number]): number =>
  Math.hypot(a[0] - b[0], a[1] - b[1]);

describe('the transition', () => {
  it.each([
    ['the geneva day', 8 * 3600, 96],
    ['three days from a second off the minute, through every traffic level', 7 * 3600 + 30, 3 * 288],
  ])('agrees with a naive simulation over %s: times, rewards, counts and figures', (_, startSecondOfDay, ticks) => {
    const scenario = {
      ...geneva,
      startSecondOfDay,
      horizonSeconds: ticks * 300,
      pickupServiceSeconds: 60,
      dropoffServiceSeconds: 30,
    };
    const compiled = compileScenario(scenario);
    if (scenario.reward.kind !== 'weighted') throw new Error('geneva pays by weights');
    const { weights } = scenario.reward;
    const factor = (second: number): number => 1 / (1 - 0.5 * levelAt(scenario.traffic, startSecondOfDay + second));
    const arrivals: number[] = [];
    let expiries = 0;
    for (let seed = 0; seed < (ticks > 96 ? 4 : 25); seed++) {
      const env = new VectorDispatchEnv({ scenario: compiled, numEnvs: 1, autoresetMode: 'DISABLED' });
      const { world } = env;
      const { state: st } = world;
      const stream = new RandomStream(seed, Purpose.action);
      const drivers: Driver[] = Array.from({ length: 10 }, () => ({ end: [0, 0], freeAt: 0, load: 0, plan: [] }));
      const open = new Map<number, Booking>();
      const total = { accepted: 0, onTime: 0, wait: 0, late: 0, approach: 0, ride: 0, busy: 0, return: 0 };
      env.reset({ seed });
      for (let tick = 0; tick < ticks; tick++) {
        const now = tick * 300;
        for (let j = 0; j < 20; j++) {
          expect(open.has(j)).toBe(open.has(j) && world.isOpen(0, j));
          if (!world.isOpen(0, j) || open.has(j)) continue;
          expect(st.knownAt[j]).toBeGreaterThan(tick === 0 ? -1 : now - 300);
          expect(st.knownAt[j]).toBeLessThanOrEqual(now);
          if (tick > 0) arrivals.push(st.knownAt[j] % 300);
          open.set(j, {
            pickup: [st.pickupX[j], st.pickupY[j]],
            dropoff: [st.dropoffX[j], st.dropoffY[j]],
            windowStart: st.windowStart[j],
            windowEnd: st.windowEnd[j],
            knownAt: st.knownAt[j],
            priority: st.priority[j],
          });
        }
        expect(st.now[0]).toBe(now);
        expect(st.open[0]).toBe(open.size);
        const served = drivers.flatMap((driver) => driver.plan);
        expect(st.completed[0]).toBe(served.filter(([, dropoff]) => dropoff <= now).length);
        expect(st.pickedUp[0]).toBe(served.filter(([pickup, dropoff]) => pickup <= now && dropoff > now).length);
        expect(st.assigned[0]).toBe(served.filter(([pickup]) => pickup > now).length);

        const action = someAction(world, 0, stream, false);
        const refusedBefore = st.refused[0];
        let expected = -10 * open.size;
        let taken: { driver: Driver; i: number; depart: number; edge: boolean } | null = null;
        if (action > 0) {
          const i = Math.floor((action - 1) / 20);
          const j = (action - 1) % 20;
          const [driver, booking] = [drivers[i], open.get(j)!];
          expect(driver.plan.filter(([, dropoff]) => dropoff > now).length).toBeLessThan(3);
          const depart = Math.max(now, driver.freeAt);
          const metres = distance(driver.end, booking.pickup);
          const seconds = (metres / METRES_PER_SECOND) * factor(depart);
          const pickup = Math.max(depart + seconds, booking.windowStart);
          const ride = distance(booking.pickup, booking.dropoff);
          const dropoff = pickup + 60 + (ride / METRES_PER_SECOND) * factor(pickup + 60) + 30;
          expect(Math.abs(world.pickupSecond(0, i, j) - pickup)).toBeLessThanOrEqual(1);
          driver.load++;
          const loads = drivers.map((each) => each.load);
          const mean = loads.reduce((a, b) => a + b) / 10;
          const spread = Math.sqrt(loads.reduce((sum, load) => sum + (load - mean) ** 2, 0) / 10);
          const rounded = world.pickupSecond(0, i, j);
          const late = Math.max(0, rounded - booking.windowEnd);
          expected = weightedReward(
            weights,
            late,
            metres,
            Math.round(seconds),
            spread,
            i < 7 ? 0 : 1,
            booking.priority,
          );
          open.delete(j);
          total.accepted++;
          total.onTime += late === 0 ? 1 : 0;
          total.late += late;
          total.wait += rounded - booking.knownAt;
          total.approach += metres;
          total.ride += ride;
          driver.end = booking.dropoff;
          driver.plan.push([rounded, dropoff]);
          // A ride that departs in the second in which the traffic changes may take either factor.
          const edge = Math.abs(factor(pickup + 59) - factor(pickup + 61)) > 1e-9;
          taken = { driver, i, depart, edge };
        }
        for (const [j, booking] of open) {
          if (booking.windowEnd > now + 300) continue;
          expected -= 40 * booking.priority;
          expiries++;
          open.delete(j);
        }
        const { rewards } = env.step(Int32Array.of(action));
        if (taken !== null) {
          const { driver, i, depart, edge } = taken;
          const entry = driver.plan[driver.plan.length - 1];
          if (!edge) expect(Math.abs(st.freeAt[i] - entry[1])).toBeLessThanOrEqual(2);
          // From here on with the engine's whole seconds, so that roundings do not add up.
          entry[1] = driver.freeAt = st.freeAt[i];
          total.busy += Math.min(driver.freeAt, ticks * 300) - Math.min(depart, ticks * 300);
        }
        // A booking that found no slot is not seen here; what it costs has a test of its own below.
        if (st.refused[0] === refusedBefore) expect(rewards[0]).toBeCloseTo(expected, 2);
        total.return += rewards[0];
      }
      const kpis = kpisOf(world.out.episodeKpis, 0);
      expect(kpis.accepted).toBe(total.accepted);
      expect(kpis.onTimeRate).toBeCloseTo(total.onTime / total.accepted, 9);
      expect(kpis.meanWaitMinutes).toBeCloseTo(total.wait / total.accepted / 60, 6);
      expect(kpis.meanLatenessMinutes).toBeCloseTo(total.late / total.accepted / 60, 6);
      expect(kpis.meanApproachKm).toBeCloseTo(total.approach / total.accepted / 1000, 3);
      expect(kpis.emptyShare).toBeCloseTo(total.approach / (total.approach + total.ride), 4);
      expect(kpis.utilisation).toBeCloseTo(total.busy / (10 * ticks * 300), 9);
      const loads = drivers.map((driver) => driver.load);
      const mean = total.accepted / 10;
      expect(kpis.loadStd).toBeCloseTo(Math.sqrt(loads.reduce((sum, load) => sum + (load - mean) ** 2, 0) / 10), 6);
      expect(world.out.episodeReturns[0]).toBeCloseTo(total.return, 1);
    }
    expect(expiries).toBeGreaterThan(20);
    // Calls come at any second of a tick.
    expect(new Set(arrivals).size).toBeGreaterThan(150);
    expect(arrivals.reduce((a, b) => a + b) / arrivals.length).toBeGreaterThan(120);
    expect(arrivals.reduce((a, b) => a + b) / arrivals.length).toBeLessThan(180);
  });

  it('a booking that finds no free slot is refused and costs 40 times its priority', () => {
    if (geneva.demand.kind !== 'synthetic') throw new Error('geneva draws its demand');
    const env = new VectorDispatchEnv({
      scenario: {
        ...geneva,
        slots: 3,
        demand: {
          ...geneva.demand,
          initialBookings: [3, 3],
          bookingsPerArrival: [2, 2],
          arrivalProbability: { base: 1, parts: [] },
          priorities: [4, 4],
          urgentPriority: 6,
          windowMinutes: [60, 60],
        },
      },
      numEnvs: 1,
    });
    env.reset({ seed: 1 });
    expect(env.step(new Int32Array(1)).rewards[0]).toBe(3 * -10 + 2 * -40 * 4);
    expect(env.world.state.refused[0]).toBe(2);
  });
});
