// The file that threads load to fit a network to what assignments were worth: by squared error, with Adam whose step falls along
// half a cosine. Of all epochs the one counts that predicts held-out episodes best.

import { Purpose, RandomStream, cosTurns } from '../engine/index.js';
import { initialiseNetwork, networkLayout } from '../policy/index.js';
import type { NetworkShape } from '../policy/index.js';
import type { Beats } from '../workers/index.js';
import { Adam } from './adam.js';
import { loadBackend } from './backend.js';
import type { BackendName } from './backend.js';
import { columnScale } from './ridge.js';

/** What to fit, and how. Arrays may be shared memory. */
export interface FitTask {
  readonly backend: BackendName;
  /** Of the network to fit. */
  readonly shape: NetworkShape;
  /** `[rows, columns]` */
  readonly features: Float32Array;
  /** `[rows]` */
  readonly targets: Float64Array;
  /** Numbers of the rows to learn from, and of those that are held out. */
  readonly used: Int32Array;
  readonly heldOut: Int32Array;
  readonly epochs: number;
  readonly minibatchSize: number;
  readonly learningRate: number;
  readonly weightDecay: number;
  /** Of first weights and order. */
  readonly seed: number;
  readonly round: number;
  readonly member: number;
  readonly beats: Beats;
  readonly slot: number;
}

/** A fitted network. */
export interface Fitted {
  /** Flat; it reads columns as they are, and gives targets in their own unit. */
  readonly weights: Float32Array;
  /** Mean squared error of the held-out rows. */
  readonly error: number;
}

/** Fits one network. */
export async function fit(task: FitTask): Promise<Fitted> {
  const { shape, features, targets, used, heldOut, epochs, minibatchSize, beats, slot } = task;
  const columns = shape.inputs;
  const { actor, size } = networkLayout(shape);
  const backend = await loadBackend(task.backend);
  const mlp = backend.mlp(actor);
  const { mean, deviation } = columnScale(features, columns, used);
  const [middle, spread] = scaleOf(targets, used);
  const weights = new Float32Array(size);
  const stream = new RandomStream(task.seed, Purpose.weights, task.member, task.round);
  initialiseNetwork(shape, stream, weights);
  const adam = new Adam(size);
  const gradient = new Float32Array(size);
  const order = used.slice();
  const x = new Float32Array(minibatchSize * columns);
  const dy = new Float32Array(minibatchSize);
  const gather = (rows: Int32Array, first: number, count: number): void => {
    for (let r = 0; r < count; r++) {
      const from = rows[first + r] * columns;
      for (let c = 0; c < columns; c++) {
        x[r * columns + c] = deviation[c] === 0 ? 0 : (features[from + c] - mean[c]) / deviation[c];
      }
    }
  };
  const errorOf = (rows: Int32Array): number => {
    let sum = 0;
    for (let first = 0; first < rows.length; first += minibatchSize) {
      const count = Math.min(minibatchSize, rows.length - first);
      gather(rows, first, count);
      const y = mlp.forward(x, count);
      for (let r = 0; r < count; r++) {
        const off = middle + spread * y[r] - targets[rows[first + r]];
        sum += off * off;
      }
    }
    return sum / Math.max(1, rows.length);
  };
  const updates = epochs * Math.ceil(order.length / minibatchSize);
  let best: Fitted | null = null;
  let update = 0;
  try {
    mlp.load(weights);
    for (let epoch = 0; epoch < epochs; epoch++) {
      for (let k = order.length - 1; k > 0; k--) {
        const other = stream.integer(0, k);
        [order[k], order[other]] = [order[other], order[k]];
      }
      for (let first = 0; first < order.length; first += minibatchSize) {
        Atomics.add(beats, slot, 1);
        const count = Math.min(minibatchSize, order.length - first);
        gather(order, first, count);
        const y = mlp.forward(x, count);
        for (let r = 0; r < count; r++) dy[r] = (2 / count) * (y[r] - (targets[order[first + r]] - middle) / spread);
        mlp.backward(dy, gradient);
        const rate = (task.learningRate * (1 + cosTurns(update++ / updates / 2))) / 2;
        adam.update(weights, gradient, rate, 1);
        // Decoupled decay (Loshchilov and Hutter 2019).
        for (const layer of actor)
          for (let p = layer.weights; p < layer.biases; p++) weights[p] *= 1 - rate * task.weightDecay;
        mlp.load(weights);
      }
      const error = errorOf(heldOut.length > 0 ? heldOut : used);
      if (best === null || error < best.error) best = { weights: weights.slice(), error };
    }
  } finally {
    mlp.dispose();
  }
  return { weights: unscaled(shape, best!.weights, mean, deviation, middle, spread), error: best!.error };
}

/** Mean and standard deviation, which is 1 where all are equal. */
function scaleOf(targets: Float64Array, used: Int32Array): readonly [number, number] {
  let sum = 0;
  for (const row of used) sum += targets[row];
  const middle = sum / Math.max(1, used.length);
  let squares = 0;
  for (const row of used) squares += (targets[row] - middle) * (targets[row] - middle);
  const spread = Math.sqrt(squares / Math.max(1, used.length));
  return [middle, spread > 0 ? spread : 1];
}

/** The same function of columns as they are: their scale goes into the first layer, that of the targets into the last. */
function unscaled(
  shape: NetworkShape,
  weights: Float32Array,
  mean: Float64Array,
  deviation: Float64Array,
  middle: number,
  spread: number,
): Float32Array {
  const { actor } = networkLayout(shape);
  const into = weights.slice();
  const [first, last] = [actor[0], actor.at(-1)!];
  for (let o = 0; o < first.outputs; o++) {
    let bias = weights[first.biases + o];
    for (let c = 0; c < first.inputs; c++) {
      const p = first.weights + c * first.outputs + o;
      into[p] = deviation[c] === 0 ? 0 : weights[p] / deviation[c];
      bias -= deviation[c] === 0 ? 0 : (weights[p] * mean[c]) / deviation[c];
    }
    into[first.biases + o] = bias;
  }
  for (let p = last.weights; p < last.biases; p++) into[p] *= spread;
  into[last.biases] = middle + spread * into[last.biases];
  return into;
}
