// The main job: train, save, evaluate against the heuristics on held-out episodes.

import { existsSync, statSync } from 'node:fs';
import { join } from 'node:path';
import type { CompiledScenario } from '../engine/index.js';
import { heuristicNames, isHeuristic } from '../policy/index.js';
import type { ScenarioRequest } from '../trips/index.js';
import { DEFAULT_HANG_SECONDS, OptionCheck, WorkerError, episodeCount, evaluatePolicies } from '../workers/index.js';
import type { Evaluation, EvaluationRequest } from '../workers/index.js';
import type { Algorithm, Metrics, TrainingConfig, TrainingState } from './algorithm.js';
import type { Backend } from './backend.js';
import {
  checkWorld,
  policyOf,
  readCheckpoint,
  stateOf,
  weightsSha256,
  writeBest,
  writeCheckpoint,
  writeKept,
} from './checkpoint.js';
import type { Checkpoint, RunSettings, Selection } from './checkpoint.js';
import { TrainError } from './errors.js';
import { identityOf } from './identity.js';
import { extended, startFrom } from './init.js';
import type { InitialPolicy } from './init.js';
import { algorithm, defaultAlgorithm } from './registry.js';
import { CONFIG_FILE, EVALUATION_FILE, RunFolder } from './run-folder.js';
import { startRecord } from './start.js';

/** One training run: what to train, with what, and where the results go. */
export interface TrainingJob {
  /** What to train on. */
  readonly compiled: CompiledScenario;
  /** What the networks run on. */
  readonly backend: Backend;
  /** Name in the registry; default `ppo`. A resumed run keeps its own. */
  readonly algorithm?: string | undefined;
  /** The algorithm's settings, its own included; the checkpoint's if the run is resumed. */
  readonly config: TrainingConfig;
  /** Worker threads, 1 to 256; results do not depend on their number. */
  readonly workers: number;
  /** Folder of the run; must be empty or not exist, unless resumed. */
  readonly out: string;
  /** Continue from this checkpoint, which lies in `out`; null for a new run. */
  readonly resume: Checkpoint | null;
  /** For recorded trips: how scenario and data were asked for, so that `eval` and a resumed run find them again. */
  readonly request?: ScenarioRequest | undefined;
  /** Seconds between checkpoints. */
  readonly checkpointSeconds: number;
  /** Held-out episodes per policy after training; 0 leaves the evaluation out; undefined: 200, or all days. */
  readonly evaluationEpisodes: number | undefined;
  /** Seconds without a step after which a worker counts as hanging, default 300. */
  readonly hangSeconds?: number | undefined;
  /** Steps between evaluations on the validation episodes, of which the best is kept as `best.msgpack`; default 0: none. */
  readonly evaluateEvery?: number | undefined;
  /** Evaluations without gain after which the training ends; default 0: never. */
  readonly earlyStop?: number | undefined;
  /** Steps between checkpoints that are kept, as `checkpoint-<steps>.msgpack`; default 0: none. */
  readonly keepEvery?: number | undefined;
  /** A new run starts from this policy's weights; default: drawn from the seed. */
  readonly init?: InitialPolicy | undefined;
  /** Ends the run after the iteration under way, with a checkpoint. */
  readonly signal: AbortSignal;
  /** Called after each iteration, with the number of iterations in all. */
  readonly onMetrics: (metrics: Metrics, iterations: number) => void;
  /** Called as episodes of the evaluation end. */
  readonly onEvaluation: (done: number, total: number) => void;
  /** Called, in words, when threads that died or hang were replaced; default: it stands in the log alone. */
  readonly onReplaced?: ((told: string) => void) | undefined;
}

/** What a run has come to. */
export interface TrainingResult {
  /** Folder of the run. */
  readonly run: string;
  /** Name of the scenario. */
  readonly scenario: string;
  /** Name of the backend. */
  readonly backend: string;
  /** Whether all steps, and the evaluation if one was asked for, are done. */
  readonly finished: boolean;
  /** Environment steps so far. */
  readonly steps: number;
  /** Seconds of training so far, without the evaluation. */
  readonly seconds: number;
  /** Environment steps per second of elapsed time, learning included, since the run was last started. */
  readonly sps: number;
  /** Of the trained policy on held-out episodes; null when they were left out. */
  readonly meanReturn: number | null;
  /** SHA-256 of the weights' bytes, hexadecimal. */
  readonly weightsSha256: string;
  /** The best policy on the way, in `best.msgpack`; null if none was chosen. */
  readonly best: { readonly steps: number; readonly meanReturn: number } | null;
  /** The trained policy's first, then the heuristics'; empty when they were left out. */
  readonly evaluations: readonly Evaluation[];
}

/** Steps with which an algorithm trains a good policy for a scenario of this name in a few minutes on two cores. */
export function defaultSteps(scenario: string, algorithmName: string = defaultAlgorithm): number {
  const { steps } = algorithm(algorithmName);
  if (steps !== undefined) return steps;
  return scenario === 'nyc-small' ? 1_000_000 : scenario === 'nyc-large' ? 500_000 : 1_500_000;
}

/** A new run's folder, such as `runs/geneva-ppo-s1-20260131-120000`; the time is UTC. */
export function defaultRunFolder(scenario: string, algorithmName: string, seed: number, now: Date): string {
  const stamp = now.toISOString().replace(/[-:]/g, '').replace('T', '-').slice(0, 15);
  return join('runs', `${scenario}-${algorithmName}-s${seed}-${stamp}`);
}

const known = [
  'compiled',
  'backend',
  'algorithm',
  'config',
  'workers',
  'out',
  'resume',
  'request',
  'checkpointSeconds',
  'evaluationEpisodes',
  'hangSeconds',
  'evaluateEvery',
  'earlyStop',
  'keepEvery',
  'init',
  'signal',
  'onMetrics',
  'onEvaluation',
  'onReplaced',
];

const check: OptionCheck = new OptionCheck((message) => new TrainError('ERR_TRAIN_OPTION', message));

/** Once the run is to end, the longest wait for a worker's step. */
const HANG_SECONDS_AT_END = 15;

/** Times in a row, without a step more, that threads are replaced. */
const REPLACEMENTS = 3;

/** Whether a thread died, hangs, or failed. */
function isThreadFault(error: unknown): error is WorkerError {
  return error instanceof WorkerError && error.code !== 'ERR_WORKERS_OPTION';
}

function checkJob(job: TrainingJob): void {
  check.members('the job', job, known, ['out', 'signal', 'onMetrics', 'onEvaluation']);
  check.compiled('compiled', job.compiled);
  check.whole('checkpointSeconds', job.checkpointSeconds, 1);
  if (job.hangSeconds !== undefined) check.whole('hangSeconds', job.hangSeconds, 1);
  const { evaluateEvery = 0, earlyStop = 0 } = job;
  check.whole('evaluateEvery', evaluateEvery, 0);
  check.whole('earlyStop', earlyStop, 0);
  check.whole('keepEvery', job.keepEvery ?? 0, 0);
  if (earlyStop > 0 && evaluateEvery === 0) {
    throw new TrainError(
      'ERR_TRAIN_OPTION',
      `earlyStop is ${earlyStop}, but evaluateEvery is 0: without evaluations there is no gain to wait for`,
    );
  }
  // Checked now, not after hours of training.
  if (job.evaluationEpisodes !== 0 || evaluateEvery > 0)
    episodeCount(job.compiled, 'validation', job.evaluationEpisodes || undefined);
}

/**
 * Trains until the steps are done or the signal aborts; either way a checkpoint is written, as it is before the first step.
 * Then evaluates. A run that was interrupted in its evaluation resumes there. Threads that die or hang are replaced, up to three times
 * in a row, and the run goes on from its last checkpoint: it ends in the same bytes.
 * @throws TrainError, EngineError, WorkerError; the last checkpoint is kept and can be resumed
 */
export async function runTraining(job: TrainingJob): Promise<TrainingResult> {
  checkJob(job);
  const { compiled, backend, config, workers, resume, signal } = job;
  const definition = algorithm(resume?.algorithm ?? job.algorithm ?? defaultAlgorithm);
  const hangSeconds = job.hangSeconds ?? DEFAULT_HANG_SECONDS;
  const patience = (): number => (signal.aborted ? Math.min(hangSeconds, HANG_SECONDS_AT_END) : hangSeconds);
  const create = (): Algorithm => definition.create({ compiled, backend, workers, hangSeconds: patience }, config);
  let learning = create();
  let folder: RunFolder | null = null;
  let saved: Checkpoint | null = resume;
  try {
    // Before there is a folder: what does not fit leaves nothing behind.
    const origin =
      resume === null && job.init ? startFrom(learning, definition.name, compiled, job.init) : resume?.origin;
    folder = resume === null ? RunFolder.create(job.out) : RunFolder.open(job.out);
    let isExtended = false;
    if (resume !== null) {
      isExtended = checkStillThere(job.out, resume).config.totalSteps !== config.totalSteps;
      learning.restore(stateOf(job.out, resume));
    }
    const identity = resume?.identity ?? identityOf(compiled, job.request ?? null);
    const settings: RunSettings = {
      workers,
      checkpointSeconds: job.checkpointSeconds,
      evaluationEpisodes: job.evaluationEpisodes ?? null,
      hangSeconds,
      evaluateEvery: job.evaluateEvery ?? 0,
      earlyStop: job.earlyStop ?? 0,
      keepEvery: job.keepEvery ?? 0,
    };
    let selection: Selection | undefined = resume?.selection;
    const before = resume?.seconds ?? 0;
    const firstStep = learning.globalStep;
    const started = performance.now();
    const elapsed = (): number => (performance.now() - started) / 1000;
    let savedAt = 0;
    const checkpointOf = (state: TrainingState): Checkpoint => ({
      algorithm: definition.name,
      config,
      state,
      ...(selection === undefined ? {} : { selection }),
      identity,
      settings,
      ...(origin === undefined ? {} : { origin }),
      scenario: compiled.scenario,
      shape: learning.shape,
      backend: backend.name,
      steps: learning.globalStep,
      seconds: before + elapsed(),
    });
    const save = (): Checkpoint => {
      saved = writeCheckpoint(job.out, checkpointOf(learning.snapshot()));
      savedAt = elapsed();
      if (saved.steps > firstStep) folder!.log(`checkpoint at step ${saved.steps}`);
      return saved;
    };
    let inVain = 0;
    let failedAt = -1;
    /** Says that threads are replaced. @throws the error, if it is none of a thread, or comes again and again */
    const replacing = (error: unknown, goesOn: string): void => {
      if (!isThreadFault(error)) throw error;
      inVain = learning.globalStep > failedAt ? 1 : inVain + 1;
      failedAt = Math.max(failedAt, learning.globalStep);
      if (inVain > REPLACEMENTS) throw error;
      const told = `${error.message}; its threads are replaced, and ${goesOn}`;
      folder!.log(told);
      job.onReplaced?.(told);
    };
    /** What a thread's death leaves half done is done again from the last checkpoint, as a resumed run does it. */
    const goBack = async (error: unknown): Promise<void> => {
      replacing(error, `the run goes on from its checkpoint of step ${saved!.steps}`);
      await learning.close();
      learning = create();
      learning.restore(stateOf(job.out, saved!));
      selection = saved!.selection;
      folder!.trimMetrics(saved!.state.iteration, selection?.evaluatedAt ?? 0);
    };
    /** An evaluation begins anew with other threads. */
    const evaluated = async (request: EvaluationRequest): Promise<Evaluation[]> => {
      for (;;) {
        try {
          return await evaluatePolicies(request);
        } catch (error) {
          if (signal.aborted) throw error;
          replacing(error, 'the evaluation begins anew');
        }
      }
    };
    const due = (): boolean => selectionDue(settings, selection, learning.globalStep);
    const playableState = (): TrainingState => ({ iteration: learning.iteration, weights: learning.weights.slice() });
    /** Evaluates what plays now; keeps it if it is the best so far. Leaves no trace if the signal aborts it. */
    const select = async (): Promise<void> => {
      const { iteration, globalStep: steps } = learning;
      const candidate = checkpointOf(playableState());
      const [evaluation] = await evaluated({
        compiled,
        policies: [policyOf(candidate, definition.name)],
        split: 'validation',
        episodes: job.evaluationEpisodes || undefined,
        seed: 1,
        workers,
        signal,
        hangSeconds,
      });
      if (evaluation === undefined) return;
      const { meanReturn } = evaluation;
      const better = selection === undefined || meanReturn > selection.meanReturn;
      selection = better
        ? { evaluatedAt: steps, withoutGain: 0, iteration, steps, meanReturn }
        : { ...selection!, evaluatedAt: steps, withoutGain: selection!.withoutGain + 1 };
      if (better) writeBest(job.out, { ...candidate, selection });
      folder!.appendMetrics({ iteration, global_step: steps, 'eval/episodic_return': meanReturn });
      folder!.log(
        `evaluated at step ${steps}: mean return ${meanReturn.toFixed(2)}${better ? ', the best so far' : ''}`,
      );
    };
    const describe = (): void =>
      folder!.writeJson(CONFIG_FILE, {
        ...identity,
        scenario: compiled.scenario,
        algorithm: definition.name,
        config,
        settings,
        ...(origin === undefined ? {} : { origin }),
        backend: backend.name,
      });
    if (resume === null) {
      // First of all: a folder without a checkpoint is empty, and free for another run; one with a checkpoint can be resumed.
      save();
    } else {
      folder.trimMetrics(resume.state.iteration, selection?.evaluatedAt ?? 0);
      if (isExtended) {
        // The evaluation first: with it the run would count as finished.
        folder.remove(EVALUATION_FILE);
        save();
        describe();
      }
    }
    if (!folder.has(CONFIG_FILE)) describe();
    folder.recordStart(startRecord(firstStep, workers, backend.name));
    folder.log(
      `${resume === null ? 'started' : `resumed at step ${firstStep}`}: ${definition.name} on ${compiled.scenario.name}, seed ${config.seed}, ${config.totalSteps} steps`,
    );
    const ended = (): boolean => learning.iteration >= learning.iterations || stoppedEarly(settings, selection);
    while (!signal.aborted) {
      // First, as a resumed run may have been interrupted in it.
      if (due()) {
        await select();
        if (signal.aborted) break;
      }
      if (ended()) break;
      let metrics: Metrics;
      try {
        metrics = await learning.step();
      } catch (error) {
        if (!signal.aborted) {
          await goBack(error);
          continue;
        }
        if (!(error instanceof WorkerError)) throw error;
        // A worker that hangs, or was interrupted with this process: the iteration is lost, the run ends at its last checkpoint.
        learning.restore(stateOf(job.out, saved!));
        selection = saved!.selection;
        break;
      }
      folder.appendMetrics(metrics);
      job.onMetrics(metrics, learning.iterations);
      if (isKept(settings, learning.globalStep, config)) writeKept(job.out, checkpointOf(playableState()));
      if (elapsed() - savedAt >= job.checkpointSeconds) save();
    }
    const trainedSeconds = elapsed();
    if (learning.iteration > saved!.state.iteration || selection !== saved!.selection) save();
    const trained = ended() && !due();

    let evaluations: Evaluation[] = [];
    if (trained && job.evaluationEpisodes !== 0) {
      evaluations = await evaluated({
        compiled,
        policies: [
          // The rule that is fitted stands beside the one that comes with the package.
          policyOf(saved!, isHeuristic(definition.name) ? `${definition.name} (fitted)` : definition.name),
          ...heuristicNames.map((name) => ({ kind: 'heuristic' as const, name })),
        ],
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
    const steps = learning.globalStep;
    folder.log(
      signal.aborted
        ? `interrupted at step ${steps}`
        : `ended at step ${steps}${evaluations.length > 0 ? `: mean return ${evaluations[0].meanReturn.toFixed(2)} on ${evaluations[0].episodes.length} validation episodes` : ''}`,
    );
    return {
      run: job.out,
      scenario: compiled.scenario.name,
      backend: backend.name,
      finished: trained && (job.evaluationEpisodes === 0 || evaluations.length > 0),
      steps,
      seconds: before + trainedSeconds,
      sps: trainedSeconds > 0 ? Math.round((steps - firstStep) / trainedSeconds) : 0,
      meanReturn: evaluations[0]?.meanReturn ?? null,
      weightsSha256: weightsSha256(learning.weights),
      best: selection === undefined ? null : { steps: selection.steps, meanReturn: selection.meanReturn },
      evaluations,
    };
  } catch (error) {
    try {
      // A folder without a checkpoint stays empty, and free for another run.
      if (saved !== null) folder?.log(`failed at step ${learning.globalStep}: ${(error as Error).message}`);
    } catch {
      // A full disk, say: the error itself is told.
    }
    throw withWayOn(error, job.out, saved);
  } finally {
    folder?.close();
    await learning.close();
  }
}

/** Whether the training has come to a multiple of `evaluateEvery` that has not been evaluated. */
function selectionDue({ evaluateEvery = 0 }: RunSettings, selection: Selection | undefined, steps: number): boolean {
  if (evaluateEvery === 0) return false;
  return Math.floor(steps / evaluateEvery) > Math.floor((selection?.evaluatedAt ?? 0) / evaluateEvery);
}

/** Whether the training has ended because nothing better has come for long enough. */
function stoppedEarly({ earlyStop = 0 }: RunSettings, selection: Selection | undefined): boolean {
  return earlyStop > 0 && (selection?.withoutGain ?? 0) >= earlyStop;
}

/** Whether an iteration has come to, or beyond, a multiple of `keepEvery`. */
function isKept({ keepEvery = 0 }: RunSettings, steps: number, { numEnvs, rolloutSteps }: TrainingConfig): boolean {
  if (keepEvery === 0) return false;
  return Math.floor(steps / keepEvery) > Math.floor((steps - numEnvs * rolloutSteps) / keepEvery);
}

/** Another process may have continued the run between our reading the checkpoint and our locking the folder. */
function checkStillThere(run: string, resume: Checkpoint): Checkpoint {
  const now = readCheckpoint(run);
  const { iteration } = now.state;
  if (iteration !== resume.state.iteration) {
    throw new TrainError(
      'ERR_RUN_LOCKED',
      `${run} was at iteration ${resume.state.iteration} and is at ${iteration} now: another process has continued it`,
    );
  }
  return now;
}

/** Adds what is saved, and how to resume from it, to errors that are the machine's. */
function withWayOn(error: unknown, run: string, saved: Checkpoint | null): unknown {
  if (saved === null) return error;
  const way = `; the checkpoint of step ${saved.steps} is kept: resume with "fleetstep train --resume ${run}"`;
  if (isThreadFault(error)) {
    return new WorkerError(error.code, `${error.message}${way}`, { cause: error });
  }
  if (error instanceof TrainError && (error.code === 'ERR_DISK' || error.code === 'ERR_DIVERGED')) {
    return new TrainError(error.code, `${error.message}${way}`, { cause: error });
  }
  return error;
}

/** The checkpoint of a run's folder. @throws TrainError `ERR_CHECKPOINT` if there is none, or for the path of a file */
export function runCheckpoint(run: string): Checkpoint {
  if (statSync(run, { throwIfNoEntry: false })?.isFile() === true) {
    throw new TrainError('ERR_CHECKPOINT', `${run} is a file: give the folder of the run`);
  }
  const checkpoint = readCheckpoint(run);
  if (checkpoint.distilled !== undefined) {
    throw new TrainError(
      'ERR_CHECKPOINT',
      `${run} was distilled: "fleetstep distill --resume ${run}" goes on with it, "fleetstep train --init ${run}" starts from its weights`,
    );
  }
  return checkpoint;
}

/**
 * The checkpoint of a run that is to be resumed, in its training or in its evaluation.
 * @param evaluationEpisodes asked for now; undefined for the run's own setting
 * @param totalSteps         steps in all from now on; undefined for the run's own
 * @throws TrainError `ERR_CHECKPOINT` if there is none, if it is of another scenario or other data, or if nothing is left to do
 */
export function resumable(
  run: string,
  compiled: CompiledScenario,
  evaluationEpisodes?: number,
  totalSteps?: number,
): Checkpoint {
  const checkpoint = runCheckpoint(run);
  checkWorld(checkpoint, compiled, run);
  if (totalSteps !== undefined && totalSteps !== checkpoint.config.totalSteps) {
    return extended(checkpoint, run, totalSteps);
  }
  const { config, steps, settings } = checkpoint;
  const trainedEarly = steps < config.totalSteps && stoppedEarly(settings, checkpoint.selection);
  const trained = steps >= config.totalSteps || trainedEarly;
  const evaluated = (evaluationEpisodes ?? settings.evaluationEpisodes) === 0 || existsSync(join(run, EVALUATION_FILE));
  if (trained && evaluated && !selectionDue(settings, checkpoint.selection, steps)) {
    throw new TrainError(
      'ERR_CHECKPOINT',
      `${run} has done ${trainedEarly ? `${steps} of its ${config.totalSteps} steps and has stopped early` : `all of its ${config.totalSteps} steps`}: nothing to resume (--steps extends it)`,
    );
  }
  return checkpoint;
}
