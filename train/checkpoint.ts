// A checkpoint: everything that evaluation and a resumed run need, in one file that is written whole or not at all. What only a
// resumed run needs, and is large (a replay memory), lies in a second file that the first one names.

import { createHash } from 'node:crypto';
import { existsSync, readFileSync, readdirSync, rmSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { compileScenario } from '../engine/index.js';
import type { CompiledScenario, Dataset, Scenario } from '../engine/index.js';
import { heuristicNames, isHeuristic, networkLayout } from '../policy/index.js';
import type { NetworkShape } from '../policy/index.js';
import { SealError, openSealed, writeSealed } from '../files/index.js';
import type { SealFault } from '../files/index.js';
import { loadScenario, tripsAt } from '../trips/index.js';
import type { PolicySpec } from '../workers/index.js';
import type { TrainingConfig, TrainingState } from './algorithm.js';
import type { BackendName } from './backend.js';
import { firstBad } from './divergence.js';
import { TrainError } from './errors.js';
import { canonical, compatible, datasetSha256, version } from './identity.js';
import type { Identity } from './identity.js';
import type { SavedViews } from './records.js';
import { algorithm, algorithmNames } from './registry.js';
import { CONFIG_FILE, onDisk } from './run-folder.js';
import { shippedFolder, shippedNames } from './shipped.js';

const FORMAT = 'fleetstep-checkpoint-4';
const REPLAY_FORMAT = 'fleetstep-replay-1';
/** Name of the checkpoint within a run's folder. */
export const CHECKPOINT_FILE = 'checkpoint.msgpack';
/** Name of the best policy of a run, a checkpoint that can be played and not resumed. */
export const BEST_FILE = 'best.msgpack';
/** A replay memory, by the iteration that it belongs to. */
const REPLAY_FILE = /^replay-\d+\.msgpack$/;

const faults: Readonly<Record<SealFault, string>> = {
  unreadable: 'is truncated or no checkpoint',
  foreign: `is not a checkpoint of this version (expected format ${FORMAT}): train again, or use the version that wrote it`,
  damaged: 'is damaged: its checksum differs',
};

/** The run's settings; a resumed run keeps them. */
export interface RunSettings {
  /** Worker threads. */
  readonly workers: number;
  /** Seconds between checkpoints. */
  readonly checkpointSeconds: number;
  /** Held-out episodes per policy after training, 0 for none; null for the default number. */
  readonly evaluationEpisodes: number | null;
  /** Seconds without a step after which a worker counts as hanging. */
  readonly hangSeconds: number;
  /** Steps between evaluations that choose the best policy, 0 for none. */
  readonly evaluateEvery?: number;
  /** Evaluations without gain after which the training ends, 0 for never. */
  readonly earlyStop?: number;
  /** Steps between checkpoints that are kept, 0 for none. */
  readonly keepEvery?: number;
}

/** How the choice of the best policy stands. */
export interface Selection {
  /** Steps at the last evaluation. */
  readonly evaluatedAt: number;
  /** Evaluations since the best one. */
  readonly withoutGain: number;
  /** Iterations and steps after which the best policy was found. */
  readonly iteration: number;
  readonly steps: number;
  /** Its mean return on the validation episodes. */
  readonly meanReturn: number;
}

/** Where a run's first weights are from; part of its `config.json`. */
export interface Origin {
  /** The run, or one of its files. */
  readonly run: string;
  /** Name of its scenario. */
  readonly scenario: string;
  /** Environment steps that it had done. */
  readonly steps: number;
  /** SHA-256 of its weights. */
  readonly weightsSha256: string;
  /** What was taken over: the critic only where it observes the same. */
  readonly parts: readonly ('actor' | 'critic')[];
}

/** A run as saved: how it trains, how far it is, and what it is trained on. */
export interface Checkpoint {
  /** Name of the algorithm in the registry. */
  readonly algorithm: string;
  /** Its settings, and those of its own; the algorithm checks them. */
  readonly config: TrainingConfig;
  /** Its snapshot, without a replay memory; only the algorithm knows the rest of it. */
  readonly state: TrainingState;
  /** File of the replay memory, beside the checkpoint, and the SHA-256 of its contents; only of algorithms that have one. */
  readonly replayFile?: { readonly name: string; readonly sha256: string };
  /** How the choice of the best policy stands; absent before the first evaluation. */
  readonly selection?: Selection | undefined;
  /** Version, scenario and data, by digest. */
  readonly identity: Identity;
  /** The run's settings. */
  readonly settings: RunSettings;
  /** Where its first weights are from; absent if they were drawn. */
  readonly origin?: Origin | undefined;
  /** Rounds by which it was distilled from `origin`, which was trained; absent of a run that was trained itself. */
  readonly distilled?: number | undefined;
  /** What it is trained on, in full. */
  readonly scenario: Scenario;
  /** The network that plays. */
  readonly shape: NetworkShape;
  /** Backend that trained it: another one rounds differently. */
  readonly backend: BackendName;
  /** Environment steps so far. */
  readonly steps: number;
  /** Seconds of training so far. */
  readonly seconds: number;
}

/** SHA-256 of the weights' bytes, little-endian. */
export function weightsSha256(weights: Float32Array): string {
  return createHash('sha256')
    .update(new Uint8Array(weights.buffer, weights.byteOffset, weights.byteLength))
    .digest('hex');
}

/**
 * Writes `RUN/checkpoint.msgpack`; if that fails, the previous one is kept. A replay memory is written first, under a name of its
 * own, and the one of the previous checkpoint is deleted last: whenever the process dies, the checkpoint's file is there.
 * @returns what has been written; a replay memory is not part of it
 * @throws TrainError `ERR_DISK`
 */
export function writeCheckpoint(run: string, checkpoint: Checkpoint): Checkpoint {
  const file = join(run, CHECKPOINT_FILE);
  const { replay, ...state } = checkpoint.state;
  if (replay === undefined) {
    onDisk(file, () => writeSealed(file, FORMAT, checkpoint));
    return checkpoint;
  }
  const name = `replay-${state.iteration}.msgpack`;
  const replayFile = join(run, name);
  const sha256 = onDisk(replayFile, () => writeSealed(replayFile, REPLAY_FORMAT, replay));
  const written: Checkpoint = { ...checkpoint, state, replayFile: { name, sha256 } };
  onDisk(file, () => writeSealed(file, FORMAT, written));
  for (const other of readdirSync(run)) {
    if (REPLAY_FILE.test(other) && other !== name) rmSync(join(run, other), { force: true });
  }
  return written;
}

/** Writes `RUN/best.msgpack`: the checkpoint, as far as it is needed to play. @throws TrainError `ERR_DISK` */
export function writeBest(run: string, checkpoint: Checkpoint): void {
  writePlayable(join(run, BEST_FILE), checkpoint);
}

/** Writes `RUN/checkpoint-<steps>.msgpack`, which can be played and started from, and stays. @throws TrainError `ERR_DISK` */
export function writeKept(run: string, checkpoint: Checkpoint): void {
  writePlayable(join(run, `checkpoint-${checkpoint.steps}.msgpack`), checkpoint);
}

function writePlayable(file: string, checkpoint: Checkpoint): void {
  const { iteration, weights } = checkpoint.state;
  onDisk(file, () => writeSealed(file, FORMAT, { ...checkpoint, state: { iteration, weights } }));
}

/**
 * What an algorithm restores from: the checkpoint's state, with the replay memory that belongs to it.
 * @throws TrainError `ERR_CHECKPOINT` if its file is missing, damaged or another one
 */
export function stateOf(run: string, { state, replayFile }: Checkpoint): TrainingState {
  if (replayFile === undefined) return state;
  const file = join(run, replayFile.name);
  if (!existsSync(file)) {
    throw new TrainError('ERR_CHECKPOINT', `${file} is missing: the run cannot go on without its replay memory`);
  }
  try {
    return { ...state, replay: openSealed(readFileSync(file), REPLAY_FORMAT, replayFile.sha256) as SavedViews };
  } catch (cause) {
    if (!(cause instanceof SealError)) throw cause;
    throw new TrainError(
      'ERR_CHECKPOINT',
      `${file} is ${cause.fault}, or not the replay memory of ${CHECKPOINT_FILE}: copy both files from the same run`,
      { cause },
    );
  }
}

/**
 * Reads a checkpoint from a run's folder, or from the file itself, or that of a policy that comes with the package, by its name.
 * @throws TrainError `ERR_CHECKPOINT` if there is none, or if it is damaged, or of another version
 */
export function readCheckpoint(path: string): Checkpoint {
  if (!existsSync(path)) {
    const shipped = shippedFolder(path);
    if (shipped !== null) return readCheckpoint(shipped);
    if (isHeuristic(path)) {
      throw new TrainError('ERR_CHECKPOINT', `${path} is a rule, which has no network: give the folder of a run`);
    }
    throw new TrainError(
      'ERR_CHECKPOINT',
      `no run at ${path}: no such file or folder (policies by name are ${[...heuristicNames, ...shippedNames()].join(', ')})`,
    );
  }
  const file = statSync(path).isDirectory() ? join(path, CHECKPOINT_FILE) : path;
  if (!existsSync(file)) {
    const why = existsSync(join(path, CONFIG_FILE)) ? 'the run has not saved one yet' : 'it is not the folder of a run';
    throw new TrainError('ERR_CHECKPOINT', `${path} holds no ${CHECKPOINT_FILE}: ${why}`);
  }
  const bytes = readFileSync(file);
  let checkpoint: Checkpoint;
  try {
    checkpoint = openSealed(bytes, FORMAT) as Checkpoint;
  } catch (cause) {
    if (!(cause instanceof SealError)) throw cause;
    throw new TrainError('ERR_CHECKPOINT', `${file} ${faults[cause.fault]}`, { cause });
  }
  const wrote = checkpoint.identity.fleetstep;
  if (!compatible(wrote)) {
    throw new TrainError(
      'ERR_CHECKPOINT',
      `${file} was written by fleetstep ${wrote}, this is fleetstep ${version}: use that one (npm install fleetstep@${wrote}), or train again`,
    );
  }
  if (!algorithmNames.includes(checkpoint.algorithm)) {
    throw new TrainError(
      'ERR_CHECKPOINT',
      `${file} was trained with algorithm "${checkpoint.algorithm}", this version has ${algorithmNames.join(', ')}: use the version that wrote it`,
    );
  }
  const expected = networkLayout(checkpoint.shape).size;
  if (checkpoint.state.weights.length !== expected) {
    throw new TrainError(
      'ERR_CHECKPOINT',
      `${file} holds ${checkpoint.state.weights.length} weights, its network has ${expected}`,
    );
  }
  const damaged = firstBad(checkpoint.state.weights);
  if (damaged >= 0) {
    throw new TrainError('ERR_CHECKPOINT', `${file}: weight ${damaged} is ${checkpoint.state.weights[damaged]}`);
  }
  // A setting that has been added since has the default, which leaves everything as it was.
  return { ...checkpoint, config: { ...algorithm(checkpoint.algorithm).defaults, ...checkpoint.config } };
}

/**
 * The scenario that a run was trained on, with its data.
 * @param data where the data lies now; undefined if it has not moved
 * @throws TrainError `ERR_CHECKPOINT` if the data cannot be loaded, or has changed
 */
export function worldOf(checkpoint: Checkpoint, path: string, data?: string): CompiledScenario {
  const { scenario, identity } = checkpoint;
  if (identity.data === null) {
    if (data === undefined) return compileScenario(scenario);
    throw new TrainError(
      'ERR_CHECKPOINT',
      `${path} was trained on demand that is drawn from the seed: leave --data out`,
    );
  }
  const { request } = identity.data;
  if (request === null) {
    throw new TrainError(
      'ERR_CHECKPOINT',
      `${path} was trained on recorded trips, and does not record where they lie: give --scenario and --data`,
    );
  }
  let dataset: Dataset | null;
  try {
    // The scenario's file may have moved with the trips: where these lie is enough.
    dataset = data === undefined ? null : tripsAt(data);
    dataset ??= loadScenario({ ...request, ...(data === undefined ? {} : { data }) }).dataset;
  } catch (cause) {
    const where = data ?? request.data ?? request.scenario;
    throw new TrainError(
      'ERR_CHECKPOINT',
      `${path} was trained on recorded trips, which cannot be loaded from ${where}: ${(cause as Error).message} (give --data with where they lie now)`,
      { cause },
    );
  }
  // The scenario is the run's own, whatever its file says by now.
  const compiled = compileScenario(scenario, dataset);
  checkWorld(checkpoint, compiled, path);
  return compiled;
}

/**
 * Checks that `compiled` is the scenario, with the data, that the run was trained on.
 * @throws TrainError `ERR_CHECKPOINT` naming the first field in which the scenarios differ, or the two data sets
 */
export function checkWorld(checkpoint: Checkpoint, compiled: CompiledScenario, path: string): void {
  checkScenario(checkpoint, compiled, path);
  const trained = checkpoint.identity.data;
  const asked = compiled.dataset === null ? null : datasetSha256(compiled.dataset);
  if ((trained?.sha256 ?? null) === asked) return;
  const from = trained?.request?.data ?? trained?.request?.scenario;
  throw new TrainError(
    'ERR_CHECKPOINT',
    `${path} was trained on other data: its SHA-256 is ${trained?.sha256 ?? 'none'} there${from === undefined ? '' : ` (${from})`} and ${asked ?? 'none'} here; give the data it was trained on with --data, or train again`,
  );
}

function checkScenario(checkpoint: Checkpoint, compiled: CompiledScenario, path: string): void {
  const trained = checkpoint.scenario as unknown as Record<string, unknown>;
  const asked = compiled.scenario as unknown as Record<string, unknown>;
  for (const field of new Set([...Object.keys(asked), ...Object.keys(trained)])) {
    if (canonical(trained[field]) !== canonical(asked[field])) {
      const [name, other] = [checkpoint.scenario.name, compiled.scenario.name];
      const found = name === other ? `another scenario "${name}"` : `scenario "${name}", not on "${other}"`;
      throw new TrainError(
        'ERR_CHECKPOINT',
        `${path} was trained on ${found}: ${field} is ${canonical(trained[field])} there and ${canonical(asked[field])} here; leave --scenario out to take the run's own`,
      );
    }
  }
}

/**
 * The trained network as a policy for evaluation.
 * @param name its name in tables
 */
export function policyOf(checkpoint: Checkpoint, name: string): PolicySpec {
  return {
    kind: 'network',
    name,
    shape: checkpoint.shape,
    observation: checkpoint.config.observation,
    weights: checkpoint.state.weights,
  };
}
