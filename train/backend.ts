// What a learner asks of a backend, and which one a run uses: our own WebAssembly kernels, unless another one is named.

import type { Layer } from '../policy/index.js';
import { shown } from '../engine/index.js';
import { loadSimd } from './backends/simd.js';
import type { SimdName } from './backends/simd.js';
import { loadTfjs } from './backends/tfjs.js';
import type { TfjsBuild, TfjsName } from './backends/tfjs.js';
import { TrainError } from './errors.js';
import type { TrainableMlp } from './trainable-mlp.js';

/** Names of all backends. */
export type BackendName = SimdName | TfjsName;
/** The backends on TensorFlow.js, the fastest first. */
export const tfjsNames: readonly TfjsName[] = ['tensorflow', 'wasm', 'cpu'];
/** All backends: the default one first. `simd-relaxed` is used only if it is asked for: its last bits depend on the processor. */
export const backendNames: readonly BackendName[] = ['simd', 'simd-relaxed', ...tfjsNames];
/** What a run uses if nothing else is asked for: the fastest, and the same bytes on every machine. */
export const defaultBackend: BackendName = 'simd';

/** Runs trainable networks. Backends round differently, so a resumed run keeps its own. */
export interface Backend {
  /** As `loadBackend` knows it; written into checkpoints. */
  readonly name: BackendName;
  /** Version of the library that runs. */
  readonly version: string;
  /** Why a faster backend was not chosen; empty if none was tried. */
  readonly reason: string;
  /** A new trainable network with these layers; dispose of it after use. */
  mlp(layers: readonly Layer[]): TrainableMlp;
}

/** A backend on TensorFlow.js, with the library itself for training loops of your own. */
export interface TfjsBackend extends Backend, TfjsBuild {
  /** Which build of TensorFlow.js runs. */
  readonly name: TfjsName;
}

/**
 * Loads one backend. Those on TensorFlow.js bring its namespace, `tf`.
 * @throws TrainError `ERR_BACKEND` with the reason
 */
export async function loadBackend(name: TfjsName): Promise<TfjsBackend>;
export async function loadBackend(name: BackendName): Promise<Backend>;
export async function loadBackend(name: BackendName): Promise<Backend> {
  if (!backendNames.includes(name)) {
    throw new TrainError('ERR_BACKEND', `there is no backend ${shown(name)}: choose one of ${backendNames.join(', ')}`);
  }
  try {
    return { ...(name === 'simd' || name === 'simd-relaxed' ? loadSimd(name) : await loadTfjs(name)), reason: '' };
  } catch (cause) {
    throw new TrainError('ERR_BACKEND', `backend ${name}: ${(cause as Error).message}`, { cause });
  }
}

/** @throws TrainError `ERR_TRAIN_OPTION` for something that `loadBackend` has not returned */
export function checkBackend(backend: unknown): asserts backend is Backend {
  const given = backend as Partial<Backend> | null | undefined;
  if (typeof given === 'object' && given !== null && given.name !== undefined && typeof given.mlp === 'function')
    return;
  throw new TrainError('ERR_TRAIN_OPTION', `backend is ${shown(backend)}: it must be one that loadBackend returned`);
}

/**
 * Loads the first build of TensorFlow.js that works, the fastest first: for training loops of your own. Training runs of this
 * package use `defaultBackend`.
 * @throws TrainError `ERR_BACKEND` with all reasons if none does
 */
export async function loadFastestBackend(): Promise<TfjsBackend> {
  const reasons: string[] = [];
  for (const name of tfjsNames) {
    try {
      return { ...(await loadBackend(name)), reason: reasons.join('; ') };
    } catch (error) {
      reasons.push((error as Error).message);
    }
  }
  throw new TrainError('ERR_BACKEND', `no TensorFlow.js backend loads: ${reasons.join('; ')}`);
}
