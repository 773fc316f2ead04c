// Proximal policy optimisation with action masks (Schulman et al. 2017; masks as in Huang and Ontanon 2022), readable from top
// to bottom: config, collect, advantages, epochs of minibatches, loss and its derivatives, metrics. Networks and threads are
// the learner's and the pool's part.

import { Purpose, RandomStream, exp } from '../engine/index.js';
import type { CompiledScenario } from '../engine/index.js';
import { initialiseNetwork, logSumExp } from '../policy/index.js';
import type { NetworkShape } from '../policy/index.js';
import { RolloutPool } from '../workers/index.js';
import type { Rollouts } from '../workers/index.js';
import type { AdamState } from './adam.js';
import { checkTrainingConfig, fallen, iterationsOf, sharedFields, stepsAfter, trainingFields } from './algorithm.js';
import type { Algorithm, AlgorithmDefinition, Metrics, TrainingConfig, TrainingState } from './algorithm.js';
import { checkBackend } from './backend.js';
import type { Backend } from './backend.js';
import { checkWeights } from './divergence.js';
import { TrainError } from './errors.js';
import { defaultsOf } from './fields.js';
import type { Fields } from './fields.js';
import { Learner } from './learner.js';
import { Minibatch, shuffle } from './minibatch.js';
import { copyViews, episodeMeans, explainedVariance, restoreViews } from './records.js';
import type { SavedViews } from './records.js';
import { RewardScale } from './reward-scale.js';
import type { RewardScaleState } from './reward-scale.js';
import { checkLength, rolloutsOf } from './rollouts.js';
import { ShardedLearner } from './sharded-learner.js';
import type { ShardedUpdate } from './sharded-learner.js';
import type { SampleLoss } from './shards.js';

/** PPO's settings; `ppoFields` has their meanings, ranges and defaults. */
export interface PpoConfig extends TrainingConfig, PpoCoefficients {
  readonly epochs: number;
  readonly minibatchSize: number;
  readonly learningRate: number;
  readonly learningRateFinal: number;
  readonly gamma: number;
  readonly lambda: number;
  readonly clipFinal: number;
  readonly entropyFinal: number;
  readonly targetKl: number;
  readonly maxGradientNorm: number;
  readonly normaliseRewards: boolean;
  readonly normaliseAdvantages: boolean;
  readonly hidden: readonly number[];
  readonly criticHidden: readonly number[];
  /** Weights depend on it to the last bit; on the number of threads they do not. */
  readonly shards: number;
}

/** Weights of the loss's terms. */
export interface PpoCoefficients {
  /** Clip range of the probability ratio, above 0 and at most 1. */
  readonly clip: number;
  /** Weight of the value loss, 0 to 1e6. */
  readonly valueCoefficient: number;
  /** Weight of the entropy bonus, 0 to 1e6. */
  readonly entropyCoefficient: number;
}

/** PPO's settings but the run's own. */
export const ppoFields: Fields<PpoConfig> = {
  ...trainingFields,
  epochs: { kind: 'whole', min: 1, max: 1000, default: 4, doc: 'passes over each rollout; of rollout over its labels' },
  // One sample has no spread to normalise its advantage by.
  minibatchSize: { ...sharedFields.minibatchSize, min: 2, default: 1024 },
  learningRate: { ...sharedFields.learningRate, default: 3e-3 },
  learningRateFinal: sharedFields.learningRateFinal,
  gamma: sharedFields.gamma,
  lambda: { kind: 'number', above: 0, max: 1, default: 0.95, doc: 'decay of generalised advantage estimation' },
  clip: { kind: 'number', above: 0, max: 1, default: 0.2, doc: 'clip range of the probability ratio' },
  clipFinal: { kind: 'number', above: 0, max: 1, default: 1, doc: 'share of the clip range at the end of training' },
  valueCoefficient: { kind: 'number', min: 0, max: 1e6, default: 0.5, doc: 'weight of the value loss' },
  entropyCoefficient: { kind: 'number', min: 0, max: 1e6, default: 0.01, doc: 'weight of the entropy bonus' },
  entropyFinal: {
    kind: 'number',
    min: 0,
    max: 1,
    default: 1,
    doc: 'share of the entropy bonus at the end of training',
  },
  targetKl: {
    kind: 'number',
    above: 0,
    max: 100,
    default: 0.03,
    doc: "an iteration's updates end once a minibatch's approximate KL exceeds this",
  },
  maxGradientNorm: { ...sharedFields.maxGradientNorm, default: 0.5 },
  normaliseRewards: {
    kind: 'switch',
    default: true,
    doc: 'divide rewards by a moving spread of the discounted return',
  },
  normaliseAdvantages: {
    kind: 'switch',
    default: true,
    doc: 'centre and scale the advantages of each minibatch',
  },
  hidden: { ...sharedFields.hidden, default: [32, 32] },
  criticHidden: { ...sharedFields.criticHidden, default: [64, 64] },
  shards: {
    kind: 'whole',
    min: 1,
    max: 256,
    default: 8,
    doc: 'parts that backend simd cuts a minibatch into, so that threads can share it',
  },
};

/** The defaults of all settings but the run's own. */
export const ppoDefaults: Omit<PpoConfig, 'seed' | 'totalSteps'> = defaultsOf<PpoConfig>(ppoFields);

function checkConfig(config: PpoConfig): void {
  checkTrainingConfig(ppoFields, config);
  if (config.numEnvs * config.rolloutSteps < 2) {
    throw new TrainError('ERR_TRAIN_OPTION', 'numEnvs times rolloutSteps is 1: a minibatch needs at least 2 samples');
  }
}

/** One iteration of PPO; losses are means over the minibatches used. */
export interface PpoMetrics extends Metrics {
  /** Adam's step size in this iteration. */
  readonly 'charts/learning_rate': number;
  /** The clipped surrogate, negated. */
  readonly 'losses/policy_loss': number;
  /** Half the mean squared error of the critic, in scaled returns. */
  readonly 'losses/value_loss': number;
  /** Nats. */
  readonly 'losses/entropy': number;
  /** KL divergence of the new policy from the old, nats (estimator of Schulman 2020). */
  readonly 'losses/approx_kl': number;
  /** Share of samples whose probability ratio lies outside the clip range, 0 to 1. */
  readonly 'losses/clipfrac': number;
  /** Norm of the gradient before it is shortened. */
  readonly 'losses/grad_norm': number;
  /** Of the returns by the critic: 1 is perfect, 0 a constant. */
  readonly 'losses/explained_variance': number;
  /** Minibatches used of those planned. */
  readonly 'charts/updates': number;
}

/** All that the next iteration depends on. */
export interface PpoState extends TrainingState {
  /** The optimiser's state. */
  readonly adam: AdamState;
  /** The reward scale's state. */
  readonly rewardScale: RewardScaleState;
  /** Memory of the environments. */
  readonly environments: SavedViews;
  /** What the environments last wrote. */
  readonly outputs: SavedViews;
}

/** The losses of one minibatch, and the norm of its gradient before it is shortened. */
type UpdateResult = PpoLosses & { readonly gradientNorm: number };

/** Means over the minibatches of one iteration, and how many there were. */
type LearnResult = PpoLosses & { readonly gradientNorm: number; readonly updates: number };

/** A training by PPO: environments on worker threads, one learner on this thread. */
export class Ppo implements Algorithm<PpoConfig, PpoState> {
  /** As it was created with, and checked. */
  readonly config: PpoConfig;
  /** Iterations in all. */
  readonly iterations: number;
  readonly #pool: Rollouts<'actor-critic'>;
  readonly #learner: Learner | ShardedLearner;
  readonly #rewardScale: RewardScale;
  /** Samples of an iteration, T * n. */
  readonly #samples: number;
  /** By sample, unlike those of `#targets`: `[T * n]`. */
  readonly #advantages: Float32Array;
  readonly #returns: Float32Array;
  readonly #rewards: Float32Array;
  readonly #order: Int32Array;
  /** Samples of a minibatch. */
  readonly #rows: number;
  /** Mean of the minibatch's advantages, and the inverse of their standard deviation. */
  readonly #moments: Float64Array;
  /** As `PpoShards` has them. */
  readonly #coefficients: Float64Array;
  /** The minibatch for a learner that takes it whole. */
  readonly #batch: Minibatch;
  /** What the loss needs of its samples. */
  readonly #targets: PpoSamples;
  #iteration = 0;

  /**
   * @param world   a scenario, or whoever steps environments of another kind
   * @param workers threads for a scenario, 1 to 256; the results do not depend on their number
   * @param hangSeconds seconds without a step after which a worker counts as hanging, called again and again; default 300
   * @throws TrainError `ERR_TRAIN_OPTION`, WorkerError `ERR_WORKERS_OPTION`, PolicyError `ERR_NETWORK`, EngineError
   */
  constructor(
    world: CompiledScenario | Rollouts<'actor-critic'>,
    backend: Backend,
    config: PpoConfig,
    workers = 1,
    hangSeconds?: () => number,
  ) {
    checkConfig(config);
    checkBackend(backend);
    this.config = config;
    const { numEnvs, rolloutSteps } = config;
    const samples = numEnvs * rolloutSteps;
    this.#samples = samples;
    this.iterations = iterationsOf(config);
    this.#pool = rolloutsOf(world, 'actor-critic', config, workers, hangSeconds);
    const { shape, weights } = this.#pool;
    initialiseNetwork(shape, new RandomStream(config.seed, Purpose.weights), weights);
    this.#rewardScale = new RewardScale(numEnvs);
    // Threads that share a minibatch read these.
    this.#advantages = new Float32Array(new SharedArrayBuffer(4 * samples));
    this.#returns = new Float32Array(new SharedArrayBuffer(4 * samples));
    this.#order = new Int32Array(new SharedArrayBuffer(4 * samples));
    this.#moments = new Float64Array(new SharedArrayBuffer(16));
    this.#coefficients = new Float64Array(new SharedArrayBuffer(24));
    this.#rewards = new Float32Array(samples);
    const rows = Math.min(config.minibatchSize, samples);
    this.#rows = rows;
    const pool = this.#pool;
    this.#learner =
      (backend.name === 'simd' || backend.name === 'simd-relaxed') && pool instanceof RolloutPool
        ? this.#sharded(pool as RolloutPool<'actor-critic'>, backend.name === 'simd-relaxed')
        : new Learner(backend, shape, weights);
    this.#batch = new Minibatch(shape, this.#learner instanceof Learner ? rows : 0, numEnvs, rolloutSteps);
    this.#targets = {
      rows,
      starts: this.#batch.starts,
      taken: new Int32Array(rows),
      logProbs: new Float32Array(rows),
      advantages: new Float32Array(rows),
      returns: new Float32Array(rows),
    };
  }

  get iteration(): number {
    return this.#iteration;
  }

  get globalStep(): number {
    return stepsAfter(this.#iteration, this.config);
  }

  get workers(): number {
    return this.#pool.workers;
  }

  get weights(): Float32Array {
    return this.#pool.weights;
  }

  get shape(): NetworkShape {
    return this.#pool.shape;
  }

  /** One iteration: T steps in every environment, then the updates. */
  async step(): Promise<PpoMetrics> {
    const started = performance.now();
    const { config } = this;
    const { numEnvs, rolloutSteps, gamma, lambda } = config;
    const samples = this.#samples;
    const left = (final: number): number => fallen(final, this.#iteration, this.iterations);
    const learningRate = config.learningRate * left(config.learningRateFinal);
    this.#coefficients[0] = config.clip * left(config.clipFinal);
    this.#coefficients[1] = config.valueCoefficient;
    this.#coefficients[2] = config.entropyCoefficient * left(config.entropyFinal);

    const spent = await this.#pool.collect({ kind: 'softmax' });
    const roll = this.#pool.rollout;

    this.#rewards.set(roll.rewards);
    if (config.normaliseRewards) {
      this.#rewardScale.apply(rolloutSteps, this.#rewards, roll.terminated, roll.truncated, gamma);
    }
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

    const learned = await this.#learn(learningRate);
    checkWeights(this.shape, this.weights, { iteration: this.#iteration + 1, learningRate });
    this.#iteration++;
    const seconds = (performance.now() - started) / 1000;
    const episodes = episodeMeans(roll, samples);
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
      'losses/policy_loss': learned.policyLoss,
      'losses/value_loss': learned.valueLoss,
      'losses/entropy': learned.entropy,
      'losses/approx_kl': learned.approxKl,
      'losses/clipfrac': learned.clipFraction,
      'losses/grad_norm': learned.gradientNorm,
      'losses/explained_variance': explainedVariance(roll.values, this.#returns, samples),
      'charts/updates': learned.updates,
    };
  }

  /** Epochs over the rollout in shuffled minibatches, until the policy has moved too far. */
  async #learn(learningRate: number): Promise<LearnResult> {
    const learner = this.#learner;
    if (learner instanceof Learner) {
      return this.#epochs((first) => Promise.resolve(this.#updateWhole(learner, first, learningRate)));
    }
    return learner.phase((update) =>
      this.#epochs((first) => this.#updateSharded(learner, update, first, learningRate)),
    );
  }

  /** @param update one step down the loss of the minibatch that starts at `first` of the shuffled order */
  async #epochs(update: (first: number) => Promise<UpdateResult>): Promise<LearnResult> {
    const { config } = this;
    const samples = this.#samples;
    const rows = this.#rows;
    const stream = new RandomStream(config.seed, Purpose.shuffle, 0, this.#iteration);
    const order = this.#order;
    // From the identity each time, so that a resumed run shuffles as an uninterrupted one.
    for (let k = 0; k < samples; k++) order[k] = k;
    const sums = { policyLoss: 0, valueLoss: 0, entropy: 0, approxKl: 0, clipFraction: 0, gradientNorm: 0 };
    let updates = 0;
    let far = false;
    for (let epoch = 0; epoch < config.epochs && !far; epoch++) {
      shuffle(order, samples, stream);
      // Samples that do not fill a minibatch are left out of this epoch; the next shuffle leaves out others.
      for (let first = 0; first + rows <= samples && !far; first += rows) {
        this.#measure(first);
        const { gradientNorm, ...losses } = await update(first);
        sums.gradientNorm += gradientNorm;
        sums.policyLoss += losses.policyLoss;
        sums.valueLoss += losses.valueLoss;
        sums.entropy += losses.entropy;
        sums.approxKl += losses.approxKl;
        sums.clipFraction += losses.clipFraction;
        updates++;
        far = losses.approxKl > config.targetKl;
      }
    }
    return {
      policyLoss: sums.policyLoss / updates,
      valueLoss: sums.valueLoss / updates,
      entropy: sums.entropy / updates,
      approxKl: sums.approxKl / updates,
      clipFraction: sums.clipFraction / updates,
      gradientNorm: sums.gradientNorm / updates,
      updates,
    };
  }

  /** Mean and spread of the minibatch's advantages, by which they are normalised unless that is switched off. */
  #measure(first: number): void {
    if (!this.config.normaliseAdvantages) {
      this.#moments[0] = 0;
      this.#moments[1] = 1;
      return;
    }
    const rows = this.#rows;
    let sum = 0;
    for (let r = 0; r < rows; r++) sum += this.#advantages[this.#order[first + r]];
    const mean = sum / rows;
    let squares = 0;
    for (let r = 0; r < rows; r++) {
      const deviation = this.#advantages[this.#order[first + r]] - mean;
      squares += deviation * deviation;
    }
    this.#moments[0] = mean;
    this.#moments[1] = 1 / (Math.sqrt(squares / rows) + 1e-8);
  }

  /** On this thread, the minibatch as a whole. */
  #updateWhole(learner: Learner, first: number, learningRate: number): UpdateResult {
    this.#batch.gather(this.#pool.rollout, this.#order, first);
    gatherTargets(this.#sampleViews(), first, this.#targets);
    const { scores, values } = learner.forward(this.#batch);
    const dOutputs = learner.roomFor(this.#batch);
    const losses = ppoLoss(
      this.#targets,
      coefficientsOf(this.#coefficients),
      scores,
      values,
      dOutputs.scores,
      dOutputs.values,
    );
    const terms = [['policy loss', losses.policyLoss] as const, ['value loss', losses.valueLoss] as const];
    const gradientNorm = learner.update(this.#batch, dOutputs, learningRate, this.config.maxGradientNorm, terms);
    return { ...losses, gradientNorm };
  }

  /** On all threads, in shards; they call `ppoLoss` for their parts. */
  async #updateSharded(
    learner: ShardedLearner,
    update: ShardedUpdate,
    first: number,
    learningRate: number,
  ): Promise<UpdateResult> {
    const gradientNorm = await update(first, this.#rows, learningRate, this.config.maxGradientNorm);
    const [policyLoss, valueLoss, entropy, approxKl, clipFraction] = learner.terms;
    return { policyLoss, valueLoss, entropy, approxKl, clipFraction, gradientNorm };
  }

  #sharded(pool: RolloutPool<'actor-critic'>, relaxed: boolean): ShardedLearner {
    const { numEnvs, rolloutSteps } = this.config;
    const setup: PpoShards = { ...this.#sampleViews(), coefficients: this.#coefficients };
    return new ShardedLearner({
      pool,
      records: this.#pool.rollout,
      envs: numEnvs,
      steps: rolloutSteps,
      order: this.#order,
      shards: this.config.shards,
      relaxed,
      loss: { name: 'ppo', setup, here: ppoShardLoss(setup) },
    });
  }

  #sampleViews(): SampleViews {
    const { taken, logProbs } = this.#pool.rollout;
    return {
      order: this.#order,
      taken,
      logProbs,
      advantages: this.#advantages,
      returns: this.#returns,
      moments: this.#moments,
    };
  }

  snapshot(): PpoState {
    return {
      iteration: this.#iteration,
      weights: this.#pool.weights.slice(),
      adam: this.#learner.snapshot(),
      rewardScale: this.#rewardScale.snapshot(),
      environments: copyViews(this.#pool.state),
      outputs: copyViews(this.#pool.outputs),
    };
  }

  restore(state: PpoState): void {
    checkLength('weights', state.weights, this.#pool.weights.length);
    this.#iteration = state.iteration;
    this.#pool.weights.set(state.weights);
    this.#learner.restore(state.adam);
    this.#rewardScale.restore(state.rewardScale);
    restoreViews(this.#pool.state, state.environments);
    restoreViews(this.#pool.outputs, state.outputs);
  }

  async close(): Promise<void> {
    if (this.#learner instanceof Learner) this.#learner.dispose();
    await this.#pool.close();
  }
}

/**
 * Generalised advantage estimation, written into `advantages` (Schulman et al. 2016, eq. 16).
 * @param steps       T
 * @param envs        n
 * @param rewards     `[T, n]` undiscounted
 * @param values      `[T + 1, n]`; the last row is the value of the observation after the last step
 * @param terminated  `[T, n]` 0/1: no future
 * @param truncated   `[T, n]` 0/1: cut; the future is worth `finalValues`
 * @param finalValues `[T, n]` value of the final observation where truncated
 * @param advantages  `[T, n]` output
 */
export function generalisedAdvantages(
  steps: number,
  envs: number,
  rewards: Float32Array,
  values: Float32Array,
  terminated: Uint8Array,
  truncated: Uint8Array,
  finalValues: Float32Array,
  gamma: number,
  lambda: number,
  advantages: Float32Array,
): void {
  for (let e = 0; e < envs; e++) {
    let advantage = 0;
    for (let t = steps - 1; t >= 0; t--) {
      const p = t * envs + e;
      // values[p + envs] belongs to the next episode if this one ended here.
      const next = terminated[p] === 1 ? 0 : truncated[p] === 1 ? finalValues[p] : values[p + envs];
      const goesOn = terminated[p] === 1 || truncated[p] === 1 ? 0 : 1;
      advantage = rewards[p] + gamma * next - values[p] + gamma * lambda * goesOn * advantage;
      advantages[p] = advantage;
    }
  }
}

/** The loss's terms, means over a minibatch; of a part of one, what it adds to them. */
export interface PpoLosses {
  /** The clipped surrogate, negated. */
  readonly policyLoss: number;
  /** Half the squared error. */
  readonly valueLoss: number;
  /** Nats. */
  readonly entropy: number;
  /** KL divergence of the new policy from the old, estimated as mean(ratio - 1 - log ratio) (Schulman 2020). */
  readonly approxKl: number;
  /** Share of samples whose ratio lies outside the clip range. */
  readonly clipFraction: number;
}

/** What the loss needs of `rows` samples; sample r has entries `starts[r]` to `starts[r + 1]` (exclusive) of the logits. */
export interface PpoSamples {
  /** Samples. */
  readonly rows: number;
  /** Samples of the whole minibatch, where these are a part of it; default `rows`. */
  readonly of?: number;
  /** `[rows + 1]` */
  readonly starts: Int32Array;
  /** `[rows]` which entry of the sample was taken, 0 first */
  readonly taken: Int32Array;
  /** `[rows]` log-probability when it was taken */
  readonly logProbs: Float32Array;
  /** `[rows]` normalised */
  readonly advantages: Float32Array;
  /** `[rows]` the critic's targets */
  readonly returns: Float32Array;
}

/** Of one sample's actions; as long as any sample's so far. */
let probabilities = new Float64Array(0);

/**
 * PPO's loss over legal actions, and its derivatives with respect to logits and values in closed form. Networks only ever see
 * these derivatives, so every backend minimises the same function; a test holds them to numerical ones.
 *
 * Loss = policy + valueCoefficient * value - entropyCoefficient * entropy (Schulman et al. 2017, eq. 9, as a loss).
 * @param logits  `[entries]`
 * @param values  `[rows]`
 * @param dLogits `[entries]` output: derivative of the loss
 * @param dValues `[rows]` output: derivative of the loss
 */
export function ppoLoss(
  samples: PpoSamples,
  coefficients: PpoCoefficients,
  logits: Float32Array,
  values: Float32Array,
  dLogits: Float32Array,
  dValues: Float32Array,
): PpoLosses {
  const { rows, of = rows, starts, taken, logProbs, advantages, returns } = samples;
  const { clip, valueCoefficient, entropyCoefficient } = coefficients;
  let policyLoss = 0;
  let valueLoss = 0;
  let entropySum = 0;
  let kl = 0;
  let clipped = 0;
  for (let r = 0; r < rows; r++) {
    const from = starts[r];
    const to = starts[r + 1];
    const action = from + taken[r];
    const advantage = advantages[r];
    const normaliser = logSumExp(logits, from, to);
    const logRatio = logits[action] - normaliser - logProbs[r];
    const ratio = exp(logRatio);
    const bounded = Math.min(Math.max(ratio, 1 - clip), 1 + clip);
    const plain = ratio * advantage;
    policyLoss -= Math.min(plain, bounded * advantage);
    // The derivative goes through the ratio only where the unclipped term is the smaller one.
    const dLogProb = plain <= bounded * advantage ? -plain : 0;
    kl += ratio - 1 - logRatio;
    if (Math.abs(ratio - 1) > clip) clipped++;

    if (probabilities.length < to - from) probabilities = new Float64Array(2 * (to - from));
    let entropy = 0;
    for (let k = from; k < to; k++) {
      const logP = logits[k] - normaliser;
      const p = exp(logP);
      probabilities[k - from] = p;
      entropy -= p * logP;
    }
    entropySum += entropy;
    for (let k = from; k < to; k++) {
      const logP = logits[k] - normaliser;
      const p = probabilities[k - from];
      dLogits[k] = (-dLogProb * p + entropyCoefficient * p * (logP + entropy)) / of;
    }
    dLogits[action] += dLogProb / of;

    const error = values[r] - returns[r];
    valueLoss += 0.5 * error * error;
    dValues[r] = (valueCoefficient * error) / of;
  }
  return {
    policyLoss: policyLoss / of,
    valueLoss: valueLoss / of,
    entropy: entropySum / of,
    approxKl: kl / of,
    clipFraction: clipped / of,
  };
}

/** What the loss takes of an iteration's samples, by sample, and the order in which minibatches take these; shared memory. */
interface SampleViews {
  readonly order: Int32Array;
  readonly taken: Int32Array;
  readonly logProbs: Float32Array;
  readonly advantages: Float32Array;
  readonly returns: Float32Array;
  /** Mean of the present minibatch's advantages, and the inverse of their standard deviation. */
  readonly moments: Float64Array;
}

/** Copies samples from place `first` of the order on into `targets`, and normalises their advantages. */
function gatherTargets(views: SampleViews, first: number, targets: Omit<PpoSamples, 'starts'>): void {
  const { order, taken, logProbs, advantages, returns, moments } = views;
  const [mean, scale] = moments;
  for (let r = 0; r < targets.rows; r++) {
    const p = order[first + r];
    targets.taken[r] = taken[p]!;
    targets.logProbs[r] = logProbs[p]!;
    targets.advantages[r] = (advantages[p] - mean) * scale;
    targets.returns[r] = returns[p]!;
  }
}

/** What threads make the loss of. */
interface PpoShards extends SampleViews {
  /** `[3]` clip range, weight of the value loss, weight of the entropy bonus: of the iteration under way. */
  readonly coefficients: Float64Array;
}

function coefficientsOf([clip, valueCoefficient, entropyCoefficient]: Float64Array): PpoCoefficients {
  return { clip, valueCoefficient, entropyCoefficient };
}

/** The loss for threads that share a minibatch. */
export function ppoShardLoss(setup: PpoShards): SampleLoss {
  let targets = {
    taken: new Int32Array(0),
    logProbs: new Float32Array(0),
    advantages: new Float32Array(0),
    returns: new Float32Array(0),
  };
  return {
    terms: ['policy loss', 'value loss', 'entropy', 'approximate KL', 'clip fraction'],
    derive: (first, rows, of, starts, outputs, dOutputs, terms, at) => {
      if (targets.taken.length < rows) {
        const room = (): Float32Array<ArrayBuffer> => new Float32Array(rows);
        targets = { taken: new Int32Array(rows), logProbs: room(), advantages: room(), returns: room() };
      }
      const samples: PpoSamples = { ...targets, rows, of, starts };
      gatherTargets(setup, first, samples);
      const { scores, values } = outputs;
      const losses = ppoLoss(
        samples,
        coefficientsOf(setup.coefficients),
        scores,
        values,
        dOutputs.scores,
        dOutputs.values,
      );
      terms[at] += losses.policyLoss;
      terms[at + 1] += losses.valueLoss;
      terms[at + 2] += losses.entropy;
      terms[at + 3] += losses.approxKl;
      terms[at + 4] += losses.clipFraction;
    },
  };
}

/** PPO's entry in the registry. */
export const ppo: AlgorithmDefinition<PpoConfig, PpoState> = {
  name: 'ppo',
  description: 'proximal policy optimisation with action masks',
  fields: ppoFields,
  defaults: ppoDefaults,
  check: checkConfig,
  create: ({ compiled, backend, workers, hangSeconds }, config) =>
    new Ppo(compiled, backend, config, workers, hangSeconds),
  schedules: (config) =>
    (['learningRateFinal', 'clipFinal', 'entropyFinal'] as const).filter((name) => config[name] !== 1),
  summary: (metrics) => {
    const [policy, value, entropy] = ['policy_loss', 'value_loss', 'entropy'].map((name) => metrics[`losses/${name}`]!);
    return `loss pi ${policy.toFixed(4)} v ${value.toFixed(3)} H ${entropy.toFixed(2)}`;
  },
};
