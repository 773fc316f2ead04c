// A trainable network on TensorFlow.js: the reference implementation, on whichever backend has loaded.

import type { Tensor, Tensor2D, Variable } from '@tensorflow/tfjs';
import type { Layer } from '../policy/index.js';
import type { Backend, Tensorflow } from './backend.js';
import type { TrainableMlp } from './trainable-mlp.js';

export class TfjsMlp implements TrainableMlp {
  readonly #tf: Tensorflow;
  readonly #layers: readonly Layer[];
  readonly #w: readonly Variable[];
  readonly #b: readonly Variable[];
  /** The wasm backend multiplies transposed operands several times slower than it transposes them. */
  readonly #transposeFirst: boolean;
  /** Input of each layer, from the last forward pass. */
  #inputs: Tensor2D[] = [];

  constructor(backend: Backend, layers: readonly Layer[]) {
    const tf = backend.tf;
    this.#tf = tf;
    this.#layers = layers;
    this.#transposeFirst = backend.name === 'wasm';
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
