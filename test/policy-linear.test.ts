// The linear rule: which weights it takes, that they are what was fitted, and that it is named wherever a rule is.

import { describe, expect, it } from 'vitest';
import { PAIR_COLUMNS, PairColumn, PairWriter, VectorDispatchEnv, compileScenario, preset } from '#engine/index.js';
import { LinearRule, heuristicNames, linearPresetFor, linearWeights } from '#policy/index.js';
import { evaluatePolicies } from '#workers/index.js';

describe('the linear rule', () => {
  it('takes the legal action with the highest weighted sum of its columns', () => {
    const env = new VectorDispatchEnv({ scenario: 'geneva-live', numEnvs: 3 });
    const { world } = env;
    const rule = new LinearRule();
    const writer = new PairWriter(world);
    const actions = new Int32Array(3);
    const legal = new Int32Array(world.actions);
    const rows = new Float32Array(world.actions * PAIR_COLUMNS);
    const weights = Object.entries(PairColumn).map(
      ([name, column]) => [column, linearWeights['geneva-live'][name] ?? 0] as const,
    );
    env.reset({ seed: 7 });
    let assigned = 0;
    for (let t = 0; t < 60; t++) {
      rule.act(world, 0, 3, actions);
      for (let e = 0; e < 3; e++) {
        const count = writer.write(e, legal, rows, 0);
        const sums = Array.from({ length: count }, (_, k) =>
          weights.reduce((sum, [column, weight]) => sum + weight * rows[k * PAIR_COLUMNS + column], 0),
        );
        const chosen = sums[legal.subarray(0, count).indexOf(actions[e])];
        expect(chosen).toBeGreaterThan(Math.max(...sums) - 1e-4);
        if (actions[e] !== 0) assigned++;
      }
      env.step(actions);
    }
    expect(assigned).toBeGreaterThan(20);
  });

  it('has weights for columns that there are, and takes those of the scenario most like the one it plays', () => {
    for (const byColumn of Object.values(linearWeights)) {
      for (const [name, weight] of Object.entries(byColumn)) {
        expect(Object.keys(PairColumn)).toContain(name);
        expect(Math.fround(weight)).toBeCloseTo(weight, 6);
      }
    }
    expect(linearPresetFor(preset('geneva'))).toBe('geneva');
    expect(linearPresetFor({ ...preset('geneva'), name: 'mine', drivers: 30 })).toBe('geneva');
    expect(linearPresetFor(preset('geneva-live'))).toBe('geneva-live');
    expect(linearPresetFor({ ...preset('geneva'), decisionsPerTick: 2 })).toBe('geneva-live');
    expect(linearPresetFor(preset('nyc-large'))).toBe('nyc-small');
  });

  it.each([
    ['geneva', 'edf', 1000],
    ['geneva-live', 'hungarian', 400],
  ] as const)('earns far more on %s than the strongest of the other rules, %s', async (name, other, margin) => {
    expect(heuristicNames).toContain('linear');
    const [linear, rule] = await evaluatePolicies({
      compiled: compileScenario(preset(name)),
      policies: [
        { kind: 'heuristic', name: 'linear' },
        { kind: 'heuristic', name: other },
      ],
      split: 'validation',
      episodes: 40,
      seed: 1,
      workers: 1,
    });
    expect(linear.meanReturn - rule.meanReturn).toBeGreaterThan(margin);
  });
});
