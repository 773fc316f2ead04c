// A checkpoint: everything that evaluation and a resumed run need, in one file that is either whole or not there.

import { createHash } from 'node:crypto';
import { existsSync, readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';
import type { CompiledScenario, Scenario } from '../engine/index.js';
import { heuristicNames, networkLayout } from '../policy/index.js';
import type { NetworkShape } from '../policy/index.js';
import { SealError, infinityToWord, openSealed, writeSealed } from '../trips/index.js';
import type { SealFault } from '../trips/index.js';
import type { PolicySpec } from '../workers/index.js';
import type { BackendName } from './backend.js';
import { TrainError } from './errors.js';
import type { PpoConfig, PpoState } from './ppo.js';

const FORMAT = 'fleetstep-checkpoint-2';
export const CHECKPOINT_FILE = 'checkpoint.msgpack';

const faults: Readonly<Record<SealFault, string>> = {
  unreadable: 'is truncated or no checkpoint',
  foreign: `is not a checkpoint of this version (expected format ${FORMAT})`,
  damaged: 'is damaged: its checksum differs',
};

export interface Checkpoint {
  readonly scenario: Scenario;
  readonly config: PpoConfig;
  readonly shape: NetworkShape;
  readonly state: PpoState;
  /** Backend that trained it: another one rounds differently. */
  readonly backend: BackendName;
  /** Seconds of training so far. */
  readonly seconds: number;
}

/** SHA-256 of the weights' bytes, little-endian. */
export function weightsSha256(weights: Float32Array): string {
  return createHash('sha256')
    .update(new Uint8Array(weights.buffer, weights.byteOffset, weights.byteLength))
    .digest('hex');
}

/** Writes `RUN/checkpoint.msgpack`. */
export function writeCheckpoint(run: string, checkpoint: Checkpoint): void {
  writeSealed(join(run, CHECKPOINT_FILE), FORMAT, checkpoint);
}

/**
 * Reads a checkpoint from a run's folder, or from the file itself.
 * @throws TrainError `ERR_CHECKPOINT` if there is none, or if it is damaged
 */
export function readCheckpoint(path: string): Checkpoint {
  if (!existsSync(path)) {
    throw new TrainError(
      'ERR_CHECKPOINT',
      `no run at ${path}: no such file or folder (policies by name are ${heuristicNames.join(', ')})`,
    );
  }
  const file = statSync(path).isDirectory() ? join(path, CHECKPOINT_FILE) : path;
  if (!existsSync(file))
    throw new TrainError('ERR_CHECKPOINT', `${path} holds no ${CHECKPOINT_FILE}: the run has not saved one yet`);
  const bytes = readFileSync(file);
  let checkpoint: Checkpoint;
  try {
    checkpoint = openSealed(bytes, FORMAT) as Checkpoint;
  } catch (cause) {
    if (!(cause instanceof SealError)) throw cause;
    throw new TrainError('ERR_CHECKPOINT', `${file} ${faults[cause.fault]}`, { cause });
  }
  const expected = networkLayout(checkpoint.shape).size;
  if (checkpoint.state.weights.length !== expected) {
    throw new TrainError(
      'ERR_CHECKPOINT',
      `${file} holds ${checkpoint.state.weights.length} weights, its network has ${expected}`,
    );
  }
  return checkpoint;
}

/** @throws TrainError `ERR_CHECKPOINT` naming the first field in which the scenarios differ */
export function checkScenario(checkpoint: Checkpoint, compiled: CompiledScenario, path: string): void {
  const trained = checkpoint.scenario as unknown as Record<string, unknown>;
  const asked = compiled.scenario as unknown as Record<string, unknown>;
  for (const field of new Set([...Object.keys(asked), ...Object.keys(trained)])) {
    if (show(trained[field]) !== show(asked[field])) {
      throw new TrainError(
        'ERR_CHECKPOINT',
        `${path} was trained on scenario "${checkpoint.scenario.name}", not on "${compiled.scenario.name}": ${field} is ${show(trained[field])} there and ${show(asked[field])} here`,
      );
    }
  }
}

/** The trained network as a policy for evaluation. */
export function policyOf(checkpoint: Checkpoint, name: string): PolicySpec {
  return {
    kind: 'network',
    name,
    shape: checkpoint.shape,
    observation: checkpoint.config.observation,
    weights: checkpoint.state.weights,
  };
}

/** JSON with sorted keys, and infinity as a word. */
function show(value: unknown): string {
  return (
    JSON.stringify(value, (key, member: unknown) => {
      if (typeof member !== 'object' || member === null || Array.isArray(member)) return infinityToWord(key, member);
      return Object.fromEntries(Object.entries(member).sort(([a], [b]) => (a < b ? -1 : 1)));
    }) ?? 'missing'
  );
}
