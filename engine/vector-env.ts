// The vector environment: Gymnasium's names and semantics over a World. Outputs are views into memory that the caller
// may own; they are rewritten by every step and must not be written to.

import { observationBounds } from './bounds.js';
import { check } from './check-options.js';
import { compileScenario } from './compile.js';
import type { CompiledScenario } from './compile.js';
import { ENV_SNAPSHOT_VERSION, checkEnvSnapshot, datasetDigest, plainScenario } from './env-snapshot.js';
import type { EnvIdentity, EnvSnapshot } from './env-snapshot.js';
import { checkSource, episodeSource } from './episode.js';
import type { EpisodeSource } from './episode.js';
import { EngineError } from './errors.js';
import { allocate, viewsOf } from './layout.js';
import { observationKinds } from './observation.js';
import type { ObservationKind } from './observation.js';
import { PAIR_COLUMNS, PairWriter } from './pairs.js';
import { preset } from './presets.js';
import type { Scenario } from './scenario.js';
import { BoxSpace, DiscreteSpace } from './spaces.js';
import type { MultiDiscreteSpace } from './spaces.js';
import type { Dataset } from './trace.js';
import { outputSpec, stateSpec } from './world-layout.js';
import type { OutputViews } from './world-layout.js';
import { World } from './world.js';
import { kindOf, shown } from './shown.js';

/** What happens when an episode ends; see the engine's README. */
export type AutoresetMode = 'SAME_STEP' | 'NEXT_STEP' | 'DISABLED';
const autoresetModes: readonly AutoresetMode[] = ['SAME_STEP', 'NEXT_STEP', 'DISABLED'];

/** Options of `VectorDispatchEnv`. */
export interface VectorDispatchEnvOptions {
  /** A built-in name, or a scenario. */
  readonly scenario: string | Scenario | CompiledScenario;
  /** Trips and tables: required by a scenario on recorded trips, refused by others; a compiled scenario has its own. */
  readonly dataset?: Dataset | null;
  /** Number of environments, at least 1. */
  readonly numEnvs: number;
  /** Default `full`. */
  readonly observation?: ObservationKind;
  /** What happens when an episode ends. Default `SAME_STEP`. */
  readonly autoresetMode?: AutoresetMode;
  /** Index of environment 0 over the whole run: a part of a batch draws what the whole batch would. Default 0. */
  readonly firstEnv?: number;
  /** Which recorded days are played, ignored without recorded trips. Default: drawn from the training split. */
  readonly source?: EpisodeSource;
  /** Keep the `pairs` rows of final observations too, in `infos.finalPairs`. Default false. */
  readonly finalPairs?: boolean;
  /** Memory for the state and for the outputs, of `stateSpec` and `outputSpec`; allocated when absent. */
  readonly stateBuffer?: SharedArrayBuffer;
  readonly outputBuffer?: SharedArrayBuffer;
}

const optionNames: readonly (keyof VectorDispatchEnvOptions)[] = [
  'scenario',
  'dataset',
  'numEnvs',
  'observation',
  'autoresetMode',
  'firstEnv',
  'source',
  'finalPairs',
  'stateBuffer',
  'outputBuffer',
];

/** What `reset` takes. */
export interface ResetOptions {
  /** Base seed, a non-negative safe integer; environment i draws from (seed, firstEnv + i). Default: the seed stays, the episode counts on. */
  readonly seed?: number;
  readonly options?: {
    /** `[numEnvs]` true or 1: which environments to reset. Default: all. */
    readonly resetMask?: Uint8Array | readonly boolean[];
  };
}

/** The `pairs` rows of final observations: those that `PairWriter` would have written there. */
export interface FinalPairs {
  /** `[numEnvs]`: how many rows environment e has; they start at row e * actions. */
  readonly counts: Int32Array;
  /** `[numEnvs, actions]`: the legal actions, ascending. */
  readonly actions: Int32Array;
  /** `[numEnvs, actions, PAIR_COLUMNS]` */
  readonly features: Float32Array;
}

/** Everything beside the five results; all arrays are `[numEnvs, ...]` and rewritten by each step. */
export interface StepInfos {
  /** `[numEnvs, actions]` 0/1 */
  readonly actionMasks: Uint8Array;
  /** 1 where the last action was illegal and acted as a wait. */
  readonly invalidActions: Uint8Array;
  /** `[numEnvs, size]`: under SAME_STEP, the observation on which an episode ended, where it just ended. */
  readonly finalObservations: Float32Array;
  /** `[numEnvs, actions]` 0/1: the mask that belongs to it, where `actionMasks` is the next episode's. */
  readonly finalActionMasks: Uint8Array;
  /** The same as rows of `pairs`; null unless the option `finalPairs` is set. */
  readonly finalPairs: FinalPairs | null;
  /** Of the episode that ended last. */
  readonly episodeReturns: Float64Array;
  readonly episodeLengths: Int32Array;
  /** `[numEnvs, kpiNames.length]` */
  readonly episodeKpis: Float64Array;
}

/** What `step` returns: the same object and arrays each time, rewritten by each step. */
export interface StepResult {
  /** `[numEnvs, size]` */
  readonly observations: Float32Array;
  /** `[numEnvs]` */
  readonly rewards: Float32Array;
  /** `[numEnvs]` 0/1: the episode has ended, and nothing follows. */
  readonly terminations: Uint8Array;
  /** `[numEnvs]` 0/1: the episode was cut at its horizon; the final state still has a value. */
  readonly truncations: Uint8Array;
  /** Everything else. */
  readonly infos: StepInfos;
}

/**
 * Many dispatch episodes at once, with the names and semantics of a Gymnasium vector environment. State and outputs lie in two
 * fixed buffers, which the caller may give and share between threads; stepping allocates nothing. Environment i depends on the
 * seed and `firstEnv + i` only, not on how many there are.
 *
 * Observations are `[numEnvs, size]` Float32, masks `[numEnvs, N * M + 1]` Uint8, actions `[numEnvs]` Int32: 0 waits,
 * 1 + driver * M + slot assigns. An illegal action acts as a wait, costs `invalidActionReward` and is flagged.
 */
export class VectorDispatchEnv {
  /** Number of environments. */
  readonly numEnvs: number;
  /** Space of one environment's action. */
  readonly singleActionSpace: DiscreteSpace;
  /** Space of what `step` takes. */
  readonly actionSpace: MultiDiscreteSpace;
  /** As Gymnasium's. */
  readonly metadata: { readonly autoresetMode: AutoresetMode };
  /** The environments themselves: state, outputs, and questions such as `pickupSecond`. */
  readonly world: World;
  readonly #out: OutputViews;
  readonly #result: StepResult;
  readonly #mode: AutoresetMode;
  readonly #finalPairs: FinalPairs | null;
  readonly #pairWriter: PairWriter | null;
  readonly #source: EpisodeSource;
  /** Bytes of all that this object goes on from: state, outputs, final pair rows. */
  readonly #parts: readonly Uint8Array[];
  readonly #layout: string;
  /** Made when they are asked for: bounds take a look at all recorded trips. */
  #singleObservationSpace: BoxSpace | null = null;
  #observationSpace: BoxSpace | null = null;
  /** Whether every environment has an episode that this object may go on with. */
  #ready = false;
  #closed = false;

  /**
   * Checks all options and sets the memory up; `reset` starts the episodes.
   * @throws EngineError `ERR_SCENARIO` and `ERR_TRACE` for what is played, `ERR_OPTION` for options, `ERR_BUFFER` for memory of
   *   another length or kind, or too little of it
   */
  constructor(options: VectorDispatchEnvOptions) {
    check.members('options', options, optionNames, [], '{ scenario, numEnvs, ... }');
    const { numEnvs, dataset = null, observation = 'full', autoresetMode = 'SAME_STEP', firstEnv = 0 } = options;
    const { finalPairs = false } = options;
    check.whole('numEnvs', numEnvs, 1);
    check.whole('firstEnv', firstEnv, 0);
    check.oneOf('observation', observation, observationKinds);
    check.oneOf('autoresetMode', autoresetMode, autoresetModes);
    if (typeof finalPairs !== 'boolean') {
      throw new EngineError('ERR_OPTION', `finalPairs is ${shown(finalPairs)}: expected true or false`);
    }
    const compiled = compiledOf(options.scenario, dataset);
    const source = options.source ?? episodeSource(compiled.dataset, 'training', 'sampled');
    checkSource(source, compiled, numEnvs);
    const states = stateSpec(compiled, numEnvs);
    const outputs = outputSpec(compiled, numEnvs, observation);
    const stateBuffer = options.stateBuffer ?? allocate(states);
    const outputBuffer = options.outputBuffer ?? allocate(outputs);
    this.#out = viewsOf(outputs, outputBuffer);
    this.world = new World(compiled, viewsOf(states, stateBuffer), this.#out, observation, source, firstEnv);
    this.numEnvs = numEnvs;
    this.singleActionSpace = new DiscreteSpace(this.world.actions);
    this.actionSpace = this.singleActionSpace.batch(numEnvs);
    this.metadata = { autoresetMode };
    this.#mode = autoresetMode;
    const rows = numEnvs * this.world.actions;
    this.#pairWriter = finalPairs ? new PairWriter(this.world) : null;
    this.#finalPairs = finalPairs
      ? {
          counts: new Int32Array(numEnvs),
          actions: new Int32Array(rows),
          features: new Float32Array(rows * PAIR_COLUMNS),
        }
      : null;
    this.#result = { ...this.#out, infos: { ...this.#out, finalPairs: this.#finalPairs } };
    this.#source = source;
    this.#parts = [stateBuffer, outputBuffer].map((buffer) => new Uint8Array(buffer));
    if (this.#finalPairs !== null) {
      const { counts, actions, features } = this.#finalPairs;
      this.#parts = [...this.#parts, ...[counts, actions, features].map(({ buffer }) => new Uint8Array(buffer))];
    }
    this.#layout = JSON.stringify([states, outputs]);
  }

  /** Space of one environment's observation, with the bounds of `observationBounds`. */
  get singleObservationSpace(): BoxSpace {
    if (this.#singleObservationSpace === null) {
      const { low, high } = observationBounds(this.world.compiled, this.world.observation);
      this.#singleObservationSpace = new BoxSpace(low, high);
    }
    return this.#singleObservationSpace;
  }

  /** Space of all observations, `[numEnvs, size]`. */
  get observationSpace(): BoxSpace {
    return (this.#observationSpace ??= this.singleObservationSpace.batch(this.numEnvs));
  }

  /** What `reset` and `step` give beside observations: the same arrays each time, rewritten by each step. */
  get infos(): StepInfos {
    return this.#result.infos;
  }

  /**
   * Starts episodes and writes first observations and masks. With a seed, episodes count from 0; without, each environment
   * goes on to its next episode.
   * @throws EngineError `ERR_OPTION`: nothing has been reset then; `ERR_CLOSED`, as all that follow, after `close`
   */
  reset(request: ResetOptions = {}): { observations: Float32Array; infos: StepInfos } {
    this.#checkOpen('reset()');
    check.members('reset()', request, ['seed', 'options'], [], 'an object: reset({ seed: 42 })');
    const { seed, options = {} } = request;
    check.members('options', options, ['resetMask'], [], '{ resetMask }');
    const mask: ArrayLike<number | boolean> | undefined = options.resetMask;
    if (seed !== undefined) check.whole('seed', seed, 0);
    if (mask !== undefined) checkMask(mask, this.numEnvs);
    const { state } = this.world;
    for (let e = 0; e < this.numEnvs; e++) {
      if (mask !== undefined && Number(mask[e]) === 0) continue;
      if (seed !== undefined) this.world.reset(e, seed, 0);
      else this.world.reset(e, state.seed[e], state.started[e] === 1 ? state.episode[e] + 1 : 0);
      state.ended[e] = 0;
      this.#out.rewards[e] = this.#out.terminations[e] = this.#out.truncations[e] = this.#out.invalidActions[e] = 0;
    }
    this.#ready ||= !state.started.includes(0);
    return { observations: this.#out.observations, infos: this.#result.infos };
  }

  /**
   * Goes on from the state that its buffers hold, as another thread or an earlier run left it.
   * @throws EngineError `ERR_ACTION` if one of their environments has never been reset
   */
  resume(): void {
    this.#checkOpen('resume()');
    const { started } = this.world.state;
    const e = started.indexOf(0);
    if (e >= 0) {
      throw new EngineError(
        'ERR_ACTION',
        `resume() before reset(): environment ${e} has no episode in these buffers, call reset({ seed }) first`,
      );
    }
    // Waiting is always legal, so a mask without it has never been written: its memory is not that of the state.
    for (let k = 0; k < this.numEnvs; k++) {
      if (this.#out.actionMasks[k * this.world.actions] === 0) this.world.rewrite(k);
    }
    this.#ready = true;
  }

  /**
   * One decision in each environment.
   * @param actions `[numEnvs]`; out of range or illegal ones act as waits and are flagged
   * @throws EngineError `ERR_ACTION` before the first reset, or for a wrong number or kind of actions: nothing has moved then
   */
  step(actions: Int32Array): StepResult {
    if (!this.#ready) this.#refuse('step()');
    this.stepRange(actions, 0, this.numEnvs);
    return this.#result;
  }

  /**
   * As `step`, for environments `from` to `to` (exclusive) only: threads that share the buffers each step their own.
   * @throws EngineError `ERR_ACTION`
   */
  stepRange(actions: Int32Array, from: number, to: number): void {
    if (this.#closed) this.#refuse('stepRange()');
    if (!(actions instanceof Int32Array) && kindOf(actions) !== 'Int32Array') {
      throw new EngineError('ERR_ACTION', `actions is ${shown(actions)}: expected an Int32Array of ${this.numEnvs}`);
    }
    if (actions.length !== this.numEnvs) {
      throw new EngineError(
        'ERR_ACTION',
        `actions has ${actions.length} entries, expected ${this.numEnvs}: one for each environment`,
      );
    }
    if (!(Number.isInteger(from) && Number.isInteger(to) && from >= 0 && from <= to && to <= this.numEnvs)) {
      throw new EngineError(
        'ERR_ACTION',
        `environments ${from} to ${to}: expected a range within 0 to ${this.numEnvs}`,
      );
    }
    for (let e = from; e < to; e++) this.#stepOne(e, actions[e]);
  }

  /**
   * One joint decision in each environment, which ends its tick: every driver gets a booking or none. For scenarios that allow any
   * number of decisions in a tick.
   * @param slotOf `[numEnvs, N]`: the slot that each driver gets, -1 for none. Pairs that are not legal are left out and flagged
   * @throws EngineError `ERR_ACTION` as `step`
   */
  stepJoint(slotOf: Int32Array): StepResult {
    if (!this.#ready) this.#refuse('stepJoint()');
    const { drivers } = this.world;
    if (!(slotOf instanceof Int32Array) && kindOf(slotOf) !== 'Int32Array') {
      throw new EngineError(
        'ERR_ACTION',
        `slotOf is ${shown(slotOf)}: expected an Int32Array of ${this.numEnvs} x ${drivers}`,
      );
    }
    if (slotOf.length !== this.numEnvs * drivers) {
      throw new EngineError(
        'ERR_ACTION',
        `slotOf has ${slotOf.length} entries, expected ${this.numEnvs * drivers}: one for each driver of each environment`,
      );
    }
    for (let e = 0; e < this.numEnvs; e++) {
      if (this.#standsStill(e)) continue;
      this.world.stepJoint(e, slotOf, e * drivers);
      this.#finish(e);
    }
    return this.#result;
  }

  // ---------------------------------------------------------------- other states

  /**
   * All that these environments go on from, as plain data: whoever restores it and takes the same actions gets the same bytes.
   * Beside it stay `world.log`, and the streams that spaces draw from.
   * @throws EngineError `ERR_ACTION` before the first reset
   */
  snapshot(): EnvSnapshot {
    if (!this.#ready) this.#refuse('snapshot()');
    return { identity: this.#identity(), parts: this.#parts.map((part) => Uint8Array.from(part)) };
  }

  /**
   * Goes on from a snapshot, in place of a reset: of an environment of the same scenario, data, number and options.
   * @throws EngineError `ERR_OPTION` that names what differs: nothing has changed then
   */
  restore(snapshot: EnvSnapshot): void {
    this.#checkOpen('restore()');
    checkEnvSnapshot(snapshot, this.#identity(), this.#parts);
    this.#parts.forEach((part, k) => part.set(snapshot.parts[k]));
    this.#ready = true;
  }

  /**
   * Another object in the same state, in memory of its own: what happens to one leaves the other alone.
   * @throws EngineError `ERR_ACTION` before the first reset
   */
  fork(): VectorDispatchEnv {
    const snapshot = this.snapshot();
    const twin = this.resized(this.numEnvs);
    twin.restore(snapshot);
    return twin;
  }

  /**
   * Another object with the same options, in memory of its own, not yet reset.
   * @param numEnvs how many environments it has
   * @throws EngineError `ERR_OPTION`, also for listed days that are too few
   */
  resized(numEnvs: number): VectorDispatchEnv {
    this.#checkOpen('resized()');
    const { compiled, observation, firstEnv } = this.world;
    return new VectorDispatchEnv({
      scenario: compiled,
      ...{ numEnvs, observation, firstEnv, autoresetMode: this.#mode, source: this.#source },
      finalPairs: this.#finalPairs !== null,
    });
  }

  /** Ends the use of this object: every later call of it but this one is refused. Its memory goes with the last reference to it. */
  close(): void {
    this.#closed = true;
    this.#ready = false;
  }

  #identity(): EnvIdentity {
    const { compiled, observation, firstEnv } = this.world;
    const { mode, days } = this.#source;
    return {
      version: ENV_SNAPSHOT_VERSION,
      scenario: plainScenario(compiled),
      dataset: datasetDigest(compiled.dataset),
      numEnvs: this.numEnvs,
      firstEnv,
      observation,
      autoresetMode: this.#mode,
      finalPairs: this.#finalPairs !== null,
      source: compiled.dataset === null ? '' : `${mode} days ${days.join(' ')}`,
      layout: this.#layout,
    };
  }

  #checkOpen(call: string): void {
    if (this.#closed) this.#refuse(call);
  }

  /** @throws EngineError that says why `call` cannot be made yet, or any more */
  #refuse(call: string): never {
    if (this.#closed) {
      throw new EngineError('ERR_CLOSED', `${call} after close(): this environment has been closed, make a new one`);
    }
    throw new EngineError('ERR_ACTION', `${call} before reset(): call reset({ seed }) first`);
  }

  // ---------------------------------------------------------------- steps

  #stepOne(e: number, action: number): void {
    if (this.#standsStill(e)) return;
    this.world.step(e, action);
    this.#finish(e);
  }

  /** Whether environment e has ended before; it is reset then, where the mode says so. */
  #standsStill(e: number): boolean {
    const out = this.#out;
    const world = this.world;
    const { ended } = world.state;
    if (ended[e] === 0) return false;
    // Under DISABLED an ended environment stands still until it is reset.
    out.rewards[e] = 0;
    if (this.#mode === 'DISABLED') return true;
    ended[e] = 0;
    out.terminations[e] = out.truncations[e] = out.invalidActions[e] = 0;
    world.reset(e, world.state.seed[e], world.state.episode[e] + 1);
    return true;
  }

  /** What follows a step that has ended an episode. */
  #finish(e: number): void {
    const out = this.#out;
    const world = this.world;
    if ((out.terminations[e] | out.truncations[e]) === 0) return;
    world.writeEpisode(e);
    this.#keepFinal(e);
    if (this.#mode === 'SAME_STEP') world.reset(e, world.state.seed[e], world.state.episode[e] + 1);
    else world.state.ended[e] = 1;
  }

  /** Copies what the episode ended on into buffers of its own, before a reset rewrites the rows. */
  #keepFinal(e: number): void {
    const out = this.#out;
    const { observationSize: size, actions } = this.world;
    for (let k = e * size; k < (e + 1) * size; k++) out.finalObservations[k] = out.observations[k];
    for (let k = e * actions; k < (e + 1) * actions; k++) out.finalActionMasks[k] = out.actionMasks[k];
    const pairs = this.#finalPairs;
    if (pairs !== null) pairs.counts[e] = this.#pairWriter!.write(e, pairs.actions, pairs.features, e * actions);
  }
}

function compiledOf(scenario: VectorDispatchEnvOptions['scenario'], dataset: Dataset | null): CompiledScenario {
  if (typeof scenario === 'string') return compileScenario(preset(scenario), dataset);
  if (typeof scenario !== 'object' || (scenario as unknown) === null) {
    throw new EngineError(
      'ERR_SCENARIO',
      `scenario is ${shown(scenario)}: expected a name, a scenario or a compiled one`,
    );
  }
  if (!('factorByMinute' in scenario)) return compileScenario(scenario, dataset);
  if (dataset !== null && dataset !== scenario.dataset) {
    throw new EngineError(
      'ERR_OPTION',
      `dataset is ${shown(dataset)}, and scenario is compiled: leave dataset out, or compile the scenario with it`,
    );
  }
  return scenario;
}

function checkMask(mask: ArrayLike<unknown>, numEnvs: number): void {
  const kind = kindOf(mask);
  if (kind !== 'Uint8Array' && kind !== 'Array') {
    throw new EngineError(
      'ERR_OPTION',
      `resetMask is ${shown(mask)}: expected a Uint8Array of 0/1 or a list of booleans`,
    );
  }
  if (mask.length !== numEnvs) {
    throw new EngineError('ERR_OPTION', `resetMask has ${mask.length} entries, expected ${numEnvs}`);
  }
  for (let e = 0; e < numEnvs; e++) {
    const value = mask[e];
    if (value === 0 || value === 1 || typeof value === 'boolean') continue;
    throw new EngineError('ERR_OPTION', `resetMask[${e}] is ${shown(value)}: expected true, false, 1 or 0`);
  }
}
