// Proximal policy optimisation with action masks (Schulman et al. 2017; masks as in Huang and Ontanon 2022), readable
// from top to bottom: collect, advantages, epochs of minibatches, stop early if the policy moves too far.

import { PAIR_COLUMNS, Purpose, RandomStream, observationKinds } from '../engine/index.js';
import type { CompiledScenario, ObservationKind } from '../engine/index.js';
import { initialiseNetwork, networkKinds } from '../policy/index.js';
import type { NetworkKind } from '../policy/index.js';
import { MAX_SEED, MAX_WORKERS, OptionCheck, RolloutPool, shown } from '../workers/index.js';
import type { AdamState } from './adam.js';
import { checkBackend } from './backend.js';
import type { Backend } from './backend.js';
import { TrainError } from './errors.js';
import { generalisedAdvantages } from './gae.js';
import { Learner } from './learner.js';
import type { UpdateResult } from './learner.js';
import type { PpoCoefficients, PpoSamples } from './ppo-loss.js';
import { RewardScale } from './reward-scale.js';
import type { RewardScaleState } from './reward-scale.js';

export interface PpoConfig extends PpoCoefficients {
  /** What the critic sees, and a `flat` actor. */
  readonly observation: ObservationKind;
  readonly network: NetworkKind;
  readonly seed: number;
  /** Environment steps in all; rounded up to whole iterations. */
  readonly totalSteps: number;
  readonly numEnvs: number;
  /** Steps of each environment per iteration. */
  readonly rolloutSteps: number;
  /** Passes over each rollout. */
  readonly epochs: number;
  readonly minibatchSize: number;
  /** At the start; falls linearly to a tenth. */
  readonly learningRate: number;
  readonly gamma: number;
  readonly lambda: number;
  /** The rest of an iteration's epochs is left out once a minibatch's approximate KL exceeds this. */
  readonly targetKl: number;
  /** Largest norm of the whole gradient; longer ones are shortened to it. */
  readonly maxGradientNorm: number;
  /** Widths of the hidden layers of actor and critic. */
  readonly hidden: readonly number[];
  readonly criticHidden: readonly number[];
}

export const ppoDefaults: Omit<PpoConfig, 'seed' | 'totalSteps'> = {
  observation: 'full',
  network: 'pairs',
  numEnvs: 64,
  rolloutSteps: 128,
  epochs: 4,
  minibatchSize: 1024,
  learningRate: 3e-3,
  gamma: 0.99,
  lambda: 0.95,
  clip: 0.2,
  valueCoefficient: 0.5,
  entropyCoefficient: 0.01,
  maxGradientNorm: 0.5,
  targetKl: 0.03,
  hidden: [32, 32],
  criticHidden: [64, 64],
};

/** One iteration, under the names that the field's tools know. */
export interface PpoMetrics {
  readonly iteration: number;
  readonly global_step: number;
  readonly seconds: number;
  /** Environment steps a second of all threads: within the environment; with the policy; with learning. */
  readonly 'charts/SPS_env': number;
  readonly 'charts/SPS_env_policy': number;
  readonly 'charts/SPS': number;
  /** Mean over the episodes that ended in this iteration, null if none did. */
  readonly 'charts/episodic_return': number | null;
  readonly 'charts/episodic_length': number | null;
  readonly 'charts/learning_rate': number;
  readonly 'losses/policy_loss': number;
  readonly 'losses/value_loss': number;
  readonly 'losses/entropy': number;
  readonly 'losses/approx_kl': number;
  readonly 'losses/clipfrac': number;
  readonly 'losses/grad_norm': number;
  readonly 'losses/explained_variance': number;
  /** Minibatches used of those planned. */
  readonly 'charts/updates': number;
}

/** All that the next iteration depends on. */
export interface PpoState {
  readonly iteration: number;
  readonly weights: Float32Array;
  readonly adam: AdamState;
  readonly rewardScale: RewardScaleState;
  readonly environments: Readonly<Record<string, Float64Array | Float32Array | Int32Array | Uint8Array>>;
  readonly outputs: Readonly<Record<string, Float64Array | Float32Array | Int32Array | Uint8Array>>;
}

export class Ppo {
  readonly config: PpoConfig;
  readonly iterations: number;
  readonly #pool: RolloutPool;
  readonly #learner: Learner;
  readonly #rewardScale: RewardScale;
  readonly #advantages: Float32Array;
  readonly #returns: Float32Array;
  readonly #rewards: Float32Array;
  readonly #order: Int32Array;
  readonly #minibatch: GrowingMinibatch;
  #iteration = 0;

  /**
   * @param hangSeconds seconds without a step after which a worker counts as hanging, asked again and again; default 300
   * @throws TrainError `ERR_TRAIN_OPTION`, WorkerError `ERR_WORKERS_OPTION`, PolicyError `ERR_NETWORK`, EngineError
   */
  constructor(
    compiled: CompiledScenario,
    backend: Backend,
    config: PpoConfig,
    workers: number,
    hangSeconds?: () => number,
  ) {
    check.compiled('compiled', compiled);
    checkConfig(config);
    check.whole('workers', workers, 1, MAX_WORKERS);
    checkBackend(backend);
    this.config = config;
    const samples = config.numEnvs * config.rolloutSteps;
    this.iterations = Math.ceil(config.totalSteps / samples);
    this.#pool = new RolloutPool({
      compiled,
      observation: config.observation,
      numEnvs: config.numEnvs,
      steps: config.rolloutSteps,
      network: config.network,
      hidden: config.hidden,
      criticHidden: config.criticHidden,
      workers,
      seed: config.seed,
      hangSeconds,
    });
    const { shape, weights } = this.#pool;
    initialiseNetwork(shape, new RandomStream(config.seed, Purpose.weights), weights);
    this.#learner = new Learner(backend, shape, weights);
    this.#rewardScale = new RewardScale(config.numEnvs);
    this.#advantages = new Float32Array(samples);
    this.#returns = new Float32Array(samples);
    this.#rewards = new Float32Array(samples);
    this.#order = new Int32Array(samples);
    const rows = Math.min(config.minibatchSize, samples);
    this.#minibatch = {
      rows,
      observations: new Float32Array(rows * shape.inputs),
      starts: new Int32Array(rows + 1),
      taken: new Int32Array(rows),
      logProbs: new Float32Array(rows),
      advantages: new Float32Array(rows),
      returns: new Float32Array(rows),
      legalActions: new Int32Array(0),
      features: new Float32Array(0),
    };
  }

  get iteration(): number {
    return this.#iteration;
  }

  get globalStep(): number {
    return this.#iteration * this.config.numEnvs * this.config.rolloutSteps;
  }

  /** Threads that step the environments: never more than environments. */
  get workers(): number {
    return this.#pool.workers;
  }

  get weights(): Float32Array {
    return this.#pool.weights;
  }

  get shape(): RolloutPool['shape'] {
    return this.#pool.shape;
  }

  /** One iteration: T steps in every environment, then the updates. */
  async step(): Promise<PpoMetrics> {
    const started = performance.now();
    const { config } = this;
    const { numEnvs, rolloutSteps, gamma, lambda } = config;
    const samples = numEnvs * rolloutSteps;
    const learningRate = config.learningRate * (1 - (0.9 * this.#iteration) / this.iterations);

    const spent = await this.#pool.collect();
    const roll = this.#pool.rollout;

    this.#rewards.set(roll.rewards);
    this.#rewardScale.apply(rolloutSteps, this.#rewards, roll.terminated, roll.truncated, gamma);
    generalisedAdvantages(
      rolloutSteps,
      numEnvs,
      this.#rewards,
      roll.values,
      roll.terminated,
      roll.truncated,
      roll.finalValues,
      gamma,
      lambda,
      this.#advantages,
    );
    for (let p = 0; p < samples; p++) this.#returns[p] = this.#advantages[p] + roll.values[p];

    const { losses, updates } = this.#learn(samples, learningRate);
    this.#iteration++;
    const seconds = (performance.now() - started) / 1000;
    const episodes = this.#episodes(samples);
    return {
      iteration: this.#iteration,
      global_step: this.globalStep,
      seconds,
      'charts/SPS_env': Math.round(samples / spent.env),
      'charts/SPS_env_policy': Math.round(samples / spent.wall),
      'charts/SPS': Math.round(samples / seconds),
      'charts/episodic_return': episodes.meanReturn,
      'charts/episodic_length': episodes.meanLength,
      'charts/learning_rate': learningRate,
      'losses/policy_loss': losses.policyLoss,
      'losses/value_loss': losses.valueLoss,
      'losses/entropy': losses.entropy,
      'losses/approx_kl': losses.approxKl,
      'losses/clipfrac': losses.clipFraction,
      'losses/grad_norm': losses.gradientNorm,
      'losses/explained_variance': explainedVariance(roll.values, this.#returns, samples),
      'charts/updates': updates,
    };
  }

  /** Epochs over the rollout in shuffled minibatches; gives the means over the minibatches used. */
  #learn(samples: number, learningRate: number): { losses: UpdateResult; updates: number } {
    const { config } = this;
    const rows = this.#minibatch.rows;
    const stream = new RandomStream(config.seed, Purpose.shuffle, 0, this.#iteration);
    const order = this.#order;
    // From the identity each time, so that a resumed run shuffles as an uninterrupted one.
    for (let k = 0; k < samples; k++) order[k] = k;
    const sums = { policyLoss: 0, valueLoss: 0, entropy: 0, approxKl: 0, clipFraction: 0, gradientNorm: 0 };
    let updates = 0;
    let far = false;
    for (let epoch = 0; epoch < config.epochs && !far; epoch++) {
      shuffle(order, samples, stream);
      // Samples that do not fill a minibatch sit out this epoch; the shuffle picks others in the next.
      for (let first = 0; first + rows <= samples && !far; first += rows) {
        this.#fill(first);
        const losses = this.#learner.update(this.#minibatch, config, learningRate, config.maxGradientNorm);
        updates++;
        for (const key of Object.keys(sums) as (keyof UpdateResult)[]) sums[key] += losses[key];
        far = losses.approxKl > config.targetKl;
      }
    }
    const losses = Object.fromEntries(
      Object.entries(sums).map(([key, sum]) => [key, sum / updates]),
    ) as unknown as UpdateResult;
    return { losses, updates };
  }

  /** Gathers the minibatch that starts at `first` of the shuffled order, its advantages normalised. */
  #fill(first: number): void {
    const batch = this.#minibatch;
    const { rows, observations, starts, taken, logProbs, advantages, returns } = batch;
    const { inputs, actions, kind } = this.#pool.shape;
    const { numEnvs, rolloutSteps } = this.config;
    const roll = this.#pool.rollout;
    let entries = 0;
    for (let r = 0; r < rows; r++) entries += roll.legalCounts[this.#order[first + r]];
    if (batch.legalActions.length < entries) {
      const room = Math.ceil(entries * 1.25);
      batch.legalActions = new Int32Array(room);
      batch.features = new Float32Array(kind === 'pairs' ? room * PAIR_COLUMNS : 0);
    }
    const { legalActions, features } = batch;
    let sum = 0;
    let at = 0;
    for (let r = 0; r < rows; r++) {
      const p = this.#order[first + r];
      observations.set(roll.observations.subarray(p * inputs, (p + 1) * inputs), r * inputs);
      const count = roll.legalCounts[p];
      const from = (p % numEnvs) * rolloutSteps * actions + roll.legalStarts[p];
      legalActions.set(roll.legalActions.subarray(from, from + count), at);
      if (kind === 'pairs') {
        features.set(roll.features.subarray(from * PAIR_COLUMNS, (from + count) * PAIR_COLUMNS), at * PAIR_COLUMNS);
      }
      starts[r] = at;
      at += count;
      taken[r] = roll.taken[p]!;
      logProbs[r] = roll.logProbs[p]!;
      advantages[r] = this.#advantages[p]!;
      returns[r] = this.#returns[p]!;
      sum += advantages[r];
    }
    starts[rows] = at;
    const mean = sum / rows;
    let squares = 0;
    for (let r = 0; r < rows; r++) squares += (advantages[r] - mean) ** 2;
    const scale = 1 / (Math.sqrt(squares / rows) + 1e-8);
    for (let r = 0; r < rows; r++) advantages[r] = (advantages[r] - mean) * scale;
  }

  #episodes(samples: number): { meanReturn: number | null; meanLength: number | null } {
    const { terminated, truncated, episodeReturns, episodeLengths } = this.#pool.rollout;
    let count = 0;
    let returns = 0;
    let lengths = 0;
    for (let p = 0; p < samples; p++) {
      if (terminated[p] === 0 && truncated[p] === 0) continue;
      count++;
      returns += episodeReturns[p];
      lengths += episodeLengths[p];
    }
    return count === 0
      ? { meanReturn: null, meanLength: null }
      : { meanReturn: returns / count, meanLength: lengths / count };
  }

  /** A copy of all that the next iteration depends on. */
  snapshot(): PpoState {
    const copy = <V extends object>(views: V): Record<string, never> =>
      Object.fromEntries(Object.entries(views).map(([name, view]) => [name, (view as Float32Array).slice() as never]));
    return {
      iteration: this.#iteration,
      weights: this.#pool.weights.slice(),
      adam: this.#learner.snapshot(),
      rewardScale: this.#rewardScale.snapshot(),
      environments: copy(this.#pool.state),
      outputs: copy(this.#pool.outputs),
    };
  }

  /** Goes on from a snapshot of a run with the same scenario and config. */
  restore(state: PpoState): void {
    if (state.weights.length !== this.#pool.weights.length) {
      throw new TrainError(
        'ERR_CHECKPOINT',
        `the checkpoint has ${state.weights.length} weights, this run needs ${this.#pool.weights.length}`,
      );
    }
    this.#iteration = state.iteration;
    this.#pool.weights.set(state.weights);
    this.#learner.restore(state.adam);
    this.#rewardScale.restore(state.rewardScale);
    const put = (views: object, saved: PpoState['environments']): void => {
      for (const [name, view] of Object.entries(views)) {
        const from = saved[name];
        if (from?.length !== (view as Float32Array).length) {
          throw new TrainError(
            'ERR_CHECKPOINT',
            `the checkpoint's "${name}" has ${from?.length ?? 0} numbers, this run needs ${(view as Float32Array).length}`,
          );
        }
        (view as Float32Array).set(from);
      }
    };
    put(this.#pool.state, state.environments);
    put(this.#pool.outputs, state.outputs);
  }

  async close(): Promise<void> {
    this.#learner.dispose();
    await this.#pool.close();
  }
}

/** A minibatch whose room for legal actions grows with need; otherwise a `Minibatch`. */
interface GrowingMinibatch extends PpoSamples {
  readonly observations: Float32Array;
  legalActions: Int32Array;
  features: Float32Array;
}

/** Fisher and Yates, downwards (Durstenfeld 1964). */
function shuffle(order: Int32Array, length: number, stream: RandomStream): void {
  for (let k = length - 1; k > 0; k--) {
    const other = stream.integer(0, k);
    const held = order[k];
    order[k] = order[other]!;
    order[other] = held;
  }
}

/** 1 - Var(returns - values) / Var(returns); 1 is a perfect critic, 0 one that says nothing. */
export function explainedVariance(values: Float32Array, returns: Float32Array, length: number): number {
  let meanReturn = 0;
  let meanError = 0;
  for (let p = 0; p < length; p++) {
    meanReturn += returns[p] / length;
    meanError += (returns[p] - values[p]) / length;
  }
  let variance = 0;
  let residual = 0;
  for (let p = 0; p < length; p++) {
    variance += (returns[p] - meanReturn) ** 2;
    residual += (returns[p] - values[p] - meanError) ** 2;
  }
  return variance === 0 ? 0 : 1 - residual / variance;
}

const check: OptionCheck = new OptionCheck((message) => new TrainError('ERR_TRAIN_OPTION', message));

/** @throws TrainError `ERR_TRAIN_OPTION` naming what is unknown, missing or out of range */
function checkConfig(config: PpoConfig): void {
  const names = [...Object.keys(ppoDefaults), 'seed', 'totalSteps'];
  check.members('the config', config, names, names);
  check.oneOf('observation', config.observation, observationKinds);
  check.oneOf('network', config.network, networkKinds);
  for (const name of ['totalSteps', 'epochs'] as const) check.whole(name, config[name], 1);
  for (const name of ['numEnvs', 'rolloutSteps'] as const) check.whole(name, config[name], 1, 65_536);
  // One sample has no spread to normalise its advantage by.
  check.whole('minibatchSize', config.minibatchSize, 2);
  if (config.numEnvs * config.rolloutSteps < 2) {
    throw new TrainError('ERR_TRAIN_OPTION', 'numEnvs times rolloutSteps is 1: a minibatch needs at least 2 samples');
  }
  check.whole('seed', config.seed, 0, MAX_SEED);
  for (const name of ['gamma', 'lambda', 'clip', 'learningRate'] as const) check.within(name, config[name], 0, 1);
  check.within('targetKl', config.targetKl, 0, 100);
  check.within('maxGradientNorm', config.maxGradientNorm, 0, 1e6);
  for (const name of ['valueCoefficient', 'entropyCoefficient'] as const) {
    const value: unknown = config[name];
    if (typeof value === 'number' && value >= 0 && value <= 1e6) continue;
    throw new TrainError('ERR_TRAIN_OPTION', `${name} is ${shown(value)}: it must be from 0 to 1000000`);
  }
  for (const name of ['hidden', 'criticHidden'] as const) {
    const widths: unknown = config[name];
    if (Array.isArray(widths) && widths.every((width) => typeof width === 'number')) continue;
    throw new TrainError('ERR_TRAIN_OPTION', `${name} is ${shown(widths)}: it must be a list of widths`);
  }
}
