// Whole training runs: reproducible, independent of the number of workers, resumable, and robust.

import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  readdirSync,
  renameSync,
  rmSync,
  truncateSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { PAIR_COLUMNS, PairWriter, VectorDispatchEnv, compileScenario, preset } from '#engine/index.js';
import type { Dataset, Scenario } from '#engine/index.js';
import { NetworkPolicy, heuristicNames, networkLayout } from '#policy/index.js';
import { writeSealed } from '#files/index.js';
import { loadScenario, writeTrips } from '#trips/index.js';
import {
  CHECKPOINT_FILE,
  Ppo,
  algorithm,
  checkWorld,
  compatible,
  datasetSha256,
  loadBackend,
  policyOf,
  ppoDefaults,
  readCheckpoint,
  resumable,
  runTraining,
  scenarioSha256,
  weightsSha256,
  worldOf,
  writeCheckpoint,
} from '#train/index.js';
import type { BackendName, PpoConfig, TrainingJob } from '#train/index.js';
import {
  RolloutPool,
  WorkerError,
  closeThreads,
  evaluatePolicies,
  openThreads,
  ranges,
  runAll,
  simulate,
} from '#workers/index.js';
import type { EvaluationRequest } from '#workers/index.js';
import { loadable } from './support/backends.js';
import { describeWithTrips, nycAmod } from './support/shared-data.js';

const root = mkdtempSync(join(tmpdir(), 'fleetstep-runs-'));
afterAll(() => rmSync(root, { recursive: true, force: true }));

const geneva = compileScenario(preset('geneva'));
const tiny: PpoConfig = {
  ...ppoDefaults,
  seed: 7,
  numEnvs: 10,
  rolloutSteps: 24,
  minibatchSize: 80,
  totalSteps: 10 * 24 * 4,
  epochs: 2,
};

async function weightsAfter(
  workers: number,
  config: PpoConfig,
  backend: BackendName,
  compiled = geneva,
): Promise<string> {
  const ppo = new Ppo(compiled, await loadBackend(backend), config, workers);
  try {
    while (ppo.iteration < ppo.iterations) await ppo.step();
    return weightsSha256(ppo.weights);
  } finally {
    await ppo.close();
  }
}

function job(out: string, extra: Partial<TrainingJob> & Pick<TrainingJob, 'backend'>): TrainingJob {
  return {
    compiled: geneva,
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

describe.each(loadable)('training on %s', (name) => {
  // That backend takes a hundred times as long.
  const config =
    name === 'cpu' ? { ...tiny, numEnvs: 6, rolloutSteps: 8, minibatchSize: 16, totalSteps: 6 * 8 * 4 } : tiny;

  it('gives the same weights for 1, 2 and 3 workers, and others for another seed', async () => {
    const one = await weightsAfter(1, config, name);
    expect(await weightsAfter(2, config, name)).toBe(one);
    expect(await weightsAfter(3, config, name)).toBe(one);
    expect(await weightsAfter(2, { ...config, seed: 8 }, name)).not.toBe(one);
  });

  it('a run that was interrupted and resumed ends with the weights of an uninterrupted one', async () => {
    const backend = await loadBackend(name);
    const whole = await runTraining(job(join(root, `whole-${name}`), { backend, config }));
    const abort = new AbortController();
    const out = join(root, `parts-${name}`);
    const part = await runTraining(
      job(out, {
        backend,
        config,
        signal: abort.signal,
        onMetrics: ({ iteration }) => (iteration === 2 ? abort.abort() : undefined),
      }),
    );
    expect([part.finished, part.steps]).toEqual([false, config.totalSteps / 2]);
    const checkpoint = resumable(out, geneva);
    const rest = await runTraining(job(out, { backend, config: checkpoint.config, resume: checkpoint, workers: 1 }));
    expect([rest.finished, rest.steps]).toEqual([true, config.totalSteps]);
    expect(rest.weightsSha256).toBe(whole.weightsSha256);
    const metrics = readFileSync(join(out, 'metrics.jsonl'), 'utf8').trim().split('\n');
    expect(metrics.map((line) => (JSON.parse(line) as { iteration: number }).iteration)).toEqual([1, 2, 3, 4]);
    expect(() => resumable(out, geneva)).toThrow('nothing to resume');
  });
});

const traced: Scenario = {
  ...preset('geneva'),
  name: 'traced',
  demand: { kind: 'trace' },
};

/** One day a split, of one trip each that pays `fare`. */
function collected(fare: number): Dataset {
  const column = (value: number): Int32Array => new Int32Array(3).fill(value);
  const place = (value: number): Float32Array => new Float32Array(3).fill(value);
  return {
    scenario: 'traced',
    travel: null,
    trace: {
      days: ['2026-01-01', '2026-01-02', '2026-01-03'],
      dayStart: Int32Array.from([0, 1, 2, 3]),
      knownAt: column(600),
      windowStart: column(1200),
      windowEnd: column(2400),
      pickupZone: column(0),
      dropoffZone: column(0),
      places: { pickupX: place(100), pickupY: place(0), dropoffX: place(900), dropoffY: place(500) },
      metres: column(1000),
      fare: column(fare),
      priority: new Uint8Array(3).fill(3),
      skills: new Uint8Array(3),
      leg: new Uint8Array(3),
    },
    splits: { training: [0], validation: [1], test: [2] },
  };
}

describe('a checkpoint', () => {
  it.each(loadable)(
    'trained on %s plays what its own backend says is best, on whatever backend it is loaded',
    async (name) => {
      const out = join(root, `decisions-${name}`);
      await runTraining(job(out, { backend: await loadBackend(name) }));
      const checkpoint = readCheckpoint(out);
      const { shape, state } = checkpoint;
      const env = new VectorDispatchEnv({ scenario: geneva, numEnvs: 40 });
      env.reset({ seed: 77 });
      const chosen = new Int32Array(40);
      new NetworkPolicy('ppo', shape, state.weights).act(env.world, 0, 40, chosen);
      const pairs = new PairWriter(env.world);
      const actions = new Int32Array(shape.actions);
      const features = new Float32Array(shape.actions * PAIR_COLUMNS);
      for (const other of loadable) {
        const mlp = (await loadBackend(other)).mlp(networkLayout(shape).actor);
        mlp.load(state.weights);
        for (let e = 0; e < 40; e++) {
          const count = pairs.write(e, actions, features, 0);
          const logits = mlp.forward(features, count);
          const most = Math.max(...logits);
          // Backends round differently: the choice must be best up to that.
          expect(logits[actions.subarray(0, count).indexOf(chosen[e])]).toBeGreaterThan(most - 1e-5);
        }
        mlp.dispose();
      }
    },
  );

  it('is refused when truncated, changed, foreign, missing, or of another scenario', async () => {
    const out = join(root, 'faults');
    await runTraining(job(out, { backend: await loadBackend('simd') }));
    const file = join(out, CHECKPOINT_FILE);
    const good = readFileSync(file);
    const other = compileScenario({ ...preset('geneva'), name: 'other', drivers: 4 });
    expect(() => checkWorld(readCheckpoint(out), other, out)).toThrow(
      /was trained on scenario "geneva", not on "other": name is/,
    );
    expect(() => readCheckpoint(join(out, 'nothing'))).toThrow('no such file or folder');
    expect(() => readCheckpoint(root)).toThrow(`holds no ${CHECKPOINT_FILE}`);
    for (const length of [0, 10, good.length >> 1, good.length - 1]) {
      writeFileSync(file, good);
      truncateSync(file, length);
      expect(() => readCheckpoint(out)).toThrow(/truncated|not a checkpoint|damaged/);
    }
    const changed = Buffer.from(good);
    changed[changed.length >> 1] ^= 1;
    writeFileSync(file, changed);
    expect(() => readCheckpoint(out)).toThrow(/damaged/);
    writeFileSync(file, 'hello');
    expect(() => readCheckpoint(out)).toThrow(/not a checkpoint|truncated/);
  });

  it('knows its version, scenario and data, and is refused on others by name', async () => {
    const compiled = compileScenario(traced, collected(20));
    const out = join(root, 'identity');
    const backend = await loadBackend('wasm');
    const config = { ...tiny, numEnvs: 2, rolloutSteps: 8, minibatchSize: 16, totalSteps: 32 };
    const file = join(root, 'identity.trips');
    writeTrips(file, collected(20));
    const scenarioFile = join(root, 'traced.json');
    writeFileSync(scenarioFile, JSON.stringify(traced));
    const abort = new AbortController();
    await runTraining(
      job(out, {
        backend,
        compiled,
        config,
        request: { scenario: scenarioFile, data: file },
        signal: abort.signal,
        onMetrics: () => abort.abort(),
      }),
    );
    const { version } = JSON.parse(readFileSync(new URL('../package.json', import.meta.url), 'utf8')) as {
      version: string;
    };
    const checkpoint = readCheckpoint(out);
    const sha256 = datasetSha256(collected(20));
    expect(checkpoint.identity).toEqual({
      fleetstep: version,
      scenarioSha256: scenarioSha256(compiled.scenario),
      data: { sha256, request: { scenario: scenarioFile, data: file } },
    });
    expect(JSON.parse(readFileSync(join(out, 'config.json'), 'utf8'))).toMatchObject(checkpoint.identity);
    // Another day of the same shape, under the same name.
    const other = compileScenario(traced, collected(21));
    expect(() => resumable(out, other)).toThrow(
      `${out} was trained on other data: its SHA-256 is ${sha256} there (${file}) and ${datasetSha256(collected(21))} here; give the data`,
    );
    expect(resumable(out, compiled).state.iteration).toBe(1);
    // Where it was, the data is found again; when it has changed there, that is noticed.
    expect(datasetSha256(worldOf(checkpoint, out).dataset!)).toBe(sha256);
    writeTrips(file, collected(21));
    expect(() => worldOf(checkpoint, out)).toThrow(/was trained on other data/);
    rmSync(file);
    expect(() => worldOf(checkpoint, out)).toThrow(/cannot be loaded from .*identity.trips/);
    const moved = join(root, 'moved.trips');
    writeTrips(moved, collected(20));
    expect(datasetSha256(worldOf(checkpoint, out, moved).dataset!)).toBe(sha256);
    // The scenario's file may have moved with the trips: the run holds it.
    rmSync(scenarioFile);
    expect(() => worldOf(checkpoint, out)).toThrow(/cannot read scenario file .*give --data with where they lie now/);
    const folder = join(root, 'moved');
    mkdirSync(folder);
    renameSync(moved, join(folder, 'trips.msgpack'));
    for (const data of [folder, join(folder, 'trips.msgpack')]) {
      const world = worldOf(checkpoint, out, data);
      expect([world.scenario, datasetSha256(world.dataset!)]).toEqual([compiled.scenario, sha256]);
    }
    // Another version.
    writeCheckpoint(out, { ...checkpoint, identity: { ...checkpoint.identity, fleetstep: '99.1.0' } });
    expect(() => readCheckpoint(out)).toThrow(
      `was written by fleetstep 99.1.0, this is fleetstep ${version}: use that one (npm install fleetstep@99.1.0), or train again`,
    );
    const weights = checkpoint.state.weights.slice();
    weights[3] = NaN;
    writeCheckpoint(out, { ...checkpoint, state: { ...checkpoint.state, weights } });
    expect(() => readCheckpoint(out)).toThrow('weight 3 is NaN');
  });

  it('is an algorithm by name, its config and its state, and is refused for an algorithm that is not there', async () => {
    const out = join(root, 'algorithm');
    await runTraining(job(out, { backend: await loadBackend('wasm'), config: { ...tiny, totalSteps: 240 } }));
    const checkpoint = readCheckpoint(out);
    expect(checkpoint).toMatchObject({ algorithm: 'ppo', config: { ...tiny, totalSteps: 240 }, steps: 240 });
    expect(checkpoint.state.iteration).toBe(1);
    expect(JSON.parse(readFileSync(join(out, 'config.json'), 'utf8'))).toMatchObject({ algorithm: 'ppo' });
    expect(policyOf(checkpoint, 'x')).toMatchObject({ kind: 'network', name: 'x', observation: tiny.observation });
    writeCheckpoint(out, { ...checkpoint, algorithm: 'constructor' });
    expect(() => readCheckpoint(out)).toThrow('was trained with algorithm "constructor", this version has ppo');
    // One of the format before.
    writeSealed(join(out, CHECKPOINT_FILE), 'fleetstep-checkpoint-3', checkpoint);
    expect(() => readCheckpoint(out)).toThrow(
      /is not a checkpoint of this version \(expected format fleetstep-checkpoint-4\)/,
    );
  });

  it('restores only a snapshot that fits', async () => {
    const setup = { compiled: geneva, backend: await loadBackend('wasm'), workers: 1 };
    const definition = algorithm('ppo');
    const [one, other] = [definition.create(setup, tiny), definition.create(setup, { ...tiny, numEnvs: 5 })];
    try {
      const state = one.snapshot();
      expect(() => one.restore({ ...state, weights: state.weights.slice(1) })).toThrow(
        `the checkpoint has ${state.weights.length - 1} weights, this run needs ${state.weights.length}`,
      );
      expect(() => other.restore(state)).toThrow(/the checkpoint's "\w+" has \d+ numbers, this run needs \d+/);
    } finally {
      await one.close();
      await other.close();
    }
  });

  it.each([
    ['0.1.0', '0.1.7', true],
    ['0.1.7', '0.1.0', true],
    ['0.2.0', '0.1.0', false],
    ['1.0.0', '1.4.2', true],
    ['2.0.0', '1.4.2', false],
    ['0.1.0', '1.1.0', false],
  ])('of version %s is read by %s: %s', (wrote, reads, expected) => {
    expect(compatible(wrote, reads)).toBe(expected);
  });

  it('a run does not write into a folder that holds something', async () => {
    const out = join(root, 'taken');
    rmSync(out, { recursive: true, force: true });
    await runTraining(job(out, { backend: await loadBackend('cpu'), config: { ...tiny, totalSteps: 240 } }));
    const before = readdirSync(out).sort();
    await expect(runTraining(job(out, { backend: await loadBackend('simd') }))).rejects.toThrow('is not empty');
    expect(readdirSync(out).sort()).toEqual(before);
  });
});

describe('options', () => {
  it.each<[object, string]>([
    [{ numEnvs: 0 }, 'numEnvs is 0'],
    [{ gamma: 1.5 }, 'gamma is 1.5'],
    [{ learningRate: 0 }, 'learningRate is 0'],
    [{ hidden: [30] }, 'a hidden layer is 30 wide'],
    [{ hidden: 32 }, 'hidden is 32: it must be a list of widths'],
    [{ num_envs: 4 }, 'the config has no "num_envs": did you mean "numEnvs"?'],
    [{ gammma: 0.9 }, 'the config has no "gammma": did you mean "gamma"?'],
    [{ valueCoefficient: NaN }, 'valueCoefficient is NaN: it must be from 0 to 1000000'],
    [{ entropyCoefficient: -1 }, 'entropyCoefficient is -1'],
    [{ clip: '0.2' }, 'clip is "0.2": it must be above 0 and at most 1'],
    [{ seed: undefined }, 'the config.seed is missing'],
    [{ network: 'pair' }, 'network is "pair": did you mean "pairs"? (choose one of pairs, flat, matching)'],
    [{ observation: 'all' }, 'observation is "all": choose one of classic, full'],
  ])('%j is refused before anything is written', async (change, message) => {
    const out = join(root, 'never');
    await expect(
      runTraining(job(out, { backend: await loadBackend('cpu'), config: { ...tiny, ...change } })),
    ).rejects.toThrow(message);
    expect(existsSync(out)).toBe(false);
  });

  it.each([
    ['the job has no "evalEpisodes"', { evalEpisodes: 3 }],
    ['compiled is null: it must be a scenario as compileScenario gives it', { compiled: null }],
    ['compiled is an Object: it must be a scenario', { compiled: preset('geneva') }],
    ['backend is "wasm": it must be one that loadBackend returned', { backend: 'wasm' }],
    ['workers is 0', { workers: 0 }],
    ['algorithm is "a2c": choose one of ppo, dqn', { algorithm: 'a2c' }],
    ['algorithm is "constructor": choose one of ppo', { algorithm: 'constructor' }],
    ['checkpointSeconds is NaN', { checkpointSeconds: NaN }],
    ['episodes is -1: it must be a whole number from 1 to 1000000', { evaluationEpisodes: -1 }],
    ['hangSeconds is 0', { hangSeconds: 0 }],
  ])('a job is refused before anything is written: %s', async (message, change) => {
    const out = join(root, 'never');
    const faulty = { ...job(out, { backend: await loadBackend('wasm') }), ...change } as unknown as TrainingJob;
    await expect(runTraining(faulty)).rejects.toThrow(message);
    expect(existsSync(out)).toBe(false);
  });

  it('what is no job or no config at all is refused, too', async () => {
    await expect(runTraining('runs/a' as never)).rejects.toThrow('the job is "runs/a": it must be one object');
    const backend = await loadBackend('wasm');
    expect(() => new Ppo(geneva, backend, 7 as never, 1)).toThrow('the config is 7');
    expect(() => new Ppo(null as never, backend, tiny, 1)).toThrow('compiled is null');
    await expect(loadBackend('webgpu' as never)).rejects.toThrow('there is no backend "webgpu": choose one of');
  });

  it.each([
    [{ episodes: 0 }, 'episodes is 0: it must be a whole number from 1'],
    [{ episodes: 2.5 }, 'episodes is 2.5'],
    [{ split: 'valid' }, 'split is "valid": did you mean "validation"?'],
    [{ split: 'constructor' }, 'split is "constructor": choose one of'],
    [{ compiled: null }, 'compiled is null'],
    [{ seed: -1 }, 'seed is -1'],
    [{ seed: undefined }, 'the evaluation.seed is missing'],
    [{ workers: '2' }, 'workers is "2"'],
    [{ policies: [] }, 'policies is an Array: it must be a list of at least one'],
    [{ policies: [null] }, 'the policy is null'],
    [{ policies: [{ kind: 'heuristic', name: 'nobody' }] }, 'name is "nobody": choose one of random'],
    [{ policies: [{ kind: 'heuristic', name: 'constructor' }] }, 'name is "constructor"'],
    [{ policies: [{ kind: 'rule', name: 'edf' }] }, 'kind is "rule"'],
    [{ polices: [] }, 'the evaluation has no "polices": did you mean "policies"?'],
  ])('an evaluation with %j is refused by name', async (change, message) => {
    const request = {
      compiled: geneva,
      policies: [{ kind: 'heuristic', name: 'edf' }],
      split: 'validation',
      episodes: 1,
      seed: 1,
      workers: 1,
      ...change,
    } as unknown as EvaluationRequest;
    await expect(evaluatePolicies(request)).rejects.toMatchObject({
      code: 'ERR_WORKERS_OPTION',
      message: expect.stringContaining(message) as string,
    });
  });

  it('so is a simulation', () => {
    const request = {
      compiled: geneva,
      policy: { kind: 'heuristic', name: 'edf' },
      split: 'test',
      episode: 0,
      seed: 1,
    };
    for (const [change, message] of [
      [{ split: 'tests' }, 'split is "tests": did you mean "test"?'],
      [{ episode: -1 }, 'episode is -1'],
      [{ episodes: 1 }, 'the simulation has no "episodes": did you mean "episode"?'],
      [{ policy: { kind: 'heuristic', name: 'none' } }, 'name is "none"'],
    ] as const) {
      expect(() => simulate({ ...request, ...change } as never)).toThrow(message);
    }
  });
});

describe('workers', () => {
  it('says how much memory was wanted when it cannot be had', () => {
    const options = {
      compiled: geneva,
      observation: 'full',
      recorder: 'actor-critic',
      network: 'pairs',
      hidden: [8],
      criticHidden: [8],
      workers: 1,
      seed: 1,
    } as const;
    expect(() => new RolloutPool({ ...options, numEnvs: 60_000, steps: 60_000 })).toThrow(
      /cannot reserve \d+\.\d GiB: use fewer environments/,
    );
  });

  it('evaluation does not depend on their number', async () => {
    const returns = async (workers: number): Promise<number[]> => {
      const evaluations = await evaluatePolicies({
        compiled: geneva,
        policies: heuristicNames.map((name) => ({ kind: 'heuristic', name })),
        split: 'validation',
        episodes: 60,
        seed: 3,
        workers,
      });
      return evaluations.flatMap((evaluation) => evaluation.episodes.map((episode) => episode.return));
    };
    const one = await returns(1);
    expect(one).toHaveLength(60 * heuristicNames.length);
    expect(await returns(2)).toEqual(one);
    expect(await returns(3)).toEqual(one);
  });

  it('a failing task is an error that names it, its neighbours end, and the pool stays usable', async () => {
    const pool = openThreads(2, null);
    try {
      const good = {
        compiled: geneva,
        policy: { kind: 'heuristic', name: 'edf' },
        from: 0,
        to: 2,
        days: new Int32Array(0),
        seed: 1,
      };
      let ended = 0;
      await expect(
        runAll(pool, 'evaluate', [good, { ...good, policy: { kind: 'heuristic', name: 'nobody' } }, good], {
          done: () => ended++,
        }),
      ).rejects.toThrow(WorkerError);
      expect(ended).toBe(2);
      expect(await runAll(pool, 'evaluate', [good])).toHaveLength(1);
      await expect(runAll(pool, 'no-such-task', [good])).rejects.toThrow(/a worker failed at "no-such-task"/);
    } finally {
      await closeThreads(pool);
    }
  });

  it('a thread that is killed in a rollout rejects it instead of hanging', async () => {
    const pool = new RolloutPool({
      compiled: geneva,
      observation: 'full',
      recorder: 'actor-critic',
      network: 'pairs',
      hidden: [8],
      criticHidden: [8],
      numEnvs: 64,
      steps: 4000,
      workers: 2,
      seed: 1,
    });
    const rollout = pool.collect({ kind: 'softmax' });
    setTimeout(() => void pool.close(), 300);
    await expect(rollout).rejects.toThrow(WorkerError);
  });

  it('refuses impossible numbers of workers, and cuts ranges without gaps', () => {
    for (const workers of [0, -1, 1.5, 1000]) expect(() => openThreads(workers, null)).toThrow(`workers is ${workers}`);
    expect(ranges(10, 3)).toEqual([
      { from: 0, to: 3 },
      { from: 3, to: 6 },
      { from: 6, to: 10 },
    ]);
    expect(ranges(2, 5)).toHaveLength(2);
  });
});

describeWithTrips('training on real trips', () => {
  it('gives the same weights for one worker and for two', async () => {
    const compiled = loadScenario({ scenario: 'nyc-small', data: nycAmod });
    const config = { ...tiny, numEnvs: 6, minibatchSize: 72 };
    expect(await weightsAfter(2, config, 'wasm', compiled)).toBe(await weightsAfter(1, config, 'wasm', compiled));
  });
});
