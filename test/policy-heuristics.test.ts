// Heuristics against their definitions, and the paper's greedy against the original program.

import { readFileSync } from 'node:fs';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { Purpose, RandomStream, VectorDispatchEnv, preset } from '#engine/index.js';
import { AssignmentSolver, BatchedHungarian, heuristic, heuristicNames } from '#policy/index.js';
import { loadScenario } from '#trips/index.js';
import { evaluatePolicies } from '#workers/index.js';
import { someAction } from './support/play.js';
import { RUNS, anyScenario } from './support/random-scenario.js';
import { describeWithGreedyRewards, greedyRewards, nycAmod } from './support/shared-data.js';

describe('AssignmentSolver', () => {
  it('finds the least total cost, as trying every assignment does', () => {
    const solver = new AssignmentSolver();
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 5 }), fc.integer({ min: 0, max: 2 }), fc.nat(1e9), (rows, extra, seed) => {
        const columns = rows + extra;
        const stream = new RandomStream(seed, Purpose.demand);
        // Whole numbers, so that ties come up and sums are exact.
        const costs = Float64Array.from({ length: rows * columns }, () => stream.integer(-20, 20));
        const columnOf = new Int32Array(rows);
        solver.solve(costs, rows, columns, columnOf);
        expect(new Set(columnOf).size).toBe(rows);
        const total = columnOf.reduce((sum, column, row) => sum + costs[row * columns + column], 0);
        const least = (row: number, used: number): number => {
          if (row === rows) return 0;
          let best = Infinity;
          for (let c = 0; c < columns; c++) {
            if ((used & (1 << c)) === 0)
              best = Math.min(best, costs[row * columns + c] + least(row + 1, used | (1 << c)));
          }
          return best;
        };
        expect(total).toBe(least(0, 0));
      }),
      { numRuns: RUNS * 5 },
    );
  });

  it('refuses more rows than columns', () => {
    expect(() => new AssignmentSolver().solve(new Float64Array(6), 3, 2, new Int32Array(3))).toThrow('transpose');
  });
});

describe('heuristics', () => {
  it('of which greedy, by its definition, leaves a booking that can only be picked up late, and the others do not', () => {
    const scenario = { ...preset('geneva'), drivers: 1, slots: 1, lateToleranceSeconds: 900 };
    const { world } = new VectorDispatchEnv({ scenario, numEnvs: 1 });
    const now = 10_800;
    const actions = new Int32Array(1);
    const chosenAt = (windowEnd: number, name: (typeof heuristicNames)[number]): number => {
      world.restore(0, 1, 0, {
        now,
        drivers: [{ x: 0, y: 0, zone: 0, freeAt: 0, plan: [], onBoard: false, load: 0, offDuty: false }],
        bookings: [
          {
            ...{ pickupX: 3000, pickupY: 0, pickupZone: 0, dropoffX: 4000, dropoffY: 0, dropoffZone: 0 },
            ...{ knownAt: now, windowStart: now, windowEnd, priority: 3, skills: 0, leg: 0, fare: 0 },
            ...{ pickupService: 0, dropoffService: 0 },
          },
        ],
      });
      heuristic(name).act(world, 0, 1, actions);
      return actions[0];
    };
    // 3 km are at least 6 minutes.
    for (const name of ['nearest', 'edf', 'hungarian', 'planner'] as const) expect(chosenAt(now + 60, name)).toBe(1);
    expect(chosenAt(now + 60, 'greedy')).toBe(0);
    expect(chosenAt(now + 900, 'greedy')).toBe(1);
  });

  it('match at once what the Hungarian method would give one after the other, at the same cost', () => {
    const scenario = { ...preset('geneva'), decisionsPerTick: Infinity };
    const compared = { pairs: 0 };
    for (let seed = 1; seed <= 20; seed++) {
      const env = new VectorDispatchEnv({ scenario, numEnvs: 2 });
      env.reset({ seed });
      const { world } = env;
      const rule = new BatchedHungarian();
      const cost = (e: number, action: number): number => {
        const i = Math.floor((action - 1) / world.slots);
        const j = (action - 1) % world.slots;
        const pickup = world.pickupSecond(e, i, j);
        const s = e * world.slots + j;
        return pickup - world.state.now[e] + world.state.priority[s] * Math.max(0, pickup - world.state.windowEnd[s]);
      };
      for (let t = 0; t < 40; t++) {
        world.copy(1, world, 0);
        const total = [0, 0];
        const matched = rule.match(world, 0);
        for (const action of matched) {
          expect(world.out.actionMasks[action]).toBe(1);
          total[0] += cost(0, action);
          world.step(0, action);
        }
        const actions = new Int32Array(2);
        let count = 0;
        for (;;) {
          rule.act(world, 1, 2, actions);
          if (actions[1] === 0) break;
          total[1] += cost(1, actions[1]);
          world.step(1, actions[1]);
          count++;
        }
        expect([matched.length, total[0]]).toEqual([count, total[1]]);
        compared.pairs += count;
        world.step(0, 0);
      }
    }
    expect(compared.pairs).toBeGreaterThan(200);
  });

  it('only ever choose legal actions, and the same ones for the same state', () => {
    fc.assert(
      fc.property(anyScenario, fc.nat(1e9), (compiled, seed) => {
        const env = new VectorDispatchEnv({ scenario: compiled, numEnvs: 3 });
        const stream = new RandomStream(seed, Purpose.action);
        const actions = new Int32Array(3);
        const again = new Int32Array(3);
        env.reset({ seed });
        for (let t = 0; t < 20; t++) {
          for (const name of heuristicNames) {
            heuristic(name).act(env.world, 0, 3, actions);
            heuristic(name).act(env.world, 0, 3, again);
            expect(again).toEqual(actions);
            actions.forEach((action, e) => expect(env.world.out.actionMasks[e * env.world.actions + action]).toBe(1));
          }
          env.step(actions.map((_, e) => someAction(env.world, e, stream, false)));
        }
      }),
      { numRuns: Math.ceil(RUNS / 4) },
    );
  });

  it('nearest, edf and myopic take the best legal pair by their own measure', () => {
    fc.assert(
      fc.property(anyScenario, fc.nat(1e9), (compiled, seed) => {
        const env = new VectorDispatchEnv({ scenario: compiled, numEnvs: 1 });
        const { world } = env;
        const stream = new RandomStream(seed, Purpose.action);
        const chosen = new Int32Array(1);
        env.reset({ seed });
        for (let t = 0; t < 20; t++) {
          const fare = compiled.scenario.reward.kind === 'fare';
          const pairs: { i: number; j: number; reward: number }[] = [];
          for (let a = 1; a < world.actions; a++) {
            if (world.out.actionMasks[a] === 0) continue;
            const i = Math.floor((a - 1) / world.slots);
            const j = (a - 1) % world.slots;
            pairs.push({ i, j, reward: world.assignmentReward(0, i, j) });
          }
          const good = pairs.filter((pair) => !fare || pair.reward > 0);
          const measure = (name: 'nearest' | 'edf'): ((pair: { i: number; j: number }) => number) =>
            name === 'nearest'
              ? ({ i, j }) => world.approachMetres(0, i, j)
              : ({ i, j }) => world.state.windowEnd[j] * 1e6 + world.pickupSecond(0, i, j);
          for (const name of ['nearest', 'edf'] as const) {
            heuristic(name).act(world, 0, 1, chosen);
            if (good.length === 0) expect(chosen[0]).toBe(0);
            else {
              const of = measure(name);
              expect(of({ i: Math.floor((chosen[0] - 1) / world.slots), j: (chosen[0] - 1) % world.slots })).toBe(
                Math.min(...good.map(of)),
              );
            }
          }
          heuristic('myopic').act(world, 0, 1, chosen);
          const wait = compiled.scenario.waitRewardPerOpen * world.state.open[0];
          const most = Math.max(wait, ...pairs.map((pair) => pair.reward));
          const got =
            chosen[0] === 0
              ? wait
              : world.assignmentReward(0, Math.floor((chosen[0] - 1) / world.slots), (chosen[0] - 1) % world.slots);
          expect(got).toBe(most);
          env.step(Int32Array.of(someAction(world, 0, stream, false)));
        }
      }),
      { numRuns: Math.ceil(RUNS / 4) },
    );
  });
});

describeWithGreedyRewards('the paper’s greedy on real trips', () => {
  it('gives the original program’s reward on each validation day, within 0.001', async () => {
    const compiled = loadScenario({ scenario: 'nyc-small', data: nycAmod });
    const [evaluation] = await evaluatePolicies({
      compiled,
      policies: [{ kind: 'heuristic', name: 'greedy' }],
      split: 'validation',
      seed: 1,
      workers: 2,
    });
    const expected = readFileSync(greedyRewards, 'utf8').trim().split('\n').slice(1);
    expect(expected).toHaveLength(25);
    expect(evaluation.episodes).toHaveLength(25);
    expected.forEach((line, k) => {
      const [day, reward] = line.split(',');
      expect(evaluation.episodes[k].id).toBe(day);
      expect(Math.abs(evaluation.episodes[k].return - Number(reward))).toBeLessThan(0.001);
    });
  });
});
