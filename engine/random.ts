// Seeded random streams. A stream is a function of (seed, environment, episode, purpose) and of nothing else:
// not of the worker that draws from it, nor of how many environments share its batch.

import { cosTurns, log } from './exact-math.js';

/** Words of state that one stream takes in an Int32Array. */
export const STREAM_WORDS = 4;

/** What a stream is for. Separate purposes never share draws, so demand is the same whatever a policy does. */
export const Purpose = { demand: 0, start: 1, day: 2, action: 3, shuffle: 4, weights: 5 } as const;
/** A value of `Purpose`. */
export type Purpose = (typeof Purpose)[keyof typeof Purpose];

/** Finaliser of MurmurHash3 (Appleby, public domain): every input bit reaches every output bit. */
function mix(h: number): number {
  h ^= h >>> 16;
  h = Math.imul(h, 0x85ebca6b);
  h ^= h >>> 13;
  h = Math.imul(h, 0xc2b2ae35);
  return h ^ (h >>> 16);
}

function streamKey(seed: number, env: number, episode: number, purpose: Purpose): number {
  let h = mix((seed | 0) ^ 0x9e3779b9);
  h = mix((h + (Math.floor(seed / 0x100000000) | 0)) | 0);
  h = mix((h ^ Math.imul(env + 1, 0x9e3779b1)) | 0);
  h = mix((h ^ Math.imul(episode + 1, 0x85ebca77)) | 0);
  return mix((h ^ Math.imul(purpose + 1, 0xc2b2ae3d)) | 0);
}

/**
 * Seeds the stream whose four words start at `state[p]`.
 * @param seed    non-negative safe integer
 * @param env     index of the environment over the whole run (not within a worker)
 * @param episode episode of that environment, 0 first
 */
export function seedStream(
  state: Int32Array,
  p: number,
  seed: number,
  env: number,
  episode: number,
  purpose: Purpose,
): void {
  const h = streamKey(seed, env, episode, purpose);
  state[p] = h;
  state[p + 1] = mix((h ^ seed ^ Math.imul(env, 0x27d4eb2f)) | 0);
  state[p + 2] = mix((h + Math.imul(episode, 0x165667b1)) | 0);
  state[p + 3] = 1;
  for (let i = 0; i < 12; i++) nextFloat(state, p);
}

/** The next number in [0, 1), a multiple of 2^-32, of the stream at `state[p]`. Generator: sfc32 (Doty-Humphrey, PractRand). */
export function nextFloat(state: Int32Array, p: number): number {
  const a = state[p];
  const b = state[p + 1];
  const c = state[p + 2];
  const d = state[p + 3];
  const t = (((a + b) | 0) + d) | 0;
  state[p + 3] = (d + 1) | 0;
  state[p] = b ^ (b >>> 9);
  state[p + 1] = (c + (c << 3)) | 0;
  state[p + 2] = (((c << 21) | (c >>> 11)) + t) | 0;
  return (t >>> 0) * 2.3283064365386963e-10;
}

/** The next `count` numbers of the stream at `state[p]`, as `nextFloat` gives them one by one. */
export function nextFloats(state: Int32Array, p: number, into: Float64Array, count: number): void {
  let a = state[p];
  let b = state[p + 1];
  let c = state[p + 2];
  let d = state[p + 3];
  for (let k = 0; k < count; k++) {
    const t = (((a + b) | 0) + d) | 0;
    d = (d + 1) | 0;
    a = b ^ (b >>> 9);
    b = (c + (c << 3)) | 0;
    c = (((c << 21) | (c >>> 11)) + t) | 0;
    into[k] = (t >>> 0) * 2.3283064365386963e-10;
  }
  state[p] = a;
  state[p + 1] = b;
  state[p + 2] = c;
  state[p + 3] = d;
}

/** The integer in [low, high], both inclusive, that a number in [0, 1) stands for. */
export function integerOf(float: number, low: number, high: number): number {
  return low + Math.floor(float * (high - low + 1));
}

/**
 * The number in [0, 1) that belongs to one step of an episode. Nothing is carried from step to step, so everyone who takes
 * the step draws the same. Parameters as of `seedStream`.
 */
export function floatAt(seed: number, env: number, episode: number, purpose: Purpose, step: number): number {
  const h = mix((streamKey(seed, env, episode, purpose) + Math.imul(step + 1, 0x9e3779b9)) | 0);
  return (h >>> 0) * 2.3283064365386963e-10;
}

/** The next integer in [low, high], both inclusive, of the stream at `state[p]`. */
export function nextInteger(state: Int32Array, p: number, low: number, high: number): number {
  return integerOf(nextFloat(state, p), low, high);
}

/** A stream on its own, for code that is not inside an environment (weights, minibatch order, look-ahead). */
export class RandomStream {
  /** The stream's words: save and set them to go on where it was. */
  readonly state: Int32Array = new Int32Array(STREAM_WORDS);

  /** Parameters as of `seedStream`. */
  constructor(seed: number, purpose: Purpose, env = 0, episode = 0) {
    seedStream(this.state, 0, seed, env, episode, purpose);
  }

  /** The next number in [0, 1), a multiple of 2^-32. */
  float(): number {
    return nextFloat(this.state, 0);
  }

  /** The next integer in [low, high], both inclusive. */
  integer(low: number, high: number): number {
    return nextInteger(this.state, 0, low, high);
  }

  /** A standard normal number (Box and Muller 1958), one of the pair. */
  normal(): number {
    const u = 1 - this.float();
    return Math.sqrt(-2 * log(u)) * cosTurns(this.float());
  }
}
