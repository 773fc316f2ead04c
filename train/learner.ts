// The learner: the networks and their optimiser. It computes outputs for a batch, and steps down a gradient whose derivatives
// with respect to those outputs the algorithm gives. It knows no loss, no environment and no schedule.

import { networkLayout } from '../policy/index.js';
import type { NetworkShape } from '../policy/index.js';
import { Adam } from './adam.js';
import type { AdamState } from './adam.js';
import type { Backend } from './backend.js';
import { badInputOfBatch, checkParameters, diverged } from './divergence.js';
import { TrainError } from './errors.js';
import type { TrainableMlp } from './trainable-mlp.js';

/** Inputs of `rows` samples; arrays may be longer than what counts. Sample r has entries `starts[r]` to `starts[r + 1]`. */
export interface Batch {
  /** Samples. */
  readonly rows: number;
  /** `[rows, inputs]` */
  readonly observations: Float32Array;
  /** `[rows + 1]` first entry of each sample; the last element is the number of entries */
  readonly starts: Int32Array;
  /** `[entries]` legal actions of all samples */
  readonly legalActions: Int32Array;
  /** `[entries, PAIR_COLUMNS]` features of the legal actions, for a `pairs` network; else not read */
  readonly features: Float32Array;
}

/** The networks' outputs for a batch, or a loss's derivatives with respect to them; arrays may be longer than what counts. */
export interface Outputs {
  /** `[entries]` the actor's score of each legal action: a logit for PPO, an action's value for Q-learning */
  readonly scores: Float32Array;
  /** `[rows]` the critic's value of each sample's observation */
  readonly values: Float32Array;
}

/** Actor, critic and Adam over one flat array of weights. Dispose of it after use. */
export class Learner {
  readonly #shape: NetworkShape;
  readonly #weights: Float32Array;
  readonly #gradient: Float32Array;
  readonly #adam: Adam;
  readonly #actor: TrainableMlp;
  readonly #critic: TrainableMlp;
  /** Scores of a flat network's legal actions. */
  #scores = new Float32Array(0);
  /** Batch whose forward pass the networks hold; backward uses it up. */
  #forwarded: Batch | null = null;
  #derivatives: Outputs = { scores: new Float32Array(0), values: new Float32Array(0) };

  /**
   * @param weights flat, laid out as `networkLayout(shape)`; read now, written by every update
   * @throws TrainError `ERR_TRAIN_OPTION` for weights of another length, or not finite
   */
  constructor(backend: Backend, shape: NetworkShape, weights: Float32Array) {
    const layout = networkLayout(shape);
    checkParameters(shape, weights);
    this.#shape = shape;
    this.#weights = weights;
    this.#gradient = new Float32Array(layout.size);
    this.#adam = new Adam(layout.size);
    this.#actor = backend.mlp(layout.actor);
    this.#critic = backend.mlp(layout.critic);
    this.#load();
  }

  /** Outputs for a batch with the present weights; valid until the next call. */
  forward(batch: Batch): Outputs {
    const { rows, starts, legalActions } = batch;
    const entries = starts[rows];
    this.#forwarded = batch;
    const values = this.#critic.forward(batch.observations, rows);
    if (this.#shape.kind === 'pairs') return { scores: this.#actor.forward(batch.features, entries), values };
    const width = this.#shape.actions;
    const all = this.#actor.forward(batch.observations, rows);
    if (this.#scores.length < entries) this.#scores = new Float32Array(entries);
    const scores = this.#scores;
    for (let r = 0; r < rows; r++) {
      for (let k = starts[r]; k < starts[r + 1]; k++) scores[k] = all[r * width + legalActions[k]]!;
    }
    return { scores, values };
  }

  /** Arrays to write a loss's derivatives for this batch into; what they hold is undefined, and they are reused. */
  roomFor({ rows, starts }: Batch): Outputs {
    const { scores, values } = this.#derivatives;
    const entries = starts[rows];
    if (scores.length < entries || values.length < rows) {
      this.#derivatives = {
        scores: scores.length < entries ? new Float32Array(entries) : scores,
        values: values.length < rows ? new Float32Array(rows) : values,
      };
    }
    return this.#derivatives;
  }

  /**
   * The gradient of a loss with respect to the weights, for the batch of the last `forward`.
   * @param dOutputs derivatives of the loss with respect to the outputs
   * @param gradient output, flat like the weights
   * @throws TrainError `ERR_TRAIN_OPTION` if the last `forward` was of another batch, or its gradient has been taken
   */
  backward(batch: Batch, dOutputs: Outputs, gradient: Float32Array): void {
    if (this.#forwarded !== batch) {
      throw new TrainError('ERR_TRAIN_OPTION', 'a gradient needs its own forward pass: call forward(batch) first');
    }
    this.#forwarded = null;
    const { rows, starts, legalActions } = batch;
    if (this.#shape.kind === 'pairs') {
      this.#actor.backward(dOutputs.scores, gradient);
    } else {
      // Illegal actions are no part of the loss.
      const width = this.#shape.actions;
      const all = new Float32Array(rows * width);
      for (let r = 0; r < rows; r++) {
        for (let k = starts[r]; k < starts[r + 1]; k++) all[r * width + legalActions[k]] = dOutputs.scores[k]!;
      }
      this.#actor.backward(all, gradient);
    }
    this.#critic.backward(dOutputs.values, gradient);
  }

  /**
   * One step of Adam down the loss, for the batch of the last `forward`.
   * @param dOutputs derivatives of the loss with respect to the outputs
   * @param maxNorm  a longer gradient is shortened to this norm
   * @param terms    the loss's terms, by name
   * @returns the norm of the whole gradient before it is shortened
   * @throws TrainError `ERR_DIVERGED` when the gradient or a term is no longer finite; the weights stay as they were
   */
  update(
    batch: Batch,
    dOutputs: Outputs,
    learningRate: number,
    maxNorm: number,
    terms: readonly (readonly [name: string, value: number])[] = [],
  ): number {
    this.backward(batch, dOutputs, this.#gradient);
    // In double precision and in the order of the flat array.
    let squares = 0;
    for (let k = 0; k < this.#gradient.length; k++) squares += this.#gradient[k] * this.#gradient[k];
    const norm = Math.sqrt(squares);
    if (!Number.isFinite(norm) || terms.some(([, value]) => !Number.isFinite(value))) {
      throw diverged({
        shape: this.#shape,
        update: this.#adam.step + 1,
        learningRate,
        norm,
        weights: this.#weights,
        gradient: this.#gradient,
        terms,
        badInput: () => badInputOfBatch(this.#shape, batch),
      });
    }
    this.#adam.update(this.#weights, this.#gradient, learningRate, norm > maxNorm ? maxNorm / norm : 1);
    this.#load();
    return norm;
  }

  /** A copy of the optimiser's state; the weights belong to the caller. */
  snapshot(): AdamState {
    return this.#adam.snapshot();
  }

  /** Takes over the optimiser's state, and the weights as they are now. */
  restore(state: AdamState): void {
    this.#adam.restore(state);
    this.#load();
  }

  /** Frees the networks' memory on the backend. */
  dispose(): void {
    this.#actor.dispose();
    this.#critic.dispose();
  }

  #load(): void {
    this.#actor.load(this.#weights);
    this.#critic.load(this.#weights);
  }
}
