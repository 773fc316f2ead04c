// Spaces with Gymnasium's names and meanings: which values an observation or an action can have, and draws from them. Draws
// come from seeded streams only, so that they can be repeated. Knows nothing of dispatch.

import { EngineError } from './errors.js';
import { log } from './exact-math.js';
import { Purpose, RandomStream } from './random.js';
import { kindOf, shown } from './shown.js';

/** What all spaces share: the stream that they draw from. */
abstract class Space {
  #stream = new RandomStream(0, Purpose.action);

  /**
   * Starts the space's own stream anew; a new space has that of seed 0.
   * @param seed non-negative safe integer
   * @throws EngineError `ERR_OPTION`
   */
  seed(seed: number): void {
    if (!Number.isSafeInteger(seed) || seed < 0) {
      throw new EngineError('ERR_OPTION', `seed is ${shown(seed)}: it must be a whole number of at least 0`);
    }
    this.#stream = new RandomStream(seed, Purpose.action);
  }

  /** The stream to draw from: what was given, or the space's own. */
  protected drawn(stream: RandomStream | undefined): RandomStream {
    return stream ?? this.#stream;
  }
}

/** Float32 numbers, each between bounds of its own. */
export class BoxSpace extends Space {
  /** As Gymnasium's class. */
  readonly type = 'Box';
  /** Of the typed arrays that hold the numbers. */
  readonly dtype = 'float32';
  /** Such as `[size]`, or `[numEnvs, size]` of a batch; arrays are flat, row by row. */
  readonly shape: readonly number[];
  /** Least value of each number; may be infinite. */
  readonly low: Float32Array;
  /** Greatest value of each number, itself included; may be infinite. */
  readonly high: Float32Array;

  /** @throws EngineError `ERR_OPTION` for bounds that are not of this shape, no numbers, or crossed */
  constructor(low: Float32Array, high: Float32Array, shape: readonly number[] = [low.length]) {
    super();
    const size = shape.reduce((product, width) => product * width, 1);
    for (const [name, bound] of [
      ['low', low],
      ['high', high],
    ] as const) {
      if (kindOf(bound) === 'Float32Array' && bound.length === size) continue;
      throw new EngineError('ERR_OPTION', `${name} is ${shown(bound)}: expected a Float32Array of ${size} numbers`);
    }
    const at = low.findIndex((least, k) => !(least <= high[k]));
    if (at >= 0) {
      throw new EngineError('ERR_OPTION', `low[${at}] is ${low[at]}: it must not be above high[${at}], ${high[at]}`);
    }
    this.shape = shape;
    this.low = low;
    this.high = high;
  }

  /** Whether `x` is a Float32Array of this size within the bounds; NaN lies in none. */
  contains(x: unknown): boolean {
    if (kindOf(x) !== 'Float32Array') return false;
    const values = x as Float32Array;
    return (
      values.length === this.low.length && values.every((value, k) => value >= this.low[k] && value <= this.high[k])
    );
  }

  /**
   * A value at random: uniform between the bounds; where one is infinite, exponential from the other; where both are, normal.
   * @param _mask  there is none for numbers: null
   * @param stream to draw from; default: the space's own
   */
  sample(_mask?: null, stream?: RandomStream): Float32Array {
    const random = this.drawn(stream);
    const { low, high } = this;
    return low.map((least, k) => {
      const greatest = high[k];
      if (least === -Infinity && greatest === Infinity) return random.normal();
      if (least === -Infinity) return greatest + log(1 - random.float());
      if (greatest === Infinity) return least - log(1 - random.float());
      // Rounding to float32 must not step over a bound.
      return Math.min(Math.max(Math.fround(least + random.float() * (greatest - least)), least), greatest);
    });
  }

  /** The space of `n` such values, `[n, ...shape]`. */
  batch(n: number): BoxSpace {
    const repeated = (bound: Float32Array): Float32Array => {
      const all = new Float32Array(n * bound.length);
      for (let e = 0; e < n; e++) all.set(bound, e * bound.length);
      return all;
    };
    return new BoxSpace(repeated(this.low), repeated(this.high), [n, ...this.shape]);
  }
}

/** One whole number from 0 to n - 1. */
export class DiscreteSpace extends Space {
  /** As Gymnasium's class. */
  readonly type = 'Discrete';
  /** Of the typed arrays that hold actions. */
  readonly dtype = 'int32';
  /** A single number. */
  readonly shape: readonly number[] = [];
  /** How many values there are. */
  readonly n: number;
  /** Least of them. */
  readonly low = 0;
  /** Greatest of them, n - 1. */
  readonly high: number;

  /** @throws EngineError `ERR_OPTION` unless n is a whole number of at least 1 */
  constructor(n: number) {
    super();
    if (!Number.isSafeInteger(n) || n < 1) {
      throw new EngineError('ERR_OPTION', `n is ${shown(n)}: it must be a whole number of at least 1`);
    }
    this.n = n;
    this.high = n - 1;
  }

  /** Whether `x` is a whole number from 0 to n - 1. */
  contains(x: unknown): boolean {
    return Number.isInteger(x) && (x as number) >= 0 && (x as number) < this.n;
  }

  /**
   * A value at random, each with the same probability.
   * @param mask   `[n]` 0/1: only values with a 1 are drawn; if there is none, 0 is. Default: all
   * @param stream to draw from; default: the space's own
   * @throws EngineError `ERR_OPTION` for a mask that is not `[n]`
   */
  sample(mask?: Uint8Array | null, stream?: RandomStream): number {
    const random = this.drawn(stream);
    if (mask === undefined || mask === null) return random.integer(0, this.n - 1);
    checkMask(mask, this.n);
    return sampleRow(mask, 0, this.n, random);
  }

  /** The space of `n` such values, `[n]`. */
  batch(n: number): MultiDiscreteSpace {
    return new MultiDiscreteSpace(n, this.n);
  }
}

/** One action for each environment of a batch. */
export class MultiDiscreteSpace extends Space {
  /** As Gymnasium's class. */
  readonly type = 'MultiDiscrete';
  /** Of the typed array that holds the actions. */
  readonly dtype = 'int32';
  /** `[numEnvs]` */
  readonly shape: readonly number[];
  /** How many values each has, `[numEnvs]`. */
  readonly nvec: Int32Array;
  /** Least of them, `[numEnvs]`. */
  readonly low: Int32Array;
  /** Greatest of them, `[numEnvs]`. */
  readonly high: Int32Array;

  /**
   * @param count how many actions
   * @param n     how many values each has
   */
  constructor(count: number, n: number) {
    super();
    this.shape = [count];
    this.nvec = new Int32Array(count).fill(n);
    this.low = new Int32Array(count);
    this.high = new Int32Array(count).fill(n - 1);
  }

  /** Whether `x` is an Int32Array of this length, each entry from 0 to its n - 1. */
  contains(x: unknown): boolean {
    if (kindOf(x) !== 'Int32Array') return false;
    const values = x as Int32Array;
    return values.length === this.nvec.length && values.every((value, e) => value >= 0 && value < this.nvec[e]);
  }

  /**
   * Values at random, as of `DiscreteSpace`.
   * @param mask   `[numEnvs, n]` 0/1, such as `infos.actionMasks`. Default: all are allowed
   * @param stream to draw from; default: the space's own
   * @throws EngineError `ERR_OPTION` for a mask of another size
   */
  sample(mask?: Uint8Array | null, stream?: RandomStream): Int32Array {
    const random = this.drawn(stream);
    const { nvec } = this;
    if (mask === undefined || mask === null) return nvec.map((n) => random.integer(0, n - 1));
    checkMask(
      mask,
      nvec.reduce((sum, n) => sum + n, 0),
    );
    return nvec.map((n, e) => sampleRow(mask, e * n, n, random));
  }
}

function checkMask(mask: Uint8Array, size: number): void {
  if (kindOf(mask) === 'Uint8Array' && mask.length === size) return;
  const found = kindOf(mask) === 'Uint8Array' ? `a Uint8Array of ${mask.length}` : shown(mask);
  throw new EngineError('ERR_OPTION', `mask is ${found}: expected a Uint8Array of ${size}, 0 or 1 each`);
}

/** One of the values k with a 1 in `mask[from + k]`, k below n; 0 if there is none, as Gymnasium's. */
function sampleRow(mask: Uint8Array, from: number, n: number, random: RandomStream): number {
  let legal = 0;
  for (let k = 0; k < n; k++) legal += mask[from + k];
  if (legal === 0) return 0;
  let left = random.integer(0, legal - 1);
  for (let k = 0; ; k++) if (mask[from + k] !== 0 && left-- === 0) return k;
}
