// A single environment with Gymnasium's names: a thin layer over a vector environment of one that is not reset by itself.

import { check } from './check-options.js';
import type { EnvSnapshot } from './env-snapshot.js';
import { EngineError } from './errors.js';
import { kpisOf } from './kpis.js';
import type { Kpis } from './kpis.js';
import { shown } from './shown.js';
import type { BoxSpace, DiscreteSpace } from './spaces.js';
import { VectorDispatchEnv } from './vector-env.js';
import type { VectorDispatchEnvOptions } from './vector-env.js';
import type { World } from './world.js';

/** Options of `DispatchEnv`: those of `VectorDispatchEnv` that concern one environment. */
export type DispatchEnvOptions = Pick<
  VectorDispatchEnvOptions,
  'scenario' | 'dataset' | 'observation' | 'firstEnv' | 'source'
>;

const optionNames: readonly (keyof DispatchEnvOptions)[] = ['scenario', 'dataset', 'observation', 'firstEnv', 'source'];

/** How an episode went. */
export interface EpisodeSummary {
  /** Sum of its rewards, in double precision. */
  readonly return: number;
  /** Its steps. */
  readonly length: number;
  readonly kpis: Kpis;
}

/** Everything beside the results. */
export interface DispatchEnvInfo {
  /** `[actions]` 0/1, rewritten by each step. */
  readonly actionMask: Uint8Array;
  /** The last action was illegal and acted as a wait. */
  readonly invalidAction: boolean;
  /** The episode that has ended; null while it goes on. */
  readonly episode: EpisodeSummary | null;
}

/** What `step` returns. */
export interface DispatchEnvStep {
  /** `[size]`, rewritten by each step: copy what you keep. */
  readonly observation: Float32Array;
  readonly reward: number;
  /** The episode has ended, and nothing follows. */
  readonly terminated: boolean;
  /** The episode was cut at its horizon; the final state still has a value. */
  readonly truncated: boolean;
  readonly info: DispatchEnvInfo;
}

/**
 * One dispatch episode at a time, with the names and semantics of a Gymnasium environment. It writes the same bytes as a
 * `VectorDispatchEnv` of one under `DISABLED`: once an episode has ended it stands still until `reset`. For speed, step many
 * at once with that class. Events are recorded where `world.log` is set.
 */
export class DispatchEnv {
  readonly #env: VectorDispatchEnv;
  readonly #options: DispatchEnvOptions;
  readonly #actions = new Int32Array(1);

  /**
   * Checks all options; `reset` starts an episode.
   * @throws EngineError as of `VectorDispatchEnv`
   */
  constructor(options: DispatchEnvOptions) {
    check.members('options', options, optionNames, [], '{ scenario, ... }');
    this.#env = new VectorDispatchEnv({ ...options, numEnvs: 1, autoresetMode: 'DISABLED' });
    this.#options = options;
  }

  /** The environment itself: state, outputs, and questions such as `pickupSecond`, of environment 0. */
  get world(): World {
    return this.#env.world;
  }

  /** Space of an observation. */
  get observationSpace(): BoxSpace {
    return this.#env.singleObservationSpace;
  }

  /** Space of an action; `actionSpace.sample(info.actionMask)` draws a legal one. */
  get actionSpace(): DiscreteSpace {
    return this.#env.singleActionSpace;
  }

  /**
   * Starts an episode: with a seed its first one, without a seed the next one.
   * @throws EngineError `ERR_OPTION`, `ERR_CLOSED`
   */
  reset(request: { readonly seed?: number } = {}): { observation: Float32Array; info: DispatchEnvInfo } {
    check.members('reset()', request, ['seed'], [], 'an object: reset({ seed: 42 })');
    const { observations } = this.#env.reset(request);
    return { observation: observations, info: this.#info() };
  }

  /**
   * Takes one decision: 0 waits, `1 + driver * M + slot` assigns. One that is not legal acts as a wait and is flagged.
   * @throws EngineError `ERR_ACTION` before the first reset, or for no whole number; `ERR_CLOSED`
   */
  step(action: number): DispatchEnvStep {
    if (!Number.isInteger(action)) {
      throw new EngineError('ERR_ACTION', `action is ${shown(action)}: expected a whole number, 0 to wait`);
    }
    // What 32 bits do not hold is illegal all the same.
    this.#actions[0] = action === (action | 0) ? action : -1;
    const { observations, rewards, terminations, truncations } = this.#env.step(this.#actions);
    return {
      observation: observations,
      reward: rewards[0],
      terminated: terminations[0] === 1,
      truncated: truncations[0] === 1,
      info: this.#info(),
    };
  }

  /** As `VectorDispatchEnv.snapshot`. */
  snapshot(): EnvSnapshot {
    return this.#env.snapshot();
  }

  /** As `VectorDispatchEnv.restore`. */
  restore(snapshot: EnvSnapshot): { observation: Float32Array; info: DispatchEnvInfo } {
    this.#env.restore(snapshot);
    return { observation: this.#env.world.out.observations, info: this.#info() };
  }

  /** As `VectorDispatchEnv.fork`. */
  fork(): DispatchEnv {
    const snapshot = this.snapshot();
    const { dataset: _, ...options } = this.#options;
    const twin = new DispatchEnv({ ...options, scenario: this.world.compiled });
    twin.restore(snapshot);
    return twin;
  }

  /** As `VectorDispatchEnv.close`. */
  close(): void {
    this.#env.close();
  }

  #info(): DispatchEnvInfo {
    const { infos, world } = this.#env;
    return {
      actionMask: infos.actionMasks,
      invalidAction: infos.invalidActions[0] === 1,
      episode:
        world.state.ended[0] === 0
          ? null
          : { return: infos.episodeReturns[0], length: infos.episodeLengths[0], kpis: kpisOf(infos.episodeKpis, 0) },
    };
  }
}
