// Steps a range of environments T times with the present weights, in one thread. State, weights and results live in
// shared memory; nothing but timings is returned.

import { PAIR_COLUMNS, Purpose, VectorDispatchEnv, viewsOf } from '../engine/index.js';
import type { CompiledScenario, EpisodeSource, ObservationKind } from '../engine/index.js';
import { Actor, SimdMlp, logSumExp, networkLayout, sample } from '../policy/index.js';
import type { NetworkShape } from '../policy/index.js';
import { rolloutSpec } from './rollout-layout.js';
import type { RolloutViews } from './rollout-layout.js';
import type { Beats } from './watchdog.js';

/** Everything that the threads of one training run share. */
export interface RolloutSetup {
  readonly compiled: CompiledScenario;
  readonly observation: ObservationKind;
  readonly source: EpisodeSource;
  readonly numEnvs: number;
  /** Steps per rollout, T. */
  readonly steps: number;
  readonly shape: NetworkShape;
  readonly stateBuffer: SharedArrayBuffer;
  readonly outputBuffer: SharedArrayBuffer;
  readonly rolloutBuffer: SharedArrayBuffer;
  readonly weights: Float32Array;
  readonly beats: Beats;
}

export interface RolloutTask {
  /** Environments `from` to `to` (exclusive). */
  readonly from: number;
  readonly to: number;
  /** Where it counts its steps in `RolloutSetup.beats`. */
  readonly slot: number;
}

export interface RolloutTiming {
  /** Milliseconds in the environment alone. */
  readonly envMs: number;
}

export class RolloutWorker {
  readonly #setup: RolloutSetup;
  readonly #env: VectorDispatchEnv;
  readonly #actor: Actor;
  readonly #critic: SimdMlp;
  readonly #rollout: RolloutViews;
  readonly #actions: Int32Array;
  /** Entries used so far of each environment's stretch of legal actions. */
  readonly #used: Int32Array;

  constructor(setup: RolloutSetup) {
    this.#setup = setup;
    const { compiled, observation, source, numEnvs, stateBuffer, outputBuffer, shape } = setup;
    this.#env = new VectorDispatchEnv({ scenario: compiled, observation, source, numEnvs, stateBuffer, outputBuffer });
    // The main thread has reset the environments, or restored them from a checkpoint.
    this.#env.resume();
    this.#actor = new Actor(shape, this.#env.world);
    this.#critic = new SimdMlp(networkLayout(shape).critic);
    this.#rollout = viewsOf(rolloutSpec(setup.steps, numEnvs, shape), setup.rolloutBuffer);
    this.#actions = new Int32Array(numEnvs);
    this.#used = new Int32Array(numEnvs);
  }

  run(task: RolloutTask): RolloutTiming {
    const { steps, numEnvs, shape, weights, beats } = this.#setup;
    const { from, to } = task;
    const { inputs } = shape;
    const { out } = this.#env.world;
    const roll = this.#rollout;
    let envMs = 0;
    this.#actor.load(weights);
    this.#critic.load(weights);
    this.#used.fill(0);
    for (let t = 0; t < steps; t++) {
      Atomics.add(beats, task.slot, 1);
      const row = t * numEnvs;
      roll.observations.set(out.observations.subarray(from * inputs, to * inputs), (row + from) * inputs);
      this.#critic.run(out.observations, from, to - from, roll.values, row + from);
      this.#decide(from, to, row);
      const before = performance.now();
      this.#env.stepRange(this.#actions, from, to);
      envMs += performance.now() - before;
      for (let e = from; e < to; e++) {
        const p = row + e;
        roll.rewards[p] = out.rewards[e]!;
        roll.terminated[p] = out.terminations[e]!;
        roll.truncated[p] = out.truncations[e]!;
        roll.finalValues[p] = 0;
        if (out.truncations[e] === 1) this.#critic.run(out.finalObservations, e, 1, roll.finalValues, p);
        if ((out.truncations[e] | out.terminations[e]) === 1) {
          roll.episodeReturns[p] = out.episodeReturns[e]!;
          roll.episodeLengths[p] = out.episodeLengths[e]!;
        }
      }
    }
    this.#critic.run(out.observations, from, to - from, roll.values, steps * numEnvs + from);
    return { envMs };
  }

  /** Draws the actions of one step, and notes in row `row` what they were drawn from. */
  #decide(from: number, to: number, row: number): void {
    const { world } = this.#env;
    const actor = this.#actor;
    const roll = this.#rollout;
    const stretch = this.#setup.steps * this.#setup.shape.actions;
    const withFeatures = this.#setup.shape.kind === 'pairs';
    for (let first = from; first < to; first += actor.block) {
      const end = Math.min(first + actor.block, to);
      actor.consider(first, end);
      for (let e = first; e < end; e++) {
        const start = actor.starts[e - first];
        const stop = actor.starts[e - first + 1];
        const normaliser = logSumExp(actor.logits, start, stop);
        const k = sample(actor.logits, start, stop, normaliser, world.floatNow(e, Purpose.action));
        this.#actions[e] = actor.actions[k]!;
        const p = row + e;
        const used = this.#used[e];
        const place = e * stretch + used;
        roll.legalActions.set(actor.actions.subarray(start, stop), place);
        if (withFeatures) {
          roll.features.set(actor.features.subarray(start * PAIR_COLUMNS, stop * PAIR_COLUMNS), place * PAIR_COLUMNS);
        }
        roll.legalStarts[p] = used;
        roll.legalCounts[p] = stop - start;
        this.#used[e] = used + stop - start;
        roll.taken[p] = k - start;
        roll.logProbs[p] = actor.logits[k] - normaliser;
      }
    }
  }
}
