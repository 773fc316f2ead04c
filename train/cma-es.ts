// Covariance matrix adaptation (Hansen 2016, "The CMA evolution strategy: a tutorial", arXiv 1604.00772): maximises a function of
// some tens of numbers that has no derivative and is noisy. It knows neither policies nor environments.

import { Purpose, RandomStream } from '../engine/index.js';
import { TrainError } from './errors.js';

/** How a search begins. */
export interface CmaEsOptions {
  /** Where it begins; its length is the number of dimensions, at least 2. */
  readonly mean: ArrayLike<number>;
  /** Standard deviation of the first candidates in each dimension, above 0. */
  readonly sigma: number;
  /** Candidates per generation, at least 4; default 4 + 3 ln(dimensions), rounded down. */
  readonly population?: number | undefined;
  /** Seed of the draws; generation g draws the same, whoever went before. */
  readonly seed: number;
}

/** All that the next generation depends on, beside the options. */
export interface CmaEsState {
  /** Generations done. */
  readonly generation: number;
  /** Overall step size. */
  readonly sigma: number;
  /** `[n]` */
  readonly mean: Float64Array;
  /** `[n, n]` row-major */
  readonly covariance: Float64Array;
  /** `[n]` evolution path of the mean, in the coordinates of the covariance. */
  readonly path: Float64Array;
  /** `[n]` evolution path of the step size, in coordinates in which the covariance is the identity. */
  readonly sigmaPath: Float64Array;
}

/** One search. Call `ask`, evaluate the candidates, `tell`, and so on; `mean` is the best guess. */
export class CmaEs {
  /** Numbers of a candidate. */
  readonly dimensions: number;
  /** Candidates per generation. */
  readonly population: number;
  /** The present best guess, `[dimensions]`; not to be written. */
  readonly mean: Float64Array;
  readonly #seed: number;
  readonly #weights: Float64Array;
  readonly #effective: number;
  readonly #covariance: Float64Array;
  readonly #path: Float64Array;
  readonly #sigmaPath: Float64Array;
  /** Columns are the covariance's eigenvectors. */
  readonly #axes: Float64Array;
  /** Square roots of its eigenvalues. */
  readonly #lengths: Float64Array;
  /** `[population, dimensions]` candidates less mean, over sigma. */
  readonly #steps: Float64Array;
  #sigma: number;
  #generation = 0;

  /** @throws TrainError `ERR_TRAIN_OPTION` naming what is out of range */
  constructor({ mean, sigma, population, seed }: CmaEsOptions) {
    const n = mean.length;
    const count = population ?? 4 + Math.floor(3 * Math.log(n));
    if (n < 2) throw new TrainError('ERR_TRAIN_OPTION', `mean has ${n} numbers: it must have at least 2`);
    if (!Number.isInteger(count) || count < 4) {
      throw new TrainError('ERR_TRAIN_OPTION', `population is ${count}: it must be a whole number of at least 4`);
    }
    if (!(sigma > 0 && sigma < Infinity)) {
      throw new TrainError('ERR_TRAIN_OPTION', `sigma is ${sigma}: it must be a number above 0`);
    }
    this.dimensions = n;
    this.population = count;
    this.mean = Float64Array.from(mean);
    this.#seed = seed;
    this.#sigma = sigma;
    const parents = Math.floor(count / 2);
    const raw = Float64Array.from({ length: parents }, (_, k) => Math.log((count + 1) / 2) - Math.log(k + 1));
    const sum = raw.reduce((a, b) => a + b, 0);
    this.#weights = raw.map((weight) => weight / sum);
    this.#effective = 1 / this.#weights.reduce((a, b) => a + b * b, 0);
    this.#covariance = new Float64Array(n * n);
    for (let a = 0; a < n; a++) this.#covariance[a * n + a] = 1;
    this.#path = new Float64Array(n);
    this.#sigmaPath = new Float64Array(n);
    this.#axes = new Float64Array(n * n);
    this.#lengths = new Float64Array(n);
    this.#steps = new Float64Array(count * n);
  }

  /** Generations done. */
  get generation(): number {
    return this.#generation;
  }

  /** Overall step size. */
  get sigma(): number {
    return this.#sigma;
  }

  /** The next candidates, `[population, dimensions]` row-major, new memory. */
  ask(): Float64Array {
    const { dimensions: n, population } = this;
    const axes = this.#axes;
    const lengths = this.#lengths;
    eigen(this.#covariance, n, axes, lengths);
    for (let a = 0; a < n; a++) lengths[a] = Math.sqrt(Math.max(lengths[a], 1e-20));
    const stream = new RandomStream(this.#seed, Purpose.weights, 0, this.#generation);
    const candidates = new Float64Array(population * n);
    const draw = new Float64Array(n);
    for (let k = 0; k < population; k++) {
      for (let a = 0; a < n; a++) draw[a] = lengths[a] * stream.normal();
      for (let a = 0; a < n; a++) {
        let step = 0;
        for (let b = 0; b < n; b++) step += axes[a * n + b] * draw[b];
        this.#steps[k * n + a] = step;
        candidates[k * n + a] = this.mean[a] + this.#sigma * step;
      }
    }
    return candidates;
  }

  /**
   * Learns from the candidates of the last `ask`. Equations as numbered in the tutorial's appendix A.
   * @param values `[population]` what each is worth: the higher, the better
   * @throws TrainError `ERR_DIVERGED` for a value that is NaN; `ERR_TRAIN_OPTION` for another number of them
   */
  tell(values: ArrayLike<number>): void {
    const { dimensions: n, population, mean } = this;
    if (values.length !== population) {
      throw new TrainError('ERR_TRAIN_OPTION', `${values.length} values: there are ${population} candidates`);
    }
    for (let k = 0; k < population; k++) {
      if (Number.isNaN(values[k])) throw new TrainError('ERR_DIVERGED', `the value of candidate ${k} is NaN`);
    }
    // The earlier of two that are worth the same goes first, on every machine.
    const order = Array.from({ length: population }, (_, k) => k).sort((a, b) => values[b] - values[a] || a - b);
    const effective = this.#effective;
    const weights = this.#weights;
    const steps = this.#steps;
    const cSigma = (effective + 2) / (n + effective + 5);
    const dSigma = 1 + 2 * Math.max(0, Math.sqrt((effective - 1) / (n + 1)) - 1) + cSigma;
    const cPath = (4 + effective / n) / (n + 4 + (2 * effective) / n);
    const cOne = 2 / ((n + 1.3) ** 2 + effective);
    const cMu = Math.min(1 - cOne, (2 * (effective - 2 + 1 / effective)) / ((n + 2) ** 2 + effective));
    const expected = Math.sqrt(n) * (1 - 1 / (4 * n) + 1 / (21 * n * n));

    // The mean moves to the weighted mean of the better half (41, 42).
    const moved = new Float64Array(n);
    for (let k = 0; k < weights.length; k++) {
      for (let a = 0; a < n; a++) moved[a] += weights[k] * steps[order[k] * n + a];
    }
    for (let a = 0; a < n; a++) mean[a] += this.#sigma * moved[a];

    // Step size (43, 44): `white` is the move in coordinates in which the covariance is the identity.
    const white = this.#whitened(moved);
    let norm = 0;
    for (let a = 0; a < n; a++) {
      this.#sigmaPath[a] = (1 - cSigma) * this.#sigmaPath[a] + Math.sqrt(cSigma * (2 - cSigma) * effective) * white[a];
      norm += this.#sigmaPath[a] * this.#sigmaPath[a];
    }
    norm = Math.sqrt(norm);
    const generation = this.#generation + 1;
    const isShort = norm / Math.sqrt(1 - (1 - cSigma) ** (2 * generation)) < (1.4 + 2 / (n + 1)) * expected;

    // Covariance (45 to 47).
    for (let a = 0; a < n; a++) {
      this.#path[a] =
        (1 - cPath) * this.#path[a] + (isShort ? Math.sqrt(cPath * (2 - cPath) * effective) * moved[a] : 0);
    }
    const kept = 1 - cOne - cMu + (isShort ? 0 : cOne * cPath * (2 - cPath));
    for (let a = 0; a < n; a++) {
      for (let b = 0; b <= a; b++) {
        let spread = 0;
        for (let k = 0; k < weights.length; k++) {
          spread += weights[k] * steps[order[k] * n + a] * steps[order[k] * n + b];
        }
        const value = kept * this.#covariance[a * n + b] + cOne * this.#path[a] * this.#path[b] + cMu * spread;
        this.#covariance[a * n + b] = this.#covariance[b * n + a] = value;
      }
    }
    this.#sigma *= Math.exp(Math.min(1, (cSigma / dSigma) * (norm / expected - 1)));
    this.#generation = generation;
  }

  /** A copy of all that the next generation depends on. */
  snapshot(): CmaEsState {
    return {
      generation: this.#generation,
      sigma: this.#sigma,
      mean: this.mean.slice(),
      covariance: this.#covariance.slice(),
      path: this.#path.slice(),
      sigmaPath: this.#sigmaPath.slice(),
    };
  }

  /** Goes on from a snapshot of a search of the same size. @throws TrainError `ERR_CHECKPOINT` if it does not fit */
  restore(state: CmaEsState): void {
    if (state.mean.length !== this.dimensions) {
      throw new TrainError(
        'ERR_CHECKPOINT',
        `the search in the checkpoint has ${state.mean.length} dimensions, this one has ${this.dimensions}`,
      );
    }
    this.#generation = state.generation;
    this.#sigma = state.sigma;
    this.mean.set(state.mean);
    this.#covariance.set(state.covariance);
    this.#path.set(state.path);
    this.#sigmaPath.set(state.sigmaPath);
  }

  /** The covariance to the power of -1/2, times `vector`. */
  #whitened(vector: Float64Array): Float64Array {
    const { dimensions: n } = this;
    const axes = this.#axes;
    const result = new Float64Array(n);
    for (let b = 0; b < n; b++) {
      let along = 0;
      for (let a = 0; a < n; a++) along += axes[a * n + b] * vector[a];
      along /= this.#lengths[b];
      for (let a = 0; a < n; a++) result[a] += axes[a * n + b] * along;
    }
    return result;
  }
}

/**
 * Eigenvalues and eigenvectors of a symmetric matrix, by cyclic Jacobi rotations (Golub and Van Loan 2013, section 8.5).
 * @param matrix  `[n, n]`, not changed
 * @param vectors `[n, n]` output: column k belongs to value k
 * @param values  `[n]` output, in no particular order
 */
export function eigen(matrix: Float64Array, n: number, vectors: Float64Array, values: Float64Array): void {
  const m = matrix.slice();
  vectors.fill(0);
  for (let k = 0; k < n; k++) vectors[k * n + k] = 1;
  for (let sweep = 0; sweep < 60; sweep++) {
    let off = 0;
    let all = 0;
    for (let p = 0; p < n; p++) {
      for (let q = 0; q < n; q++) {
        const square = m[p * n + q] * m[p * n + q];
        all += square;
        if (p !== q) off += square;
      }
    }
    if (off <= 1e-28 * all) break;
    for (let p = 0; p < n - 1; p++) {
      for (let q = p + 1; q < n; q++) {
        const apart = m[p * n + q];
        if (apart === 0) continue;
        const tau = (m[q * n + q] - m[p * n + p]) / (2 * apart);
        const t = (tau >= 0 ? 1 : -1) / (Math.abs(tau) + Math.sqrt(1 + tau * tau));
        const c = 1 / Math.sqrt(1 + t * t);
        const s = t * c;
        for (let k = 0; k < n; k++) {
          const [x, y] = [m[k * n + p], m[k * n + q]];
          m[k * n + p] = c * x - s * y;
          m[k * n + q] = s * x + c * y;
        }
        for (let k = 0; k < n; k++) {
          const [x, y] = [m[p * n + k], m[q * n + k]];
          m[p * n + k] = c * x - s * y;
          m[q * n + k] = s * x + c * y;
        }
        for (let k = 0; k < n; k++) {
          const [x, y] = [vectors[k * n + p], vectors[k * n + q]];
          vectors[k * n + p] = c * x - s * y;
          vectors[k * n + q] = s * x + c * y;
        }
      }
    }
  }
  for (let k = 0; k < n; k++) values[k] = m[k * n + k];
}
