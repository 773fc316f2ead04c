// One matching per tick: it is the best there is, it is legal, and it knows nothing of the future.

import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { Purpose, RandomStream, VectorDispatchEnv, compileScenario, preset } from '#engine/index.js';
import type { CompiledScenario, World } from '#engine/index.js';
import { Matching, MatchingPolicy, PolicyError, demandTable, fleetColumns, networkLayout } from '#policy/index.js';
import type { NetworkShape } from '#policy/index.js';
import { someAction } from './support/play.js';
import { RUNS, anyScenario, traceScenario } from './support/random-scenario.js';
import { sized, told } from './support/size.js';

function scorerOf(compiled: CompiledScenario, seed: number): { shape: NetworkShape; weights: Float32Array } {
  const shape: NetworkShape = {
    kind: 'matching',
    inputs: fleetColumns(compiled),
    hidden: [],
    criticHidden: [],
    actions: 1,
  };
  const stream = new RandomStream(seed, Purpose.weights);
  const weights = Float32Array.from({ length: networkLayout(shape).size }, () => stream.normal());
  return { shape, weights };
}

/** The highest sum of scores by trying every matching; at most `most` pairs. */
function highest(
  rows: readonly { readonly i: number; readonly j: number; readonly score: number }[],
  most: number,
  from = 0,
  drivers = 0,
  slots = 0,
): number {
  let best = 0;
  if (most === 0) return best;
  for (let k = from; k < rows.length; k++) {
    const { i, j, score } = rows[k];
    if (score <= 0 || (drivers & (1 << i)) !== 0 || (slots & (1 << (j % 30))) !== 0) continue;
    best = Math.max(best, score + highest(rows, most - 1, k + 1, drivers | (1 << i), slots | (1 << (j % 30))));
  }
  return best;
}

/** Some decisions into an episode. */
function played(compiled: CompiledScenario, seed: number, steps: number): World {
  const env = new VectorDispatchEnv({ scenario: compiled, numEnvs: 1 });
  const stream = new RandomStream(seed, Purpose.action);
  env.reset({ seed });
  for (let t = 0; t < steps; t++) env.step(Int32Array.of(someAction(env.world, 0, stream, false)));
  return env.world;
}

describe('a matching', () => {
  it('has the highest sum of scores, as trying all of them finds, and only legal pairs', () => {
    let tried = 0;
    fc.assert(
      fc.property(anyScenario, fc.nat(1e9), fc.nat(20), (compiled, seed, steps) => {
        const { scenario } = compiled;
        const world = played(compiled, seed, steps);
        const { shape, weights } = scorerOf(compiled, seed);
        const matching = new Matching(world, shape, weights);
        const count = matching.consider(0);
        // More would take too long to try, and slots are told apart by 30 bits.
        if (count > 14 || scenario.slots > 30) return;
        const rows = Array.from({ length: count }, (_, k) => ({
          i: matching.rows.drivers[k],
          j: matching.rows.slots[k],
          score: matching.scores[k],
        }));
        const slotOf = new Int32Array(world.drivers);
        matching.solve(slotOf);
        const left = scenario.decisionsPerTick - world.state.decisions[0];
        let sum = 0;
        slotOf.forEach((j, i) => {
          if (j < 0) return;
          expect(world.accepts(0, i, j)).toBe(true);
          sum += rows.find((row) => row.i === i && row.j === j)!.score;
        });
        expect(new Set(slotOf.filter((j) => j >= 0)).size).toBe(slotOf.filter((j) => j >= 0).length);
        expect(slotOf.filter((j) => j >= 0).length).toBeLessThanOrEqual(left);
        // Of a matching for all drivers the best few pairs are kept, which need not be the best few of all.
        if (left === 1 || left >= Math.min(world.drivers, scenario.slots)) {
          expect(sum).toBeCloseTo(highest(rows, Math.min(left, 14)), 6);
          tried++;
        }
      }),
      { numRuns: 4 * RUNS },
    );
    expect(tried).toBeGreaterThan(RUNS);
  });

  it('leaves out a driver and a slot on request', () => {
    const world = played(compileScenario(preset('geneva-live')), 4, 0);
    const matching = new Matching(world, null, null);
    matching.consider(0);
    const slotOf = new Int32Array(world.drivers);
    matching.solve(slotOf);
    const driver = slotOf.findIndex((j) => j >= 0);
    const slot = slotOf[driver];
    matching.solve(slotOf, 0, driver, slot);
    expect(slotOf[driver]).toBe(-1);
    expect(slotOf).not.toContain(slot);
  });
});

describe('MatchingPolicy', () => {
  const least = sized(3_000, 10_000_000);

  it(`never decides anything illegal, in ${told(least)} decisions`, { tags: ['attack'] }, () => {
    let decisions = 0;
    for (let run = 0; decisions < least; run++) {
      const [compiled] = fc.sample(anyScenario, { numRuns: 1, seed: run });
      if (compiled.scenario.decisionsPerTick === 1) continue;
      const { shape, weights } = scorerOf(compiled, run);
      const numEnvs = sized(4, 64);
      const env = new VectorDispatchEnv({ scenario: compiled, numEnvs, autoresetMode: 'DISABLED' });
      const policy = new MatchingPolicy('matching', shape, weights);
      const { drivers, state, out } = env.world;
      const slotOf = new Int32Array(numEnvs * drivers);
      env.reset({ seed: run });
      while (state.ended.includes(0)) {
        for (let e = 0; e < numEnvs; e++) policy.decide(env.world, e, slotOf, e * drivers);
        env.stepJoint(slotOf);
        if (out.invalidActions.includes(1)) throw new Error(`illegal decision in ${JSON.stringify(compiled.scenario)}`);
      }
      for (let e = 0; e < numEnvs; e++) decisions += state.steps[e];
    }
    expect(decisions).toBeGreaterThanOrEqual(least);
  });

  it('does not see the future: with other demand from here on it decides the same', () => {
    fc.assert(
      fc.property(anyScenario, fc.nat(1e9), fc.nat(20), (compiled, seed, steps) => {
        const world = played(compiled, seed, steps);
        const { shape, weights } = scorerOf(compiled, seed);
        const policy = new MatchingPolicy('matching', shape, weights);
        const before = new Int32Array(world.drivers);
        const after = new Int32Array(world.drivers);
        policy.decide(world, 0, before);
        world.resampleDemand(0, seed + 1, 7, 3);
        policy.decide(world, 0, after);
        expect(after).toEqual(before);
      }),
      { numRuns: RUNS },
    );
  });

  it('takes one assignment at a time where it is asked for one: the best where a tick has no more', () => {
    const world = played(compileScenario(preset('geneva')), 3, 0);
    const matching = new Matching(world, null, null);
    const count = matching.consider(0);
    expect(count).toBeGreaterThan(1);
    const best = matching.scores.subarray(0, count).indexOf(Math.max(...matching.scores.subarray(0, count)));
    const actions = new Int32Array(1);
    new MatchingPolicy('matching').act(world, 0, 1, actions);
    expect(actions[0]).toBe(world.actionOf(matching.rows.drivers[best], matching.rows.slots[best]));
  });

  it('refuses a scorer for another number of zones, weights that do not fit, and scores that are no number', () => {
    const world = played(compileScenario(preset('geneva-live')), 1, 3);
    const { shape, weights } = scorerOf(world.compiled, 1);
    const other = { ...shape, inputs: shape.inputs + 2 };
    expect(() => new Matching(world, other, new Float32Array(networkLayout(other).size))).toThrow(
      `the scorer takes ${shape.inputs + 2} numbers, rows of geneva-live have ${shape.inputs}`,
    );
    expect(() => new MatchingPolicy('m', shape, weights.subarray(1))).toThrow(PolicyError);
    const huge = new MatchingPolicy('m', shape, weights.fill(3e38));
    expect(() => huge.decide(world, 0, new Int32Array(world.drivers))).toThrow(PolicyError);
  });
});

describe('the table of demand', () => {
  it('is the mean of the training days, and of them alone', () => {
    fc.assert(
      fc.property(traceScenario, (compiled) => {
        const { trace, splits } = compiled.dataset!;
        const { known, knownInAll, zones, ticks } = demandTable(compiled);
        const days = splits.training;
        let bookings = 0;
        for (const day of days) {
          for (let t = trace.dayStart[day]; t < trace.dayStart[day + 1]; t++) {
            if (Math.ceil(trace.knownAt[t] / compiled.scenario.tickSeconds) < ticks) bookings++;
          }
        }
        expect(knownInAll[ticks]).toBeCloseTo(bookings / Math.max(1, days.length), 9);
        let sum = 0;
        for (let z = 0; z < zones; z++) sum += known[z * (ticks + 1) + ticks];
        expect(sum).toBeCloseTo(knownInAll[ticks], 9);
      }),
      { numRuns: RUNS },
    );
  });

  it('of drawn demand is what its bookings come to', () => {
    const compiled = compileScenario(preset('geneva'));
    const { knownInAll, ticks } = demandTable(compiled);
    const numEnvs = 2000;
    const env = new VectorDispatchEnv({ scenario: compiled, numEnvs, autoresetMode: 'DISABLED' });
    env.reset({ seed: 1 });
    const wait = new Int32Array(numEnvs);
    while (env.world.state.ended.includes(0)) env.step(wait);
    const mean = env.world.state.created.reduce((sum, count) => sum + count, 0) / numEnvs;
    expect(Math.abs(mean / knownInAll[ticks] - 1)).toBeLessThan(0.02);
  });
});
