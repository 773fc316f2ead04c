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
import { actorKinds, networkLayout } from '../policy/index.js';
import type { NetworkKind, NetworkShape } from '../policy/index.js';
import { check } from './check-options.js';
import { MAX_SEED } from './evaluate.js';
import { recorderNames, recorders } from './recorder.js';
import type { RecordedViews, RecorderName } from './recorder.js';
import type { RolloutSetup, RolloutTask, RolloutTiming } from './rollout.js';
import { makeSampler } from './sampler.js';
import type { SamplerSpec } from './sampler.js';
import { MAX_WORKERS, closeThreads, openThreads, ranges, runAll } from './threads.js';
import { beatsOf } from './watchdog.js';
import type { Beats } from './watchdog.js';

/** What a pool of rollout threads is made for. */
export interface RolloutPoolOptions<Name extends RecorderName = RecorderName> {
  /** The scenario, with its data. */
  readonly compiled: CompiledScenario;
  /** What the environments observe. */
  readonly observation: ObservationKind;
  /** Environments of all threads together, 1 to 65,536. */
  readonly numEnvs: number;
  /** Steps of each environment per rollout, 1 to 65,536. */
  readonly steps: number;
  /** What each rollout records. */
  readonly recorder: Name;
  /** Kind of the actor. */
  readonly network: NetworkKind;
  /** Widths of the actor's hidden layers, each a multiple of 8. */
  readonly hidden: readonly number[];
  /** Widths of the critic's hidden layers, each a multiple of 8. */
  readonly criticHidden: readonly number[];
  /** Threads, 1 to 256; never more than environments are started. */
  readonly workers: number;
  /** Base seed of all environments, 0 to `MAX_SEED`. */
  readonly seed: number;
  /** Seconds without a step after which a worker counts as hanging; called again and again. Default 300. */
  readonly hangSeconds?: (() => number) | undefined;
}

const known = [
  'compiled',
  'observation',
  'numEnvs',
  'steps',
  'recorder',
  'network',
  'hidden',
  'criticHidden',
  'workers',
  'seed',
  'hangSeconds',
];

/** Seconds that a rollout took. */
export interface RolloutSeconds {
  /** In the environment alone, the mean over the threads. */
  readonly env: number;
  /** Elapsed: environment and policy. */
  readonly wall: number;
}

/**
 * What an algorithm asks of whoever steps its environments: a `RolloutPool`, or an environment of another kind. Rollouts must be
 * a function of `state`, `outputs` and `weights`.
 */
export interface Rollouts<Name extends RecorderName = RecorderName> {
  /** The network that plays. */
  readonly shape: NetworkShape;
  /** Flat weights that the next rollout uses; write them only while no rollout runs. */
  readonly weights: Float32Array;
  /** Records of the last rollout. */
  readonly rollout: RecordedViews[Name];
  /** Memory of the environments, typed arrays by name. With `outputs` and `weights`, all that a checkpoint needs. */
  readonly state: object;
  /** What the environments last wrote, typed arrays by name. */
  readonly outputs: object;
  /** Threads that step them. */
  readonly workers: number;
  /** Steps every environment T times; the records are then in `rollout`. */
  collect(sampler: SamplerSpec): Promise<RolloutSeconds>;
  /** Ends it; a rollout under way is rejected. */
  close(): Promise<void>;
}

/** Environments in shared memory and the threads that step them; close it after use. */
export class RolloutPool<Name extends RecorderName = RecorderName> implements Rollouts<Name> {
  /** The network that plays. */
  readonly shape: NetworkShape;
  /** Flat weights that the next rollout uses; write them only while no rollout runs. */
  readonly weights: Float32Array;
  /** Records of the last rollout. */
  readonly rollout: RecordedViews[Name];
  /** Memory of the environments. With `outputs` and `weights`, all that a checkpoint needs of the pool. */
  readonly state: StateViews;
  /** What the environments last wrote. */
  readonly outputs: OutputViews;
  /** Threads that were started. */
  readonly workers: number;
  readonly #beats: Beats;
  readonly #hangSeconds: (() => number) | undefined;
  readonly #pool: Piscina;
  readonly #ranges: readonly { readonly from: number; readonly to: number }[];

  /** @throws WorkerError `ERR_WORKERS_OPTION`, PolicyError `ERR_NETWORK`, EngineError */
  constructor(options: RolloutPoolOptions<Name>) {
    check.members('the pool', options, known, ['hidden', 'criticHidden']);
    check.compiled('compiled', options.compiled);
    check.oneOf('observation', options.observation, observationKinds);
    check.oneOf('recorder', options.recorder, recorderNames);
    check.oneOf('network', options.network, actorKinds);
    check.whole('numEnvs', options.numEnvs, 1, 65_536);
    check.whole('steps', options.steps, 1, 65_536);
    check.whole('workers', options.workers, 1, MAX_WORKERS);
    check.whole('seed', options.seed, 0, MAX_SEED);
    const { compiled, observation, numEnvs, steps, workers, recorder } = options;
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
    const sizes = { steps, envs: numEnvs, shape: this.shape };
    const stateBuffer = allocate(states);
    const outputBuffer = allocate(outputs);
    const recordBuffer = recorders[recorder].allocate(sizes);
    this.weights = new Float32Array(new SharedArrayBuffer(4 * networkLayout(this.shape).size));
    this.state = viewsOf(states, stateBuffer);
    this.outputs = viewsOf(outputs, outputBuffer);
    this.rollout = recorders[recorder].views(sizes, recordBuffer);
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
      recorder,
      stateBuffer,
      outputBuffer,
      recordBuffer,
      weights: this.weights,
      beats: this.#beats,
    };
    this.#ranges = ranges(numEnvs, this.workers);
    this.#pool = openThreads(this.workers, setup);
  }

  /**
   * Steps every environment T times; the records are then in `rollout`.
   * @param sampler how actions are drawn; it may change from one rollout to the next
   * @throws WorkerError `ERR_WORKERS_OPTION`; `ERR_WORKER` if a thread fails; `ERR_WORKER_HANGS`
   */
  async collect(sampler: SamplerSpec): Promise<RolloutSeconds> {
    // Checked here, so that the caller gets the error as his; in a thread it would be a worker's failure.
    makeSampler(sampler);
    const started = performance.now();
    const tasks = this.#ranges.map((range, slot) => ({ ...range, slot, sampler }));
    const timings = await runAll<RolloutTask, RolloutTiming>(this.#pool, 'rollout', tasks, {
      beats: this.#beats,
      ...(this.#hangSeconds === undefined ? {} : { hangSeconds: this.#hangSeconds }),
    });
    const env = timings.reduce((total, timing) => total + timing.envMs, 0) / timings.length;
    return { env: env / 1000, wall: (performance.now() - started) / 1000 };
  }

  /**
   * Runs one task of another module in each of `count` of the pool's threads; no rollout may run meanwhile.
   * @param filename the module's file
   * @param name     the function that it exports
   * @throws WorkerError `ERR_WORKER` once all have ended, if any failed; `ERR_WORKER_HANGS`
   */
  async runPhase<T>(
    filename: string,
    name: string,
    count: number,
    {
      task,
      failed,
    }: {
      /** The task that counts its steps at `slot` of `beats`. */
      readonly task: (beats: Beats, slot: number) => T;
      /** Called when one of the tasks fails, before the others have ended. */
      readonly failed: () => void;
    },
  ): Promise<void> {
    if (count === 0) return;
    const beats = beatsOf(count);
    const tasks = Array.from({ length: count }, (_, slot) => task(beats, slot));
    await runAll<T, undefined>(this.#pool, name, tasks, {
      filename,
      beats,
      failed,
      ...(this.#hangSeconds === undefined ? {} : { hangSeconds: this.#hangSeconds }),
    });
  }

  /** Ends the threads; a rollout under way is rejected. */
  async close(): Promise<void> {
    await closeThreads(this.#pool);
  }
}
