// Functions whose results are the same to the last bit on every processor and in every version of Node: made of additions,
// multiplications and divisions alone, each rounded by itself. `Math.exp`, `Math.log`, `Math.cos` and `**` are the engine's own: the
// language leaves their last bits open, and compilers may fuse their multiplications and additions where a processor can.
//
// Method and coefficients of exp and log are those of fdlibm 5.3 (e_exp.c, e_log.c), accurate to less than one unit in the last place:
// Copyright (C) 2004 by Sun Microsystems, Inc. All rights reserved. Permission to use, copy, modify, and distribute this software is
// freely granted, provided that this notice is preserved.

const LN2_HIGH = 6.9314718036912381649e-1;
const LN2_LOW = 1.90821492927058770002e-10;

/** 2^(k - 1022) at index k, from the smallest normal number up. */
const powersOfTwo: Float64Array = new Float64Array(2046);
for (let k = 0, power = 2.2250738585072014e-308; k < 2046; k++, power *= 2) powersOfTwo[k] = power;

const bits = new Float64Array(1);
const words = new Int32Array(bits.buffer);
/** Index of the word with sign and exponent. */
const HIGH: 0 | 1 = new Uint8Array(Uint32Array.of(1).buffer)[0] === 1 ? 1 : 0;

/** e to the power of x. */
export function exp(x: number): number {
  if (!(x > -745.2)) return x <= -745.2 ? 0 : x;
  if (x === 1) return Math.E;
  if (x > 709.782712893384) return Infinity;
  const size = x < 0 ? -x : x;
  // x = k ln 2 + high - low, with |high - low| <= ln(2) / 2.
  let k = 0;
  let high = x;
  let low = 0;
  if (size > 0.34657359027997264) {
    k = size < 1.0397207708399179 ? (x < 0 ? -1 : 1) : Math.trunc(1.4426950408889634 * x + (x < 0 ? -0.5 : 0.5));
    high = x - k * LN2_HIGH;
    low = k * LN2_LOW;
  }
  const r = high - low;
  const t = r * r;
  const c =
    r -
    t *
      (1.66666666666666019037e-1 +
        t *
          (-2.77777777770155933842e-3 +
            t * (6.61375632143793436117e-5 + t * (-1.6533902205465251539e-6 + t * 4.13813679705723846039e-8))));
  if (k === 0) return size < 3.725290298461914e-9 ? 1 + x : 1 - ((r * c) / (c - 2) - r);
  const y = 1 - (low - (r * c) / (2 - c) - high);
  // Results below the smallest normal number take two steps, and so does the largest power.
  if (k < -1021) return y * powersOfTwo[k + 2022] * 9.332636185032189e-302;
  return k > 1023 ? y * 2 * powersOfTwo[2045] : y * powersOfTwo[k + 1022];
}

/** The natural logarithm of x. */
export function log(x: number): number {
  if (!(x > 0)) return x === 0 ? -Infinity : NaN;
  if (x === Infinity) return x;
  return x < 2.2250738585072014e-308 ? logOf(x * 18014398509481984, -54) : logOf(x, 0);
}

/** The logarithm of 2^shift x; x is normal. */
function logOf(x: number, shift: number): number {
  // x = 2^k (1 + f), with sqrt(2) / 2 <= 1 + f < sqrt(2).
  bits[0] = x;
  const word = words[HIGH];
  const mantissa = word & 0xfffff;
  const up = (mantissa + 0x95f64) & 0x100000;
  const power = (word >>> 20) - 1023 + (up >>> 20);
  const f = (power === 1024 ? 0.25 * x * powersOfTwo[0] : x * powersOfTwo[1022 - power]) - 1;
  const k = power + shift;
  if (((mantissa + 2) & 0xfffff) < 3) {
    // 1 + f is close to 1.
    if (f === 0) return k * LN2_HIGH + k * LN2_LOW;
    const r = f * f * (0.5 - 0.3333333333333333 * f);
    return k === 0 ? f - r : k * LN2_HIGH - (r - k * LN2_LOW - f);
  }
  const s = f / (2 + f);
  const z = s * s;
  const w = z * z;
  const even = w * (3.999999999940941908e-1 + w * (2.222219843214978396e-1 + w * 1.531383769920937332e-1));
  const odd =
    z *
    (6.66666666666673513e-1 +
      w * (2.857142874366239149e-1 + w * (1.818357216161805012e-1 + w * 1.479819860511658591e-1)));
  const r = odd + even;
  if (((mantissa - 0x6147a) | (0x6b851 - mantissa)) > 0) {
    const half = 0.5 * f * f;
    return k === 0 ? f - (half - s * (half + r)) : k * LN2_HIGH - (half - (s * (half + r) + k * LN2_LOW) - f);
  }
  return k === 0 ? f - s * (f - r) : k * LN2_HIGH - (s * (f - r) - k * LN2_LOW - f);
}

/** Coefficients of the Taylor series of cos and sin, lowest first. */
const cosSeries: readonly number[] = series(0);
const sinSeries: readonly number[] = series(1);

function series(first: number): number[] {
  const coefficients: number[] = [];
  for (let n = first, term = 1; n < first + 20; n += 2, term /= -n * (n - 1)) coefficients.push(term);
  return coefficients;
}

/** The cosine of `turns` whole turns, that is, of 2 pi `turns`; `turns` is from 0 to 1. */
export function cosTurns(turns: number): number {
  const quarter = Math.floor(4 * turns + 0.5);
  // At most an eighth of a turn, and exact.
  const x = 2 * Math.PI * (turns - quarter / 4);
  const z = x * x;
  const odd = quarter % 2 === 1;
  const coefficients = odd ? sinSeries : cosSeries;
  let sum = 0;
  for (let k = coefficients.length - 1; k >= 0; k--) sum = sum * z + coefficients[k];
  if (odd) return quarter % 4 === 1 ? -x * sum : x * sum;
  return quarter % 4 === 2 ? -sum : sum;
}

/** `base` to the power of a whole number of at least 0, by repeated squaring. */
export function wholePower(base: number, exponent: number): number {
  let result = 1;
  for (let square = base, left = exponent; left > 0; left = Math.floor(left / 2), square *= square) {
    if (left % 2 === 1) result *= square;
  }
  return result;
}
