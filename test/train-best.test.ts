// The best policy of a run: chosen at intervals on validation episodes, kept beside the last one, and a reason to stop early.

import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { compileScenario, preset } from '#engine/index.js';
import {
  BEST_FILE,
  loadBackend,
  policyOf,
  ppoDefaults,
  readCheckpoint,
  resumable,
  runTraining,
  weightsSha256,
} from '#train/index.js';
import type { PpoConfig, TrainingJob } from '#train/index.js';
import { evaluatePolicies } from '#workers/index.js';

const root = mkdtempSync(join(tmpdir(), 'fleetstep-best-'));
afterAll(() => rmSync(root, { recursive: true, force: true }));

const brief = compileScenario({ ...preset('geneva'), name: 'brief', horizonSeconds: 12 * 300 });
const tiny: PpoConfig = {
  ...ppoDefaults,
  seed: 7,
  numEnvs: 10,
  rolloutSteps: 24,
  minibatchSize: 80,
  totalSteps: 240 * 8,
};

async function job(out: string, extra: Partial<TrainingJob> = {}): Promise<TrainingJob> {
  return {
    compiled: brief,
    backend: await loadBackend('wasm'),
    config: tiny,
    workers: 1,
    out,
    resume: null,
    checkpointSeconds: 3600,
    evaluationEpisodes: 10,
    evaluateEvery: 400,
    signal: new AbortController().signal,
    onMetrics: () => undefined,
    onEvaluation: () => undefined,
    ...extra,
  };
}

/** Evaluations on the way: steps and mean return. */
function evaluationsOf(run: string): [number, number][] {
  return readFileSync(join(run, 'metrics.jsonl'), 'utf8')
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line) as Record<string, number>)
    .filter((metrics) => 'eval/episodic_return' in metrics)
    .map((metrics) => [metrics['global_step'], metrics['eval/episodic_return']]);
}

const bestOf = (evaluations: readonly [number, number][]): [number, number] =>
  evaluations.reduce((best, each) => (each[1] > best[1] ? each : best));

describe('the best policy', () => {
  it('is that of the highest mean return among those evaluated, and is played from its own file', async () => {
    const out = join(root, 'whole');
    const result = await runTraining(await job(out));
    const evaluations = evaluationsOf(out);
    // At the end of the iteration in which a multiple of 400 steps is passed.
    expect(evaluations.map(([steps]) => steps)).toEqual([480, 960, 1200, 1680]);
    const [steps, meanReturn] = bestOf(evaluations);
    expect(result.best).toEqual({ steps, meanReturn });
    const best = readCheckpoint(join(out, BEST_FILE));
    expect([best.steps, best.state.iteration]).toEqual([steps, steps / 240]);
    const [again] = await evaluatePolicies({
      compiled: brief,
      policies: [policyOf(best, 'best')],
      split: 'validation',
      episodes: 10,
      seed: 1,
      workers: 1,
    });
    expect(again.meanReturn).toBe(meanReturn);
    // The last one is what it is without any of this.
    const plain = await runTraining(await job(join(root, 'plain'), { evaluateEvery: 0 }));
    expect(plain.best).toBeNull();
    expect(existsSync(join(root, 'plain', BEST_FILE))).toBe(false);
    expect(result.weightsSha256).toBe(plain.weightsSha256);
    expect(weightsSha256(readCheckpoint(out).state.weights)).toBe(plain.weightsSha256);
  });

  it('is the same after interruptions, each evaluation being on record once', async () => {
    const out = join(root, 'parts');
    let finished = false;
    for (let part = 0; !finished; part++) {
      const abort = new AbortController();
      let iterations = 0;
      const resume = part === 0 ? null : resumable(out, brief);
      const extra = { resume, signal: abort.signal };
      // Right after the iterations that are evaluated, too: before their evaluation.
      const onMetrics = (): void => (++iterations === 2 ? abort.abort() : undefined);
      ({ finished } = await runTraining(await job(out, { ...extra, onMetrics })));
      expect(part).toBeLessThan(6);
    }
    expect(evaluationsOf(out)).toEqual(evaluationsOf(join(root, 'whole')));
    const [one, other] = [out, join(root, 'whole')].map((run) => readCheckpoint(join(run, BEST_FILE)));
    expect(one.state).toEqual(other.state);
    expect(readCheckpoint(out).selection).toEqual(readCheckpoint(join(root, 'whole')).selection);
  });

  it('ends the training when nothing better has come for long enough; there is nothing to resume then', async () => {
    const out = join(root, 'early');
    // A learning rate at which nothing changes: the first is as good as any.
    const config = { ...tiny, learningRate: 1e-12, totalSteps: 240 * 40 };
    const result = await runTraining(await job(out, { config, evaluateEvery: 240, earlyStop: 3 }));
    expect([result.finished, result.steps]).toEqual([true, 240 * 4]);
    expect(result.best?.steps).toBe(240);
    expect(result.evaluations.length).toBeGreaterThan(1);
    expect(() => resumable(out, brief)).toThrow(
      `${out} has done 960 of its 9600 steps and has stopped early: nothing to resume`,
    );
  });

  it('needs evaluations to stop early by', async () => {
    await expect(runTraining(await job(join(root, 'never'), { evaluateEvery: 0, earlyStop: 2 }))).rejects.toThrow(
      'earlyStop is 2, but evaluateEvery is 0: without evaluations there is no gain to wait for',
    );
  });
});
