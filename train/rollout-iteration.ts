// Policy iteration by rollouts, for policies that decide a tick by one matching. Readable from top to bottom: config, state, a round
// (label, fit, accept), metrics. At random ticks of training episodes an assignment is made by force in one copy of the world and
// left out in another; both are played on by the present policy in the same future, for some ticks or to the end. The difference of their returns, less
// what the assignment earns at once, is what the scorer learns to predict; the next policy matches by it. It is approximate policy
// iteration by rollouts (Bertsekas 2017; Lagoudakis and Parr 2003) with common random numbers. A round counts only if its policy
// does better on validation episodes than the best one so far.

import { fileURLToPath } from 'node:url';
import type { CompiledScenario } from '../engine/index.js';
import { fleetColumns, networkLayout } from '../policy/index.js';
import type { NetworkShape } from '../policy/index.js';
import { MAX_WORKERS, beatsOf, closeThreads, evaluatePolicies, openThreads, ranges, runAll } from '../workers/index.js';
import { checkTrainingConfig, iterationsOf, sharedFields, stepsAfter, trainingFields } from './algorithm.js';
import type {
  Algorithm,
  AlgorithmDefinition,
  AlgorithmSetup,
  Metrics,
  TrainingConfig,
  TrainingState,
} from './algorithm.js';
import type { BackendName } from './backend.js';
import { firstBad } from './divergence.js';
import { TrainError } from './errors.js';
import { check, defaultsOf } from './fields.js';
import type { Fields } from './fields.js';
import type { FitTask, Fitted } from './fit-worker.js';
import type { ForceTask, ForcedLabels, Scorer } from './force-worker.js';
import type { SavedViews } from './records.js';
import { fitRidge } from './ridge.js';

/** The settings; `rolloutFields` has their meanings, ranges and defaults. */
export interface RolloutConfig extends TrainingConfig {
  readonly tries: number;
  readonly horizonTicks: number;
  readonly pool: number;
  readonly linearRounds: number;
  readonly ridge: number;
  readonly hidden: readonly number[];
  readonly members: number;
  readonly epochs: number;
  readonly minibatchSize: number;
  readonly learningRate: number;
  readonly weightDecay: number;
}

/** The settings but the run's own. */
export const rolloutFields: Fields<RolloutConfig> = {
  observation: { ...trainingFields.observation, default: 'classic' },
  network: { ...trainingFields.network, default: 'matching' },
  numEnvs: { ...trainingFields.numEnvs, default: 400 },
  rolloutSteps: { ...trainingFields.rolloutSteps, default: 20 },
  tries: { kind: 'whole', min: 1, max: 1000, default: 10, doc: 'assignments tried at a tick' },
  horizonTicks: {
    kind: 'whole',
    min: 0,
    default: 15,
    doc: 'ticks that copies are played on; 0: to the end of the episode',
  },
  pool: { kind: 'whole', min: 1, max: 100, default: 6, doc: 'rounds whose labels are learned from together' },
  linearRounds: {
    kind: 'whole',
    min: 0,
    max: 1_000_000,
    default: 3,
    doc: 'first rounds, in which the scorer is linear',
  },
  ridge: { kind: 'number', above: 0, max: 1e9, default: 10, doc: 'penalty on the weights of a linear scorer' },
  hidden: { ...sharedFields.hidden, default: [48, 24] },
  members: { kind: 'whole', min: 1, max: 16, default: 3, doc: 'networks that are averaged' },
  epochs: { kind: 'whole', min: 1, max: 1000, default: 8, doc: 'passes over each rollout; of rollout over its labels' },
  minibatchSize: { ...sharedFields.minibatchSize, default: 1024 },
  learningRate: { ...sharedFields.learningRate, default: 2e-3 },
  weightDecay: {
    kind: 'number',
    min: 0,
    max: 1,
    default: 0.01,
    doc: 'share of the weights that decays, per unit of the learning rate',
  },
};

/** The defaults of all settings but the run's own. */
export const rolloutDefaults: Omit<RolloutConfig, 'seed' | 'totalSteps'> = defaultsOf<RolloutConfig>(rolloutFields);

function checkConfig(config: RolloutConfig): void {
  checkTrainingConfig(rolloutFields, config);
  if (config.rolloutSteps < 1) {
    throw new TrainError(
      'ERR_TRAIN_OPTION',
      `rolloutSteps is ${config.rolloutSteps}: rollout needs at least 1 tick of each episode at which to try assignments`,
    );
  }
}

/** One round. */
export interface RolloutMetrics extends Metrics {
  /** Assignments that were tried. */
  readonly 'charts/labels': number;
  /** Share of the variance of held-out labels that the scorer explains. */
  readonly 'losses/explained_variance': number;
  /** Mean return of the round's policy on validation episodes. */
  readonly 'charts/validation_return': number;
  /** Mean return of the best policy so far on the same episodes; that of the first one is counted before the first round. */
  readonly 'charts/best_return': number;
  /** 1 if the round's policy is the best so far. */
  readonly 'charts/accepted': number;
}

/** All that the next round depends on. */
export interface RolloutState extends TrainingState {
  /** Widths of the present scorer's hidden layers; null before the first round that counts: assignments are worth what they earn. */
  readonly present: readonly number[] | null;
  /** Who plays training episodes and copies; null as `present`. */
  readonly player: Scorer | null;
  /** Mean return of the present policy on validation episodes; null before it is known. */
  readonly best: number | null;
  /** Labels of the rounds that are learned from: `features<k>`, `worths<k>` and `heldOut<k>` of round k. */
  readonly replay: SavedViews;
}

/** What a round has fitted. */
interface Candidate extends Scorer {
  /** One of the networks that it averages, or itself: nearly as good a player, and several times faster. */
  readonly player: Scorer;
  /** Mean squared error of the held-out labels. */
  readonly error: number;
}

/** Labels of one round. */
interface Round {
  readonly number: number;
  /** `[rows, columns]` */
  readonly features: Float32Array;
  /** `[rows]` */
  readonly worths: Float64Array;
  /** `[rows]` 1 for rows of an episode that is held out. */
  readonly heldOut: Uint8Array;
}

/** Of so many episodes one is held out, to choose the epoch and to say how well the scorer predicts. */
const HELD_OUT = 10;

/** Validation episodes of drawn demand; others than those of the final table, which has seed 1. */
const VALIDATION_EPISODES = 200;
const VALIDATION_SEED = 2;

/** Tasks per round and thread: threads end together, and yet a task's worlds are used for some time. */
const TASKS = 4;

const forceFile = fileURLToPath(new URL('./force-worker.js', import.meta.url));
const fitFile = fileURLToPath(new URL('./fit-worker.js', import.meta.url));

/** A training by rollouts. An iteration is a round; a step is a tick at which assignments are tried. */
export class RolloutIteration implements Algorithm<RolloutConfig, RolloutState> {
  /** As it was created with, and checked. */
  readonly config: RolloutConfig;
  /** Threads that play and fit. */
  readonly workers: number;
  readonly #compiled: CompiledScenario;
  readonly #backend: BackendName;
  readonly #hangSeconds: (() => number) | undefined;
  #pool: ReturnType<typeof openThreads> | null = null;
  #iteration = 0;
  #shape: NetworkShape;
  #weights: Float32Array;
  /** Null before the scorer counts: assignments are worth what they earn. */
  #player: Scorer | null = null;
  #best: number | null = null;
  #rounds: readonly Round[] = [];

  /** @throws TrainError `ERR_TRAIN_OPTION` */
  constructor({ compiled, backend, workers, hangSeconds }: AlgorithmSetup, config: RolloutConfig) {
    check.compiled('compiled', compiled);
    checkConfig(config);
    check.whole('workers', workers, 1, MAX_WORKERS);
    this.config = config;
    this.workers = workers;
    this.#compiled = compiled;
    this.#backend = backend.name;
    this.#hangSeconds = hangSeconds;
    this.#shape = this.#shapeOf([]);
    this.#weights = new Float32Array(networkLayout(this.#shape).size);
  }

  get iteration(): number {
    return this.#iteration;
  }

  get iterations(): number {
    return iterationsOf(this.config);
  }

  get globalStep(): number {
    return stepsAfter(this.#iteration, this.config);
  }

  /** The present scorer: in the first rounds a linear one. */
  get shape(): NetworkShape {
    return this.#shape;
  }

  /** Its weights, flat; zeros before the first round that counts: assignments are worth what they earn at once. */
  get weights(): Float32Array {
    return this.#weights;
  }

  async step(): Promise<RolloutMetrics> {
    const started = performance.now();
    const { config } = this;
    this.#best ??= await this.#validate(this.#shape, this.#weights);

    // Label.
    const parts = await this.#label();
    const labelled = performance.now();
    const columns = fleetColumns(this.#compiled);
    this.#rounds = [...this.#rounds, this.#roundOf(parts, columns)].slice(-config.pool);

    // Fit.
    const rows = poolOf(this.#rounds, columns);
    const isLinear = config.hidden.length === 0 || this.#iteration < config.linearRounds;
    const fitted = isLinear ? this.#fitLinear(rows) : await this.#fitNetworks(rows);

    this.#checkFinite(rows, fitted);

    // Accept.
    const value = await this.#validate(fitted.shape, fitted.weights);
    const isBetter = value > this.#best;
    if (isBetter) {
      this.#shape = fitted.shape;
      this.#weights = fitted.weights;
      this.#player = fitted.player;
      this.#best = value;
    }
    this.#iteration++;

    const steps = parts.reduce((sum, part) => sum + part.steps, 0);
    const returns = parts.flatMap((part) => [...part.returns]);
    const seconds = (performance.now() - started) / 1000;
    return {
      iteration: this.#iteration,
      global_step: this.globalStep,
      seconds,
      'charts/SPS_env': Math.round(steps / ((labelled - started) / 1000)),
      'charts/SPS_env_policy': Math.round(steps / ((labelled - started) / 1000)),
      'charts/SPS': Math.round(steps / seconds),
      'charts/episodic_return': returns.reduce((sum, each) => sum + each, 0) / returns.length,
      'charts/episodic_length': this.#compiled.ticks,
      'charts/labels': parts.reduce((sum, part) => sum + part.worths.length, 0),
      'losses/explained_variance': 1 - fitted.error / rows.variance,
      'charts/validation_return': value,
      'charts/best_return': this.#best,
      'charts/accepted': isBetter ? 1 : 0,
    };
  }

  snapshot(): RolloutState {
    const replay: Record<string, SavedViews[string]> = {};
    for (const { number, features, worths, heldOut } of this.#rounds) {
      replay[`features${number}`] = features;
      replay[`worths${number}`] = worths;
      replay[`heldOut${number}`] = heldOut;
    }
    return {
      iteration: this.#iteration,
      weights: this.#weights.slice(),
      present: this.#player === null ? null : this.#shape.hidden,
      player: this.#player,
      best: this.#best,
      replay,
    };
  }

  restore({ iteration, weights, present, player, best, replay }: RolloutState): void {
    const shape = this.#shapeOf(present ?? []);
    if (weights.length !== networkLayout(shape).size) {
      throw new TrainError(
        'ERR_CHECKPOINT',
        `the checkpoint has ${weights.length} weights, its scorer of ${fleetColumns(this.#compiled)} columns has ${networkLayout(shape).size}`,
      );
    }
    this.#iteration = iteration;
    this.#shape = shape;
    this.#weights = Float32Array.from(weights);
    this.#player = player;
    this.#best = best;
    const numbers = Object.keys(replay).flatMap((name) => (name.startsWith('worths') ? [Number(name.slice(6))] : []));
    this.#rounds = numbers
      .sort((a, b) => a - b)
      .map((number) => ({
        number,
        features: replay[`features${number}`] as Float32Array,
        worths: replay[`worths${number}`] as Float64Array,
        heldOut: replay[`heldOut${number}`] as Uint8Array,
      }));
  }

  async close(): Promise<void> {
    if (this.#pool !== null) await closeThreads(this.#pool);
    this.#pool = null;
  }

  // ---------------------------------------------------------------- label

  /** The round's labels, in order of their episodes. */
  #label(): Promise<ForcedLabels[]> {
    const { numEnvs, rolloutSteps, tries, horizonTicks, seed } = this.config;
    const first = this.#iteration * numEnvs;
    const parts = ranges(numEnvs, this.workers * TASKS);
    const beats = beatsOf(parts.length);
    const tasks = parts.map(({ from, to }, slot): ForceTask => ({
      compiled: this.#compiled,
      scorer: this.#player,
      from: first + from,
      to: first + to,
      seed,
      ticks: rolloutSteps,
      tries,
      horizonTicks,
      beats,
      slot,
    }));
    return runAll<ForceTask, ForcedLabels>(this.#threads(), 'force', tasks, {
      filename: forceFile,
      beats,
      ...this.#patience(),
    });
  }

  #roundOf(parts: readonly ForcedLabels[], columns: number): Round {
    const rows = parts.reduce((sum, part) => sum + part.worths.length, 0);
    const features = new Float32Array(rows * columns);
    const worths = new Float64Array(rows);
    const heldOut = new Uint8Array(rows);
    let at = 0;
    for (const part of parts) {
      features.set(part.features, at * columns);
      worths.set(part.worths, at);
      for (let r = 0; r < part.worths.length; r++)
        heldOut[at + r] = part.episodes[r] % HELD_OUT === HELD_OUT - 1 ? 1 : 0;
      at += part.worths.length;
    }
    return { number: this.#iteration, features, worths, heldOut };
  }

  // ---------------------------------------------------------------- fit

  #fitLinear(rows: Pool): Candidate {
    const shape = this.#shapeOf([]);
    const columns = shape.inputs;
    const { features, worths, used, heldOut } = rows;
    const fitted = fitRidge(features, worths, columns, used, this.config.ridge);
    const weights = new Float32Array(networkLayout(shape).size);
    weights.set(fitted.weights);
    weights[columns] = fitted.bias;
    let error = 0;
    for (const row of heldOut) {
      let sum = fitted.bias;
      for (let c = 0; c < columns; c++) sum += fitted.weights[c] * features[row * columns + c];
      error += (sum - worths[row]) * (sum - worths[row]);
    }
    return { shape, weights, player: { shape, weights }, error: error / Math.max(1, heldOut.length) };
  }

  /** Networks that differ in their first weights and in the order of the labels, as one that averages them. */
  async #fitNetworks(rows: Pool): Promise<Candidate> {
    const { hidden, members, epochs, minibatchSize, learningRate, weightDecay, seed } = this.config;
    const shape = this.#shapeOf(hidden);
    const beats = beatsOf(members);
    const tasks = Array.from({ length: members }, (_, member): FitTask => ({
      backend: this.#backend,
      shape,
      features: rows.features,
      targets: rows.worths,
      used: rows.used,
      heldOut: rows.heldOut,
      epochs,
      minibatchSize,
      learningRate,
      weightDecay,
      seed,
      round: this.#iteration,
      member,
      beats,
      slot: member,
    }));
    const fitted = await runAll<FitTask, Fitted>(this.#threads(), 'fit', tasks, {
      filename: fitFile,
      beats,
      ...this.#patience(),
    });
    const wide = this.#shapeOf(hidden.map((width) => width * members));
    const weights = averageNetwork(
      shape,
      wide,
      fitted.map((each) => each.weights),
    );
    return {
      shape: wide,
      weights,
      player: { shape, weights: fitted[0].weights },
      error: fitted.reduce((sum, { error }) => sum + error, 0) / members,
    };
  }

  /** @throws TrainError `ERR_DIVERGED` naming the label, the column or the weight that is not finite */
  #checkFinite({ features, worths }: Pool, { shape, weights, error }: Candidate): void {
    if (Number.isFinite(error) && firstBad(weights) < 0) return;
    const [label, feature, weight] = [firstBad(worths), firstBad(features), firstBad(weights)];
    const what =
      label >= 0
        ? `the worth of label ${label} is ${worths[label]}`
        : feature >= 0
          ? `column ${feature % shape.inputs} of label ${Math.floor(feature / shape.inputs)} is ${features[feature]}`
          : weight >= 0
            ? `weights[${weight}] is ${weights[weight]}`
            : `the error of the fit is ${error}`;
    throw new TrainError(
      'ERR_DIVERGED',
      `round ${this.#iteration + 1}, step ${this.globalStep}, has diverged: lower the learning rate (it is ${this.config.learningRate}); ${what}`,
    );
  }

  // ---------------------------------------------------------------- accept

  /** Mean return on the validation episodes. */
  async #validate(shape: NetworkShape, weights: Float32Array): Promise<number> {
    const compiled = this.#compiled;
    const episodes = compiled.dataset === null ? VALIDATION_EPISODES : undefined;
    const [evaluation] = await evaluatePolicies({
      compiled,
      policies: [{ kind: 'network', name: 'rollout', shape, observation: this.config.observation, weights }],
      split: 'validation',
      episodes,
      seed: VALIDATION_SEED,
      workers: this.workers,
      hangSeconds: this.#hangSeconds?.(),
    });
    return evaluation.meanReturn;
  }

  #threads(): ReturnType<typeof openThreads> {
    return (this.#pool ??= openThreads(this.workers, null));
  }

  #patience(): { hangSeconds?: () => number } {
    return this.#hangSeconds === undefined ? {} : { hangSeconds: this.#hangSeconds };
  }

  #shapeOf(hidden: readonly number[]): NetworkShape {
    return { kind: 'matching', inputs: fleetColumns(this.#compiled), hidden, criticHidden: [], actions: 1 };
  }
}

/** Labels of several rounds, one after the other. */
interface Pool {
  /** `[rows, columns]`, shared memory */
  readonly features: Float32Array;
  /** `[rows]`, shared memory */
  readonly worths: Float64Array;
  /** Numbers of the rows to learn from, and of those that are held out. */
  readonly used: Int32Array;
  readonly heldOut: Int32Array;
  /** Mean squared deviation of the held-out labels. */
  readonly variance: number;
}

function poolOf(rounds: readonly Round[], columns: number): Pool {
  const count = rounds.reduce((sum, { worths }) => sum + worths.length, 0);
  const features = new Float32Array(new SharedArrayBuffer(4 * count * columns));
  const worths = new Float64Array(new SharedArrayBuffer(8 * count));
  const used: number[] = [];
  const heldOut: number[] = [];
  let at = 0;
  for (const round of rounds) {
    features.set(round.features, at * columns);
    worths.set(round.worths, at);
    round.heldOut.forEach((isHeldOut, r) => (isHeldOut === 1 ? heldOut : used).push(at + r));
    at += round.worths.length;
  }
  const mean = heldOut.reduce((sum, row) => sum + worths[row], 0) / Math.max(1, heldOut.length);
  const squares = heldOut.reduce((sum, row) => sum + (worths[row] - mean) * (worths[row] - mean), 0);
  return {
    features,
    worths,
    used: Int32Array.from(used),
    heldOut: Int32Array.from(heldOut),
    variance: squares / Math.max(1, heldOut.length),
  };
}

/**
 * The mean of some networks of one shape, as one network: their hidden layers stand side by side, and know nothing of each other.
 * @param shape of each
 * @param wide  of the one: the same with hidden layers as many times as wide
 */
export function averageNetwork(
  shape: NetworkShape,
  wide: NetworkShape,
  members: readonly Float32Array[],
): Float32Array {
  const from = networkLayout(shape).actor;
  const into = networkLayout(wide);
  const weights = new Float32Array(into.size);
  members.forEach((member, m) => {
    from.forEach((layer, k) => {
      const { inputs, outputs } = layer;
      const target = into.actor[k];
      const isLast = k === from.length - 1;
      const share = isLast ? 1 / members.length : 1;
      const row = k === 0 ? 0 : m * inputs;
      const column = isLast ? 0 : m * outputs;
      for (let o = 0; o < outputs; o++) {
        for (let r = 0; r < inputs; r++) {
          weights[target.weights + (row + r) * target.outputs + column + o] +=
            share * member[layer.weights + r * outputs + o];
        }
        weights[target.biases + column + o] += share * member[layer.biases + o];
      }
    });
  });
  return weights;
}

/** The entry in the registry. */
export const rollout: AlgorithmDefinition<RolloutConfig, RolloutState> = {
  name: 'rollout',
  steps: 64_000,
  description:
    'a scorer for one matching a tick, learned from what assignments turn out to be worth (policy iteration by rollouts)',
  fields: rolloutFields,
  defaults: rolloutDefaults,
  check: checkConfig,
  create: (setup, config) => new RolloutIteration(setup, config),
  summary: (metrics) =>
    `validation ${metrics['charts/validation_return']!.toFixed(2)} best ${metrics['charts/best_return']!.toFixed(2)} explained ${metrics['losses/explained_variance']!.toFixed(3)}`,
};
