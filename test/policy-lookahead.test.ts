// Trying decisions out in sampled futures: a fair comparison, the same answer to the same question, and a better policy.

import { describe, expect, it } from 'vitest';
import { VectorDispatchEnv } from '#engine/index.js';
import type { World } from '#engine/index.js';
import { Lookahead, LookaheadPolicy, heuristic, promising } from '#policy/index.js';
import type { Policy } from '#policy/index.js';

function playedTo(decisions: number, seed: number): VectorDispatchEnv {
  const env = new VectorDispatchEnv({ scenario: 'geneva', numEnvs: 1 });
  const policy = heuristic('hungarian');
  const actions = new Int32Array(1);
  env.reset({ seed });
  for (let k = 0; k < decisions; k++) {
    policy.act(env.world, 0, 1, actions);
    env.step(actions);
  }
  return env;
}

function choice(policy: Policy, world: World): number {
  const actions = new Int32Array(1);
  policy.act(world, 0, 1, actions);
  return actions[0];
}

describe('a look ahead', () => {
  it('gives the means of what the base policy does in each future after each action', () => {
    const { world } = playedTo(12, 3);
    const base = heuristic('edf');
    const actions = promising(world, 0, choice(base, world), 4);
    expect(actions).toHaveLength(4);
    const seconds = 6000;
    const { forecasts, futures } = new Lookahead({ futures: 12, seconds, base: 'edf' }).evaluate(world, 0, actions, 77);
    expect(futures).toBe(12);
    // The same by hand, one future after the other.
    const copy = new VectorDispatchEnv({ scenario: 'geneva', numEnvs: 1 }).world;
    const chosen = new Int32Array(1);
    for (const [c, action] of actions.entries()) {
      let returns = 0;
      let lost = 0;
      let minutes = 0;
      for (let f = 0; f < 12; f++) {
        copy.copy(0, world, 0);
        copy.resampleDemand(0, 77, f, 0);
        const lostBefore = copy.state.expired[0] + copy.state.refused[0];
        const lateBefore = copy.state.sums[0];
        const until = copy.state.now[0] + seconds;
        returns += copy.step(0, action);
        while (copy.state.now[0] < until && copy.state.tick[0] < copy.compiled.ticks) {
          base.act(copy, 0, 1, chosen);
          returns += copy.step(0, chosen[0]);
        }
        lost += copy.state.expired[0] + copy.state.refused[0] - lostBefore;
        minutes += (copy.state.sums[0] - lateBefore) / 60;
      }
      expect(forecasts[c].return.mean).toBeCloseTo(returns / 12, 6);
      expect(forecasts[c].lost.mean).toBeCloseTo(lost / 12, 9);
      expect(forecasts[c].minutesLate.mean).toBeCloseTo(minutes / 12, 9);
    }
  });

  it('answers the same to the same, leaves the world as it is, and measures against the first action in the same futures', () => {
    const { world } = playedTo(20, 5);
    const before = JSON.stringify(Object.values(world.state).map((view) => [...(view as Float64Array)]));
    const actions = promising(world, 0, choice(heuristic('hungarian'), world), 5);
    const lookahead = new Lookahead({ futures: 16 });
    const first = lookahead.evaluate(world, 0, actions, 1);
    expect(new Lookahead({ futures: 16 }).evaluate(world, 0, actions, 1)).toEqual(first);
    expect(lookahead.evaluate(world, 0, actions, 1)).toEqual(first);
    expect(lookahead.evaluate(world, 0, actions, 2)).not.toEqual(first);
    expect(JSON.stringify(Object.values(world.state).map((view) => [...(view as Float64Array)]))).toBe(before);
    const [{ advantage }, ...others] = first.forecasts;
    expect(advantage).toEqual({ mean: 0, low: 0, high: 0 });
    for (const forecast of others) {
      const { mean, low, high } = forecast.return;
      expect(low).toBeLessThanOrEqual(mean);
      expect(high).toBeGreaterThanOrEqual(mean);
      expect(forecast.advantage.mean).toBeCloseTo(mean - first.forecasts[0].return.mean, 6);
      expect(forecast.lateShare.mean).toBeGreaterThanOrEqual(0);
      expect(forecast.lateShare.mean).toBeLessThanOrEqual(1);
    }
    // Common futures: the difference is known better than its parts.
    const width = ({ low, high }: { low: number; high: number }): number => high - low;
    const narrower = others.filter((o) => width(o.advantage) < width(o.return)).length;
    expect(narrower).toBeGreaterThan(others.length / 2);
  });

  it('stops when its time is up, and counts only futures that it has played to their end', () => {
    const { world } = playedTo(10, 1);
    const lookahead = new Lookahead({ futures: 64 });
    expect(lookahead.evaluate(world, 0, [0], 1, () => true)).toEqual({ forecasts: [], futures: 0 });
    const first = lookahead.evaluate(world, 0, [0], 1, (played) => played >= 24);
    expect(first.futures).toBe(24);
    // In the midst of the fourth batch: what it has seen of it does not count.
    let within = 0;
    expect(lookahead.evaluate(world, 0, [0], 1, (played) => played === 24 && ++within === 20)).toEqual(first);
  });

  it('covers the true mean as often as it says', () => {
    const { world } = playedTo(8, 2);
    const truth = new Lookahead({ futures: 2000, seconds: 3600 }).evaluate(world, 0, [0], 999).forecasts[0].return.mean;
    let inside = 0;
    const tries = 200;
    for (let seed = 0; seed < tries; seed++) {
      const { low, high } = new Lookahead({ futures: 16, seconds: 3600 }).evaluate(world, 0, [0], seed).forecasts[0]
        .return;
      if (low <= truth && truth <= high) inside++;
    }
    // 95% of 200, give or take three and a half standard errors.
    expect(inside / tries).toBeGreaterThan(0.89);
  });
});

describe('the policy that looks ahead', () => {
  const total = (policy: Policy, seed: number): number => {
    const env = new VectorDispatchEnv({ scenario: 'geneva', numEnvs: 8, autoresetMode: 'DISABLED' });
    const actions = new Int32Array(8);
    env.reset({ seed });
    while (env.world.state.ended.includes(0)) {
      policy.act(env.world, 0, 8, actions);
      env.step(actions);
    }
    return env.world.out.episodeReturns.reduce((sum, value) => sum + value, 0);
  };

  it('plays better than the rule that it looks ahead with, and the same again', () => {
    const base = total(heuristic('hungarian'), 11);
    const ahead = total(new LookaheadPolicy(), 11);
    expect(ahead).toBeGreaterThan(base);
    expect(total(new LookaheadPolicy(), 11)).toBe(ahead);
  }, 120_000);
});

describe('options of a look ahead', () => {
  it.each<[string, number]>([
    ['futures', NaN],
    ['futures', 0],
    ['futures', 2.5],
    ['seconds', -7200],
    ['seconds', Infinity],
    ['batch', 0],
    ['candidates', -1],
  ])('are refused by name and value: %s %s', (name, value) => {
    const make = (): unknown =>
      name === 'candidates' ? new LookaheadPolicy({ [name]: value }) : new Lookahead({ [name]: value });
    expect(make).toThrow(
      expect.objectContaining({
        name: 'PolicyError',
        code: 'ERR_OPTION',
        message: `look-ahead: ${name} is ${value}: it must be a whole number of at least 1`,
      }),
    );
  });

  it('are refused where the base is no rule', () => {
    expect(() => new Lookahead({ base: 'nobody' as 'edf' })).toThrow(expect.objectContaining({ code: 'ERR_POLICY' }));
  });
});
