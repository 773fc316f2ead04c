// From an environment's memory to tensors, for training loops of your own on TensorFlow.js. An environment rewrites its arrays with
// every step, so a tensor must not share their memory. This file knows which builds copy by themselves.

import type { Tensor, Tensor2D } from '@tensorflow/tfjs';
import type { VectorDispatchEnv } from '../engine/index.js';
import { shown } from '../engine/index.js';
import type { Tensorflow } from './backends/tensorflow.js';
import { TrainError } from './errors.js';

/** Arrays of an environment that become tensors, and the type of their numbers there. */
export type TensorSource = Float32Array | Int32Array | Uint8Array;

/**
 * A tensor with the present contents of an environment's array; later steps do not change it. WebAssembly copies the numbers
 * into its own memory, so there they are copied once; the other builds keep the array that they are given, so they get a copy.
 * @param values numbers of the tensor; Float32Array becomes `float32`, Int32Array `int32`, Uint8Array of 0/1 `bool`
 * @param shape  its product is the number of `values`
 * @throws TrainError `ERR_TRAIN_OPTION` for another kind of array, or a shape that does not fit
 */
export function tensorOf(tf: Tensorflow, values: TensorSource, shape: readonly number[]): Tensor {
  const dtype = dtypeOf(values);
  const size = shape.reduce((product, side) => product * side, 1);
  if (size !== values.length) {
    throw new TrainError(
      'ERR_TRAIN_OPTION',
      `shape is [${shape.join(', ')}], which holds ${size} numbers: values has ${values.length}`,
    );
  }
  return tf.tensor(tf.getBackend() === 'wasm' ? values : values.slice(), [...shape], dtype);
}

/** `[numEnvs, size]` `float32`: what every environment observes now. */
export function observationTensor(tf: Tensorflow, env: VectorDispatchEnv): Tensor2D {
  const [size] = env.singleObservationSpace.shape;
  return tensorOf(tf, env.world.out.observations, [env.numEnvs, size]) as Tensor2D;
}

/** `[numEnvs, actions]` `bool`: which actions are legal now. */
export function actionMaskTensor(tf: Tensorflow, env: VectorDispatchEnv): Tensor2D {
  return tensorOf(tf, env.world.out.actionMasks, [env.numEnvs, env.singleActionSpace.n]) as Tensor2D;
}

function dtypeOf(values: TensorSource): 'float32' | 'int32' | 'bool' {
  if (values instanceof Float32Array) return 'float32';
  if (values instanceof Int32Array) return 'int32';
  if ((values as unknown) instanceof Uint8Array) return 'bool';
  throw new TrainError(
    'ERR_TRAIN_OPTION',
    `values is ${shown(values)}: it must be a Float32Array, an Int32Array or a Uint8Array`,
  );
}
