// Which TensorFlow.js we run on: the native library if it loads, else WebAssembly, else plain JavaScript; and why.

import { createRequire } from 'node:module';
import { shown } from '../workers/index.js';
import { TrainError } from './errors.js';
import { fillWasmGaps } from './wasm-gaps.js';

/**
 * The whole namespace of TensorFlow.js, with gradients, chained methods and layers; every backend brings the same one, and a
 * process has one active backend: the last loaded.
 */
export type Tensorflow = typeof import('@tensorflow/tfjs');

export type BackendName = 'tensorflow' | 'wasm' | 'cpu';
export const backendNames: readonly BackendName[] = ['tensorflow', 'wasm', 'cpu'];

export interface Backend {
  readonly tf: Tensorflow;
  readonly name: BackendName;
  /** Version of TensorFlow.js, and of the native library if that is what runs. */
  readonly version: string;
  /** Why not one that would be faster; empty for `tensorflow`. */
  readonly reason: string;
}

const require = createRequire(import.meta.url);

async function loadTensorflow(): Promise<Omit<Backend, 'reason'>> {
  try {
    require.resolve('@tensorflow/tfjs-node/package.json');
  } catch {
    throw new Error(
      '@tensorflow/tfjs-node is not installed (its download may be blocked): run "npx fleetstep tfjs-node"',
    );
  }
  // Removed from Node 23 on, deprecated with a warning before, and still called by tfjs-node 4.22.
  const util = require('node:util') as { isNullOrUndefined: (value: unknown) => boolean };
  util.isNullOrUndefined = (value) => value === null || value === undefined;
  process.env['TF_CPP_MIN_LOG_LEVEL'] ??= '2';
  // For our small products oneDNN is about a fifth slower than TensorFlow's own kernels, and it reorders sums.
  process.env['TF_ENABLE_ONEDNN_OPTS'] ??= '0';
  let tf: Tensorflow;
  try {
    tf = require('@tensorflow/tfjs-node') as Tensorflow;
  } catch (cause) {
    const first = (cause as Error).message.split('\n')[0];
    throw new Error(`@tensorflow/tfjs-node does not load (${first}): run "npx fleetstep tfjs-node"`, { cause });
  }
  await tf.setBackend('tensorflow');
  await tf.ready();
  return {
    tf,
    name: 'tensorflow',
    version: `tfjs-node ${(tf.version as Record<string, string>)['tfjs-node'] ?? tf.version_core}`,
  };
}

async function loadPortable(name: 'wasm' | 'cpu'): Promise<Omit<Backend, 'reason'>> {
  // Through require, as tfjs-node and the wasm backend do: all of them share one instance of tfjs-core. It brings the cpu backend.
  const tf = require('@tensorflow/tfjs') as Tensorflow;
  if (name === 'wasm') {
    require('@tensorflow/tfjs-backend-wasm');
    fillWasmGaps(tf);
  }
  // Without it the cpu backend prints an advertisement for tfjs-node.
  tf.enableProdMode();
  if (!(await tf.setBackend(name))) throw new Error(`TensorFlow.js cannot start its ${name} backend`);
  await tf.ready();
  return { tf, name, version: `tfjs ${tf.version_core}` };
}

/**
 * Loads one backend.
 * @throws TrainError `ERR_BACKEND` with the reason
 */
export async function loadBackend(name: BackendName): Promise<Backend> {
  if (!backendNames.includes(name)) {
    throw new TrainError(
      'ERR_BACKEND',
      `there is no backend ${JSON.stringify(name)}: choose one of ${backendNames.join(', ')}`,
    );
  }
  try {
    return { ...(name === 'tensorflow' ? await loadTensorflow() : await loadPortable(name)), reason: '' };
  } catch (cause) {
    throw new TrainError('ERR_BACKEND', `backend ${name}: ${(cause as Error).message}`, { cause });
  }
}

/** @throws TrainError `ERR_TRAIN_OPTION` for something that `loadBackend` has not given */
export function checkBackend(backend: unknown): asserts backend is Backend {
  const given = backend as Partial<Backend> | null | undefined;
  if (typeof given === 'object' && given !== null && given.name !== undefined && given.tf !== undefined) return;
  throw new TrainError('ERR_TRAIN_OPTION', `backend is ${shown(backend)}: it must be one as loadBackend gives it`);
}

/** Loads the first backend that works, fastest first. */
export async function loadFastestBackend(): Promise<Backend> {
  const reasons: string[] = [];
  for (const name of backendNames) {
    try {
      return { ...(await loadBackend(name)), reason: reasons.join('; ') };
    } catch (error) {
      reasons.push((error as Error).message);
    }
  }
  throw new TrainError('ERR_BACKEND', `no TensorFlow.js backend loads: ${reasons.join('; ')}`);
}
