// The vector environment: Gymnasium's names and semantics over a World. Outputs are views into memory that the caller
// may own; they are rewritten by every step and must not be written to.

import { compileScenario } from './compile.js';
import type { CompiledScenario } from './compile.js';
import { EngineError } from './errors.js';
import { allocate, viewsOf } from './layout.js';
import { observationKinds } from './observation.js';
import type { ObservationKind } from './observation.js';
import { preset } from './presets.js';
import type { Scenario } from './scenario.js';
import type { Dataset, Split } from './trace.js';
import { outputSpec, stateSpec } from './world-layout.js';
import type { OutputViews } from './world-layout.js';
import { World } from './world.js';
import type { EpisodeSource } from './world.js';

export type AutoresetMode = 'SAME_STEP' | 'NEXT_STEP' | 'DISABLED';
const autoresetModes: readonly AutoresetMode[] = ['SAME_STEP', 'NEXT_STEP', 'DISABLED'];

export interface VectorDispatchEnvOptions {
  /** A built-in name, or a scenario. */
  readonly scenario: string | Scenario | CompiledScenario;
  /** Trips and tables; needed by scenarios that run on recorded trips. */
  readonly dataset?: Dataset | null;
  /** Number of environments, at least 1. */
  readonly numEnvs: number;
  /** Default `full`. */
  readonly observation?: ObservationKind;
  /** What happens when an episode ends. Default `SAME_STEP`. */
  readonly autoresetMode?: AutoresetMode;
  /** Index of environment 0 over the whole run: a part of a batch draws what the whole batch would. Default 0. */
  readonly firstEnv?: number;
  /** Which recorded days are played. Default: days of the training split, drawn from the seed. */
  readonly source?: EpisodeSource;
  /** Memory for the state and for the outputs, of `stateSpec` and `outputSpec`; allocated when absent. */
  readonly stateBuffer?: SharedArrayBuffer;
  readonly outputBuffer?: SharedArrayBuffer;
}

export interface ResetOptions {
  /** Base seed, a non-negative safe integer; environment i draws from (seed, firstEnv + i). Default: the seed stays, the episode counts on. */
  readonly seed?: number;
  readonly options?: {
    /** `[numEnvs]` 0/1: which environments to reset. Default: all. */
    readonly resetMask?: Uint8Array;
  };
}

/** Everything beside the five results; all arrays are `[numEnvs, ...]` and rewritten by each step. */
export interface StepInfos {
  /** `[numEnvs, actions]` 0/1 */
  readonly actionMasks: Uint8Array;
  /** 1 where the last action was illegal and acted as a wait. */
  readonly invalidActions: Uint8Array;
  /** `[numEnvs, size]`: under SAME_STEP, the observation on which an episode ended, where it just ended. */
  readonly finalObservations: Float32Array;
  /** Of the episode that ended last. */
  readonly episodeReturns: Float64Array;
  readonly episodeLengths: Int32Array;
  /** `[numEnvs, kpiNames.length]` */
  readonly episodeKpis: Float64Array;
}

export interface StepResult {
  /** `[numEnvs, size]` */
  readonly observations: Float32Array;
  readonly rewards: Float32Array;
  readonly terminations: Uint8Array;
  readonly truncations: Uint8Array;
  readonly infos: StepInfos;
}

export interface BoxSpace {
  readonly type: 'Box';
  readonly shape: readonly [number];
  readonly dtype: 'float32';
}

export interface DiscreteSpace {
  readonly type: 'Discrete';
  readonly n: number;
}

/** The days that training draws from, and those that an evaluation lists. */
export function episodeSource(dataset: Dataset | null, split: Split, mode: EpisodeSource['mode']): EpisodeSource {
  return { mode, days: Int32Array.from(dataset === null ? [] : dataset.splits[split]) };
}

export class VectorDispatchEnv {
  readonly numEnvs: number;
  readonly singleObservationSpace: BoxSpace;
  readonly singleActionSpace: DiscreteSpace;
  readonly metadata: { readonly autoresetMode: AutoresetMode };
  readonly world: World;
  readonly #out: OutputViews;
  readonly #result: StepResult;
  readonly #mode: AutoresetMode;
  #ready = false;

  /** @throws EngineError `ERR_SCENARIO`, `ERR_TRACE`, `ERR_OPTION`, `ERR_BUFFER` */
  constructor(options: VectorDispatchEnvOptions) {
    const { numEnvs, dataset = null, observation = 'full', autoresetMode = 'SAME_STEP', firstEnv = 0 } = options;
    wholeNumber('numEnvs', numEnvs, 1);
    wholeNumber('firstEnv', firstEnv, 0);
    oneOf('observation', observation, observationKinds);
    oneOf('autoresetMode', autoresetMode, autoresetModes);
    const given = typeof options.scenario === 'string' ? preset(options.scenario) : options.scenario;
    const compiled = 'factorByMinute' in given ? given : compileScenario(given, dataset);
    const source = options.source ?? episodeSource(compiled.dataset, 'training', 'sampled');
    if (compiled.dataset !== null && source.days.length < (source.mode === 'listed' ? numEnvs : 1)) {
      throw new EngineError('ERR_OPTION', `source.days lists ${source.days.length} days for ${numEnvs} environments`);
    }
    const states = stateSpec(compiled, numEnvs);
    const outputs = outputSpec(compiled, numEnvs, observation);
    this.#out = viewsOf(outputs, options.outputBuffer ?? allocate(outputs));
    this.world = new World(
      compiled,
      viewsOf(states, options.stateBuffer ?? allocate(states)),
      this.#out,
      observation,
      source,
      firstEnv,
    );
    this.numEnvs = numEnvs;
    this.singleObservationSpace = { type: 'Box', shape: [this.world.observationSize], dtype: 'float32' };
    this.singleActionSpace = { type: 'Discrete', n: this.world.actions };
    this.metadata = { autoresetMode };
    this.#mode = autoresetMode;
    this.#result = { ...this.#out, infos: this.#out };
  }

  /** Starts episodes and writes first observations and masks. */
  reset(request: ResetOptions = {}): { observations: Float32Array; infos: StepInfos } {
    const { seed, options } = request;
    const mask = options?.resetMask;
    if (seed !== undefined) wholeNumber('seed', seed, 0);
    if (mask !== undefined && mask.length !== this.numEnvs) {
      throw new EngineError('ERR_OPTION', `resetMask has ${mask.length} entries, expected ${this.numEnvs}`);
    }
    const { state } = this.world;
    for (let e = 0; e < this.numEnvs; e++) {
      if (mask !== undefined && mask[e] === 0) continue;
      if (seed !== undefined) this.world.reset(e, seed, 0);
      else this.world.reset(e, state.seed[e], this.#ready ? state.episode[e] + 1 : 0);
      state.ended[e] = 0;
      this.#out.rewards[e] = this.#out.terminations[e] = this.#out.truncations[e] = this.#out.invalidActions[e] = 0;
    }
    this.#ready ||= mask === undefined || mask.every((m) => m !== 0);
    return { observations: this.#out.observations, infos: this.#out };
  }

  /** Goes on from the state that its buffers hold, as another thread or an earlier run left it. */
  resume(): void {
    this.#ready = true;
  }

  /**
   * One decision in each environment.
   * @param actions `[numEnvs]`; out of range or illegal ones act as waits and are flagged
   * @throws EngineError `ERR_ACTION` before the first reset, or for a wrong number of actions
   */
  step(actions: Int32Array): StepResult {
    if (!this.#ready) throw new EngineError('ERR_ACTION', 'step() before reset(): call reset({ seed }) first');
    if (actions.length !== this.numEnvs) {
      throw new EngineError('ERR_ACTION', `${actions.length} actions for ${this.numEnvs} environments`);
    }
    this.stepRange(actions, 0, this.numEnvs);
    return this.#result;
  }

  /** As `step`, for environments `from` to `to` (exclusive) only: threads that share the buffers each step their own. */
  stepRange(actions: Int32Array, from: number, to: number): void {
    for (let e = from; e < to; e++) this.#stepOne(e, actions[e]);
  }

  #stepOne(e: number, action: number): void {
    const out = this.#out;
    const world = this.world;
    const { ended } = world.state;
    if (ended[e] === 1) {
      // Under DISABLED an ended environment stands still until it is reset.
      out.rewards[e] = 0;
      if (this.#mode === 'DISABLED') return;
      ended[e] = 0;
      out.terminations[e] = out.truncations[e] = out.invalidActions[e] = 0;
      world.reset(e, world.state.seed[e], world.state.episode[e] + 1);
      return;
    }
    world.step(e, action);
    if ((out.terminations[e] | out.truncations[e]) === 0) return;
    world.writeEpisode(e);
    const size = world.observationSize;
    // Into a buffer of its own, before the reset below rewrites the row.
    const from = e * size;
    for (let k = from; k < from + size; k++) out.finalObservations[k] = out.observations[k]!;
    if (this.#mode === 'SAME_STEP') world.reset(e, world.state.seed[e], world.state.episode[e] + 1);
    else ended[e] = 1;
  }
}

function wholeNumber(name: string, value: number, min: number): void {
  if (!Number.isSafeInteger(value) || value < min) {
    throw new EngineError('ERR_OPTION', `${name} is ${String(value)}: it must be a whole number of at least ${min}`);
  }
}

function oneOf(name: string, value: string, allowed: readonly string[]): void {
  if (!allowed.includes(value))
    throw new EngineError('ERR_OPTION', `${name} is "${value}": choose one of ${allowed.join(', ')}`);
}
