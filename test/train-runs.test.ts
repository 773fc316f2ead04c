// Whole training runs: reproducible, independent of the number of workers, resumable, and robust.

import { existsSync, mkdtempSync, readFileSync, readdirSync, rmSync, truncateSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { PAIR_COLUMNS, PairWriter, VectorDispatchEnv, compileScenario, preset } from '#engine/index.js';
import { NetworkPolicy, heuristicNames, networkLayout } from '#policy/index.js';
import { loadScenario } from '#trips/index.js';
import {
  CHECKPOINT_FILE,
  Ppo,
  TfjsMlp,
  checkScenario,
  loadBackend,
  ppoDefaults,
  readCheckpoint,
  resumable,
  runTraining,
  weightsSha256,
} from '#train/index.js';
import type { BackendName, PpoConfig, TrainingJob } from '#train/index.js';
import { RolloutPool, WorkerError, evaluatePolicies, openThreads, ranges, runAll } from '#workers/index.js';
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
  it('gives the same weights for 1, 2 and 3 workers, and others for another seed', async () => {
    const one = await weightsAfter(1, tiny, name);
    expect(await weightsAfter(2, tiny, name)).toBe(one);
    expect(await weightsAfter(3, tiny, name)).toBe(one);
    expect(await weightsAfter(2, { ...tiny, seed: 8 }, name)).not.toBe(one);
  });

  it('a run that was interrupted and resumed ends with the weights of an uninterrupted one', async () => {
    const backend = await loadBackend(name);
    const whole = await runTraining(job(join(root, `whole-${name}`), { backend }));
    const abort = new AbortController();
    const out = join(root, `parts-${name}`);
    const part = await runTraining(
      job(out, {
        backend,
        signal: abort.signal,
        onMetrics: ({ iteration }) => (iteration === 2 ? abort.abort() : undefined),
      }),
    );
    expect([part.finished, part.steps]).toEqual([false, 480]);
    const checkpoint = resumable(out, geneva);
    const rest = await runTraining(job(out, { backend, config: checkpoint.config, resume: checkpoint, workers: 1 }));
    expect([rest.finished, rest.steps]).toEqual([true, 960]);
    expect(rest.weightsSha256).toBe(whole.weightsSha256);
    const metrics = readFileSync(join(out, 'metrics.jsonl'), 'utf8').trim().split('\n');
    expect(metrics.map((line) => (JSON.parse(line) as { iteration: number }).iteration)).toEqual([1, 2, 3, 4]);
    expect(() => resumable(out, geneva)).toThrow('nothing to resume');
  });
});

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
        const mlp = new TfjsMlp(await loadBackend(other), networkLayout(shape).actor);
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
    await runTraining(job(out, { backend: await loadBackend('cpu') }));
    const file = join(out, CHECKPOINT_FILE);
    const good = readFileSync(file);
    const other = compileScenario({ ...preset('geneva'), name: 'other', drivers: 4 });
    expect(() => checkScenario(readCheckpoint(out), other, out)).toThrow(
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

  it('a run does not write into a folder that holds something', async () => {
    const out = join(root, 'taken');
    rmSync(out, { recursive: true, force: true });
    await runTraining(job(out, { backend: await loadBackend('cpu'), config: { ...tiny, totalSteps: 240 } }));
    const before = readdirSync(out).sort();
    await expect(runTraining(job(out, { backend: await loadBackend('cpu') }))).rejects.toThrow('is not empty');
    expect(readdirSync(out).sort()).toEqual(before);
  });
});

describe('options', () => {
  it.each([
    [{ numEnvs: 0 }, 'numEnvs is 0'],
    [{ gamma: 1.5 }, 'gamma is 1.5'],
    [{ learningRate: 0 }, 'learningRate is 0'],
    [{ hidden: [30] }, 'a hidden layer is 30 wide'],
  ])('%j is refused before anything is written', async (change, message) => {
    const out = join(root, 'never');
    await expect(
      runTraining(job(out, { backend: await loadBackend('cpu'), config: { ...tiny, ...change } })),
    ).rejects.toThrow(message);
    expect(existsSync(out)).toBe(false);
  });
});

describe('workers', () => {
  it('says how much memory was wanted when it cannot be had', () => {
    const options = {
      compiled: geneva,
      observation: 'full',
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
        runAll(
          pool,
          'evaluate',
          [good, { ...good, policy: { kind: 'heuristic', name: 'nobody' } }, good],
          () => ended++,
        ),
      ).rejects.toThrow(WorkerError);
      expect(ended).toBe(2);
      expect(await runAll(pool, 'evaluate', [good])).toHaveLength(1);
      await expect(runAll(pool, 'no-such-task', [good])).rejects.toThrow(/a worker failed at "no-such-task"/);
    } finally {
      await pool.destroy();
    }
  });

  it('a thread that is killed in a rollout rejects it instead of hanging', async () => {
    const pool = new RolloutPool({
      compiled: geneva,
      observation: 'full',
      network: 'pairs',
      hidden: [8],
      criticHidden: [8],
      numEnvs: 64,
      steps: 4000,
      workers: 2,
      seed: 1,
    });
    const rollout = pool.collect();
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
