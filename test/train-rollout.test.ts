// Policy iteration by rollouts: the same bytes for any number of threads and after an interruption, labels that say what an
// assignment is worth, fits that find what is there, and a run that is played like any other.

import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { Purpose, RandomStream, VectorDispatchEnv, compileScenario, preset } from '#engine/index.js';
import { Matching, MatchingPolicy, SimdMlp, fleetColumns, initialiseNetwork, networkLayout } from '#policy/index.js';
import { beatsOf } from '#workers/index.js';
import { loadBackend, policyOf, readCheckpoint, runTraining } from '#train/index.js';
import { fit } from '../dist/train/fit-worker.js';
import { force } from '../dist/train/force-worker.js';
import { fitRidge } from '../dist/train/ridge.js';
import { RolloutIteration, averageNetwork, rolloutDefaults } from '../dist/train/rollout-iteration.js';
import { inventedDataset } from './support/random-scenario.js';

// Three zones in a row; zone 0 has nearly all of the demand, and its rides end in zone 2 or stay.
const bookings = Array.from(
  { length: 60 },
  (_, k) => [k * 7919, k % 5 === 0 ? 1 : 0, k % 2 === 0 ? 2 : 0, 120, 900] as const,
);
const compiled = compileScenario(
  { ...preset('nyc-small'), name: 'small-town', drivers: 4, slots: 6, horizonSeconds: 1200 },
  inventedDataset(3, 1200, bookings, 0),
);
const config = {
  ...rolloutDefaults,
  ...{ seed: 7, totalSteps: 36, numEnvs: 6, rolloutSteps: 3, tries: 2 },
  ...{ linearRounds: 1, hidden: [8], members: 2, epochs: 2, minibatchSize: 16 },
};
const backend = await loadBackend('simd');
const open: RolloutIteration[] = [];
const folder = mkdtempSync(join(tmpdir(), 'fleetstep-rollout-'));

function training(workers: number, changes: Partial<typeof config> = {}): RolloutIteration {
  const learning = new RolloutIteration({ compiled, backend, workers }, { ...config, ...changes });
  open.push(learning);
  return learning;
}

afterAll(async () => {
  for (const learning of open) await learning.close();
  rmSync(folder, { recursive: true });
});

describe('policy iteration by rollouts', () => {
  it('comes to the same bytes with any number of workers, and after an interruption', async () => {
    const alone = training(1);
    expect(alone.iterations).toBe(2);
    const rounds = [await alone.step(), await alone.step()];
    expect(rounds.map((round) => round['charts/labels'])).not.toContain(0);
    expect(alone.globalStep).toBe(36);
    const together = training(3);
    await together.step();
    const resumed = training(2);
    resumed.restore(together.snapshot());
    await resumed.step();
    expect(resumed.snapshot()).toEqual(alone.snapshot());
  });

  it('keeps the better policy: the best validation return never falls, and is that of the policy that plays', async () => {
    const learning = training(2, { numEnvs: 20, totalSteps: 240 });
    let best = -Infinity;
    for (let round = 0; round < 4; round++) {
      const before = learning.weights;
      const metrics = await learning.step();
      expect(metrics['charts/best_return']).toBeGreaterThanOrEqual(best);
      best = metrics['charts/best_return'];
      if (metrics['charts/accepted'] === 1) expect(metrics['charts/validation_return']).toBe(best);
      else expect(learning.weights).toBe(before);
    }
  });

  it('names what is out of range', () => {
    expect(() => training(1, { tries: 0 })).toThrow('tries is 0');
    expect(() => training(1, { rolloutSteps: 0 })).toThrow('rolloutSteps is 0');
    expect(() => training(1, { ridge: 0 })).toThrow('ridge is 0');
    expect(() => training(1, { network: 'pairs' as never })).toThrow('network is "pairs"');
  });

  it('makes a run that is resumed, and played by its folder', async () => {
    const out = join(folder, 'run');
    const job = { compiled, backend, algorithm: 'rollout', config, workers: 2, out, checkpointSeconds: 1 };
    const quiet = { evaluationEpisodes: 1, onMetrics: () => undefined, onEvaluation: () => undefined };
    const result = await runTraining({ ...job, ...quiet, resume: null, signal: new AbortController().signal });
    expect(result.finished).toBe(true);
    const checkpoint = readCheckpoint(out);
    expect(checkpoint.shape.kind).toBe('matching');
    expect(result.evaluations[0].policy).toBe('rollout');
    expect(policyOf(checkpoint, 'mine')).toMatchObject({ kind: 'network', name: 'mine' });
    const lines = readFileSync(join(out, 'metrics.jsonl'), 'utf8').trim().split('\n');
    expect(lines).toHaveLength(2);
    const init = { path: out, checkpoint };
    const other = { ...job, ...quiet, out: join(folder, 'other'), resume: null, init };
    await expect(runTraining({ ...other, signal: new AbortController().signal })).rejects.toThrow('leave --init out');
  });
});

describe('a label', () => {
  it('is the difference of returns between making an assignment and leaving driver and booking free', () => {
    const task = { compiled, scorer: null, from: 0, to: 3, seed: 4, ticks: 20, tries: 1, horizonTicks: 0 };
    const labels = force({ ...task, beats: beatsOf(1), slot: 0 });
    expect(labels.worths.length).toBeGreaterThan(3);
    expect(labels.returns).toHaveLength(3);
    // The same by its definition: every assignment of every tick of the first episode.
    const source = { mode: 'sampled', days: Int32Array.from(compiled.dataset!.splits.training) } as const;
    const options = { scenario: compiled, observation: 'classic', source } as const;
    const { world } = new VectorDispatchEnv({ ...options, numEnvs: 1 });
    const { world: other } = new VectorDispatchEnv({ ...options, numEnvs: 1 });
    const policy = new MatchingPolicy('profit');
    const matching = new Matching(world, null, null);
    const slotOf = new Int32Array(world.drivers);
    const earns = (first: Int32Array): number => {
      other.copy(0, world, 0);
      other.stepJoint(0, first);
      while (other.state.tick[0] < compiled.ticks) {
        policy.decide(other, 0, slotOf);
        other.stepJoint(0, slotOf);
      }
      return other.state.episodeReturn[0];
    };
    const columns = fleetColumns(compiled);
    let label = 0;
    world.reset(0, 4, 0);
    while (world.state.tick[0] < compiled.ticks) {
      const count = matching.consider(0);
      const rowsOf = matching.features.slice();
      const worths = Array.from({ length: count }, (_, k) => {
        const [i, j] = [matching.rows.drivers[k], matching.rows.slots[k]];
        const without = new Int32Array(world.drivers);
        matching.solve(without, 0, i, j);
        const withIt = without.slice();
        withIt[i] = j;
        return earns(withIt) - earns(without) - matching.rows.rewards[k];
      });
      if (count > 0) {
        const row = labels.features.slice(label * columns, (label + 1) * columns);
        const alike = worths.filter((_, k) =>
          rowsOf.slice(k * columns, (k + 1) * columns).every((x, c) => x === row[c]),
        );
        expect(alike).toContain(labels.worths[label]);
        label++;
      }
      policy.decide(world, 0, slotOf);
      world.stepJoint(0, slotOf);
    }
    expect(labels.returns[0]).toBe(world.state.episodeReturn[0]);
    expect(label).toBe(labels.episodes.filter((episode) => episode === 0).length);
  });

  it('is 0 beyond what it earns where nothing follows', () => {
    // Played on for no tick: of the two copies, one has made the assignment.
    const task = { compiled, scorer: null, from: 0, to: 4, seed: 4, ticks: 20, tries: 3, horizonTicks: 0 };
    const last = { ...compiled, ticks: 1 };
    const labels = force({ ...task, compiled: last, beats: beatsOf(1), slot: 0 });
    expect(labels.worths.length).toBeGreaterThan(0);
    for (const worth of labels.worths) expect(worth).toBeCloseTo(0, 9);
  });
});

describe('a fit', () => {
  const columns = 4;
  const rows = 400;
  const stream = new RandomStream(3, Purpose.action);
  const features = Float32Array.from({ length: rows * columns }, (_, p) =>
    p % columns === 3 ? 5 : 10 * stream.float(),
  );
  const targets = Float64Array.from(
    { length: rows },
    (_, r) => 2 * features[r * columns] - 3 * features[r * columns + 1] + 7,
  );
  const all = Int32Array.from({ length: rows }, (_, r) => r);

  it('by ridge regression finds a linear function, and gives a constant column no weight', () => {
    const { weights, bias } = fitRidge(features, targets, columns, all, 1e-6);
    expect(Array.from(weights)).toEqual([expect.closeTo(2, 5), expect.closeTo(-3, 5), expect.closeTo(0, 5), 0]);
    expect(bias).toBeCloseTo(7, 4);
  });

  it('by ridge regression shrinks weights as the penalty says', () => {
    // One standardised column: the weight is n / (n + penalty) of the least squares one.
    const x = Float32Array.from({ length: rows }, (_, r) => (r % 2 === 0 ? 1 : -1));
    const y = Float64Array.from(x, (each) => 4 * each);
    expect(fitRidge(x, y, 1, all, rows).weights[0]).toBeCloseTo(2, 9);
  });

  it('by a network finds one that is not linear, in the columns’ own units', async () => {
    const shape = { kind: 'matching', inputs: columns, hidden: [16], criticHidden: [], actions: 1 } as const;
    const bent = Float64Array.from({ length: rows }, (_, r) => 100 + 20 * Math.abs(features[r * columns] - 5));
    const variance = varianceOf(bent);
    const task = {
      backend: 'simd',
      shape,
      features,
      targets: bent,
      epochs: 200,
      minibatchSize: 50,
      seed: 1,
      round: 0,
    } as const;
    const fitted = await fit({
      ...task,
      ...{ used: all.subarray(0, 350), heldOut: all.subarray(350), learningRate: 0.01, weightDecay: 0.01 },
      ...{ member: 0, beats: beatsOf(1), slot: 0 },
    });
    expect(fitted.error).toBeLessThan(0.02 * variance);
    const mlp = new SimdMlp(networkLayout(shape).actor);
    mlp.load(fitted.weights);
    const y = new Float32Array(rows);
    mlp.run(features, 0, rows, y, 0);
    let error = 0;
    for (let r = 350; r < rows; r++) error += (y[r] - bent[r]) ** 2 / 50;
    expect(error).toBeCloseTo(fitted.error, 1);
  });

  it('of several networks is averaged by one', () => {
    const shape = { kind: 'matching', inputs: columns, hidden: [16, 8], criticHidden: [], actions: 1 } as const;
    const wide = { ...shape, hidden: [48, 24] };
    const members = [1, 2, 3].map((seed) => {
      const weights = new Float32Array(networkLayout(shape).size);
      const each = new RandomStream(seed, Purpose.weights);
      initialiseNetwork(shape, each, weights);
      return weights.map((weight) => weight + 0.1 * each.normal());
    });
    const outputs = (of: typeof shape | typeof wide, weights: Float32Array): Float32Array => {
      const mlp = new SimdMlp(networkLayout(of).actor);
      mlp.load(weights);
      const y = new Float32Array(rows);
      mlp.run(features, 0, rows, y, 0);
      return y;
    };
    const each = members.map((weights) => outputs(shape, weights));
    outputs(wide, averageNetwork(shape, wide, members)).forEach((value, r) => {
      expect(value).toBeCloseTo((each[0][r] + each[1][r] + each[2][r]) / 3, 4);
    });
    expect(fleetColumns(compiled)).toBe(1 + 2 * (15 + 3));
  });
});

function varianceOf(values: Float64Array): number {
  const mean = values.reduce((sum, value) => sum + value, 0) / values.length;
  return values.reduce((sum, value) => sum + (value - mean) ** 2, 0) / values.length;
}
