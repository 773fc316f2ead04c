// What a backend runs: a multilayer perceptron with ReLU between its layers, forward and backward.

/** A trainable network. Its weights are part of one flat array that the learner owns; offsets are in its layers. */
export interface TrainableMlp {
  /** Copies its layers' weights out of the flat array; call it whenever they have changed. */
  load(weights: Float32Array): void;
  /**
   * @param x `[rows, inputs]`; may be longer
   * @returns `[rows, outputs]`, valid until the next call
   */
  forward(x: Float32Array, rows: number): Float32Array;
  /**
   * Derivatives of a loss with respect to the weights, for the inputs of the last `forward`.
   * @param dOutputs `[rows, outputs]` derivatives of the loss with respect to the outputs; may be longer
   * @param gradient output, flat like the weights; only the layers' own places are written
   */
  backward(dOutputs: Float32Array, gradient: Float32Array): void;
  /** Frees the memory of the backend. */
  dispose(): void;
}
