// What the learner asks of a backend: a multilayer perceptron with ReLU, forward and backward.

export interface TrainableMlp {
  /** Takes over its layers' part of the flat weights. */
  load(weights: Float32Array): void;
  /**
   * @param x `[rows, inputs]`; what lies beyond is left alone
   * @returns `[rows, outputs]`
   */
  forward(x: Float32Array, rows: number): Float32Array;
  /**
   * Derivatives of the weights for the last `forward`, into their places of the flat `gradient`.
   * @param dy `[rows, outputs]`
   */
  backward(dy: Float32Array, gradient: Float32Array): void;
  dispose(): void;
}
