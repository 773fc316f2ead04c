// The learner: weights, their optimiser, and one step down the loss. It knows no environment and no schedule.

import { networkLayout } from '../policy/index.js';
import type { NetworkShape } from '../policy/index.js';
import { Adam } from './adam.js';
import type { AdamState } from './adam.js';
import type { Backend } from './backend.js';
import { TrainError } from './errors.js';
import { ppoLoss } from './ppo-loss.js';
import type { PpoCoefficients, PpoLosses, PpoSamples } from './ppo-loss.js';
import { TfjsMlp } from './tfjs-mlp.js';
import type { TrainableMlp } from './trainable-mlp.js';

/** One minibatch; arrays may be longer than what counts. */
export interface Minibatch extends PpoSamples {
  /** `[rows, inputs]` */
  readonly observations: Float32Array;
  /** `[entries]` legal actions of all samples */
  readonly legalActions: Int32Array;
  /** `[entries, PAIR_COLUMNS]`, for a `pairs` network */
  readonly features: Float32Array;
}

export interface UpdateResult extends PpoLosses {
  /** Norm of the whole gradient, before it is shortened. */
  readonly gradientNorm: number;
}

export class Learner {
  readonly #shape: NetworkShape;
  readonly #weights: Float32Array;
  readonly #gradient: Float32Array;
  readonly #adam: Adam;
  readonly #actor: TrainableMlp;
  readonly #critic: TrainableMlp;
  #logits = new Float32Array(0);
  #dLogits = new Float32Array(0);
  #dValues = new Float32Array(0);

  /** @param weights flat, laid out as `networkLayout(shape)`; read now, written by every update */
  constructor(backend: Backend, shape: NetworkShape, weights: Float32Array) {
    const layout = networkLayout(shape);
    if (weights.length !== layout.size) {
      throw new TrainError('ERR_TRAIN_OPTION', `weights has ${weights.length} numbers: the network has ${layout.size}`);
    }
    const damaged = weights.findIndex((weight) => !Number.isFinite(weight));
    if (damaged >= 0) throw new TrainError('ERR_TRAIN_OPTION', `weights[${damaged}] is ${weights[damaged]}`);
    this.#shape = shape;
    this.#weights = weights;
    this.#gradient = new Float32Array(layout.size);
    this.#adam = new Adam(layout.size);
    this.#actor = new TfjsMlp(backend, layout.actor);
    this.#critic = new TfjsMlp(backend, layout.critic);
    this.#load();
  }

  /**
   * One step of Adam down the loss.
   * @param maxGradientNorm a longer gradient is shortened to it
   * @throws TrainError `ERR_DIVERGED` when the gradient is no longer finite; the weights stay as they were
   */
  update(
    minibatch: Minibatch,
    coefficients: PpoCoefficients,
    learningRate: number,
    maxGradientNorm: number,
  ): UpdateResult {
    const losses = this.differentiate(minibatch, coefficients, this.#gradient);
    // In double precision and in the order of the flat array.
    let squares = 0;
    for (let k = 0; k < this.#gradient.length; k++) squares += this.#gradient[k] * this.#gradient[k];
    const gradientNorm = Math.sqrt(squares);
    if (!Number.isFinite(gradientNorm)) {
      throw new TrainError(
        'ERR_DIVERGED',
        `the gradient's norm is ${gradientNorm}: lower the learning rate (it is ${learningRate})`,
      );
    }
    const scale = gradientNorm > maxGradientNorm ? maxGradientNorm / gradientNorm : 1;
    this.#adam.update(this.#weights, this.#gradient, learningRate, scale);
    this.#load();
    return { ...losses, gradientNorm };
  }

  /** The loss, and its gradient written into `gradient`, flat like the weights. */
  differentiate(minibatch: Minibatch, coefficients: PpoCoefficients, gradient: Float32Array): PpoLosses {
    const { rows, starts, legalActions } = minibatch;
    const entries = starts[rows];
    const flat = this.#shape.kind === 'flat';
    const width = this.#shape.actions;
    if (this.#dLogits.length < entries) {
      this.#logits = new Float32Array(entries);
      this.#dLogits = new Float32Array(entries);
    }
    if (this.#dValues.length < rows) this.#dValues = new Float32Array(rows);

    const values = this.#critic.forward(minibatch.observations, rows);
    const output = flat
      ? this.#actor.forward(minibatch.observations, rows)
      : this.#actor.forward(minibatch.features, entries);
    let logits = output;
    if (flat) {
      logits = this.#logits;
      for (let r = 0; r < rows; r++) {
        for (let k = starts[r]; k < starts[r + 1]; k++) logits[k] = output[r * width + legalActions[k]]!;
      }
    }
    const losses = ppoLoss(minibatch, coefficients, logits, values, this.#dLogits, this.#dValues);
    if (flat) {
      // Illegal actions are no part of the loss.
      const dOutput = new Float32Array(rows * width);
      for (let r = 0; r < rows; r++) {
        for (let k = starts[r]; k < starts[r + 1]; k++) dOutput[r * width + legalActions[k]] = this.#dLogits[k]!;
      }
      this.#actor.backward(dOutput, gradient);
    } else {
      this.#actor.backward(this.#dLogits, gradient);
    }
    this.#critic.backward(this.#dValues, gradient);
    return losses;
  }

  snapshot(): AdamState {
    return this.#adam.snapshot();
  }

  /** Takes over the optimiser's state, and the weights as they stand now. */
  restore(state: AdamState): void {
    this.#adam.restore(state);
    this.#load();
  }

  dispose(): void {
    this.#actor.dispose();
    this.#critic.dispose();
  }

  #load(): void {
    this.#actor.load(this.#weights);
    this.#critic.load(this.#weights);
  }
}
