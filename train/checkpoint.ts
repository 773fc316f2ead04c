// A checkpoint: everything that evaluation and a resumed run need, in one file that is either whole or not there.

import { createHash } from 'node:crypto';
import { existsSync, readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { Packr } from 'msgpackr';
import type { CompiledScenario, Scenario } from '../engine/index.js';
import { heuristicNames, networkLayout } from '../policy/index.js';
import type { NetworkShape } from '../policy/index.js';
import { writeFileAtomic } from '../trips/index.js';
import type { PolicySpec } from '../workers/index.js';
import type { BackendName } from './backend.js';
import { TrainError } from './errors.js';
import type { PpoConfig, PpoState } from './ppo.js';

const FORMAT = 'fleetstep-checkpoint-2';
export const CHECKPOINT_FILE = 'checkpoint.msgpack';
const packr = new Packr({ structuredClone: true, moreTypes: true });

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
  const body = packr.pack(checkpoint);
  const sha256 = createHash('sha256').update(body).digest('hex');
  writeFileAtomic(join(run, CHECKPOINT_FILE), packr.pack({ format: FORMAT, sha256, body }));
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
  let envelope: { format?: unknown; sha256?: unknown; body?: unknown } | null;
  try {
    envelope = packr.unpack(readFileSync(file)) as typeof envelope;
  } catch (cause) {
    throw new TrainError('ERR_CHECKPOINT', `${file} is truncated or no checkpoint`, { cause });
  }
  if (envelope?.format !== FORMAT || !(envelope.body instanceof Uint8Array)) {
    throw new TrainError('ERR_CHECKPOINT', `${file} is not a checkpoint of this version (expected format ${FORMAT})`);
  }
  if (createHash('sha256').update(envelope.body).digest('hex') !== envelope.sha256) {
    throw new TrainError('ERR_CHECKPOINT', `${file} is damaged: its checksum differs`);
  }
  const checkpoint = packr.unpack(envelope.body) as Checkpoint;
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
    JSON.stringify(value, (_, member: unknown) => {
      if (member === Infinity) return 'Infinity';
      if (typeof member !== 'object' || member === null || Array.isArray(member)) return member;
      return Object.fromEntries(Object.entries(member).sort(([a], [b]) => (a < b ? -1 : 1)));
    }) ?? 'missing'
  );
}
