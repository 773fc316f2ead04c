// One piece of a study's work: the training of one trial with one seed from one rung to the next, and its evaluation there. The
// same slice gives the same result wherever it runs, and when it runs again: a run's folder that is already there goes on.

import { existsSync } from 'node:fs';
import { join, resolve } from 'node:path';
import type { CompiledScenario, Kpis } from '../engine/index.js';
import {
  CHECKPOINT_FILE,
  TrainError,
  algorithm,
  checkWorld,
  datasetSha256,
  defaultAlgorithm,
  defaultBackend,
  defaultSteps,
  loadBackend,
  policyOf,
  readCheckpoint,
  runTraining,
  scenarioSha256,
  version,
  weightsSha256,
} from '../train/index.js';
import type { BackendName, Checkpoint, RunConfigFile, TrainingConfig } from '../train/index.js';
import { loadScenario, withoutFiles } from '../trips/index.js';
import type { GivenScenario } from '../trips/index.js';
import { evaluatePolicies } from '../workers/index.js';
import { JobsError } from './errors.js';

/** What a slice is, as plain data: it can be sent to another process or machine. */
export interface Slice {
  /** Number of the trial. */
  readonly trial: number;
  /** Seed of the training. */
  readonly seed: number;
  /** Number of the rung, 0 for the first. */
  readonly rung: number;
  /** Preset or scenario file. */
  readonly scenario: string;
  /** What the scenario's file says, for a machine that does not have it. */
  readonly given?: Omit<GivenScenario, 'data'> | undefined;
  /** Where recorded trips lie. */
  readonly data?: string | undefined;
  /** The trial's settings, as a config file holds them. */
  readonly config: RunConfigFile;
  /** Steps at which the training pauses. */
  readonly toSteps: number;
  /** Validation episodes of the evaluation. */
  readonly episodes: number;
}

/** What a slice has come to. Nothing in it depends on the machine or on time. */
export type SliceResult =
  | {
      /** Steps done: `toSteps`, rounded up to whole iterations. */
      readonly steps: number;
      readonly meanReturn: number;
      /** Means over the episodes. */
      readonly kpis: Kpis;
      readonly weightsSha256: string;
    }
  /** The training has diverged: it does so each time. */
  | { readonly failure: string };

/** What the code and the data of a study are: a slice is refused where they differ. */
export interface StudyIdentity {
  readonly fleetstep: string;
  readonly scenarioSha256: string;
  /** Null for demand that is drawn. */
  readonly dataSha256: string | null;
}

/** How far a slice is. */
export interface SliceProgress {
  readonly steps: number;
  /** Mean return of the episodes that ended last; null before the first. */
  readonly meanReturn: number | null;
}

/** Where and how a slice runs. */
export interface SliceOptions {
  /** Folder of the trial's run with this seed. */
  readonly folder: string;
  readonly compiled: CompiledScenario;
  /** Threads; results do not depend on their number. */
  readonly workers: number;
  /** Stops the slice with a checkpoint. */
  readonly signal: AbortSignal;
  readonly onProgress?: ((progress: SliceProgress) => void) | undefined;
}

/** The scenario of a slice or a study, with its data. */
export function worldFor({ scenario, given, data }: SliceWorld): CompiledScenario {
  return loadScenario({ ...(given ?? { scenario }), ...(data === undefined ? {} : { data }) });
}

/** The part of a slice that says which world it is. */
export type SliceWorld = Pick<Slice, 'scenario' | 'given' | 'data'>;

/** The world of a study for machines that have none of this one's scenario files. @throws EngineError `ERR_SCENARIO` */
export function portableWorld({ scenario, data }: Pick<SliceWorld, 'scenario' | 'data'>): SliceWorld {
  const { data: where, ...given } = withoutFiles({ scenario, data });
  const placed = where === undefined ? {} : { data: where };
  return typeof given.scenario === 'string'
    ? { scenario, ...placed }
    : { scenario: resolve(scenario), given: given as Omit<GivenScenario, 'data'>, ...placed };
}

/** What `compiled` is, and this version. */
export function studyIdentity(compiled: CompiledScenario): StudyIdentity {
  return {
    fleetstep: version,
    scenarioSha256: scenarioSha256(compiled.scenario),
    dataSha256: compiled.dataset === null ? null : datasetSha256(compiled.dataset),
  };
}

/** @throws JobsError `ERR_SLICE` naming what differs */
export function checkIdentity(expected: StudyIdentity, actual: StudyIdentity): void {
  const names = { fleetstep: 'version of fleetstep', scenarioSha256: 'scenario', dataSha256: 'data set' } as const;
  for (const key of Object.keys(names) as (keyof StudyIdentity)[]) {
    if (expected[key] === actual[key]) continue;
    throw new JobsError(
      'ERR_SLICE',
      `the study was begun with another ${names[key]}: ${expected[key] ?? 'none'} there, ${actual[key] ?? 'none'} here; use the same one, or begin a new study`,
    );
  }
}

/**
 * Runs a slice, or the rest of it. Returns null if the signal has stopped it: its checkpoint is kept.
 * @throws TrainError, WorkerError for faults of the machine: it can be tried again
 */
export async function runSlice(slice: Slice, options: SliceOptions): Promise<SliceResult | null> {
  const { folder, compiled, workers, signal } = options;
  let checkpoint: Checkpoint | null = null;
  if (existsSync(join(folder, CHECKPOINT_FILE))) {
    checkpoint = readCheckpoint(folder);
    checkWorld(checkpoint, compiled, folder);
  }
  if (checkpoint === null || checkpoint.steps < slice.toSteps) {
    try {
      await train(slice, options, checkpoint);
    } catch (error) {
      if (error instanceof TrainError && error.code === 'ERR_DIVERGED') return { failure: error.message };
      throw error;
    }
    if (signal.aborted) return null;
    checkpoint = readCheckpoint(folder);
  }
  const [evaluation] = await evaluatePolicies({
    compiled,
    policies: [policyOf(checkpoint, checkpoint.algorithm)],
    split: 'validation',
    episodes: slice.episodes,
    seed: 1,
    workers,
    signal,
  });
  if (evaluation === undefined) return null;
  return {
    steps: checkpoint.steps,
    meanReturn: evaluation.meanReturn,
    kpis: evaluation.kpis,
    weightsSha256: weightsSha256(checkpoint.state.weights),
  };
}

/** Trains up to the slice's end; the run's folder then holds the checkpoint of that step. */
async function train(slice: Slice, options: SliceOptions, resume: Checkpoint | null): Promise<void> {
  const { folder, compiled, workers, signal, onProgress } = options;
  const { config: file, seed, toSteps } = slice;
  const definition = algorithm(file.algorithm ?? defaultAlgorithm);
  const own = Object.entries(file).filter(([name]) => Object.hasOwn(definition.fields, name));
  const config: TrainingConfig = resume?.config ?? {
    ...definition.defaults,
    ...Object.fromEntries(own),
    seed,
    totalSteps: file.steps ?? defaultSteps(compiled.scenario.name, definition.name),
  };
  const asked = file.backend === undefined || file.backend === 'auto' ? defaultBackend : (file.backend as BackendName);
  const pause = new AbortController();
  await runTraining({
    compiled,
    backend: await loadBackend(resume?.backend ?? asked),
    algorithm: definition.name,
    config,
    workers,
    out: folder,
    resume,
    request: { scenario: slice.scenario, data: slice.data },
    checkpointSeconds: 30,
    evaluationEpisodes: 0,
    ...(file.hangSeconds === undefined ? {} : { hangSeconds: file.hangSeconds }),
    signal: AbortSignal.any([signal, pause.signal]),
    onMetrics: (metrics) => {
      onProgress?.({ steps: metrics.global_step, meanReturn: metrics['charts/episodic_return'] });
      if (metrics.global_step >= toSteps) pause.abort();
    },
    onEvaluation: () => undefined,
  });
}
