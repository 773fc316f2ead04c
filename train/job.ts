// The main job: train, save, evaluate against the heuristics on held-out episodes.

import { existsSync, statSync } from 'node:fs';
import { join } from 'node:path';
import type { CompiledScenario } from '../engine/index.js';
import { heuristicNames } from '../policy/index.js';
import type { ScenarioRequest } from '../trips/index.js';
import { DEFAULT_HANG_SECONDS, OptionCheck, WorkerError, episodeCount, evaluatePolicies } from '../workers/index.js';
import type { Evaluation } from '../workers/index.js';
import type { Backend } from './backend.js';
import { checkWorld, policyOf, readCheckpoint, weightsSha256, writeCheckpoint } from './checkpoint.js';
import type { Checkpoint, RunSettings } from './checkpoint.js';
import { TrainError } from './errors.js';
import { identityOf } from './identity.js';
import { Ppo } from './ppo.js';
import type { PpoConfig, PpoMetrics } from './ppo.js';
import { EVALUATION_FILE, RunFolder } from './run-folder.js';

export interface TrainingJob {
  readonly compiled: CompiledScenario;
  readonly backend: Backend;
  readonly config: PpoConfig;
  readonly workers: number;
  /** Folder of the run; must be empty or not exist, unless resumed. */
  readonly out: string;
  /** Go on from the checkpoint in `out`; `config` is then the checkpoint's. */
  readonly resume: Checkpoint | null;
  /** How scenario and data were asked for, so that `eval` and a resumed run find them again; for recorded trips. */
  readonly request?: ScenarioRequest | undefined;
  /** Seconds between checkpoints. */
  readonly checkpointSeconds: number;
  /** Held-out episodes per policy after training; 0 leaves the evaluation out; undefined: 200, or all days. */
  readonly evaluationEpisodes: number | undefined;
  /** Seconds without a step after which a worker counts as hanging, default 300. */
  readonly hangSeconds?: number | undefined;
  readonly signal: AbortSignal;
  readonly onMetrics: (metrics: PpoMetrics, iterations: number) => void;
  readonly onEvaluation: (done: number, total: number) => void;
}

export interface TrainingResult {
  readonly run: string;
  readonly scenario: string;
  readonly backend: string;
  /** All that was asked for is done, the evaluation included. */
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

const known = [
  'compiled',
  'backend',
  'config',
  'workers',
  'out',
  'resume',
  'request',
  'checkpointSeconds',
  'evaluationEpisodes',
  'hangSeconds',
  'signal',
  'onMetrics',
  'onEvaluation',
];

const check: OptionCheck = new OptionCheck((message) => new TrainError('ERR_TRAIN_OPTION', message));

/** Once the run is to end, a worker is waited for no longer than this. */
const HANG_SECONDS_AT_END = 15;

function checkJob(job: TrainingJob): void {
  check.members('the job', job, known, ['out', 'signal', 'onMetrics', 'onEvaluation']);
  check.compiled('compiled', job.compiled);
  check.whole('checkpointSeconds', job.checkpointSeconds, 1);
  if (job.hangSeconds !== undefined) check.whole('hangSeconds', job.hangSeconds, 1);
  // Not after hours of training.
  if (job.evaluationEpisodes !== 0) episodeCount(job.compiled, 'validation', job.evaluationEpisodes);
}

/**
 * Trains until the steps are done or the signal aborts; either way a checkpoint is written, as it is before the first step.
 * Then evaluates. A run that was interrupted in its evaluation goes on with that.
 * @throws TrainError, EngineError, WorkerError; what was saved stays and can be resumed
 */
export async function runTraining(job: TrainingJob): Promise<TrainingResult> {
  checkJob(job);
  const { compiled, backend, config, workers, resume, signal } = job;
  const hangSeconds = job.hangSeconds ?? DEFAULT_HANG_SECONDS;
  const patience = (): number => (signal.aborted ? Math.min(hangSeconds, HANG_SECONDS_AT_END) : hangSeconds);
  const ppo = new Ppo(compiled, backend, config, workers, patience);
  let folder: RunFolder | null = null;
  let saved: Checkpoint | null = resume;
  try {
    if (resume !== null) ppo.restore(resume.state);
    folder = resume === null ? RunFolder.create(job.out) : RunFolder.open(job.out);
    const identity = resume?.identity ?? identityOf(compiled, job.request ?? null);
    const settings: RunSettings = {
      workers,
      checkpointSeconds: job.checkpointSeconds,
      evaluationEpisodes: job.evaluationEpisodes ?? null,
      hangSeconds,
    };
    const before = resume?.seconds ?? 0;
    const firstStep = ppo.globalStep;
    const started = performance.now();
    const elapsed = (): number => (performance.now() - started) / 1000;
    let savedAt = 0;
    const save = (): Checkpoint => {
      const checkpoint: Checkpoint = {
        identity,
        settings,
        scenario: compiled.scenario,
        config,
        shape: ppo.shape,
        backend: backend.name,
        state: ppo.snapshot(),
        seconds: before + elapsed(),
      };
      writeCheckpoint(job.out, checkpoint);
      savedAt = elapsed();
      return (saved = checkpoint);
    };
    if (resume === null) {
      folder.writeJson('config.json', {
        ...identity,
        scenario: compiled.scenario,
        config,
        settings,
        backend: backend.name,
      });
      save();
    } else {
      checkStillThere(job.out, resume);
      folder.trimMetrics(resume.state.iteration);
    }
    while (ppo.iteration < ppo.iterations && !signal.aborted) {
      let metrics: PpoMetrics;
      try {
        metrics = await ppo.step();
      } catch (error) {
        if (!(signal.aborted && error instanceof WorkerError)) throw error;
        // A worker that does not end, or was interrupted with us: the iteration is lost, what is saved is the run.
        ppo.restore(saved!.state);
        break;
      }
      folder.appendMetrics(metrics);
      job.onMetrics(metrics, ppo.iterations);
      if (elapsed() - savedAt >= job.checkpointSeconds) save();
    }
    const trainedSeconds = elapsed();
    if (ppo.iteration > saved!.state.iteration) save();
    const trained = ppo.iteration >= ppo.iterations;

    let evaluations: Evaluation[] = [];
    if (trained && job.evaluationEpisodes !== 0) {
      evaluations = await evaluatePolicies({
        compiled,
        policies: [policyOf(saved!, 'ppo'), ...heuristicNames.map((name) => ({ kind: 'heuristic' as const, name }))],
        split: 'validation',
        episodes: job.evaluationEpisodes,
        seed: 1,
        workers,
        signal,
        hangSeconds,
        progress: job.onEvaluation,
      });
      if (evaluations.length > 0) folder.writeJson(EVALUATION_FILE, evaluations);
    }
    const steps = ppo.globalStep;
    return {
      run: job.out,
      scenario: compiled.scenario.name,
      backend: backend.name,
      finished: trained && (job.evaluationEpisodes === 0 || evaluations.length > 0),
      steps,
      seconds: before + trainedSeconds,
      sps: trainedSeconds > 0 ? Math.round((steps - firstStep) / trainedSeconds) : 0,
      meanReturn: evaluations[0]?.meanReturn ?? null,
      weightsSha256: weightsSha256(ppo.weights),
      evaluations,
    };
  } catch (error) {
    throw withWayOn(error, job.out, saved);
  } finally {
    folder?.close();
    await ppo.close();
  }
}

/** Between reading the checkpoint and having the folder to ourselves, another process may have gone on with the run. */
function checkStillThere(run: string, resume: Checkpoint): void {
  const { iteration } = readCheckpoint(run).state;
  if (iteration !== resume.state.iteration) {
    throw new TrainError(
      'ERR_RUN_LOCKED',
      `${run} was at iteration ${resume.state.iteration} and is at ${iteration} now: another process has gone on with it`,
    );
  }
}

/** The machine's faults, with what is saved and how to go on from there. */
function withWayOn(error: unknown, run: string, saved: Checkpoint | null): unknown {
  if (saved === null) return error;
  const { config, state } = saved;
  const way = `; the checkpoint of step ${state.iteration * config.numEnvs * config.rolloutSteps} stands: go on from it with "fleetstep train --resume ${run}"`;
  if (error instanceof WorkerError && error.code !== 'ERR_WORKERS_OPTION') {
    return new WorkerError(error.code, `${error.message}${way}`, { cause: error });
  }
  if (error instanceof TrainError && error.code === 'ERR_DISK') {
    return new TrainError(error.code, `${error.message}${way}`, { cause: error });
  }
  return error;
}

/** The checkpoint of a run's folder. @throws TrainError `ERR_CHECKPOINT` if there is none, or for the path of a file */
export function runCheckpoint(run: string): Checkpoint {
  if (statSync(run, { throwIfNoEntry: false })?.isFile() === true) {
    throw new TrainError('ERR_CHECKPOINT', `${run} is a file: give the folder of the run`);
  }
  return readCheckpoint(run);
}

/**
 * The checkpoint of a run that is to go on, with training or with its evaluation.
 * @param evaluationEpisodes asked for now; undefined for what the run was asked for
 * @throws TrainError `ERR_CHECKPOINT` if there is none, if it is of another scenario or other data, or if all is done
 */
export function resumable(run: string, compiled: CompiledScenario, evaluationEpisodes?: number): Checkpoint {
  const checkpoint = runCheckpoint(run);
  checkWorld(checkpoint, compiled, run);
  const { config, state, settings } = checkpoint;
  const trained = state.iteration * config.numEnvs * config.rolloutSteps >= config.totalSteps;
  const evaluated = (evaluationEpisodes ?? settings.evaluationEpisodes) === 0 || existsSync(join(run, EVALUATION_FILE));
  if (trained && evaluated) {
    throw new TrainError('ERR_CHECKPOINT', `${run} has done all of its ${config.totalSteps} steps: nothing to resume`);
  }
  return checkpoint;
}
