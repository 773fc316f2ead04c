// Scenarios: what the presets say, and what is refused.

import { describe, expect, it } from 'vitest';
import {
  EngineError,
  VectorDispatchEnv,
  compileScenario,
  levelAt,
  preset,
  validateScenario,
  weightedReward,
} from '#engine/index.js';
import { heuristic } from '#policy/index.js';

const geneva = preset('geneva');

describe('scenario validation', () => {
  it.each([
    [{ drivers: 0 }, /"drivers" is 0: it must be greater than or equal to 1/],
    [{ drivers: 2.5 }, /"drivers" is 2.5/],
    [{ slots: -3 }, /"slots" is -3/],
    [{ tickSeconds: 0 }, /"tickSeconds" is 0/],
    [{ horizonSeconds: 1000 }, /"horizonSeconds" is 1000: it must be a multiple of tickSeconds \(300\)/],
    [{ regularShare: 1.5 }, /"regularShare" is 1.5/],
    [{ decisionsPerTick: 0 }, /"decisionsPerTick" is 0/],
    [{ lateToleranceSeconds: -60 }, /"lateToleranceSeconds" is -60/],
    [{ demand: { ...geneva.demand, windowMinutes: [-5, 10] } }, /"demand.windowMinutes\[0\]" is -5/],
    [
      { demand: { ...geneva.demand, windowMinutes: [30, 10] } },
      /"demand.windowMinutes" is \[30,10\]: it must be \[low, high\]/,
    ],
    [{ travel: { ...geneva.travel, speedKmh: NaN } }, /"travel.speedKmh" is NaN/],
    [{ travel: { kind: 'flying' } }, /"travel.kind" is "flying"/],
    [{ travel: { kind: 'matrix' } }, /demand.kind/],
    [{ driverz: 3 }, /driverz/],
    [{ name: undefined }, /"name" is missing/],
  ])('refuses %j, naming field and value', (change, message) => {
    expect(() => validateScenario({ ...geneva, ...change })).toThrow(message);
    expect(() => validateScenario({ ...geneva, ...change })).toThrow(EngineError);
  });

  it('leaves the given object as it was', () => {
    const given = structuredClone(geneva);
    validateScenario(given);
    expect(given).toEqual(geneva);
  });
});

describe('the geneva preset', () => {
  it('has the traffic and the arrivals of the original by time of day', () => {
    const at = (hour: number): number => levelAt(geneva.traffic, hour * 3600);
    expect([8, 8.99, 9, 12, 13.9, 14, 17.5, 18].map(at)).toEqual([0.8, 0.8, 0.3, 0.5, 0.5, 0.3, 0.8, 0.3]);
    if (geneva.demand.kind !== 'synthetic') throw new Error('geneva draws its demand');
    const { arrivalProbability } = geneva.demand;
    expect([8, 9.4, 9.5, 12, 17, 18.6].map((h) => levelAt(arrivalProbability, h * 3600))).toEqual([
      0.5, 0.5, 0.2, 0.35, 0.5, 0.2,
    ]);
  });

  it('starts ten drivers at the depot, the first seven REGULAR, with three to seven open bookings', () => {
    const compiled = compileScenario(geneva);
    expect([...compiled.emergency]).toEqual([0, 0, 0, 0, 0, 0, 0, 1, 1, 1]);
    const env = new VectorDispatchEnv({ scenario: compiled, numEnvs: 500 });
    env.reset({ seed: 1 });
    const { open, endX } = env.world.state;
    expect(new Set(open)).toEqual(new Set([3, 4, 5, 6, 7]));
    expect(endX.every((x) => x === 0)).toBe(true);
  });

  it('drives 30 km/h x (1 - 0.5 x traffic): at 8:00 traffic 0.8 makes 18 km/h', () => {
    const env = new VectorDispatchEnv({ scenario: 'geneva', numEnvs: 1 });
    env.reset({ seed: 1 });
    const { world } = env;
    expect(world.pickupSecond(0, 0, 0)).toBe(Math.round(world.approachMetres(0, 0, 0) / (18 / 3.6)));
  });

  it('pays assignments by the original formula', () => {
    const only = (part: string) => ({
      punctuality: 0,
      distance: 0,
      equity: 0,
      efficiency: 0,
      satisfaction: 0,
      [part]: 1,
    });
    const pay = (
      part: string,
      late: number,
      metres: number,
      seconds: number,
      std: number,
      emergency: number,
      priority: number,
    ) => weightedReward(only(part), late, metres, seconds, std, emergency, priority);
    expect(pay('punctuality', 0, 0, 0, 0, 0, 1)).toBe(100);
    expect(pay('punctuality', 600, 0, 0, 0, 0, 1)).toBe(-100);
    expect(pay('punctuality', 6000, 0, 0, 0, 0, 1)).toBe(-200);
    expect(pay('distance', 0, 2000, 0, 0, 0, 1)).toBe(20 + 4 * 3);
    expect(pay('distance', 0, 5000, 0, 0, 0, 1)).toBeCloseTo(-10 * Math.log(5));
    expect(pay('distance', 0, 1e6, 0, 0, 0, 1)).toBe(-50);
    expect([0.5, 1.5, 3].map((std) => pay('equity', 0, 0, 0, std, 0, 1))).toEqual([100, 50, -30]);
    expect([299, 300].map((seconds) => pay('efficiency', 0, 0, seconds, 0, 0, 1))).toEqual([70, 50]);
    expect(
      [
        [0, 1],
        [1, 3],
        [1, 4],
      ].map(([emergency, priority]) => pay('satisfaction', 0, 0, 0, 0, emergency, priority)),
    ).toEqual([20, -10, 0]);
  });

  it('does not pay for doing nothing: always waiting scores far below random', () => {
    const env = new VectorDispatchEnv({ scenario: 'geneva', numEnvs: 200, autoresetMode: 'DISABLED' });
    const mean = (wait: boolean): number => {
      const random = heuristic('random');
      const actions = new Int32Array(200);
      env.reset({ seed: 5 });
      for (let t = 0; t < 96; t++) {
        if (!wait) random.act(env.world, 0, 200, actions);
        else actions.fill(0);
        env.step(actions);
      }
      return env.world.out.episodeReturns.reduce((sum, value) => sum + value, 0) / 200;
    };
    expect(mean(true)).toBeLessThan(mean(false) - 5000);
  });
});
