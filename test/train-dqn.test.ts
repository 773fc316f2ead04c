// Deep Q-learning on dispatch: its loss, what a rollout records for it, and that a run does not depend on workers or interruptions.

import { copyFileSync, mkdtempSync, readFileSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { PAIR_COLUMNS, Purpose, RandomStream, VectorDispatchEnv, compileScenario, preset } from '#engine/index.js';
import { Actor, argmax, initialiseNetwork } from '#policy/index.js';
import {
  Dqn,
  algorithm,
  dqnDefaults,
  dqnLoss,
  loadBackend,
  readCheckpoint,
  resumable,
  runTraining,
  stateOf,
  weightsSha256,
} from '#train/index.js';
import type { DqnConfig, DqnSamples, TrainingJob } from '#train/index.js';
import { RolloutPool } from '#workers/index.js';

const root = mkdtempSync(join(tmpdir(), 'fleetstep-dqn-'));
afterAll(() => rmSync(root, { recursive: true, force: true }));

/** Episodes of 12 steps: every run sees many ends. */
const brief = compileScenario({ ...preset('geneva'), name: 'brief', horizonSeconds: 12 * 300 });
const tiny: DqnConfig = {
  ...dqnDefaults,
  seed: 7,
  numEnvs: 10,
  rolloutSteps: 8,
  minibatchSize: 32,
  trainFrequency: 20,
  learningStarts: 100,
  targetFrequency: 5,
  // What is off by default, as it has more to remember.
  prioritised: true,
  cutTraces: true,
  nSteps: 3,
  // Small enough to go round several times.
  replayCapacity: 300,
  totalSteps: 10 * 8 * 12,
};

describe('dqnLoss', () => {
  const rows = 40;
  const stream = new RandomStream(5, Purpose.demand);
  const normal = (length: number): Float32Array => Float32Array.from({ length }, () => stream.normal());
  const starts = new Int32Array(rows + 1);
  for (let r = 0; r < rows; r++) starts[r + 1] = starts[r] + stream.integer(1, 5);
  const samples: DqnSamples = {
    rows,
    starts,
    taken: Int32Array.from({ length: rows }, (_, r) => stream.integer(0, starts[r + 1] - starts[r] - 1)),
    targets: normal(rows),
    weights: Float32Array.from({ length: rows }, () => stream.float()),
  };
  const scores = normal(starts[rows]);
  const values = normal(rows);

  it.each([
    [true, 'mean'],
    [true, 'max'],
    [false, 'mean'],
  ] as const)(
    'dueling %s, from the %s: has the value and the derivatives of the formula, differentiated numerically',
    (dueling, duelingBaseline) => {
      const huberDelta = 0.8;
      const dOutputs = { scores: normal(starts[rows]), values: normal(rows) };
      const errors = new Float32Array(rows);
      const losses = dqnLoss(samples, { dueling, duelingBaseline, huberDelta }, { scores, values }, dOutputs, errors);
      const valueOf = (z: readonly number[], v: readonly number[], r: number): number => {
        const row = z.slice(starts[r], starts[r + 1]);
        const score = row[samples.taken[r]];
        const baseline = duelingBaseline === 'max' ? Math.max(...row) : row.reduce((sum, x) => sum + x, 0) / row.length;
        return dueling ? v[r] + score - baseline : score;
      };
      const formula = (z: readonly number[], v: readonly number[]): number => {
        let total = 0;
        for (let r = 0; r < rows; r++) {
          const error = Math.abs(samples.targets[r] - valueOf(z, v, r));
          total +=
            samples.weights[r] * (error < huberDelta ? error ** 2 / 2 : huberDelta * error - huberDelta ** 2 / 2);
        }
        return total / rows;
      };
      const [z, v] = [[...scores], [...values]];
      expect(losses.loss).toBeCloseTo(formula(z, v), 10);
      expect(losses.value).toBeCloseTo(v.reduce((sum, _, r) => sum + valueOf(z, v, r), 0) / rows, 10);
      errors.forEach((error, r) => expect(error).toBeCloseTo(samples.targets[r] - valueOf(z, v, r), 5));
      // Errors on both sides of the bend, or half of the derivative goes untested.
      expect(errors.filter((error) => Math.abs(error) > huberDelta).length).toBeGreaterThan(5);
      expect(errors.filter((error) => Math.abs(error) < huberDelta).length).toBeGreaterThan(5);
      const h = 1e-5;
      const moved = (list: readonly number[], k: number, by: number): number[] =>
        list.map((x, i) => (i === k ? x + by : x));
      z.forEach((_, k) => {
        expect(dOutputs.scores[k]).toBeCloseTo((formula(moved(z, k, h), v) - formula(moved(z, k, -h), v)) / (2 * h), 7);
      });
      v.forEach((_, r) => {
        expect(dOutputs.values[r]).toBeCloseTo((formula(z, moved(v, r, h)) - formula(z, moved(v, r, -h))) / (2 * h), 7);
      });
    },
  );
});

describe.each(['truncate', 'terminate'] as const)('a rollout for replay, over episodes that %s', (horizonEnd) => {
  it.each(['pairs', 'flat'] as const)(
    'of a %s network, keeps the final state with its legal actions',
    async (network) => {
      const numEnvs = 5;
      const steps = 40;
      const compiled = compileScenario({ ...preset('geneva'), horizonSeconds: 12 * 300, horizonEnd });
      const options = {
        compiled,
        observation: 'full',
        network,
        hidden: [8],
        criticHidden: [8],
        numEnvs,
        steps,
      } as const;
      const pool = new RolloutPool({ ...options, recorder: 'replay', workers: 2, seed: 3 });
      try {
        const { shape, weights, rollout: roll } = pool;
        initialiseNetwork(shape, new RandomStream(1, Purpose.weights), weights);
        const env = new VectorDispatchEnv({ scenario: compiled, numEnvs, finalPairs: true });
        const { world } = env;
        env.reset({ seed: 3 });
        const actor = new Actor(shape, world);
        actor.load(weights);
        const stretch = 2 * steps * shape.actions;
        const actions = new Int32Array(numEnvs);
        let ends = 0;
        for (let round = 0; round < 2; round++) {
          await pool.collect({ kind: 'epsilon-greedy', epsilon: 0.5 });
          for (let t = 0; t < steps; t++) {
            actor.consider(0, numEnvs);
            for (let e = 0; e < numEnvs; e++) {
              const p = t * numEnvs + e;
              const [from, to] = [actor.starts[e], actor.starts[e + 1]];
              const place = e * stretch + roll.legalStarts[p];
              expect(roll.legalCounts[p]).toBe(to - from);
              expect(roll.legalActions.subarray(place, place + to - from)).toEqual(actor.actions.subarray(from, to));
              const best = argmax(actor.logits, from, to) - from;
              expect(roll.explored[p]).toBe(roll.taken[p] === best ? 0 : 1);
              actions[e] = roll.legalActions[place + roll.taken[p]];
            }
            const { terminations, truncations, infos } = env.step(actions);
            for (let e = 0; e < numEnvs; e++) {
              const p = t * numEnvs + e;
              expect([roll.terminated[p], roll.truncated[p]]).toEqual([terminations[e], truncations[e]]);
              if ((terminations[e] | truncations[e]) === 0) {
                expect(roll.finalCounts[p]).toBe(0);
                continue;
              }
              ends++;
              const { inputs } = shape;
              expect(roll.finalObservations.subarray(p * inputs, (p + 1) * inputs)).toEqual(
                infos.finalObservations.subarray(e * inputs, (e + 1) * inputs),
              );
              const { counts, actions: legal, features } = infos.finalPairs!;
              const [count, first] = [counts[e], e * shape.actions];
              const place = e * stretch + roll.finalStarts[p];
              expect(roll.finalCounts[p]).toBe(count);
              expect(roll.legalActions.subarray(place, place + count)).toEqual(legal.subarray(first, first + count));
              if (network === 'flat') continue;
              expect(roll.features.subarray(place * PAIR_COLUMNS, (place + count) * PAIR_COLUMNS)).toEqual(
                features.subarray(first * PAIR_COLUMNS, (first + count) * PAIR_COLUMNS),
              );
            }
          }
        }
        expect(ends).toBe(numEnvs * 6);
      } finally {
        await pool.close();
      }
    },
  );
});

async function weightsAfter(workers: number, config: DqnConfig, compiled = brief): Promise<string> {
  const dqn = new Dqn(compiled, await loadBackend('wasm'), config, workers);
  try {
    while (dqn.iteration < dqn.iterations) await dqn.step();
    return weightsSha256(dqn.weights);
  } finally {
    await dqn.close();
  }
}

function job(out: string, extra: Partial<TrainingJob> & Pick<TrainingJob, 'backend'>): TrainingJob {
  return {
    compiled: brief,
    algorithm: 'dqn',
    config: tiny,
    workers: 2,
    out,
    resume: null,
    checkpointSeconds: 3600,
    evaluationEpisodes: 0,
    signal: new AbortController().signal,
    onMetrics: () => undefined,
    onEvaluation: () => undefined,
    ...extra,
  };
}

describe('training by DQN', () => {
  it('gives the same weights for 1, 2 and 3 workers, and others for another seed', async () => {
    const one = await weightsAfter(1, tiny);
    expect(await weightsAfter(2, tiny)).toBe(one);
    expect(await weightsAfter(3, tiny)).toBe(one);
    expect(await weightsAfter(2, { ...tiny, seed: 8 })).not.toBe(one);
  });

  it.each([
    ['prioritised, of sums that end before a random action', {}],
    ['as it is by default', { prioritised: false, cutTraces: false, nSteps: 5 }],
    ['of a flat network', { network: 'flat' }],
    [
      'uniform, of one step, with neither double nor dueling',
      { prioritised: false, double: false, dueling: false, nSteps: 1 },
    ],
    ['with a target network that follows softly', { tau: 0.1, targetFrequency: 1 }],
  ] as const)('%s, goes on after an interruption as if there had been none, to the byte', async (name, variant) => {
    const backend = await loadBackend('wasm');
    const config: DqnConfig = { ...tiny, ...variant };
    const whole = await runTraining(job(join(root, `whole ${name}`), { backend, config }));
    const out = join(root, `parts ${name}`);
    let finished = false;
    for (let part = 0; !finished; part++) {
      const abort = new AbortController();
      let iterations = 0;
      const resume = part === 0 ? null : resumable(out, brief);
      const result = await runTraining(
        job(out, {
          backend,
          config,
          resume,
          workers: 1 + (part % 2),
          signal: abort.signal,
          onMetrics: () => (++iterations === 3 ? abort.abort() : undefined),
        }),
      );
      ({ finished } = result);
      expect(result.steps).toBe(Math.min(tiny.totalSteps, 240 * (part + 1)));
      // One checkpoint, one replay memory.
      expect(readdirSync(out).filter((file) => file.startsWith('replay-'))).toEqual([
        `replay-${3 * (part + 1)}.msgpack`,
      ]);
      if (finished) expect(result.weightsSha256).toBe(whole.weightsSha256);
    }
  });

  it('learns: metrics have the names that the field knows, and say when learning began', async () => {
    const dqn = new Dqn(brief, await loadBackend('wasm'), tiny, 1);
    try {
      const first = await dqn.step();
      expect(first).toMatchObject({
        'losses/td_loss': null,
        'losses/q_values': null,
        'charts/epsilon': 1,
        'charts/updates': 0,
      });
      const before = weightsSha256(dqn.weights);
      await dqn.step();
      expect(weightsSha256(dqn.weights)).toBe(before);
      let updates = 0;
      while (dqn.iteration < dqn.iterations) {
        const metrics = await dqn.step();
        updates += metrics['charts/updates'];
        if (metrics['charts/updates'] > 0) expect(metrics['losses/td_loss']).toBeGreaterThan(0);
      }
      // Due at the last iteration's beginning: (880 - 100) / 20.
      expect(updates).toBe(39);
      expect(weightsSha256(dqn.weights)).not.toBe(before);
    } finally {
      await dqn.close();
    }
  });

  it('needs a replay memory that holds what is under way', () => {
    const definition = algorithm('dqn');
    expect(() => definition.check({ ...tiny, replayCapacity: 219 } as DqnConfig)).toThrow(
      'replayCapacity is 219: it must be at least 2 * numEnvs * (rolloutSteps + nSteps), which is 220',
    );
    expect(() => definition.check({ ...tiny, dueling: 'yes' } as never)).toThrow(
      'dueling is "yes": it must be true or false',
    );
    expect(() => definition.check({ ...tiny, epsilonfinal: 0.1 } as never)).toThrow('did you mean "epsilonFinal"?');
  });
});

describe('the file of a replay memory', () => {
  it('belongs to its checkpoint: a missing, damaged or foreign one is refused by name, and evaluation does without', async () => {
    const backend = await loadBackend('wasm');
    const [a, b] = [join(root, 'a'), join(root, 'b')];
    for (const [out, seed] of [
      [a, 1],
      [b, 2],
    ] as const) {
      await runTraining(job(out, { backend, config: { ...tiny, seed, totalSteps: 240 } }));
    }
    const file = join(a, 'replay-3.msgpack');
    const good = readFileSync(file);
    const checkpoint = readCheckpoint(a);
    expect(checkpoint.state).not.toHaveProperty('replay');
    expect(checkpoint.replayFile?.name).toBe('replay-3.msgpack');
    expect(stateOf(a, checkpoint).replay).toHaveProperty('priorities');
    copyFileSync(join(b, 'replay-3.msgpack'), file);
    expect(() => stateOf(a, checkpoint)).toThrow(`${file} is damaged, or not the replay memory of checkpoint.msgpack`);
    writeFileSync(file, good.subarray(0, good.length - 5));
    expect(() => stateOf(a, checkpoint)).toThrow(/replay-3.msgpack is unreadable/);
    rmSync(file);
    expect(() => stateOf(a, checkpoint)).toThrow(`${file} is missing: the run cannot go on without its replay memory`);
    expect(readCheckpoint(a).steps).toBe(240);
  });

  it('is found whether the process died before its checkpoint was written, or before the one of the last was deleted', async () => {
    const backend = await loadBackend('wasm');
    const out = join(root, 'between');
    const config = { ...tiny, totalSteps: 480 };
    const whole = await runTraining(job(join(root, 'between-whole'), { backend, config }));
    const abort = new AbortController();
    await runTraining(job(out, { backend, config, signal: abort.signal, onMetrics: () => abort.abort() }));
    // A later one without its checkpoint, and an earlier one that is still there.
    for (const name of ['replay-4.msgpack', 'replay-0.msgpack']) writeFileSync(join(out, name), 'of another moment');
    const result = await runTraining(job(out, { backend, config, resume: resumable(out, brief) }));
    expect(result.weightsSha256).toBe(whole.weightsSha256);
    expect(readdirSync(out).filter((file) => file.startsWith('replay-'))).toEqual(['replay-6.msgpack']);
  });
});
