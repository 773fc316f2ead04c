// The main job: train, save, evaluate against the heuristics on held-out episodes.

import { statSync } from 'node:fs';
import { join } from 'node:path';
import type { CompiledScenario } from '../engine/index.js';
import { heuristicNames } from '../policy/index.js';
import { evaluatePolicies } from '../workers/index.js';
import type { Evaluation } from '../workers/index.js';
import type { Backend } from './backend.js';
import { checkScenario, policyOf, readCheckpoint, weightsSha256, writeCheckpoint } from './checkpoint.js';
import type { Checkpoint } from './checkpoint.js';
import { TrainError } from './errors.js';
import { Ppo } from './ppo.js';
import type { PpoConfig, PpoMetrics } from './ppo.js';
import { RunFolder } from './run-folder.js';

export interface TrainingJob {
  readonly compiled: CompiledScenario;
  readonly backend: Backend;
  readonly config: PpoConfig;
  readonly workers: number;
  /** Folder of the run; must be empty or not exist, unless resumed. */
  readonly out: string;
  /** Go on from the checkpoint in `out`; `config` is then the checkpoint's. */
  readonly resume: Checkpoint | null;
  /** Seconds between checkpoints. */
  readonly checkpointSeconds: number;
  /** Held-out episodes per policy after training; 0 leaves the evaluation out. */
  readonly evaluationEpisodes: number | undefined;
  readonly signal: AbortSignal;
  readonly onMetrics: (metrics: PpoMetrics, iterations: number) => void;
  readonly onEvaluation: (done: number, total: number) => void;
}

export interface TrainingResult {
  readonly run: string;
  readonly scenario: string;
  readonly backend: string;
  readonly finished: boolean;
  readonly steps: number;
  readonly seconds: number;
  /** Environment steps a second on the clock, learning included, since the run was last started. */
  readonly sps: number;
  /** Of the trained policy on held-out episodes; null when they were left out. */
  readonly meanReturn: number | null;
  readonly weightsSha256: string;
  readonly evaluations: readonly Evaluation[];
}

/** Steps that make a good policy in a few minutes on two cores. */
export function defaultSteps(scenario: string): number {
  return scenario === 'nyc-small' ? 1_000_000 : scenario === 'nyc-large' ? 500_000 : 1_500_000;
}

/** `runs/geneva-ppo-s1-20260131-120000` */
export function defaultRunFolder(scenario: string, seed: number, now: Date): string {
  const stamp = now.toISOString().replace(/[-:]/g, '').replace('T', '-').slice(0, 15);
  return join('runs', `${scenario}-ppo-s${seed}-${stamp}`);
}

/**
 * Trains until the steps are done or the signal aborts; either way a checkpoint is written.
 * @throws TrainError, EngineError, WorkerError
 */
export async function runTraining(job: TrainingJob): Promise<TrainingResult> {
  const { compiled, backend, config, workers, resume } = job;
  const ppo = new Ppo(compiled, backend, config, workers);
  try {
    if (resume !== null) ppo.restore(resume.state);
    const folder = resume === null ? RunFolder.create(job.out) : RunFolder.open(job.out);
    if (resume === null) {
      folder.writeJson('config.json', { scenario: compiled.scenario, config, backend: backend.name, workers });
    } else {
      folder.trimMetrics(resume.state.iteration);
    }
    const before = resume?.seconds ?? 0;
    const firstStep = ppo.globalStep;
    const started = performance.now();
    const elapsed = (): number => (performance.now() - started) / 1000;
    const save = (): Checkpoint => {
      const checkpoint: Checkpoint = {
        scenario: compiled.scenario,
        config,
        shape: ppo.shape,
        backend: backend.name,
        state: ppo.snapshot(),
        seconds: before + elapsed(),
      };
      writeCheckpoint(job.out, checkpoint);
      return checkpoint;
    };
    let savedAt = 0;
    while (ppo.iteration < ppo.iterations && !job.signal.aborted) {
      const metrics = await ppo.step();
      folder.appendMetrics(metrics);
      job.onMetrics(metrics, ppo.iterations);
      if (elapsed() - savedAt >= job.checkpointSeconds) {
        save();
        savedAt = elapsed();
      }
    }
    const trainedSeconds = elapsed();
    const checkpoint = save();
    const finished = ppo.iteration >= ppo.iterations;

    let evaluations: Evaluation[] = [];
    if (finished && job.evaluationEpisodes !== 0 && !job.signal.aborted) {
      evaluations = await evaluatePolicies({
        compiled,
        policies: [
          policyOf(checkpoint, 'ppo'),
          ...heuristicNames.map((name) => ({ kind: 'heuristic' as const, name })),
        ],
        split: 'validation',
        episodes: job.evaluationEpisodes,
        seed: 1,
        workers,
        signal: job.signal,
        progress: job.onEvaluation,
      });
      if (evaluations.length > 0) folder.writeJson('evaluation.json', evaluations);
    }
    const steps = ppo.globalStep;
    return {
      run: job.out,
      scenario: compiled.scenario.name,
      backend: backend.name,
      finished,
      steps,
      seconds: before + trainedSeconds,
      sps: trainedSeconds > 0 ? Math.round((steps - firstStep) / trainedSeconds) : 0,
      meanReturn: evaluations[0]?.meanReturn ?? null,
      weightsSha256: weightsSha256(ppo.weights),
      evaluations,
    };
  } finally {
    await ppo.close();
  }
}

/**
 * The checkpoint of a run that is to go on.
 * @throws TrainError `ERR_CHECKPOINT` if there is none, if it is of another scenario, or if it is done
 */
export function resumable(run: string, compiled: CompiledScenario): Checkpoint {
  if (statSync(run, { throwIfNoEntry: false })?.isFile() === true) {
    throw new TrainError('ERR_CHECKPOINT', `${run} is a file: give the folder of the run`);
  }
  const checkpoint = readCheckpoint(run);
  checkScenario(checkpoint, compiled, run);
  const { config, state } = checkpoint;
  if (state.iteration * config.numEnvs * config.rolloutSteps >= config.totalSteps) {
    throw new TrainError('ERR_CHECKPOINT', `${run} has done all of its ${config.totalSteps} steps: nothing to resume`);
  }
  return checkpoint;
}
