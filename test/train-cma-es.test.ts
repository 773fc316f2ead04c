import { describe, expect, it } from 'vitest';
import { CmaEs, eigen } from '../dist/train/cma-es.js';
import { Purpose, RandomStream } from '../dist/engine/index.js';

/** Runs a search for a while, and gives its best guess. */
function search(f: (x: Float64Array) => number, start: readonly number[], generations: number, seed = 1): Float64Array {
  const cma = new CmaEs({ mean: start, sigma: 0.5, seed });
  const n = cma.dimensions;
  for (let g = 0; g < generations; g++) {
    const candidates = cma.ask();
    cma.tell(Array.from({ length: cma.population }, (_, k) => f(candidates.subarray(k * n, (k + 1) * n))));
  }
  return cma.mean;
}

describe('covariance matrix adaptation', () => {
  it('finds the top of a long, narrow, rotated hill', () => {
    // The condition number is 10^6, and no axis is an axis of the coordinates.
    const n = 8;
    const hill = (x: Float64Array): number => {
      let value = 0;
      for (let a = 0; a < n; a++) {
        let along = 0;
        for (let b = 0; b < n; b++) along += Math.cos(((2 * a + 1) * b * Math.PI) / (2 * n)) * (x[b] - b);
        value -= 10 ** ((6 * a) / (n - 1)) * along * along;
      }
      return value;
    };
    const found = search(hill, new Array<number>(n).fill(0), 500);
    found.forEach((x, b) => expect(x).toBeCloseTo(b, 4));
  });

  it('follows the curved valley of Rosenbrock’s function', () => {
    const valley = (x: Float64Array): number => {
      let sum = 0;
      for (let a = 0; a < 4; a++) sum += 100 * (x[a + 1] - x[a] * x[a]) ** 2 + (1 - x[a]) ** 2;
      return -sum;
    };
    search(valley, [0, 0, 0, 0, 0], 400).forEach((x) => expect(x).toBeCloseTo(1, 4));
  });

  it('comes near the top in noise', () => {
    const noise = new RandomStream(3, Purpose.demand);
    const noisy = (x: Float64Array): number =>
      -x.reduce((sum, each) => sum + (each - 2) ** 2, 0) + 0.1 * noise.normal();
    for (const x of search(noisy, new Array<number>(6).fill(0), 300)) expect(Math.abs(x - 2)).toBeLessThan(0.5);
  });

  it('goes on from a snapshot as if it had not been interrupted', () => {
    const f = (x: ArrayLike<number>): number => -Array.from(x).reduce((sum, each, a) => sum + (a + 1) * each * each, 0);
    const step = (cma: CmaEs): void => {
      const candidates = cma.ask();
      const n = cma.dimensions;
      cma.tell(Array.from({ length: cma.population }, (_, k) => f(candidates.subarray(k * n, (k + 1) * n))));
    };
    const options = { mean: [3, -2, 1], sigma: 1, seed: 5 };
    const whole = new CmaEs(options);
    for (let g = 0; g < 30; g++) step(whole);
    const first = new CmaEs(options);
    for (let g = 0; g < 17; g++) step(first);
    const second = new CmaEs(options);
    second.restore(first.snapshot());
    for (let g = 17; g < 30; g++) step(second);
    expect(second.snapshot()).toEqual(whole.snapshot());
  });

  it('refuses what cannot be', () => {
    const cma = new CmaEs({ mean: [0, 0], sigma: 1, seed: 1 });
    cma.ask();
    expect(() => cma.tell([1, 2])).toThrow(`2 values: there are ${cma.population} candidates`);
    expect(() => cma.tell(new Array<number>(cma.population).fill(NaN))).toThrow('the value of candidate 0 is NaN');
    expect(() => new CmaEs({ mean: [0], sigma: 1, seed: 1 })).toThrow('mean has 1 numbers: it must have at least 2');
    expect(() => new CmaEs({ mean: [0, 0], sigma: 0, seed: 1 })).toThrow('sigma is 0: it must be a number above 0');
    expect(() => new CmaEs({ mean: [0, 0], sigma: 1, population: 3, seed: 1 })).toThrow('population is 3');
  });
});

describe('eigen', () => {
  it('takes a symmetric matrix apart', () => {
    const n = 7;
    const stream = new RandomStream(1, Purpose.demand);
    const matrix = new Float64Array(n * n);
    for (let a = 0; a < n; a++) for (let b = 0; b <= a; b++) matrix[a * n + b] = matrix[b * n + a] = stream.normal();
    const vectors = new Float64Array(n * n);
    const values = new Float64Array(n);
    eigen(matrix, n, vectors, values);
    for (let a = 0; a < n; a++) {
      for (let b = 0; b < n; b++) {
        let again = 0;
        let unit = 0;
        for (let k = 0; k < n; k++) {
          again += vectors[a * n + k] * values[k] * vectors[b * n + k];
          unit += vectors[k * n + a] * vectors[k * n + b];
        }
        expect(again).toBeCloseTo(matrix[a * n + b], 12);
        expect(unit).toBeCloseTo(a === b ? 1 : 0, 12);
      }
    }
  });
});
