// Says what is no longer finite when a run diverges: the loss, an input, a weight or a gradient, by name and place.

import { PAIR_COLUMNS } from '../engine/index.js';
import { networkLayout } from '../policy/index.js';
import type { NetworkShape } from '../policy/index.js';
import type { TransitionViews } from '../workers/index.js';
import { TrainError } from './errors.js';

/** Where a run stands when its gradient or its loss is not finite. */
export interface Divergence {
  readonly shape: NetworkShape;
  /** Number of the update, 1 first. */
  readonly update: number;
  readonly learningRate: number;
  /** Norm of the whole gradient. */
  readonly norm: number;
  /** Flat. */
  readonly weights: Float32Array;
  /** Flat. */
  readonly gradient: Float32Array;
  /** The loss's terms, by name. */
  readonly terms: readonly (readonly [name: string, value: number])[];
  /** Says which number of the minibatch's inputs is not finite; null if all are. */
  readonly badInput: () => string | null;
}

/** @throws TrainError `ERR_TRAIN_OPTION` for weights of another length, or not finite */
export function checkParameters(shape: NetworkShape, weights: Float32Array): void {
  const { size } = networkLayout(shape);
  if (weights.length !== size) {
    throw new TrainError('ERR_TRAIN_OPTION', `weights has ${weights.length} numbers: the network has ${size}`);
  }
  const damaged = firstBad(weights);
  if (damaged >= 0) throw new TrainError('ERR_TRAIN_OPTION', `weights[${damaged}] is ${weights[damaged]}`);
}

/**
 * Looks at the weights after an iteration's updates: a unit whose weights are NaN may be 0 after rectification, and show nowhere else.
 * @throws TrainError `ERR_DIVERGED` naming the weight that is not finite
 */
export function checkWeights(
  shape: NetworkShape,
  weights: Float32Array,
  { iteration, learningRate }: { readonly iteration: number; readonly learningRate: number },
): void {
  const what = place(shape, weights, 'weights');
  if (what === null) return;
  throw new TrainError(
    'ERR_DIVERGED',
    `iteration ${iteration} has diverged: lower the learning rate (it is ${learningRate}); ${what}`,
  );
}

/** The error of a run that has diverged: it names the first of input, weight, term of the loss and gradient that is not finite. */
export function diverged(at: Divergence): TrainError {
  const { update, norm, learningRate } = at;
  const what =
    at.badInput() ?? place(at.shape, at.weights, 'weights') ?? term(at) ?? place(at.shape, at.gradient, 'gradient');
  return new TrainError(
    'ERR_DIVERGED',
    `update ${update} has diverged, the gradient's norm is ${norm}: lower the learning rate (it is ${learningRate})${what === null ? '' : `; ${what}`}`,
  );
}

/** A minibatch whose samples are read from a rollout's records. */
export interface RecordedSamples {
  readonly records: TransitionViews;
  readonly order: Int32Array;
  readonly first: number;
  readonly rows: number;
  readonly envs: number;
  readonly steps: number;
}

/** Which number of a minibatch in records is not finite; null if all are. */
export function badInputOfRecords(shape: NetworkShape, samples: RecordedSamples): string | null {
  const { records, order, first, rows, envs, steps } = samples;
  const { inputs, actions, kind } = shape;
  for (let r = 0; r < rows; r++) {
    const p = order[first + r];
    const sample = `of step ${Math.floor(p / envs)} of environment ${p % envs}`;
    const observation = firstBad(records.observations, p * inputs, inputs);
    if (observation >= 0) {
      return `number ${observation} of the observation ${sample} is ${records.observations[p * inputs + observation]}`;
    }
    if (kind !== 'pairs') continue;
    const from = ((p % envs) * steps * actions + records.legalStarts[p]) * PAIR_COLUMNS;
    const feature = firstBad(records.features, from, records.legalCounts[p] * PAIR_COLUMNS);
    if (feature >= 0) {
      return `number ${feature % PAIR_COLUMNS} of a legal action's features ${sample} is ${records.features[from + feature]}`;
    }
  }
  return null;
}

/** A minibatch as it is gathered for the networks. */
export interface GatheredSamples {
  readonly rows: number;
  /** `[rows, inputs]` */
  readonly observations: Float32Array;
  /** `[entries, PAIR_COLUMNS]` */
  readonly features: Float32Array;
  /** `[rows + 1]` first entry of each sample */
  readonly starts: Int32Array;
}

/** Which number of a gathered minibatch is not finite; null if all are. */
export function badInputOfBatch({ inputs, kind }: NetworkShape, batch: GatheredSamples): string | null {
  const { rows, observations, features, starts } = batch;
  const observation = firstBad(observations, 0, rows * inputs);
  if (observation >= 0) {
    return `number ${observation % inputs} of the observation of sample ${Math.floor(observation / inputs)} is ${observations[observation]}`;
  }
  const feature = kind === 'pairs' ? firstBad(features, 0, starts[rows] * PAIR_COLUMNS) : -1;
  if (feature < 0) return null;
  const entry = Math.floor(feature / PAIR_COLUMNS);
  const sample = starts.subarray(0, rows).findLastIndex((start) => start <= entry);
  return `number ${feature % PAIR_COLUMNS} of a legal action's features of sample ${sample} is ${features[feature]}`;
}

function term({ terms }: Divergence): string | null {
  const bad = terms.find(([, value]) => !Number.isFinite(value));
  return bad === undefined ? null : `the loss's ${bad[0]} is ${bad[1]}`;
}

/** Which number of a flat array is not finite, and whose it is; null if all are. */
function place(shape: NetworkShape, flat: Float32Array, name: string): string | null {
  const p = firstBad(flat, 0, flat.length);
  if (p < 0) return null;
  const { actor, critic } = networkLayout(shape);
  const part = p < critic[0].weights ? 'actor' : 'critic';
  const layers = part === 'actor' ? actor : critic;
  const layer = layers.findLastIndex((each) => each.weights <= p);
  return `${name}[${p}] (a ${p < layers[layer].biases ? 'weight' : 'bias'} of layer ${layer + 1} of the ${part}) is ${flat[p]}`;
}

/** Index, from `from` on, of the first of `count` numbers that is not finite; -1 if all are. */
export function firstBad(numbers: ArrayLike<number>, from = 0, count: number = numbers.length): number {
  for (let k = 0; k < count; k++) if (!Number.isFinite(numbers[from + k])) return k;
  return -1;
}
