// What a training algorithm is to everything around it: runs, checkpoints, evaluation and the command line know algorithms by
// these interfaces only. registry.ts lists them.

import { observationKinds } from '../engine/index.js';
import type { CompiledScenario, ObservationKind } from '../engine/index.js';
import { networkKinds } from '../policy/index.js';
import type { NetworkKind, NetworkShape } from '../policy/index.js';
import { MAX_SEED } from '../workers/index.js';
import type { Backend } from './backend.js';
import { TrainError } from './errors.js';
import { check, checkFields } from './fields.js';
import type { FieldTable, Fields } from './fields.js';
import type { SavedViews } from './records.js';

/** Settings that every algorithm has; each adds its own. */
export interface TrainingConfig {
  /** What the critic sees, and a `flat` actor. */
  readonly observation: ObservationKind;
  /** Kind of the actor. */
  readonly network: NetworkKind;
  /** Base seed of demand, weights, actions and shuffling; 0 to `MAX_SEED`. */
  readonly seed: number;
  /** Environment steps in all, at least 1; rounded up to whole iterations. */
  readonly totalSteps: number;
  /** Parallel environments, 1 to 65,536. */
  readonly numEnvs: number;
  /** Steps of each environment per iteration, 1 to 65,536. */
  readonly rolloutSteps: number;
}

/** What every snapshot holds; each algorithm adds its own. Plain data and typed arrays: it is written to the checkpoint. */
export interface TrainingState {
  /** Iterations done. */
  readonly iteration: number;
  /** Flat weights of the network that plays. */
  readonly weights: Float32Array;
  /** What is too large for the checkpoint, if the algorithm has such: it is written to a file of its own. */
  readonly replay?: SavedViews | undefined;
}

/** One iteration in figures, under the names that the field's tools know (CleanRL); each algorithm adds its own. */
export interface Metrics {
  /** Iterations done, 1 after the first. */
  readonly iteration: number;
  /** Environment steps done. */
  readonly global_step: number;
  /** Elapsed seconds of this iteration. */
  readonly seconds: number;
  /** Environment steps per second of all threads, the environment alone. */
  readonly 'charts/SPS_env': number;
  /** Environment steps per second, environment and policy. */
  readonly 'charts/SPS_env_policy': number;
  /** Environment steps per second, learning included. */
  readonly 'charts/SPS': number;
  /** Mean undiscounted return of the episodes that ended in this iteration; null if none did. */
  readonly 'charts/episodic_return': number | null;
  /** Mean decisions of the episodes that ended in this iteration; null if none did. */
  readonly 'charts/episodic_length': number | null;
  readonly [name: string]: number | null;
}

/** A training in progress: environments, threads, networks and optimiser. Close it after use. */
export interface Algorithm<
  Config extends TrainingConfig = TrainingConfig,
  State extends TrainingState = TrainingState,
> {
  /** As it was created with, and checked. */
  readonly config: Config;
  /** Iterations in all. */
  readonly iterations: number;
  /** Iterations done. */
  readonly iteration: number;
  /** Environment steps done. */
  readonly globalStep: number;
  /** Threads that step the environments. */
  readonly workers: number;
  /** The network that plays. */
  readonly shape: NetworkShape;
  /** Its present weights, flat; not to be written. */
  readonly weights: Float32Array;
  /** One iteration. @throws TrainError `ERR_DIVERGED`, WorkerError; the state is then undefined until `restore` */
  step(): Promise<Metrics>;
  /** A copy of all that the next iteration depends on; `replay` is no copy, and changes with the next step. */
  snapshot(): State;
  /** Goes on from a snapshot of a run with the same scenario and config. @throws TrainError `ERR_CHECKPOINT` if it does not fit */
  restore(state: State): void;
  /** Ends the threads and frees the backend's memory. */
  close(): Promise<void>;
}

/** Where an algorithm runs. */
export interface AlgorithmSetup {
  /** What it is trained on. */
  readonly compiled: CompiledScenario;
  /** What its networks run on. */
  readonly backend: Backend;
  /** Threads, 1 to 256; results do not depend on their number. */
  readonly workers: number;
  /** Seconds without a step after which a worker counts as hanging; called again and again. Default 300. */
  readonly hangSeconds?: (() => number) | undefined;
}

/** An algorithm's entry in the registry. */
export interface AlgorithmDefinition<
  Config extends TrainingConfig = TrainingConfig,
  State extends TrainingState = TrainingState,
> {
  /** Its policy's name in tables, and part of a run's name. */
  readonly name: string;
  /** What it is, in a few words for help texts. */
  readonly description: string;
  /** All settings but the run's own: kind, range, default and meaning. */
  readonly fields: FieldTable;
  /** Their defaults. */
  readonly defaults: Omit<Config, 'seed' | 'totalSteps'>;
  /** @throws TrainError `ERR_TRAIN_OPTION` naming what is unknown, missing or out of range */
  check(config: Config): void;
  /**
   * Starts a training from the beginning; it checks `config` first.
   * @throws TrainError `ERR_TRAIN_OPTION`, WorkerError `ERR_WORKERS_OPTION`, PolicyError `ERR_NETWORK`, EngineError
   */
  create(setup: AlgorithmSetup, config: Config): Algorithm<Config, State>;
  /** Steps of a training unless told otherwise; default: by scenario, as `defaultSteps` says. */
  readonly steps?: number;
  /** Settings of `config` that change with the share of all steps that are done. Default: none. */
  schedules?(config: Config): readonly string[];
  /** Its losses in a few words, for the progress line. */
  summary(metrics: Metrics): string;
}

/** The settings that every algorithm has; each takes over or replaces the defaults. */
export const trainingFields: Fields<TrainingConfig> = {
  observation: {
    kind: 'choice',
    choices: observationKinds,
    default: 'full',
    doc: 'what the critic and a flat network observe',
  },
  network: {
    kind: 'choice',
    choices: networkKinds,
    default: 'pairs',
    doc: 'pairs scores each legal assignment, flat maps the whole observation, matching is the one of rollout',
  },
  numEnvs: {
    kind: 'whole',
    min: 1,
    max: 65_536,
    default: 64,
    flag: 'envs',
    doc: 'parallel environments; of rollout episodes per round',
  },
  rolloutSteps: {
    kind: 'whole',
    min: 1,
    max: 65_536,
    default: 128,
    doc: 'steps of each environment per iteration; of linear 0, for whole episodes; of rollout ticks of an episode that are tried',
  },
};

/** Settings that mean the same for several algorithms; the defaults are each one's own. */
export const sharedFields = {
  minibatchSize: { kind: 'whole', min: 1, default: 256, flag: 'minibatch', doc: 'samples per update' },
  learningRate: { kind: 'number', above: 0, max: 1, default: 1e-3, doc: "Adam's step size at the start" },
  learningRateFinal: {
    kind: 'number',
    min: 0,
    max: 1,
    default: 0.1,
    doc: 'share of the learning rate at the end of training, reached linearly; 1 keeps it constant',
  },
  gamma: { kind: 'number', above: 0, max: 1, default: 0.99, doc: 'discount per decision' },
  maxGradientNorm: {
    kind: 'number',
    above: 0,
    max: 1e6,
    default: 10,
    doc: 'largest norm of the whole gradient; longer ones are shortened to it',
  },
  hidden: { kind: 'widths', default: [32, 32], doc: "widths of the actor's hidden layers, such as 64,64" },
  criticHidden: { kind: 'widths', default: [64, 64], doc: "widths of the critic's hidden layers" },
} as const;

/** What is left at the end of `done` of `all` iterations of something that falls linearly from 1 to `final`. */
export function fallen(final: number, done: number, all: number): number {
  return 1 - ((1 - final) * done) / all;
}

/** Checks all settings of a config. @throws TrainError `ERR_TRAIN_OPTION` naming what is unknown, missing or out of range */
export function checkTrainingConfig(fields: FieldTable, config: TrainingConfig): void {
  checkFields(fields, config);
  const own = fields['network']?.default;
  if ((config.network === 'matching') !== (own === 'matching')) {
    throw new TrainError(
      'ERR_TRAIN_OPTION',
      own === 'matching'
        ? `network is "${config.network}": rollout trains a network of kind "matching"`
        : 'network is "matching": only rollout trains such a network (--algorithm rollout)',
    );
  }
  check.whole('totalSteps', config.totalSteps, 1);
  check.whole('seed', config.seed, 0, MAX_SEED);
}

/** Environment steps done after `iterations` iterations. */
export function stepsAfter(iterations: number, config: TrainingConfig): number {
  return iterations * config.numEnvs * config.rolloutSteps;
}

/** Iterations that `totalSteps` takes. */
export function iterationsOf(config: TrainingConfig): number {
  return Math.ceil(config.totalSteps / (config.numEnvs * config.rolloutSteps));
}
