// From one run to another: weights to start from, more steps than were asked for at first, checkpoints that are kept, and
// several seeds.

import { existsSync, mkdtempSync, readFileSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { replicatesOf, seedList } from '#cli/replicates.js';
import { VectorDispatchEnv, compileScenario, preset } from '#engine/index.js';
import type { CompiledScenario } from '#engine/index.js';
import { NetworkPolicy, networkLayout, studentQuantile } from '#policy/index.js';
import { evaluatePolicies } from '#workers/index.js';
import {
  checkFits,
  dqnDefaults,
  loadBackend,
  policyOf,
  ppoDefaults,
  readCheckpoint,
  resumable,
  runTraining,
  schedulesOf,
  weightsSha256,
} from '#train/index.js';
import type { DqnConfig, PpoConfig, TrainingJob, TrainingResult } from '#train/index.js';

const root = mkdtempSync(join(tmpdir(), 'fleetstep-init-'));
afterAll(() => rmSync(root, { recursive: true, force: true }));
const backend = await loadBackend('cpu');
const geneva = compileScenario(preset('geneva'));
const sized = (drivers: number, slots: number): CompiledScenario =>
  compileScenario({ ...preset('geneva'), name: `town-${drivers}`, drivers, slots });

const tiny: PpoConfig = {
  ...ppoDefaults,
  seed: 7,
  totalSteps: 240,
  numEnvs: 4,
  rolloutSteps: 20,
  minibatchSize: 40,
  epochs: 1,
  hidden: [8],
  criticHidden: [8],
};
const tinyDqn: DqnConfig = {
  ...dqnDefaults,
  seed: 7,
  totalSteps: 240,
  numEnvs: 4,
  rolloutSteps: 20,
  minibatchSize: 16,
  learningStarts: 80,
  replayCapacity: 512,
  trainFrequency: 20,
  targetFrequency: 3,
  hidden: [8],
  criticHidden: [8],
};

function run(out: string, extra: Partial<TrainingJob> = {}): Promise<TrainingResult> {
  return runTraining({
    compiled: geneva,
    backend,
    config: tiny,
    workers: 1,
    out: join(root, out),
    resume: null,
    checkpointSeconds: 3600,
    evaluationEpisodes: 0,
    signal: new AbortController().signal,
    onMetrics: () => undefined,
    onEvaluation: () => undefined,
    ...extra,
  });
}

describe('a run that starts from another', () => {
  it('has its weights before the first step, all of them on a world of the same form, and says so', async () => {
    for (const [algorithm, config] of [
      ['ppo', tiny],
      ['dqn', tinyDqn],
    ] as const) {
      const first = join(root, `first-${algorithm}`);
      await run(`first-${algorithm}`, { algorithm, config });
      const checkpoint = readCheckpoint(first);
      const abort = new AbortController();
      abort.abort();
      const out = `second-${algorithm}`;
      const init = { path: first, checkpoint };
      await run(out, { algorithm, config: { ...config, seed: 8 }, init, signal: abort.signal });
      const begun = readCheckpoint(join(root, out));
      expect(begun.steps).toBe(0);
      for (const name of ['weights', 'targetWeights', 'actingWeights']) {
        const copy = (begun.state as unknown as Record<string, Float32Array | undefined>)[name];
        if (name === 'weights' || algorithm === 'dqn') expect(copy, name).toEqual(checkpoint.state.weights);
      }
      // The optimiser is a new one.
      expect((begun.state as unknown as { adam: { step: number } }).adam.step).toBe(0);
      const origin = {
        run: first,
        scenario: 'geneva',
        steps: 240,
        weightsSha256: weightsSha256(checkpoint.state.weights),
        parts: ['actor', 'critic'],
      };
      expect(begun.origin).toEqual(origin);
      const written = JSON.parse(readFileSync(join(root, out, 'config.json'), 'utf8')) as { origin: unknown };
      expect(written.origin).toEqual(origin);
      // Resumed, it goes on, and still knows where it began.
      const resume = resumable(join(root, out), geneva);
      const done = await run(out, { algorithm, config: resume.config, resume });
      expect([done.finished, readCheckpoint(join(root, out)).origin]).toEqual([true, origin]);
      const whole = await run(`whole-${algorithm}`, { algorithm, config: { ...config, seed: 8 }, init });
      expect(whole.weightsSha256).toBe(done.weightsSha256);
    }
  });

  it('takes over the actor alone where the critic would observe something else', async () => {
    await run('origin');
    const init = { path: 'origin', checkpoint: readCheckpoint(join(root, 'origin')) };
    const abort = new AbortController();
    abort.abort();
    for (const [drivers, slots] of [
      [5, 20],
      // As many numbers as geneva's observation has, at other places.
      [13, 18],
    ]) {
      const out = `transfer-${drivers}`;
      await run(out, { compiled: sized(drivers, slots), init, signal: abort.signal });
      const begun = readCheckpoint(join(root, out));
      expect(begun.origin?.parts).toEqual(['actor']);
      const at = networkLayout(begun.shape).critic[0].weights;
      expect(begun.state.weights.subarray(0, at)).toEqual(init.checkpoint.state.weights.subarray(0, at));
      expect(begun.state.weights.subarray(at)).not.toEqual(init.checkpoint.state.weights.subarray(at));
    }
  });

  it('is refused with another network, another algorithm, or a flat network of another size, and leaves nothing behind', async () => {
    await run('narrow');
    const init = { path: 'narrow', checkpoint: readCheckpoint(join(root, 'narrow')) };
    await expect(run('no', { init, config: { ...tiny, hidden: [16] } as PpoConfig })).rejects.toThrow(
      'hidden is [16], and [8] in narrow: a run that starts from it must have the same',
    );
    await expect(run('no', { init, algorithm: 'dqn', config: tinyDqn })).rejects.toThrow(
      'narrow was trained by ppo, whose outputs mean something else to dqn: give --algorithm ppo',
    );
    await run('flat', { config: { ...tiny, network: 'flat' } });
    const flat = { path: 'flat', checkpoint: readCheckpoint(join(root, 'flat')) };
    await expect(
      run('no', { init: flat, compiled: sized(5, 20), config: { ...tiny, network: 'flat' } }),
    ).rejects.toThrow(
      'flat is a flat network for 10 drivers, 20 slots and 0 skills ("geneva"): it cannot play "town-5", which has 5 drivers, 20 slots and 0 skills; a network trained with --network pairs plays any size',
    );
    expect(existsSync(join(root, 'no'))).toBe(false);
    expect(() => checkFits(flat.checkpoint, sized(13, 18), 'flat')).toThrow(/flat network/);
    expect(() => checkFits(flat.checkpoint, geneva, 'flat')).not.toThrow();
    expect(() => checkFits(init.checkpoint, sized(20, 50), 'narrow')).not.toThrow();
  });

  it('a pairs network plays worlds of other sizes, as it decides pair by pair', async () => {
    await run('player');
    const checkpoint = readCheckpoint(join(root, 'player'));
    for (const drivers of [5, 20]) {
      const compiled = sized(drivers, 20);
      const [played] = await evaluatePolicies({
        compiled,
        policies: [policyOf(checkpoint, 'player')],
        split: 'validation',
        episodes: 2,
        seed: 1,
        workers: 1,
      });
      expect(played.kpis.invalidActions).toBe(0);
      const env = new VectorDispatchEnv({ scenario: compiled, numEnvs: 3 });
      env.reset({ seed: 1 });
      const actions = new Int32Array(3);
      new NetworkPolicy('player', checkpoint.shape, checkpoint.state.weights).act(env.world, 0, 3, actions);
      for (let e = 0; e < 3; e++) expect(env.world.out.actionMasks[e * env.world.actions + actions[e]]).toBe(1);
    }
  });
});

describe('a run that is extended', () => {
  it('ends with the bytes of one that had as many steps from the beginning, where nothing follows the total', async () => {
    const steady: PpoConfig = { ...tiny, learningRateFinal: 1 };
    const steadyDqn: DqnConfig = {
      ...tinyDqn,
      learningRateFinal: 1,
      epsilonStart: 0.2,
      epsilonFinal: 0.2,
      priorityBetaFinal: 0.4,
    };
    for (const [algorithm, config] of [
      ['ppo', steady],
      ['dqn', steadyDqn],
    ] as const) {
      expect(schedulesOf(algorithm, config)).toEqual([]);
      const whole = await run(`long-${algorithm}`, { algorithm, config: { ...config, totalSteps: 480 } });
      const out = `grown-${algorithm}`;
      await run(out, { algorithm, config, evaluationEpisodes: 2 });
      expect(existsSync(join(root, out, 'evaluation.json'))).toBe(true);
      const resume = resumable(join(root, out), geneva, undefined, 480);
      const abort = new AbortController();
      const onMetrics = (): void => abort.abort();
      const part = await run(out, { algorithm, config: resume.config, resume, signal: abort.signal, onMetrics });
      expect([part.finished, part.steps]).toEqual([false, 320]);
      // Interrupted, it still knows how far it is to go, and that it has not been evaluated.
      expect(existsSync(join(root, out, 'evaluation.json'))).toBe(false);
      const again = resumable(join(root, out), geneva, 2);
      expect(again.config.totalSteps).toBe(480);
      const rest = await run(out, { algorithm, config: again.config, resume: again, evaluationEpisodes: 2 });
      expect([rest.finished, rest.steps]).toEqual([true, 480]);
      expect(rest.weightsSha256).toBe(whole.weightsSha256);
      const written = JSON.parse(readFileSync(join(root, out, 'config.json'), 'utf8')) as { config: PpoConfig };
      expect(written.config.totalSteps).toBe(480);
    }
  });

  it('names the settings that follow the total, and refuses fewer steps than are done', async () => {
    expect(schedulesOf('ppo', tiny)).toEqual(['learningRateFinal']);
    expect(schedulesOf('ppo', { ...tiny, clipFinal: 0.5, entropyFinal: 0 } as PpoConfig)).toEqual([
      'learningRateFinal',
      'clipFinal',
      'entropyFinal',
    ]);
    expect(schedulesOf('dqn', tinyDqn)).toEqual(['learningRateFinal', 'explorationShare']);
    expect(schedulesOf('dqn', { ...tinyDqn, prioritised: true } as DqnConfig)).toContain('priorityBetaFinal');
    await run('done');
    const path = join(root, 'done');
    expect(() => resumable(path, geneva, undefined, 100)).toThrow(
      `--steps is 100, and ${path} has done 240: give more`,
    );
    expect(() => resumable(path, geneva, undefined, 240)).toThrow('nothing to resume (--steps extends it)');
  });
});

it('checkpoints are kept at every so many steps, and can be played and started from', async () => {
  const config = { ...tiny, totalSteps: 480 };
  await run('kept', { config, keepEvery: 100 });
  const names = readdirSync(join(root, 'kept')).filter((name) => name.startsWith('checkpoint-'));
  // An iteration is 80 steps: the first one at or after each multiple of 100.
  expect(names.sort()).toEqual([160, 240, 320, 400].map((steps) => `checkpoint-${steps}.msgpack`).sort());
  const file = join(root, 'kept', 'checkpoint-240.msgpack');
  const kept = readCheckpoint(file);
  expect([kept.steps, kept.state.iteration]).toEqual([240, 3]);
  const abort = new AbortController();
  const onMetrics = ({ iteration }: { iteration: number }): void => (iteration === 3 ? abort.abort() : undefined);
  await run('half', { config, signal: abort.signal, onMetrics });
  expect(kept.state.weights).toEqual(readCheckpoint(join(root, 'half')).state.weights);
  const begun = await run('from-kept', { init: { path: file, checkpoint: kept } });
  expect(begun.finished).toBe(true);
  await expect(run('no', { keepEvery: -1 })).rejects.toThrow('keepEvery is -1');
});

describe('replicates', () => {
  it('reads lists and ranges of seeds', () => {
    expect(seedList('1..5')).toEqual([1, 2, 3, 4, 5]);
    expect(seedList('1, 2,7..8')).toEqual([1, 2, 7, 8]);
    for (const [text, message] of [
      ['', '"" is no seed'],
      ['1..', '"1.." is no seed'],
      ['5..1', 'runs backwards'],
      ['1..101', 'more than 100 seeds'],
      ['2,1..3', 'Seed 2 is given twice'],
      ['9999999999999', 'is above'],
    ]) {
      expect(() => seedList(text), text).toThrow(message);
    }
  });

  it('come to a mean with Student’s t interval over the seeds', () => {
    const result = (meanReturn: number | null, finished = true): TrainingResult => ({
      ...{ run: 'r', scenario: 'geneva', backend: 'cpu', finished, steps: 1, seconds: 1, sps: 1 },
      ...{ meanReturn, weightsSha256: '', best: null, evaluations: [] },
    });
    const three = replicatesOf([1, 2, 3], [result(10), result(20), result(60)]);
    expect(three).toMatchObject({ seeds: [1, 2, 3], finished: true, meanReturn: 30 });
    // Deviation of 10, 20, 60 is the root of 700; two degrees of freedom.
    expect(three.halfWidth).toBeCloseTo(4.30265273 * Math.sqrt(700 / 3), 5);
    expect(studentQuantile(2)).toBeCloseTo(4.30265273, 6);
    expect(three.runs.map(({ seed, meanReturn }) => [seed, meanReturn])).toEqual([
      [1, 10],
      [2, 20],
      [3, 60],
    ]);
    expect(replicatesOf([1, 2], [result(5, false)])).toMatchObject({ finished: false, meanReturn: 5, halfWidth: null });
    expect(replicatesOf([1], [result(null)])).toMatchObject({ finished: true, meanReturn: null, halfWidth: null });
  });
});
