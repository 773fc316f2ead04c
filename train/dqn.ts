// Deep Q-learning with replay (Mnih et al. 2015) on legal actions, readable from top to bottom: config, collect, store, draw,
// targets, loss and its derivatives, priorities, metrics. Double (van Hasselt et al. 2016), dueling (Wang et al. 2016), n-step
// returns, prioritised replay (Schaul et al. 2016): each can be switched off. Networks and threads are the learner's and the
// pool's part.

import { PAIR_COLUMNS, Purpose, RandomStream } from '../engine/index.js';
import type { CompiledScenario } from '../engine/index.js';
import { SimdMlp, argmax, initialiseNetwork, networkLayout } from '../policy/index.js';
import type { NetworkShape } from '../policy/index.js';
import type { ReplayViews, Rollouts } from '../workers/index.js';
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
import type { Batch, Outputs } from './learner.js';
import { NStepQueue } from './n-step.js';
import { copyViews, episodeMeans, restoreViews } from './records.js';
import type { SavedViews } from './records.js';
import { Replay, ReplayBatch } from './replay.js';
import type { ReplayCounters } from './replay.js';
import { checkLength, rolloutsOf } from './rollouts.js';

/** What is subtracted from the scores of a state's legal actions: their mean, or the largest. */
export type DuelingBaseline = 'mean' | 'max';

/** DQN's settings; `dqnFields` has their meanings, ranges and defaults. */
export interface DqnConfig extends TrainingConfig {
  readonly minibatchSize: number;
  readonly learningRate: number;
  readonly learningRateFinal: number;
  readonly gamma: number;
  readonly nSteps: number;
  readonly cutTraces: boolean;
  readonly double: boolean;
  readonly dueling: boolean;
  readonly duelingBaseline: DuelingBaseline;
  readonly rewardScale: number;
  readonly huberDelta: number;
  readonly trainFrequency: number;
  readonly learningStarts: number;
  readonly targetFrequency: number;
  readonly tau: number;
  readonly epsilonStart: number;
  readonly epsilonFinal: number;
  readonly explorationShare: number;
  readonly temperature: number;
  readonly replayCapacity: number;
  readonly replayEntries: number;
  readonly prioritised: boolean;
  readonly priorityAlpha: number;
  readonly priorityBeta: number;
  readonly priorityBetaFinal: number;
  readonly priorityEpsilon: number;
  readonly maxGradientNorm: number;
  readonly hidden: readonly number[];
  readonly criticHidden: readonly number[];
}

/** DQN's settings but the run's own. */
export const dqnFields: Fields<DqnConfig> = {
  ...trainingFields,
  rolloutSteps: { ...trainingFields.rolloutSteps, default: 16 },
  minibatchSize: { ...sharedFields.minibatchSize, default: 256 },
  learningRate: { ...sharedFields.learningRate, default: 3e-3 },
  learningRateFinal: { ...sharedFields.learningRateFinal, default: 0.01 },
  gamma: { ...sharedFields.gamma, default: 0.97 },
  nSteps: { kind: 'whole', min: 1, max: 255, default: 5, doc: 'rewards summed before the value of what follows' },
  cutTraces: { kind: 'switch', default: false, doc: 'such a sum ends before a random action (Watkins 1989)' },
  double: { kind: 'switch', default: true, doc: 'choose by the learning network, value by the target network' },
  dueling: {
    kind: 'switch',
    default: true,
    doc: "an action's value is the critic's plus the actor's advantage, less a baseline over the legal actions",
  },
  duelingBaseline: {
    kind: 'choice',
    choices: ['mean', 'max'],
    default: 'mean',
    doc: 'that baseline: with max the critic gives the value of the best action, with mean that of the average one',
  },
  rewardScale: {
    kind: 'number',
    min: 0,
    max: 1e6,
    default: 0,
    doc: 'rewards are multiplied by this; 0: 0.01 for weighted rewards, 1 for fares',
  },
  huberDelta: {
    kind: 'number',
    above: 0,
    max: 1e6,
    default: 10,
    doc: 'error, in scaled rewards, from which on the loss is linear',
  },
  trainFrequency: { kind: 'whole', min: 1, max: 1e6, default: 64, doc: 'environment steps per update' },
  learningStarts: { kind: 'whole', min: 0, default: 10_000, doc: 'environment steps before the first update' },
  targetFrequency: {
    kind: 'whole',
    min: 1,
    max: 1e6,
    default: 200,
    doc: 'updates of the learning network per update of the target network',
  },
  tau: {
    kind: 'number',
    above: 0,
    max: 1,
    default: 1,
    doc: 'share by which the target network moves to the learning one; 1 copies it',
  },
  epsilonStart: {
    kind: 'number',
    min: 0,
    max: 1,
    default: 1,
    doc: 'probability of a random legal action, at the start',
  },
  epsilonFinal: { kind: 'number', min: 0, max: 1, default: 0, doc: 'the same once exploration has ended' },
  explorationShare: {
    kind: 'number',
    above: 0,
    max: 1,
    default: 0.1,
    doc: 'share of all steps over which that probability falls, linearly',
  },
  temperature: {
    kind: 'number',
    min: 0,
    max: 1e6,
    default: 0.8,
    doc: 'otherwise actions are drawn by the softmax of their values divided by this; 0 takes the best',
  },
  replayCapacity: { kind: 'whole', min: 2, max: 2 ** 24, default: 65_536, doc: 'states in the replay memory' },
  replayEntries: {
    kind: 'whole',
    min: 0,
    max: 2 ** 30,
    default: 0,
    doc: 'legal actions in the replay memory; 0: 16 for each state, or fewer if there are no more',
  },
  prioritised: {
    kind: 'switch',
    default: false,
    doc: 'draw transitions by how wrong their value was, instead of uniformly',
  },
  priorityAlpha: { kind: 'number', min: 0, max: 1, default: 0.6, doc: 'power of the error in a priority' },
  priorityBeta: { kind: 'number', min: 0, max: 1, default: 0.4, doc: 'power of the importance weights, at the start' },
  priorityBetaFinal: { kind: 'number', min: 0, max: 1, default: 1, doc: 'the same at the end, reached linearly' },
  priorityEpsilon: { kind: 'number', above: 0, max: 1, default: 1e-3, doc: 'added to the error in a priority' },
  maxGradientNorm: sharedFields.maxGradientNorm,
  hidden: { ...sharedFields.hidden, default: [32, 32] },
  criticHidden: { ...sharedFields.criticHidden, default: [64, 64] },
};

/** The defaults of all settings but the run's own. */
export const dqnDefaults: Omit<DqnConfig, 'seed' | 'totalSteps'> = defaultsOf<DqnConfig>(dqnFields);

function checkConfig(config: DqnConfig): void {
  checkTrainingConfig(dqnFields, config);
  // States that wait for their n rewards must not be dropped while a rollout is stored; each step may bring a final state, too.
  const least = 2 * config.numEnvs * (config.rolloutSteps + config.nSteps);
  if (config.replayCapacity < least) {
    throw new TrainError(
      'ERR_TRAIN_OPTION',
      `replayCapacity is ${config.replayCapacity}: it must be at least 2 * numEnvs * (rolloutSteps + nSteps), which is ${least}`,
    );
  }
}

/** One iteration of DQN; losses are means over its updates, null if there were none. */
export interface DqnMetrics extends Metrics {
  /** Adam's step size in this iteration. */
  readonly 'charts/learning_rate': number;
  /** Probability of a random legal action. */
  readonly 'charts/epsilon': number;
  /** Power of the importance weights. */
  readonly 'charts/beta': number;
  /** Transitions in the replay memory. */
  readonly 'charts/replay': number;
  /** Updates of this iteration. */
  readonly 'charts/updates': number;
  /** Weighted Huber loss, in scaled rewards. */
  readonly 'losses/td_loss': number | null;
  /** Mean value of the actions taken, in scaled rewards. */
  readonly 'losses/q_values': number | null;
  /** Norm of the gradient before it is shortened. */
  readonly 'losses/grad_norm': number | null;
}

/** All that the next iteration depends on. */
export interface DqnState extends TrainingState {
  /** Weights of the target network. */
  readonly targetWeights: Float32Array;
  /** Weights by which the environments last acted. */
  readonly actingWeights: Float32Array;
  /** The optimiser's state. */
  readonly adam: AdamState;
  /** Updates done. */
  readonly updates: number;
  /** Priority that new transitions get. */
  readonly newPriority: number;
  /** Counters of the replay memory; its arrays are in `replay`. */
  readonly counters: ReplayCounters;
  /** Decisions that wait for their n rewards. */
  readonly waiting: SavedViews;
  /** Memory of the environments. */
  readonly environments: SavedViews;
  /** What the environments last wrote. */
  readonly outputs: SavedViews;
  readonly replay: SavedViews;
}

/** Means over the updates of one iteration, and how many there were. */
interface LearnResult {
  readonly loss: number;
  readonly value: number;
  readonly gradientNorm: number;
  readonly updates: number;
}

/** A training by DQN: environments on worker threads, one learner on this thread. */
export class Dqn implements Algorithm<DqnConfig, DqnState> {
  /** As it was created with, and checked. */
  readonly config: DqnConfig;
  /** Iterations in all. */
  readonly iterations: number;
  readonly #rollouts: Rollouts<'replay'>;
  readonly #learner: Learner;
  /** Of the network that learns. The environments act by a copy of it. */
  readonly #weights: Float32Array;
  readonly #targetWeights: Float32Array;
  readonly #online: ValueNetwork;
  readonly #target: ValueNetwork;
  readonly #replay: Replay;
  readonly #queue: NStepQueue;
  readonly #rewardScale: number;
  /** Discount to the power of the index. */
  readonly #discounts: Float64Array;
  /** The drawn states, and those that follow them. */
  readonly #batch: ReplayBatch;
  readonly #next: ReplayBatch;
  readonly #places: Int32Array;
  readonly #nextPlaces: Int32Array;
  readonly #samples: DqnSamples;
  /** Error of each drawn transition: target less value. */
  readonly #errors: Float32Array;
  #iteration = 0;
  #updates = 0;

  /**
   * @param world   a scenario, or whoever steps environments of another kind
   * @param workers threads for a scenario, 1 to 256; the results do not depend on their number
   * @param hangSeconds seconds without a step after which a worker counts as hanging, called again and again; default 300
   * @throws TrainError `ERR_TRAIN_OPTION`, WorkerError `ERR_WORKERS_OPTION`, PolicyError `ERR_NETWORK`, EngineError
   */
  constructor(
    world: CompiledScenario | Rollouts<'replay'>,
    backend: Backend,
    config: DqnConfig,
    workers = 1,
    hangSeconds?: () => number,
  ) {
    checkConfig(config);
    checkBackend(backend);
    this.config = config;
    this.iterations = iterationsOf(config);
    this.#rollouts = rolloutsOf(world, 'replay', config, workers, hangSeconds);
    const { shape } = this.#rollouts;
    this.#weights = new Float32Array(networkLayout(shape).size);
    initialiseNetwork(shape, new RandomStream(config.seed, Purpose.weights), this.#weights);
    this.#rollouts.weights.set(this.#weights);
    this.#targetWeights = this.#weights.slice();
    this.#learner = new Learner(backend, shape, this.#weights);
    this.#online = new ValueNetwork(shape, config);
    this.#target = new ValueNetwork(shape, config);
    this.#target.load(this.#targetWeights);
    this.#replay = new Replay({
      capacity: config.replayCapacity,
      entries: Math.max(shape.actions, config.replayEntries || config.replayCapacity * Math.min(16, shape.actions)),
      // The critic is asked by dueling only, and a pairs network's actor does not look at the observation.
      inputs: shape.kind === 'flat' || config.dueling ? shape.inputs : 0,
      columns: shape.kind === 'pairs' ? PAIR_COLUMNS : 0,
    });
    this.#queue = new NStepQueue(config.numEnvs, config.nSteps, config.gamma, this.#replay);
    this.#rewardScale =
      config.rewardScale || ('scenario' in world && world.scenario.reward.kind === 'weighted' ? 0.01 : 1);
    this.#discounts = Float64Array.from({ length: config.nSteps + 1 }, (_, k) => config.gamma ** k);
    const rows = config.minibatchSize;
    this.#batch = new ReplayBatch(shape, rows);
    this.#next = new ReplayBatch(shape, rows);
    this.#places = new Int32Array(rows);
    this.#nextPlaces = new Int32Array(rows);
    this.#samples = {
      rows,
      starts: this.#batch.starts,
      taken: new Int32Array(rows),
      targets: new Float32Array(rows),
      weights: new Float32Array(rows),
    };
    this.#errors = new Float32Array(rows);
  }

  get iteration(): number {
    return this.#iteration;
  }

  get globalStep(): number {
    return stepsAfter(this.#iteration, this.config);
  }

  get workers(): number {
    return this.#rollouts.workers;
  }

  get weights(): Float32Array {
    return this.#weights;
  }

  get shape(): NetworkShape {
    return this.#rollouts.shape;
  }

  /**
   * One iteration: T steps in every environment by the weights of the last one, and meanwhile, on this thread, the updates that
   * are due, from what was stored before.
   */
  async step(): Promise<DqnMetrics> {
    const started = performance.now();
    const { config } = this;
    const done = this.globalStep / config.totalSteps;
    const explored = Math.min(1, done / config.explorationShare);
    const epsilon = config.epsilonStart + (config.epsilonFinal - config.epsilonStart) * explored;
    const beta = config.priorityBeta + (config.priorityBetaFinal - config.priorityBeta) * Math.min(1, done);
    const learningRate = config.learningRate * fallen(config.learningRateFinal, this.#iteration, this.iterations);
    const { temperature } = config;

    const collecting = this.#rollouts.collect({ kind: 'epsilon-greedy', epsilon, temperature });
    let learned: LearnResult;
    try {
      learned = this.#learn(learningRate, beta);
    } finally {
      // Not before the threads are done: what follows may write the weights by which they act.
      await Promise.allSettled([collecting]);
    }
    const spent = await collecting;
    checkWeights(this.shape, this.#weights, { iteration: this.#iteration + 1, learningRate });
    this.#store(this.#rollouts.rollout);
    this.#rollouts.weights.set(this.#weights);

    this.#iteration++;
    const seconds = (performance.now() - started) / 1000;
    const samples = config.numEnvs * config.rolloutSteps;
    const episodes = episodeMeans(this.#rollouts.rollout, samples);
    const mean = (sum: number): number | null => (learned.updates === 0 ? null : sum / learned.updates);
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
      'charts/epsilon': epsilon,
      'charts/beta': beta,
      'charts/replay': this.#replay.transitions,
      'charts/updates': learned.updates,
      'losses/td_loss': mean(learned.loss),
      'losses/q_values': mean(learned.value),
      'losses/grad_norm': mean(learned.gradientNorm),
    };
  }

  /** Stores a rollout: states in order of time, rewards with the decisions that wait for them. */
  #store(roll: ReplayViews): void {
    const { numEnvs, rolloutSteps, cutTraces } = this.config;
    const stretch = 2 * rolloutSteps * this.shape.actions;
    const replay = this.#replay;
    const queue = this.#queue;
    for (let p = 0; p < rolloutSteps * numEnvs; p++) {
      const e = p % numEnvs;
      const first = e * stretch + roll.legalStarts[p];
      const state = replay.append(
        roll.observations,
        p,
        roll.legalActions,
        roll.features,
        first,
        roll.legalCounts[p],
        roll.taken[p],
      );
      // What follows a random action is not what the policy would have earned.
      queue.decide(e, state, cutTraces ? roll.explored[p] : 0);
      queue.reward(e, roll.rewards[p] * this.#rewardScale);
      if (roll.terminated[p] === 1) {
        queue.end(e, -1);
      } else if (roll.truncated[p] === 1) {
        const from = e * stretch + roll.finalStarts[p];
        const { finalObservations, legalActions, features, finalCounts } = roll;
        queue.end(e, replay.append(finalObservations, p, legalActions, features, from, finalCounts[p], -1));
      }
    }
  }

  /** The updates that are due by now: one for each `trainFrequency` steps after the first `learningStarts`. */
  #learn(learningRate: number, beta: number): LearnResult {
    const { config } = this;
    const stream = new RandomStream(config.seed, Purpose.shuffle, 0, this.#iteration);
    const due = Math.floor((this.globalStep - config.learningStarts) / config.trainFrequency);
    const sums = { loss: 0, value: 0, gradientNorm: 0 };
    let updates = 0;
    // At the very start no transition may be complete.
    while (this.#updates < due && this.#replay.transitions > 0) {
      this.#draw(stream, beta);
      this.#value();
      const { scores, values } = this.#learner.forward(this.#batch);
      const dOutputs = this.#learner.roomFor(this.#batch);
      const losses = dqnLoss(this.#samples, config, { scores, values }, dOutputs, this.#errors);
      const terms = [['td loss', losses.loss]] as const;
      sums.gradientNorm += this.#learner.update(this.#batch, dOutputs, learningRate, config.maxGradientNorm, terms);
      sums.loss += losses.loss;
      sums.value += losses.value;
      if (config.prioritised) this.#prioritise();
      updates++;
      if (++this.#updates % config.targetFrequency === 0) this.#followTarget();
    }
    return { ...sums, updates };
  }

  /**
   * Draws transitions by priority, one from each of as many equal parts of the total, and weighs them by how often they would
   * have been drawn uniformly: (N * P)^-beta, divided by the largest of the minibatch (Schaul et al. 2016, section 3.4).
   */
  #draw(stream: RandomStream, beta: number): void {
    const replay = this.#replay;
    const { tree } = replay;
    const { rows, taken, weights } = this.#samples;
    const places = this.#places;
    const part = tree.total / rows;
    let least = Infinity;
    for (let r = 0; r < rows; r++) {
      const place = tree.find((r + stream.float()) * part);
      places[r] = place;
      taken[r] = replay.taken[place]!;
      weights[r] = tree.get(place);
      if (weights[r] < least) least = weights[r];
    }
    // N and the total are the same for all: what is left is the ratio of the priorities.
    for (let r = 0; r < rows; r++) weights[r] = weights[r] === least ? 1 : (weights[r] / least) ** -beta;
    this.#batch.gather(replay, places, rows);
  }

  /** Targets: the rewards that followed, and the discounted value of the state after them, unless the episode terminated. */
  #value(): void {
    const replay = this.#replay;
    const { rows, targets } = this.#samples;
    const places = this.#places;
    const following = this.#nextPlaces;
    const next = this.#next;
    let count = 0;
    for (let r = 0; r < rows; r++) {
      if (replay.terminated[places[r]] === 0) following[count++] = replay.successors[places[r]]!;
    }
    next.gather(replay, following, count);
    const target = this.#target.run(next);
    let chosen = target;
    if (this.config.double) {
      this.#online.load(this.#weights);
      chosen = this.#online.run(next);
    }
    let k = 0;
    for (let r = 0; r < rows; r++) {
      const place = places[r];
      targets[r] = replay.returns[place]!;
      if (replay.terminated[place] === 1) continue;
      // Only legal actions have scores.
      const best = argmax(chosen.scores, next.starts[k], next.starts[k + 1]);
      targets[r] += this.#discounts[replay.steps[place]] * (target.values[k] + target.scores[best]);
      k++;
    }
  }

  /** Gives the drawn transitions the priority of their error, and new ones the largest that has been seen. */
  #prioritise(): void {
    const { priorityAlpha, priorityEpsilon } = this.config;
    const replay = this.#replay;
    for (let r = 0; r < this.#samples.rows; r++) {
      const priority = (Math.abs(this.#errors[r]) + priorityEpsilon) ** priorityAlpha;
      replay.tree.set(this.#places[r], priority);
      if (priority > replay.newPriority) replay.newPriority = priority;
    }
  }

  /** Moves the target network to, or towards, the learning one. */
  #followTarget(): void {
    const { tau } = this.config;
    const target = this.#targetWeights;
    if (tau === 1) target.set(this.#weights);
    else for (let k = 0; k < target.length; k++) target[k] += tau * (this.#weights[k] - target[k]);
    this.#target.load(target);
  }

  snapshot(): DqnState {
    return {
      iteration: this.#iteration,
      weights: this.#weights.slice(),
      targetWeights: this.#targetWeights.slice(),
      actingWeights: this.#rollouts.weights.slice(),
      adam: this.#learner.snapshot(),
      updates: this.#updates,
      newPriority: this.#replay.newPriority,
      counters: this.#replay.counters(),
      waiting: copyViews(this.#queue.views),
      environments: copyViews(this.#rollouts.state),
      outputs: copyViews(this.#rollouts.outputs),
      replay: this.#replay.views(),
    };
  }

  restore(state: DqnState): void {
    for (const name of ['weights', 'targetWeights', 'actingWeights'] as const) {
      checkLength(name, state[name], this.#weights.length);
    }
    this.#iteration = state.iteration;
    this.#updates = state.updates;
    this.#weights.set(state.weights);
    this.#targetWeights.set(state.targetWeights);
    this.#target.load(this.#targetWeights);
    this.#rollouts.weights.set(state.actingWeights);
    this.#learner.restore(state.adam);
    this.#replay.restore(state.counters, state.replay);
    this.#replay.newPriority = state.newPriority;
    this.#queue.restore(state.waiting);
    restoreViews(this.#rollouts.state, state.environments);
    restoreViews(this.#rollouts.outputs, state.outputs);
  }

  async close(): Promise<void> {
    this.#learner.dispose();
    await this.#rollouts.close();
  }
}

/** A network's forward pass for targets, on the kernel that acts: values of states, and of legal actions above them. */
class ValueNetwork {
  readonly #shape: NetworkShape;
  readonly #options: DuelingOptions;
  readonly #actor: SimdMlp;
  readonly #critic: SimdMlp;
  #scores = new Float32Array(0);
  #values = new Float32Array(0);
  #all = new Float32Array(0);

  constructor(shape: NetworkShape, options: DuelingOptions) {
    const layout = networkLayout(shape);
    this.#shape = shape;
    this.#options = options;
    this.#actor = new SimdMlp(layout.actor);
    this.#critic = new SimdMlp(layout.critic);
  }

  load(weights: Float32Array): void {
    this.#actor.load(weights);
    if (this.#options.dueling) this.#critic.load(weights);
  }

  /** An action's value is `values` of its row plus its own of `scores`; both are reused by the next call. */
  run(batch: Batch): Outputs {
    const { rows, starts, legalActions, features, observations } = batch;
    const entries = starts[rows];
    if (this.#scores.length < entries) this.#scores = new Float32Array(Math.ceil(1.25 * entries));
    if (this.#values.length < rows) this.#values = new Float32Array(rows);
    const scores = this.#scores;
    const values = this.#values;
    if (this.#shape.kind === 'pairs') {
      this.#actor.run(features, 0, entries, scores, 0);
    } else {
      const width = this.#shape.actions;
      if (this.#all.length < rows * width) this.#all = new Float32Array(rows * width);
      this.#actor.run(observations, 0, rows, this.#all, 0);
      for (let r = 0; r < rows; r++) {
        for (let k = starts[r]; k < starts[r + 1]; k++) scores[k] = this.#all[r * width + legalActions[k]]!;
      }
    }
    if (!this.#options.dueling) {
      values.fill(0, 0, rows);
      return { scores, values };
    }
    this.#critic.run(observations, 0, rows, values, 0);
    for (let r = 0; r < rows; r++) values[r] -= baselineOf(this.#options, scores, starts[r], starts[r + 1]);
    return { scores, values };
  }
}

/** Whether the critic takes part in an action's value, and what the advantages are measured from. */
export interface DuelingOptions {
  readonly dueling: boolean;
  readonly duelingBaseline: DuelingBaseline;
}

function baselineOf({ duelingBaseline }: DuelingOptions, scores: Float32Array, from: number, to: number): number {
  if (duelingBaseline === 'max') return scores[argmax(scores, from, to)];
  let sum = 0;
  for (let k = from; k < to; k++) sum += scores[k];
  return sum / (to - from);
}

/** What the loss needs of `rows` samples; sample r has entries `starts[r]` to `starts[r + 1]` (exclusive) of the scores. */
export interface DqnSamples {
  /** Samples. */
  readonly rows: number;
  /** `[rows + 1]` */
  readonly starts: Int32Array;
  /** `[rows]` which entry of the sample was taken, 0 first */
  readonly taken: Int32Array;
  /** `[rows]` what its value should be */
  readonly targets: Float32Array;
  /** `[rows]` importance weights */
  readonly weights: Float32Array;
}

/** Means over a minibatch. */
export interface DqnLosses {
  /** The weighted Huber loss. */
  readonly loss: number;
  /** Value of the actions taken. */
  readonly value: number;
}

/**
 * The loss of action values, and its derivatives with respect to the networks' outputs in closed form.
 *
 * Loss = mean of weight * huber(Q - target) (Mnih et al. 2015 clip the same derivative), where Q is the taken action's score;
 * with dueling it is the critic's value + score - the largest or the mean score of the legal actions (Wang et al. 2016, eq. 8, 9).
 * @param outputs  scores of the legal actions, values of the states
 * @param dOutputs output: derivatives of the loss; those of the values are 0 without dueling
 * @param errors   `[rows]` output: target - Q
 */
export function dqnLoss(
  samples: DqnSamples,
  options: DuelingOptions & { readonly huberDelta: number },
  outputs: Outputs,
  dOutputs: Outputs,
  errors: Float32Array,
): DqnLosses {
  const { rows, starts, taken, targets, weights } = samples;
  const { dueling, duelingBaseline, huberDelta: delta } = options;
  const { scores, values } = outputs;
  let loss = 0;
  let value = 0;
  for (let r = 0; r < rows; r++) {
    const from = starts[r];
    const to = starts[r + 1];
    const action = from + taken[r];
    const q = dueling ? values[r] + scores[action] - baselineOf(options, scores, from, to) : scores[action];
    const error = targets[r] - q;
    const size = Math.abs(error);
    errors[r] = error;
    value += q;
    loss += weights[r] * (size <= delta ? 0.5 * error * error : delta * (size - 0.5 * delta));
    const dQ = (-weights[r] * Math.max(-delta, Math.min(delta, error))) / rows;
    dOutputs.values[r] = dueling ? dQ : 0;
    const mean = dueling && duelingBaseline === 'mean';
    dOutputs.scores.fill(mean ? -dQ / (to - from) : 0, from, to);
    if (dueling && !mean) dOutputs.scores[argmax(scores, from, to)] -= dQ;
    dOutputs.scores[action] += dQ;
  }
  return { loss: loss / rows, value: value / rows };
}

/** DQN's entry in the registry. */
export const dqn: AlgorithmDefinition<DqnConfig, DqnState> = {
  name: 'dqn',
  description: 'deep Q-learning from replay: double, dueling, n-step',
  fields: dqnFields,
  defaults: dqnDefaults,
  check: checkConfig,
  create: ({ compiled, backend, workers, hangSeconds }, config) =>
    new Dqn(compiled, backend, config, workers, hangSeconds),
  schedules: (config) => [
    ...(config.learningRateFinal === 1 ? [] : ['learningRateFinal']),
    ...(config.epsilonStart === config.epsilonFinal ? [] : ['explorationShare']),
    ...(config.prioritised && config.priorityBeta !== config.priorityBetaFinal ? ['priorityBetaFinal'] : []),
  ],
  summary: (metrics) => {
    const [loss, value] = ['td_loss', 'q_values'].map((name) => metrics[`losses/${name}`]?.toFixed(3) ?? '-');
    return `loss td ${loss} Q ${value} eps ${metrics['charts/epsilon']!.toFixed(2)}`;
  },
};
