// A check of anybody's vector environment against the contract of this room's own: plays it several times over and says what
// does not hold. Knows of the environment no more than `VectorEnvLike`.

import { check } from './check-options.js';
import { EngineError } from './errors.js';
import { Purpose, RandomStream } from './random.js';
import { kindOf, shownJson } from './shown.js';
import type { AutoresetMode, ResetOptions } from './vector-env.js';

/** Space of one environment's observation, as `BoxSpace` is one. */
export interface CheckedSpace {
  readonly dtype: string;
  readonly shape: readonly number[];
  /** Flat, of the product of `shape`. */
  readonly low: Float32Array;
  readonly high: Float32Array;
}

/** Beside the results; row by row. */
export interface VectorEnvInfos {
  /** `[numEnvs, n]` 0/1 */
  readonly actionMasks: Uint8Array;
  /** `[numEnvs]` 1 where the last action was illegal. */
  readonly invalidActions: Uint8Array;
  /** `[numEnvs, size]`: required under SAME_STEP; the observation on which an episode ended, where it just ended. */
  readonly finalObservations?: Float32Array;
  /** `[numEnvs, n]`: the mask that belongs to it. */
  readonly finalActionMasks?: Uint8Array;
}

/** What a step returns; row by row. The same arrays may be rewritten by each step. */
export interface VectorEnvStep {
  readonly observations: Float32Array;
  readonly rewards: Float32Array;
  readonly terminations: Uint8Array;
  readonly truncations: Uint8Array;
  readonly infos: VectorEnvInfos;
}

/** What `checkVectorEnv` needs of an environment; `VectorDispatchEnv` has it. */
export interface VectorEnvLike {
  readonly numEnvs: number;
  readonly singleObservationSpace: CheckedSpace;
  readonly singleActionSpace: { readonly n: number };
  /** If there is one: of shape `[numEnvs, ...]` of the single one. */
  readonly observationSpace?: CheckedSpace;
  readonly metadata: { readonly autoresetMode: AutoresetMode };
  /** The option `resetMask` is used under DISABLED only. */
  reset(request: ResetOptions): { readonly observations: Float32Array; readonly infos: VectorEnvInfos };
  /** @param actions `[numEnvs]`; the illegal ones among them are flagged, whatever else they do */
  step(actions: Int32Array): VectorEnvStep;
  /** A new environment of the same kind with another number; else the option `make` makes them. */
  resized?(numEnvs: number): VectorEnvLike;
}

/** What can be found wrong, in the order in which it is looked for. */
export const checkedKinds = ['space', 'reset', 'batch', 'mask', 'staleRow', 'finalObservation'] as const;
/** A kind of finding. */
export type CheckedKind = (typeof checkedKinds)[number];

/** Something that does not hold. */
export interface EnvFinding {
  readonly kind: CheckedKind;
  /** Environment, -1 if it concerns all. */
  readonly environment: number;
  /** Steps since the seeded reset, -1 if it concerns none. */
  readonly step: number;
  /** What was found and what was expected, for people. */
  readonly message: string;
}

/** Options of `checkVectorEnv`. */
export interface CheckVectorEnvOptions {
  /** Makes an environment of the same kind with another number. Default: the environment's own `resized`. */
  readonly make?: (numEnvs: number) => VectorEnvLike;
  /** Seed of what is played. Default 1. */
  readonly seed?: number;
  /** Steps of each play; an episode must end within them. Default 600. */
  readonly steps?: number;
}

/** Where rows of some environment change in at least this share of its steps, a row that stands still was not written. */
const MOVING = 0.95;

const compared = ['observations', 'actionMasks', 'rewards', 'terminations', 'truncations', 'invalidActions'] as const;
type Compared = (typeof compared)[number];

/** A play: of step t and environment e, at index `t * numEnvs + e`, the digest of each array's row. Step 0 is the reset. */
interface Play {
  readonly actions: Int32Array[];
  readonly digests: Readonly<Record<Compared, number[]>>;
  /** 1 where the row of observations is, to the byte, that of the step before. */
  readonly still: number[];
}

/**
 * Checks an environment against the contract that learners rely on. It is reset and stepped many times: give one that is
 * made for it. Found are:
 *
 * - `space`: observations, masks, rewards and flags that are not of the declared shape and dtype, or lie beyond the bounds. What
 *   has another shape or dtype than it says is not played.
 * - `reset`: the same seed and the same actions give something else the second time; or, under DISABLED, a reset of some
 *   environments changes the rows of others.
 * - `batch`: the same seed and the same actions give something else in a batch of another size. Not looked for where `reset` is
 *   found, as it would be found for that reason.
 * - `mask`: an action that the mask allows is flagged as illegal, or one that it forbids is not. Each play tries those
 *   actions first that have been tried least.
 * - `staleRow`: a row of observations is still that of the step before, where a batch of another size has a new one, or in a play
 *   in which rows of some environment change in at least 95% of its steps. With three environments or more it finds most.
 * - `finalObservation`: under SAME_STEP, final arrays share memory with the present ones, are overwritten before the next
 *   episode ends, or hold the next episode's first observation; else, that they are not the observation of the end.
 *
 * It returns findings and throws none, so that a caller sees all of them, and what the environment throws is told apart.
 *
 * @returns at most one finding of each kind for each environment; empty if everything holds
 * @throws EngineError `ERR_OPTION` if no episode ends within `steps`, or there is no way to make a batch of another size
 */
export function checkVectorEnv(env: VectorEnvLike, options: CheckVectorEnvOptions = {}): readonly EnvFinding[] {
  check.members('options', options, ['make', 'seed', 'steps'], [], '{ make, seed, steps }');
  const { seed = 1, steps = 600 } = options;
  check.whole('seed', seed, 0);
  check.whole('steps', steps, 1);
  const make = options.make ?? env.resized?.bind(env);
  if (make === undefined) {
    throw new EngineError(
      'ERR_OPTION',
      'the environment has no resized(numEnvs): give the option make, which makes one of another size',
    );
  }
  const findings = new EnvFindings();
  if (!checkSpaces(env, seed, findings)) return findings.all;
  const player = new Player(env, seed, findings);
  const first = player.play(steps, null);
  player.checkStill(first);
  const again = new Player(env, seed, null).play(steps, first.actions);
  const { numEnvs } = env;
  const repeated = compare(first, again, numEnvs, numEnvs, numEnvs);
  for (const { e, t, name } of repeated) {
    findings.add(
      'reset',
      e,
      t,
      `${name} differ from those of the same seed and actions before: expected the same bytes`,
    );
  }
  if (repeated.length > 0) return findings.all;
  // One less, as there may be no days for more.
  const size = numEnvs > 1 ? numEnvs - 1 : 2;
  const other = make(size);
  const actions = first.actions.map((row) => Int32Array.from({ length: size }, (_, e) => row[e] ?? 0));
  const resized = new Player(other, seed, null).play(steps, actions);
  for (const { e, t, name } of compare(first, resized, Math.min(size, numEnvs), numEnvs, size)) {
    const stale = first.still[t * numEnvs + e] !== resized.still[t * size + e];
    if (name === 'observations' && stale) findings.add('staleRow', e, t, staleMessage);
    else {
      findings.add('batch', e, t, `${name} differ from those of ${size} environments, seed and actions being the same`);
    }
  }
  return findings.all;
}

const staleMessage = 'observations are those of the step before: expected them to have been written';

class EnvFindings {
  readonly #found: EnvFinding[] = [];

  /** Sorted by kind, then as found. */
  get all(): readonly EnvFinding[] {
    return this.#found.toSorted((a, b) => checkedKinds.indexOf(a.kind) - checkedKinds.indexOf(b.kind));
  }

  /** The first of its kind and environment is kept. */
  add(kind: CheckedKind, environment: number, step: number, message: string): void {
    if (this.#found.some((one) => one.kind === kind && one.environment === environment)) return;
    this.#found.push({ kind, environment, step, message });
  }
}

/** Whether what the environment returns can be read as its spaces say. */
function checkSpaces(env: VectorEnvLike, seed: number, findings: EnvFindings): boolean {
  const { numEnvs, singleObservationSpace: single, singleActionSpace, observationSpace: batch } = env;
  let ok = true;
  const expect = (holds: boolean, what: string, found: unknown, expected: string): void => {
    if (holds) return;
    ok = false;
    findings.add('space', -1, -1, `${what} is ${shownJson(found)}: expected ${expected}`);
  };
  const size = sizeOf(single.shape);
  const expectSpace = (name: string, space: CheckedSpace, shape: readonly number[]): void => {
    expect(space.dtype === 'float32', `${name}.dtype`, space.dtype, '"float32"');
    expect(String(space.shape) === String(shape), `${name}.shape`, space.shape, JSON.stringify(shape));
    expect(space.low.length === sizeOf(shape), `length of ${name}.low`, space.low.length, String(sizeOf(shape)));
    expect(space.high.length === sizeOf(shape), `length of ${name}.high`, space.high.length, String(sizeOf(shape)));
  };
  expectSpace('singleObservationSpace', single, single.shape);
  if (batch !== undefined) expectSpace('observationSpace', batch, [numEnvs, ...single.shape]);
  const expectArray = (name: string, found: unknown, kind: string, length: number): void => {
    expect(kindOf(found) === kind, name, kindOf(found), `a ${kind}, as the dtype says`);
    const has = (found as ArrayLike<number> | undefined)?.length;
    expect(has === length, `length of ${name}`, has, `${length}, as the spaces say`);
  };
  const expectInfos = ({ actionMasks, invalidActions, finalObservations, finalActionMasks }: VectorEnvInfos): void => {
    expectArray('infos.actionMasks', actionMasks, 'Uint8Array', numEnvs * singleActionSpace.n);
    expectArray('infos.invalidActions', invalidActions, 'Uint8Array', numEnvs);
    if (finalObservations !== undefined || env.metadata.autoresetMode === 'SAME_STEP') {
      expectArray('infos.finalObservations', finalObservations, 'Float32Array', numEnvs * size);
    }
    if (finalActionMasks !== undefined) {
      expectArray('infos.finalActionMasks', finalActionMasks, 'Uint8Array', numEnvs * singleActionSpace.n);
    }
  };
  const { observations, infos } = env.reset({ seed });
  expectArray('observations', observations, 'Float32Array', numEnvs * size);
  expectInfos(infos);
  if (!ok) return false;
  const result = env.step(new Int32Array(numEnvs));
  expectArray('observations', result.observations, 'Float32Array', numEnvs * size);
  expectArray('rewards', result.rewards, 'Float32Array', numEnvs);
  expectArray('terminations', result.terminations, 'Uint8Array', numEnvs);
  expectArray('truncations', result.truncations, 'Uint8Array', numEnvs);
  expectInfos(result.infos);
  return ok;
}

/** Plays one environment; with `findings` it looks for what a single play shows. */
class Player {
  readonly #env: VectorEnvLike;
  readonly #seed: number;
  readonly #findings: EnvFindings | null;
  readonly #n: number;
  readonly #actions: number;
  readonly #size: number;
  readonly #mode: AutoresetMode;
  readonly #stream: RandomStream;
  /** How often each action has been taken while it was legal, and while it was not. */
  readonly #tried: readonly [Int32Array, Int32Array];
  /** Rows of the step before. */
  readonly #before: Float32Array;
  /** What was kept of the last end of each environment. */
  readonly #kept: (Float32Array | null)[];

  constructor(env: VectorEnvLike, seed: number, findings: EnvFindings | null) {
    this.#env = env;
    this.#seed = seed;
    this.#findings = findings;
    this.#n = env.numEnvs;
    this.#actions = env.singleActionSpace.n;
    this.#size = sizeOf(env.singleObservationSpace.shape);
    this.#mode = env.metadata.autoresetMode;
    this.#stream = new RandomStream(seed, Purpose.action);
    this.#tried = [new Int32Array(this.#actions), new Int32Array(this.#actions)];
    this.#before = new Float32Array(this.#n * this.#size);
    this.#kept = Array.from({ length: this.#n }, () => null);
  }

  /** @param given actions of each step; null: drawn, legal and illegal ones */
  play(steps: number, given: readonly Int32Array[] | null): Play {
    const n = this.#n;
    const digests: Play['digests'] = {
      observations: [],
      actionMasks: [],
      rewards: [],
      terminations: [],
      truncations: [],
      invalidActions: [],
    };
    const play: Play = { actions: [], digests, still: [] };
    const none = { rewards: new Float32Array(n), terminations: new Uint8Array(n), truncations: new Uint8Array(n) };
    let step: VectorEnvStep = { ...none, ...this.#env.reset({ seed: this.#seed }) };
    // Flags and rewards of a reset say nothing.
    this.#record(play, { ...step, infos: { ...step.infos, invalidActions: none.terminations } });
    let over = new Uint8Array(n);
    let ends = 0;
    for (let t = 1; t <= steps; t++) {
      if (this.#mode === 'DISABLED' && over.includes(1)) {
        step = this.#resetSome(over, t - 1, step);
        over = new Uint8Array(n);
      }
      const masks = Uint8Array.from(step.infos.actionMasks);
      const actions = given === null ? this.#choose(masks) : given[t - 1];
      this.#before.set(step.observations);
      step = this.#env.step(actions);
      this.#record(play, step);
      play.actions.push(actions);
      if (this.#findings !== null) this.#look(t, step, masks, actions, over);
      over = Uint8Array.from({ length: n }, (_, e) => step.terminations[e] | step.truncations[e]);
      ends += over.reduce((sum, one) => sum + one, 0);
    }
    if (ends === 0) {
      throw new EngineError('ERR_OPTION', `no episode ended within steps = ${steps}: give more steps`);
    }
    return play;
  }

  /** Rows that stand still in a play in which rows move. */
  checkStill({ still }: Play): void {
    const n = this.#n;
    const steps = still.length / n - 1;
    const first = new Int32Array(n).fill(-1);
    let fewest = steps;
    for (let e = 0; e < n; e++) {
      let count = 0;
      for (let t = 1; t <= steps; t++) {
        if (still[t * n + e] === 0) continue;
        if (count++ === 0) first[e] = t;
      }
      fewest = Math.min(fewest, count);
    }
    if (fewest > (1 - MOVING) * steps) return;
    first.forEach((t, e) => {
      if (t >= 0) this.#findings?.add('staleRow', e, t, staleMessage);
    });
  }

  /** For each environment a legal action or an illegal one, of those that have been tried least. */
  #choose(masks: Uint8Array): Int32Array {
    return Int32Array.from({ length: this.#n }, (_, e) => {
      const legal = this.#stream.float() < 0.5 ? 1 : 0;
      const tried = this.#tried[legal];
      const from = this.#stream.integer(0, this.#actions - 1);
      let best = -1;
      for (let k = 0; k < this.#actions; k++) {
        const a = (from + k) % this.#actions;
        if (masks[e * this.#actions + a] !== legal) continue;
        if (best < 0 || tried[a] < tried[best]) best = a;
      }
      if (best >= 0) tried[best]++;
      // None of that kind: the first action is as good as any.
      return Math.max(best, 0);
    });
  }

  #record({ digests, still }: Play, step: VectorEnvStep): void {
    const arrays = { ...step.infos, ...step };
    const width: Readonly<Record<string, number>> = { observations: this.#size, actionMasks: this.#actions };
    for (let e = 0; e < this.#n; e++) {
      for (const name of compared) digests[name].push(digestOf(arrays[name], e, width[name] ?? 1));
      still.push(equalRows(step.observations, this.#before, e, this.#size) ? 1 : 0);
    }
  }

  /** What one step shows. @param over environments whose step only resets, or that ended before */
  #look(t: number, step: VectorEnvStep, masks: Uint8Array, actions: Int32Array, over: Uint8Array): void {
    const findings = this.#findings!;
    const { low, high } = this.#env.singleObservationSpace;
    const { observations, infos } = step;
    const size = this.#size;
    for (let e = 0; e < this.#n; e++) {
      for (let k = 0; k < size; k++) {
        const value = observations[e * size + k];
        if (value >= low[k] && value <= high[k]) continue;
        findings.add('space', e, t, `observations[${e}, ${k}] is ${value}: expected ${low[k]} to ${high[k]}`);
      }
      const ended = (step.terminations[e] | step.truncations[e]) === 1;
      if (this.#mode !== 'NEXT_STEP' || over[e] === 0) {
        const legal = masks[e * this.#actions + actions[e]] === 1;
        const flagged = infos.invalidActions[e] === 1;
        if (legal === flagged) {
          const [says, does] = legal ? ['allows', 'flags it as illegal'] : ['forbids', 'accepts it'];
          findings.add('mask', e, t, `the mask ${says} action ${actions[e]}, and step ${does}: expected them to agree`);
        }
      }
      this.#lookAtFinal(t, e, step, ended);
    }
  }

  #lookAtFinal(t: number, e: number, { observations, infos }: VectorEnvStep, ended: boolean): void {
    const findings = this.#findings!;
    const { finalObservations, finalActionMasks } = infos;
    if (finalObservations === undefined) return;
    const size = this.#size;
    const fault = (what: string): void => findings.add('finalObservation', e, t, what);
    if (overlap(finalObservations, observations))
      fault('it shares memory with observations: expected an array of its own');
    if (finalActionMasks !== undefined && overlap(finalActionMasks, infos.actionMasks)) {
      fault('finalActionMasks share memory with actionMasks: expected an array of their own');
    }
    if (ended) {
      // What stands still is a stale row, whatever the final one says.
      const moved = !equalRows(this.#before, observations, e, size);
      const same = equalRows(finalObservations, observations, e, size);
      if (this.#mode !== 'SAME_STEP') {
        if (moved && !same) fault('it differs from the observation with which the episode ended');
      } else if (moved && same) {
        fault("it is the next episode's first observation: expected the one on which the episode ended");
      }
      this.#kept[e] = finalObservations.slice(e * size, (e + 1) * size);
      return;
    }
    const kept = this.#kept[e];
    if (kept === null || equalBytes(kept, finalObservations.subarray(e * size, (e + 1) * size))) return;
    fault('it has been overwritten before the next episode ended');
  }

  /** @returns whatever the next step goes on from */
  #resetSome(over: Uint8Array, t: number, step: VectorEnvStep): VectorEnvStep {
    const before = step.observations.slice();
    const { observations, infos } = this.#env.reset({ options: { resetMask: over } });
    for (let e = 0; e < this.#n; e++) {
      if (over[e] === 1 || equalRows(before, observations, e, this.#size)) continue;
      this.#findings?.add('reset', e, t, 'observations have changed, and resetMask does not name this environment');
    }
    return { ...step, observations, infos };
  }
}

/** The first difference of each environment below `count`, by its digests. */
function compare(
  a: Play,
  b: Play,
  count: number,
  sizeA: number,
  sizeB: number,
): readonly { readonly e: number; readonly t: number; readonly name: Compared }[] {
  const steps = a.still.length / sizeA;
  const differences: { e: number; t: number; name: Compared }[] = [];
  for (let e = 0; e < count; e++) {
    for (let t = 0; t < steps; t++) {
      const name = compared.find((one) => a.digests[one][t * sizeA + e] !== b.digests[one][t * sizeB + e]);
      if (name === undefined) continue;
      differences.push({ e, t, name });
      break;
    }
  }
  return differences;
}

function sizeOf(shape: readonly number[]): number {
  return shape.reduce((product, width) => product * width, 1);
}

type Row = Float32Array | Uint8Array;

function bytesOf(array: Row, from: number, to: number): Uint8Array {
  const width = array.BYTES_PER_ELEMENT;
  return new Uint8Array(array.buffer, array.byteOffset + from * width, (to - from) * width);
}

/** FNV-1a (Fowler, Noll and Vo) of row e. */
function digestOf(array: Row, e: number, width: number): number {
  let h = 0x811c9dc5;
  const bytes = bytesOf(array, e * width, (e + 1) * width);
  for (let k = 0; k < bytes.length; k++) h = Math.imul(h ^ bytes[k], 0x01000193);
  return h;
}

function equalBytes(a: Row, b: Row): boolean {
  const [mine, theirs] = [bytesOf(a, 0, a.length), bytesOf(b, 0, b.length)];
  if (mine.length !== theirs.length) return false;
  for (let k = 0; k < mine.length; k++) if (mine[k] !== theirs[k]) return false;
  return true;
}

function equalRows(a: Float32Array, b: Float32Array, e: number, width: number): boolean {
  return equalBytes(a.subarray(e * width, (e + 1) * width), b.subarray(e * width, (e + 1) * width));
}

function overlap(a: Row, b: Row): boolean {
  return (
    a.buffer === b.buffer && a.byteOffset < b.byteOffset + b.byteLength && b.byteOffset < a.byteOffset + a.byteLength
  );
}
