// Steps a range of environments T times with the present weights, in one thread. State, weights and records live in shared
// memory; nothing but timings is returned. How actions are drawn and what is recorded is the sampler's and the recorder's part.

import { Purpose, VectorDispatchEnv } from '../engine/index.js';
import type { CompiledScenario, EpisodeSource, ObservationKind } from '../engine/index.js';
import { Actor } from '../policy/index.js';
import type { NetworkShape } from '../policy/index.js';
import { recorders } from './recorder.js';
import type { Recorder, RecorderName } from './recorder.js';
import { makeSampler } from './sampler.js';
import type { Sampler, SamplerSpec } from './sampler.js';
import type { Beats } from './watchdog.js';

/** Everything that the threads of one training run share. */
export interface RolloutSetup {
  /** The scenario, with its data. */
  readonly compiled: CompiledScenario;
  /** What the environments observe. */
  readonly observation: ObservationKind;
  /** Which episodes the environments play. */
  readonly source: EpisodeSource;
  /** Environments of all threads together, n. */
  readonly numEnvs: number;
  /** Steps of each environment per rollout, T. */
  readonly steps: number;
  /** The network that plays. */
  readonly shape: NetworkShape;
  /** What is recorded. */
  readonly recorder: RecorderName;
  /** Memory of the environments. */
  readonly stateBuffer: SharedArrayBuffer;
  /** What the environments last wrote. */
  readonly outputBuffer: SharedArrayBuffer;
  /** Memory of the records, as the recorder lays it out. */
  readonly recordBuffer: SharedArrayBuffer;
  /** Flat weights of the network, shared; not written while a rollout runs. */
  readonly weights: Float32Array;
  /** The threads' counts of steps, for the watchdog. */
  readonly beats: Beats;
}

/** One thread's part of one rollout. */
export interface RolloutTask {
  /** First environment of the range. */
  readonly from: number;
  /** End of the range, exclusive. */
  readonly to: number;
  /** Index in `RolloutSetup.beats` at which the thread counts its steps. */
  readonly slot: number;
  /** How actions are drawn in this rollout. */
  readonly sampler: SamplerSpec;
}

/** What a thread reports of its part. */
export interface RolloutTiming {
  /** Milliseconds in the environment alone. */
  readonly envMs: number;
}

/** One thread's environments, network and recorder; lives as long as the thread. */
export class RolloutWorker {
  readonly #setup: RolloutSetup;
  readonly #env: VectorDispatchEnv;
  readonly #actor: Actor;
  readonly #recorder: Recorder;
  readonly #actions: Int32Array;

  /** @param setup its environments have been reset, or restored from a checkpoint */
  constructor(setup: RolloutSetup) {
    this.#setup = setup;
    const { compiled, observation, source, numEnvs, steps, stateBuffer, outputBuffer, shape } = setup;
    this.#env = new VectorDispatchEnv({
      scenario: compiled,
      observation,
      source,
      numEnvs,
      stateBuffer,
      outputBuffer,
      finalPairs: shape.kind === 'pairs' && recorders[setup.recorder].finalPairs,
    });
    this.#env.resume();
    this.#actor = new Actor(shape, this.#env.world);
    this.#recorder = recorders[setup.recorder].open({ steps, envs: numEnvs, shape }, setup.recordBuffer);
    this.#actions = new Int32Array(numEnvs);
  }

  /** Steps the task's environments T times and records every step. */
  run(task: RolloutTask): RolloutTiming {
    const { steps, weights, beats } = this.#setup;
    const { from, to, slot } = task;
    const { out } = this.#env.world;
    const { finalPairs } = this.#env.infos;
    const recorder = this.#recorder;
    const sampler = makeSampler(task.sampler);
    let envMs = 0;
    this.#actor.load(weights);
    recorder.begin(weights);
    for (let t = 0; t < steps; t++) {
      Atomics.add(beats, slot, 1);
      recorder.observe(t, from, to, out);
      this.#decide(t, from, to, sampler);
      const before = performance.now();
      this.#env.stepRange(this.#actions, from, to);
      envMs += performance.now() - before;
      recorder.outcome(t, from, to, out, finalPairs);
    }
    recorder.end(from, to, out);
    return { envMs };
  }

  /** Draws and records the actions of step `t`. */
  #decide(t: number, from: number, to: number, sampler: Sampler): void {
    const { world } = this.#env;
    const actor = this.#actor;
    const recorder = this.#recorder;
    for (let first = from; first < to; first += actor.block) {
      const end = Math.min(first + actor.block, to);
      actor.consider(first, end);
      for (let e = first; e < end; e++) {
        const start = actor.starts[e - first];
        const stop = actor.starts[e - first + 1];
        const k = sampler.draw(actor.logits, start, stop, world.floatNow(e, Purpose.action));
        this.#actions[e] = actor.actions[k]!;
        recorder.decide(t, e, actor, start, stop, k, sampler.logProb);
      }
    }
  }
}
