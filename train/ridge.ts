// Linear regression with a ridge penalty on standardised columns, by the normal equations (Hoerl and Kennard 1970). The sums run in
// the order of the rows, so that the result is the same to the byte wherever it is computed.

/** A fitted linear function. */
export interface LinearFit {
  /** `[columns]` weight of each column as it is */
  readonly weights: Float64Array;
  readonly bias: number;
}

/** Columns that vary less than this are constant. */
const CONSTANT = 1e-6;

/** Mean and standard deviation of each column; 0 for one that is constant. */
export interface ColumnScale {
  readonly mean: Float64Array;
  readonly deviation: Float64Array;
}

/**
 * Scale of the columns of some rows.
 * @param features `[rows, columns]`
 * @param used     numbers of the rows that count
 */
export function columnScale(features: Float32Array, columns: number, used: Int32Array): ColumnScale {
  const mean = new Float64Array(columns);
  const deviation = new Float64Array(columns);
  const n = Math.max(1, used.length);
  for (const row of used) for (let c = 0; c < columns; c++) mean[c] += features[row * columns + c];
  for (let c = 0; c < columns; c++) mean[c] /= n;
  for (const row of used) {
    for (let c = 0; c < columns; c++) {
      const off = features[row * columns + c] - mean[c];
      deviation[c] += off * off;
    }
  }
  for (let c = 0; c < columns; c++) {
    deviation[c] = Math.sqrt(deviation[c] / n);
    if (deviation[c] < CONSTANT) deviation[c] = 0;
  }
  return { mean, deviation };
}

/**
 * Fits `targets` by a weighted sum of the columns.
 * @param features `[rows, columns]`
 * @param targets  `[rows]`
 * @param used     numbers of the rows that count
 * @param penalty  on the squared weights of standardised columns, above 0
 */
export function fitRidge(
  features: Float32Array,
  targets: Float64Array,
  columns: number,
  used: Int32Array,
  penalty: number,
): LinearFit {
  const { mean, deviation } = columnScale(features, columns, used);
  let middle = 0;
  for (const row of used) middle += targets[row];
  middle /= Math.max(1, used.length);
  const gram = new Float64Array(columns * columns);
  const right = new Float64Array(columns);
  const x = new Float64Array(columns);
  for (const row of used) {
    const y = targets[row] - middle;
    for (let c = 0; c < columns; c++) {
      x[c] = deviation[c] === 0 ? 0 : (features[row * columns + c] - mean[c]) / deviation[c];
    }
    for (let a = 0; a < columns; a++) {
      const xa = x[a];
      if (xa === 0) continue;
      right[a] += xa * y;
      // The lower half is enough.
      for (let b = 0; b <= a; b++) gram[a * columns + b] += xa * x[b];
    }
  }
  for (let c = 0; c < columns; c++) gram[c * columns + c] += penalty;
  solvePositive(gram, right, columns);
  const weights = new Float64Array(columns);
  let bias = middle;
  for (let c = 0; c < columns; c++) {
    if (deviation[c] === 0) continue;
    weights[c] = right[c] / deviation[c];
    bias -= weights[c] * mean[c];
  }
  return { weights, bias };
}

/**
 * Solves A x = b by Cholesky's decomposition; x replaces b, the decomposition the lower half of A.
 * @param a `[n, n]` positive definite; only its lower half is read
 */
function solvePositive(a: Float64Array, b: Float64Array, n: number): void {
  for (let j = 0; j < n; j++) {
    for (let k = 0; k < j; k++) {
      const factor = a[j * n + k];
      if (factor === 0) continue;
      for (let i = j; i < n; i++) a[i * n + j] -= a[i * n + k] * factor;
    }
    const root = Math.sqrt(a[j * n + j]);
    for (let i = j; i < n; i++) a[i * n + j] /= root;
  }
  for (let i = 0; i < n; i++) {
    for (let k = 0; k < i; k++) b[i] -= a[i * n + k] * b[k];
    b[i] /= a[i * n + i];
  }
  for (let i = n - 1; i >= 0; i--) {
    for (let k = i + 1; k < n; k++) b[i] -= a[k * n + i] * b[k];
    b[i] /= a[i * n + i];
  }
}
