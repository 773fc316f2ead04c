// The environments of a training run: their shared memory, and the threads that step them.

import type { Piscina } from 'piscina';
import {
  VectorDispatchEnv,
  actionCount,
  allocate,
  episodeSource,
  observationKinds,
  observationSize,
  outputSpec,
  stateSpec,
  viewsOf,
} from '../engine/index.js';
import type { CompiledScenario, ObservationKind, OutputViews, StateViews } from '../engine/index.js';
import { networkKinds, networkLayout } from '../policy/index.js';
import type { NetworkKind, NetworkShape } from '../policy/index.js';
import { check } from './check-options.js';
import { MAX_SEED } from './evaluate.js';
import { rolloutSpec } from './rollout-layout.js';
import type { RolloutViews } from './rollout-layout.js';
import type { RolloutSetup, RolloutTask, RolloutTiming } from './rollout.js';
import { MAX_WORKERS, closeThreads, openThreads, ranges, runAll } from './threads.js';
import { beatsOf } from './watchdog.js';
import type { Beats } from './watchdog.js';

export interface RolloutPoolOptions {
  readonly compiled: CompiledScenario;
  readonly observation: ObservationKind;
  readonly numEnvs: number;
  /** Steps per rollout. */
  readonly steps: number;
  readonly network: NetworkKind;
  /** Widths of the hidden layers. */
  readonly hidden: readonly number[];
  readonly criticHidden: readonly number[];
  readonly workers: number;
  readonly seed: number;
  /** Seconds without a step after which a worker counts as hanging, asked again and again; default 300. */
  readonly hangSeconds?: (() => number) | undefined;
}

const known = [
  'compiled',
  'observation',
  'numEnvs',
  'steps',
  'network',
  'hidden',
  'criticHidden',
  'workers',
  'seed',
  'hangSeconds',
];

/** Seconds that a rollout took. */
export interface RolloutSeconds {
  /** In the environment alone, the mean over the threads that worked side by side. */
  readonly env: number;
  /** On the clock: environment and policy. */
  readonly wall: number;
}

export class RolloutPool {
  readonly shape: NetworkShape;
  /** Flat weights that the next rollout uses; write them while no rollout runs. */
  readonly weights: Float32Array;
  readonly rollout: RolloutViews;
  /** Memory of environments and of what they last wrote: with the weights, all that a checkpoint needs of the pool. */
  readonly state: StateViews;
  readonly outputs: OutputViews;
  /** Threads that there are. */
  readonly workers: number;
  readonly #beats: Beats;
  readonly #hangSeconds: (() => number) | undefined;
  readonly #pool: Piscina;
  readonly #tasks: readonly RolloutTask[];

  /** @throws WorkerError `ERR_WORKERS_OPTION`, PolicyError `ERR_NETWORK`, EngineError */
  constructor(options: RolloutPoolOptions) {
    check.members('the pool', options, known, ['hidden', 'criticHidden']);
    check.compiled('compiled', options.compiled);
    check.oneOf('observation', options.observation, observationKinds);
    check.oneOf('network', options.network, networkKinds);
    check.whole('numEnvs', options.numEnvs, 1, 65_536);
    check.whole('steps', options.steps, 1, 65_536);
    check.whole('workers', options.workers, 1, MAX_WORKERS);
    check.whole('seed', options.seed, 0, MAX_SEED);
    const { compiled, observation, numEnvs, steps, workers } = options;
    const source = episodeSource(compiled.dataset, 'training', 'sampled');
    this.shape = {
      kind: options.network,
      inputs: observationSize(compiled.scenario, observation),
      hidden: options.hidden,
      criticHidden: options.criticHidden,
      actions: actionCount(compiled.scenario),
    };
    const states = stateSpec(compiled, numEnvs);
    const outputs = outputSpec(compiled, numEnvs, observation);
    const rollouts = rolloutSpec(steps, numEnvs, this.shape);
    const stateBuffer = allocate(states);
    const outputBuffer = allocate(outputs);
    const rolloutBuffer = allocate(rollouts);
    this.weights = new Float32Array(new SharedArrayBuffer(4 * networkLayout(this.shape).size));
    this.state = viewsOf(states, stateBuffer);
    this.outputs = viewsOf(outputs, outputBuffer);
    this.rollout = viewsOf(rollouts, rolloutBuffer);
    new VectorDispatchEnv({ scenario: compiled, observation, source, numEnvs, stateBuffer, outputBuffer }).reset({
      seed: options.seed,
    });
    // A thread without environments would only wait.
    this.workers = Math.min(workers, numEnvs);
    this.#beats = beatsOf(this.workers);
    this.#hangSeconds = options.hangSeconds;
    const setup: RolloutSetup = {
      compiled,
      observation,
      source,
      numEnvs,
      steps,
      shape: this.shape,
      stateBuffer,
      outputBuffer,
      rolloutBuffer,
      weights: this.weights,
      beats: this.#beats,
    };
    this.#tasks = ranges(numEnvs, this.workers).map((range, slot) => ({ ...range, slot }));
    this.#pool = openThreads(this.workers, setup);
  }

  /** Steps every environment T times; the results stand in `rollout`. */
  async collect(): Promise<RolloutSeconds> {
    const started = performance.now();
    const timings = await runAll<RolloutTask, RolloutTiming>(this.#pool, 'rollout', this.#tasks, {
      beats: this.#beats,
      ...(this.#hangSeconds === undefined ? {} : { hangSeconds: this.#hangSeconds }),
    });
    const env = timings.reduce((total, timing) => total + timing.envMs, 0) / timings.length;
    return { env: env / 1000, wall: (performance.now() - started) / 1000 };
  }

  async close(): Promise<void> {
    await closeThreads(this.#pool);
  }
}
