// TensorFlow.js as a backend: the reference implementation. Loads the native library, the WebAssembly or the plain JavaScript
// build, and runs trainable networks on it. It knows nothing of the other backends.

import { createRequire } from 'node:module';
import type { Tensor, Tensor2D, Variable } from '@tensorflow/tfjs';
import type { Layer } from '../../policy/index.js';
import type { TrainableMlp } from '../trainable-mlp.js';
import type { Tensorflow } from './tensorflow.js';
import { fillWasmGaps } from './wasm-gaps.js';

/** Builds of TensorFlow.js: the native library, WebAssembly, plain JavaScript. */
export type TfjsName = 'tensorflow' | 'wasm' | 'cpu';

/** A build of TensorFlow.js that has loaded. */
export interface TfjsBuild {
  /** Which build it is. */
  readonly name: TfjsName;
  /** Version of TensorFlow.js, or of the native library if that is what runs. */
  readonly version: string;
  /** TensorFlow.js with this build active. */
  readonly tf: Tensorflow;
  /** A new trainable network; dispose of it after use. */
  mlp(layers: readonly Layer[]): TrainableMlp;
}

const require = createRequire(import.meta.url);

/** Loads one build and makes it the active one. @throws Error with the reason if it cannot run here */
export async function loadTfjs(name: TfjsName): Promise<TfjsBuild> {
  const { tf, version } = name === 'tensorflow' ? loadNative() : loadPortable(name);
  if (!(await tf.setBackend(name))) throw new Error(`TensorFlow.js cannot start its ${name} backend`);
  await tf.ready();
  return { name, version, tf, mlp: (layers) => new TfjsMlp(tf, name, layers) };
}

function loadNative(): { tf: Tensorflow; version: string } {
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
  return { tf, version: `tfjs-node ${(tf.version as Record<string, string>)['tfjs-node'] ?? tf.version_core}` };
}

function loadPortable(name: 'wasm' | 'cpu'): { tf: Tensorflow; version: string } {
  // Through require, as tfjs-node and the wasm build do: all of them share one instance of tfjs-core. It brings the cpu build.
  const tf = require('@tensorflow/tfjs') as Tensorflow;
  if (name === 'wasm') {
    require('@tensorflow/tfjs-backend-wasm');
    fillWasmGaps(tf);
  }
  // Without it the cpu build prints an advertisement for tfjs-node.
  tf.enableProdMode();
  return { tf, version: `tfjs ${tf.version_core}` };
}

/** A network on TensorFlow.js; the derivatives are written out, so no tape is recorded. */
class TfjsMlp implements TrainableMlp {
  readonly #tf: Tensorflow;
  readonly #layers: readonly Layer[];
  readonly #w: readonly Variable[];
  readonly #b: readonly Variable[];
  /** The wasm backend multiplies transposed operands several times slower than it transposes them. */
  readonly #transposeFirst: boolean;
  /** Input of each layer, from the last forward pass. */
  #inputs: Tensor2D[] = [];

  constructor(tf: Tensorflow, name: TfjsName, layers: readonly Layer[]) {
    this.#tf = tf;
    this.#layers = layers;
    this.#transposeFirst = name === 'wasm';
    this.#w = layers.map((layer) => tf.tidy(() => tf.variable(tf.zeros([layer.inputs, layer.outputs]))));
    this.#b = layers.map((layer) => tf.tidy(() => tf.variable(tf.zeros([layer.outputs]))));
  }

  load(weights: Float32Array): void {
    const tf = this.#tf;
    tf.tidy(() => {
      this.#layers.forEach((layer, k) => {
        // Copies: a tensor may keep the array that it is given, and the weights change under it.
        this.#w[k].assign(tf.tensor2d(weights.slice(layer.weights, layer.biases), [layer.inputs, layer.outputs]));
        this.#b[k].assign(tf.tensor1d(weights.slice(layer.biases, layer.biases + layer.outputs)));
      });
    });
  }

  forward(x: Float32Array, rows: number): Float32Array {
    const tf = this.#tf;
    this.#forget();
    const width = this.#layers[0].inputs;
    let input = tf.tensor2d(x.slice(0, rows * width), [rows, width]);
    this.#layers.forEach((_, k) => {
      this.#inputs.push(input);
      const activation = k < this.#layers.length - 1 ? 'relu' : 'linear';
      input = tf.fused.matMul({
        a: input,
        b: this.#w[k],
        bias: this.#b[k],
        activation,
      }) as Tensor2D;
    });
    const y = input.dataSync<'float32'>();
    input.dispose();
    return y;
  }

  backward(dy: Float32Array, gradient: Float32Array): void {
    const tf = this.#tf;
    const last = this.#layers.length - 1;
    const rows = this.#inputs[0].shape[0];
    tf.tidy(() => {
      let g: Tensor2D = tf.tensor2d(dy.slice(0, rows * this.#layers[last].outputs), [rows, this.#layers[last].outputs]);
      for (let k = last; k >= 0; k--) {
        const layer = this.#layers[k];
        const x = this.#inputs[k];
        gradient.set(this.#timesTransposed(x, g, 'left').dataSync<'float32'>(), layer.weights);
        gradient.set(tf.sum(g, 0).dataSync<'float32'>(), layer.biases);
        if (k > 0) {
          // x is a ReLU's output: its derivative is 1 where it is positive.
          const active = tf.cast(tf.greater(x, 0), 'float32');
          g = tf.mul(this.#timesTransposed(g, this.#w[k] as Tensor as Tensor2D, 'right'), active);
        }
      }
    });
    this.#forget();
  }

  dispose(): void {
    this.#forget();
    for (const variable of [...this.#w, ...this.#b]) variable.dispose();
  }

  /** a' b (left) or a b' (right). */
  #timesTransposed(a: Tensor2D, b: Tensor2D, which: 'left' | 'right'): Tensor2D {
    const tf = this.#tf;
    if (!this.#transposeFirst) return tf.matMul(a, b, which === 'left', which === 'right');
    return which === 'left' ? tf.matMul(tf.transpose(a), b) : tf.matMul(a, tf.transpose(b));
  }

  #forget(): void {
    for (const tensor of this.#inputs) tensor.dispose();
    this.#inputs = [];
  }
}
