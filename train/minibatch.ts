// Batches drawn from a rollout: shuffled order, and the gathering of samples into one dense batch. What an algorithm needs
// beyond the networks' inputs it gathers itself, by the same order.

import { PAIR_COLUMNS } from '../engine/index.js';
import type { RandomStream } from '../engine/index.js';
import type { NetworkShape } from '../policy/index.js';
import type { TransitionViews } from '../workers/index.js';
import type { Batch } from './learner.js';

/** A batch of fixed rows whose room for legal actions grows with need. Memory is reused from one gathering to the next. */
export class Minibatch implements Batch {
  /** Samples. */
  readonly rows: number;
  /** `[rows, inputs]` */
  readonly observations: Float32Array;
  /** `[rows + 1]` first entry of each sample */
  readonly starts: Int32Array;
  /** `[entries]` or longer */
  legalActions: Int32Array = new Int32Array(0);
  /** `[entries, PAIR_COLUMNS]` or longer; empty for a `flat` network */
  features: Float32Array = new Float32Array(0);
  readonly #shape: NetworkShape;
  readonly #envs: number;
  /** Entries of an environment's stretch of legal actions in the records. */
  readonly #stretch: number;

  /**
   * @param rows  samples per batch
   * @param envs  environments of the records, n
   * @param steps steps of the records, T
   */
  constructor(shape: NetworkShape, rows: number, envs: number, steps: number) {
    this.rows = rows;
    this.observations = new Float32Array(rows * shape.inputs);
    this.starts = new Int32Array(rows + 1);
    this.#shape = shape;
    this.#envs = envs;
    this.#stretch = steps * shape.actions;
  }

  /**
   * Copies samples `order[first]` to `order[first + rows]` (exclusive) of the records into the batch.
   * @param order numbers of samples, t * n + e
   */
  gather(records: TransitionViews, order: Int32Array, first: number): void {
    const { rows, observations, starts } = this;
    const { inputs, kind } = this.#shape;
    let entries = 0;
    for (let r = 0; r < rows; r++) entries += records.legalCounts[order[first + r]];
    if (this.legalActions.length < entries) {
      const room = Math.ceil(entries * 1.25);
      this.legalActions = new Int32Array(room);
      this.features = new Float32Array(kind === 'pairs' ? room * PAIR_COLUMNS : 0);
    }
    const { legalActions, features } = this;
    let at = 0;
    for (let r = 0; r < rows; r++) {
      const p = order[first + r];
      observations.set(records.observations.subarray(p * inputs, (p + 1) * inputs), r * inputs);
      const count = records.legalCounts[p];
      const from = (p % this.#envs) * this.#stretch + records.legalStarts[p];
      legalActions.set(records.legalActions.subarray(from, from + count), at);
      if (kind === 'pairs') {
        features.set(records.features.subarray(from * PAIR_COLUMNS, (from + count) * PAIR_COLUMNS), at * PAIR_COLUMNS);
      }
      starts[r] = at;
      at += count;
    }
    starts[rows] = at;
  }
}

/** Shuffles the first `length` elements in place (Fisher and Yates, downwards; Durstenfeld 1964). */
export function shuffle(order: Int32Array, length: number, stream: RandomStream): void {
  for (let k = length - 1; k > 0; k--) {
    const other = stream.integer(0, k);
    const held = order[k];
    order[k] = order[other]!;
    order[other] = held;
  }
}
