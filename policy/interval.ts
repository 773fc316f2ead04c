// The one confidence interval that we print: 95%, of the mean of independent values, by Student's t.

const LEVEL = 0.95;

/**
 * Half width of the 95% interval of the mean; null for fewer than two values, as one says nothing about their spread.
 * @param values finite
 */
export function halfWidth(values: readonly number[]): number | null {
  const n = values.length;
  if (n < 2) return null;
  const mean = values.reduce((sum, value) => sum + value, 0) / n;
  const variance = values.reduce((sum, value) => sum + (value - mean) ** 2, 0) / (n - 1);
  return studentQuantile(n - 1) * Math.sqrt(variance / n);
}

/**
 * The t that |T| exceeds in 5% of cases.
 * @param freedom degrees of freedom, a whole number of at least 1
 */
export function studentQuantile(freedom: number): number {
  // In the angle, t = sqrt(freedom) tan(angle), the distribution is a finite sum; it grows from 0 to 1.
  let low = 0;
  let high = Math.PI / 2;
  for (let k = 0; k < 60; k++) {
    const angle = (low + high) / 2;
    if (within(angle, freedom) < LEVEL) low = angle;
    else high = angle;
  }
  return Math.sqrt(freedom) * Math.tan((low + high) / 2);
}

/** P(|T| <= t) for whole degrees of freedom (Abramowitz and Stegun 1964, 26.7.3 and 26.7.4). */
function within(angle: number, freedom: number): number {
  const cos = Math.cos(angle);
  const odd = freedom % 2;
  let term = odd === 1 ? cos : 1;
  let sum = freedom === 1 ? 0 : term;
  for (let k = 2 + odd; k < freedom; k += 2) {
    term *= ((k - 1) / k) * cos * cos;
    sum += term;
  }
  return odd === 1 ? (2 / Math.PI) * (angle + Math.sin(angle) * sum) : Math.sin(angle) * sum;
}
