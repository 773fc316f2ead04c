// A rule that scores each legal assignment by a weighted sum of its pair columns, tuned by covariance matrix adaptation: no hidden
// layer, no gradient. Readable from top to bottom: config, candidates, episodes, values, metrics. It is the baseline that a
// network has to beat.

import { PAIR_COLUMNS, PairColumn, Purpose, RandomStream, observationSize } from '../engine/index.js';
import type { CompiledScenario } from '../engine/index.js';
import { networkLayout } from '../policy/index.js';
import type { NetworkShape } from '../policy/index.js';
import { MAX_WORKERS, beatsOf, closeThreads, openThreads, runAll } from '../workers/index.js';
import type { EvaluationPart, EvaluationTask } from '../workers/index.js';
import { checkTrainingConfig, trainingFields } from './algorithm.js';
import type { Algorithm, AlgorithmDefinition, Metrics, TrainingConfig, TrainingState } from './algorithm.js';
import { CmaEs } from './cma-es.js';
import type { CmaEsState } from './cma-es.js';
import { firstBad } from './divergence.js';
import { TrainError } from './errors.js';
import { check, defaultsOf } from './fields.js';
import type { Fields } from './fields.js';

/** The settings; `linearFields` has their meanings, ranges and defaults. */
export interface LinearConfig extends TrainingConfig {
  readonly population: number;
  readonly sigma: number;
}

/** The settings but the run's own. */
export const linearFields: Fields<LinearConfig> = {
  observation: { ...trainingFields.observation, default: 'classic' },
  network: trainingFields.network,
  // Episodes that each candidate plays in a generation, the same for all.
  numEnvs: trainingFields.numEnvs,
  rolloutSteps: { ...trainingFields.rolloutSteps, min: 0, default: 0 },
  population: { kind: 'whole', min: 4, max: 1024, default: 24, doc: 'candidates per generation' },
  sigma: {
    kind: 'number',
    above: 0,
    max: 100,
    default: 0.3,
    doc: 'standard deviation of the first candidates, where the reward of an assignment weighs 1',
  },
};

/** The defaults of all settings but the run's own. */
export const linearDefaults: Omit<LinearConfig, 'seed' | 'totalSteps'> = defaultsOf<LinearConfig>(linearFields);

function checkConfig(config: LinearConfig): void {
  checkTrainingConfig(linearFields, config);
  if (config.network !== 'pairs') {
    throw new TrainError('ERR_TRAIN_OPTION', `network is "${config.network}": a linear rule is of kind "pairs"`);
  }
  if (config.rolloutSteps !== 0) {
    throw new TrainError(
      'ERR_TRAIN_OPTION',
      `rolloutSteps is ${config.rolloutSteps}: it must be 0, as each candidate of linear plays whole episodes`,
    );
  }
}

/**
 * Columns that are weighed: all but absolute positions, which mean nothing in a sum.
 */
export const linearColumns: readonly number[] = Object.values(PairColumn).filter(
  (column) => column < PairColumn.pickupX || column > PairColumn.driverY,
);

/** One generation. */
export interface LinearMetrics extends Metrics {
  /** Mean return of the generation's best candidate. */
  readonly 'charts/best_return': number;
  /** Overall step size of the search. */
  readonly 'charts/sigma': number;
}

/** All that the next generation depends on. */
export interface LinearState extends TrainingState {
  /** The search. */
  readonly search: CmaEsState;
  /** Environment steps done. */
  readonly globalStep: number;
}

/** A tuning of the rule: candidates play on worker threads. An iteration is a generation. */
export class Linear implements Algorithm<LinearConfig, LinearState> {
  /** As it was created with, and checked. */
  readonly config: LinearConfig;
  /** Threads that play; no more than candidates. */
  readonly workers: number;
  /** The network that computes the sum: no hidden layers. */
  readonly shape: NetworkShape;
  /** Its present weights, flat; not to be written. */
  readonly weights: Float32Array;
  readonly #compiled: CompiledScenario;
  readonly #search: CmaEs;
  readonly #hangSeconds: (() => number) | undefined;
  #pool: ReturnType<typeof openThreads> | null = null;
  #globalStep = 0;

  /**
   * @param workers threads, 1 to 256; the results do not depend on their number
   * @param hangSeconds seconds without a step after which a worker counts as hanging, called again and again; default 300
   * @throws TrainError `ERR_TRAIN_OPTION`
   */
  constructor(compiled: CompiledScenario, config: LinearConfig, workers = 1, hangSeconds?: () => number) {
    check.compiled('compiled', compiled);
    checkConfig(config);
    check.whole('workers', workers, 1, MAX_WORKERS);
    this.config = config;
    this.workers = Math.min(workers, config.population);
    this.#compiled = compiled;
    this.#hangSeconds = hangSeconds;
    this.shape = {
      kind: 'pairs',
      inputs: observationSize(compiled.scenario, config.observation),
      hidden: [],
      criticHidden: [],
      actions: 1 + compiled.scenario.drivers * compiled.scenario.slots,
    };
    this.weights = new Float32Array(networkLayout(this.shape).size);
    // It begins as the rule that takes the highest immediate reward.
    const mean = linearColumns.map((column) => (column === PairColumn.reward ? 1 : 0));
    this.#search = new CmaEs({ mean, sigma: config.sigma, population: config.population, seed: config.seed });
    this.weights.set(this.#weightsOf(this.#search.mean));
  }

  get iteration(): number {
    return this.#search.generation;
  }

  get globalStep(): number {
    return this.#globalStep;
  }

  /** As many as the steps will take at the present length of episodes; before the first, at one decision a tick. */
  get iterations(): number {
    const { population, numEnvs, totalSteps } = this.config;
    const { iteration } = this;
    const each = iteration === 0 ? population * numEnvs * this.#compiled.ticks : this.#globalStep / iteration;
    return iteration + Math.ceil(Math.max(0, totalSteps - this.#globalStep) / each);
  }

  async step(): Promise<LinearMetrics> {
    const started = performance.now();
    const { population, numEnvs } = this.config;
    const candidates = this.#search.ask();
    const n = this.#search.dimensions;
    const bad = firstBad(candidates);
    if (bad >= 0) {
      throw new TrainError(
        'ERR_DIVERGED',
        `generation ${this.iteration + 1}, step ${this.#globalStep}, has diverged: lower sigma (it is ${this.config.sigma}); the weight of column ${linearColumns[bad % n]} of candidate ${Math.floor(bad / n)} is ${candidates[bad]}`,
      );
    }
    const beats = beatsOf(population);
    const episodes = this.#episodes();
    const tasks = Array.from({ length: population }, (_, k): EvaluationTask => {
      const weights = this.#weightsOf(candidates.subarray(k * n, (k + 1) * n));
      const { shape } = this;
      const policy = { kind: 'network', name: 'linear', shape, observation: this.config.observation, weights } as const;
      return { compiled: this.#compiled, policy, ...episodes, beats, slot: k };
    });
    this.#pool ??= openThreads(this.workers, null);
    const parts = await runAll<EvaluationTask, EvaluationPart>(this.#pool, 'evaluate', tasks, {
      beats,
      ...(this.#hangSeconds === undefined ? {} : { hangSeconds: this.#hangSeconds }),
    });
    const values = parts.map(({ returns }) => returns.reduce((sum, value) => sum + value, 0) / numEnvs);
    this.#search.tell(values);
    this.weights.set(this.#weightsOf(this.#search.mean));
    const steps = parts.reduce((sum, part) => sum + part.steps, 0);
    const envSeconds = parts.reduce((sum, part) => sum + part.envMs, 0) / 1000 / this.workers;
    this.#globalStep += steps;
    const seconds = (performance.now() - started) / 1000;
    return {
      iteration: this.iteration,
      global_step: this.#globalStep,
      seconds,
      'charts/SPS_env': Math.round(steps / envSeconds),
      'charts/SPS_env_policy': Math.round(steps / seconds),
      'charts/SPS': Math.round(steps / seconds),
      'charts/episodic_return': values.reduce((sum, value) => sum + value, 0) / population,
      'charts/episodic_length': steps / (population * numEnvs),
      'charts/best_return': Math.max(...values),
      'charts/sigma': this.#search.sigma,
    };
  }

  snapshot(): LinearState {
    return {
      iteration: this.iteration,
      weights: this.weights.slice(),
      search: this.#search.snapshot(),
      globalStep: this.#globalStep,
    };
  }

  restore({ weights, search, globalStep }: LinearState): void {
    // A search that has not begun may be given another rule to begin from.
    const mean = search.generation === 0 ? Float64Array.from(linearColumns, (k) => weights[k]) : search.mean;
    this.#search.restore({ ...search, mean });
    this.#globalStep = globalStep;
    this.weights.set(this.#weightsOf(this.#search.mean));
  }

  async close(): Promise<void> {
    if (this.#pool !== null) await closeThreads(this.#pool);
    this.#pool = null;
  }

  /** The generation's episodes: others than those of the generation before, from the training days where there are days. */
  #episodes(): Pick<EvaluationTask, 'from' | 'to' | 'days' | 'seed'> {
    const { numEnvs, seed } = this.config;
    const { dataset } = this.#compiled;
    const from = this.iteration * numEnvs;
    const stream = new RandomStream(seed, Purpose.day, 0, this.iteration);
    const training = dataset?.splits.training ?? [];
    const days = Int32Array.from({ length: dataset === null ? 0 : numEnvs }, () => {
      return training[stream.integer(0, training.length - 1)];
    });
    return { from, to: from + numEnvs, days, seed };
  }

  /** The flat weights of the network that computes the sum. */
  #weightsOf(columns: Float64Array): Float32Array {
    const weights = new Float32Array(networkLayout(this.shape).size);
    linearColumns.forEach((column, k) => (weights[column] = columns[k]));
    return weights;
  }
}

/** The entry in the registry. */
export const linear: AlgorithmDefinition<LinearConfig, LinearState> = {
  name: 'linear',
  description: `a weighted sum of the ${linearColumns.length} of ${PAIR_COLUMNS} columns of an assignment that are no position, tuned by CMA-ES`,
  fields: linearFields,
  defaults: linearDefaults,
  check: checkConfig,
  create: ({ compiled, workers, hangSeconds }, config) => new Linear(compiled, config, workers, hangSeconds),
  summary: (metrics) =>
    `best ${metrics['charts/best_return']!.toFixed(0)} sigma ${metrics['charts/sigma']!.toFixed(3)}`,
};
