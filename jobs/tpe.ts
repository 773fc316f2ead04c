// The tree-structured Parzen estimator, multivariate (Bergstra et al. 2011; Falkner et al. 2018; defaults as of Optuna 5, whose
// bandwidths and weights these are). It proposes where good trials have been dense and the others have not.
// A pure function of what is known and of a random stream.

import { RandomStream, Purpose, exp, log } from '../engine/index.js';
import type { ChoiceParameter, NumberParameter, Parameter, ParameterValue, Point, Space } from './space.js';
import { choiceIndex, drawUniform, fromInternal, internalRange, isActive, pointOf, toInternal } from './space.js';

/** What a sampler is told of an earlier trial. */
export interface Observation {
  readonly point: Point;
  /** Place in the order of all trials, 0 for the best; null while it runs: it is then taken for a bad one (constant liar). */
  readonly rank: number | null;
}

/** Trials that are drawn uniformly before anything is learned from them. */
const STARTUP_TRIALS = 10;
const CANDIDATES = 24;
const LARGEST_GOOD_SET = 25;
/** Weight of the prior, as one more observation. */
const PRIOR = 1;

/** A value per active parameter, each drawn uniformly: what `trial` gets from the random sampler. */
export function randomPoint(space: Space, seed: number, trial: number): Point {
  const random = streamOf(seed, trial);
  return pointOf(space, (_, parameter) => drawUniform(parameter, random));
}

/**
 * The next point to try.
 * @param observations earlier trials, oldest first
 * @param seed         of the study
 * @param trial        number of the trial that is proposed: with the seed it determines the draws
 */
export function tpePoint(space: Space, observations: readonly Observation[], seed: number, trial: number): Point {
  const ranked = observations.filter(({ rank }) => rank !== null);
  if (ranked.length < STARTUP_TRIALS) return randomPoint(space, seed, trial);
  const random = streamOf(seed, trial);
  const size = Math.min(Math.ceil(0.1 * ranked.length), LARGEST_GOOD_SET);
  const goodRanks = ranked.map(({ rank }) => rank!).sort((a, b) => a - b);
  const worstGood = goodRanks[size - 1];
  const isGood = ({ rank }: Observation): boolean => rank !== null && rank <= worstGood;
  const good = new ParzenEstimator(space, observations.filter(isGood));
  const other = new ParzenEstimator(
    space,
    observations.filter((one) => !isGood(one)),
  );
  let best: Point | null = null;
  let bestScore = -Infinity;
  for (let k = 0; k < CANDIDATES; k++) {
    const candidate = good.draw(random);
    const score = good.logDensity(candidate) - other.logDensity(candidate);
    if (best !== null && !(score > bestScore)) continue;
    best = candidate;
    bestScore = score;
  }
  return best!;
}

function streamOf(seed: number, trial: number): RandomStream {
  return new RandomStream(seed, Purpose.action, trial);
}

/** A mixture of one product of kernels for each observation, and one wide product, the prior. */
class ParzenEstimator {
  readonly #space: Space;
  /** Points of the components; the last is the prior. */
  readonly #components: readonly (Point | null)[];
  readonly #weights: readonly number[];
  /** Standard deviation of an observation's kernel as a share of the range. */
  readonly #width: number;

  constructor(space: Space, observations: readonly Observation[]) {
    this.#space = space;
    this.#components = [...observations.map(({ point }) => point), null];
    const weights = [...agedWeights(observations.length), PRIOR];
    const sum = weights.reduce((total, weight) => total + weight, 0);
    this.#weights = weights.map((weight) => weight / sum);
    const n = Math.max(observations.length, 1);
    const dimensions = Math.max(1, Object.keys(space).length);
    // Scott's rule; never narrower than what tells 100 values apart, nor than the observations can.
    const least = 1 / Math.min(100, n + 2);
    this.#width = Math.min(1, Math.max(least, 0.2 * exp(-log(n) / (dimensions + 4))));
  }

  /** A point: of one component as a whole, so that parameters that were good together stay together. */
  draw(random: RandomStream): Point {
    let u = random.float();
    let k = 0;
    while (k < this.#weights.length - 1 && u >= this.#weights[k]) u -= this.#weights[k++];
    const centre = this.#components[k];
    return pointOf(this.#space, (name, parameter) => this.#drawOne(parameter, centre?.[name], random));
  }

  logDensity(point: Point): number {
    const terms = this.#components.map((centre, k) => log(this.#weights[k]) + this.#logKernel(point, centre));
    const largest = Math.max(...terms);
    return largest + log(terms.reduce((sum, term) => sum + exp(term - largest), 0));
  }

  #logKernel(point: Point, centre: Point | null): number {
    let sum = 0;
    for (const [name, parameter] of Object.entries(this.#space)) {
      if (!isActive(parameter, point)) continue;
      sum += this.#logDensityOf(parameter, point[name], centre?.[name]);
    }
    return sum;
  }

  /** Without a centre (the prior, or a trial in which the parameter did not count) a draw from the prior. */
  #drawOne(parameter: Parameter, centre: ParameterValue | undefined, random: RandomStream): ParameterValue {
    if (parameter.kind === 'choice') {
      const own = this.#ownShare(parameter);
      const stays = centre !== undefined && random.float() < own;
      return stays ? centre : parameter.choices[random.integer(0, parameter.choices.length - 1)];
    }
    const [low, high] = internalRange(parameter);
    const [mean, deviation] = this.#normalOf(parameter, centre);
    for (;;) {
      const drawn = mean + deviation * random.normal();
      if (drawn >= low && drawn <= high) return fromInternal(parameter, drawn);
    }
  }

  #logDensityOf(parameter: Parameter, value: ParameterValue, centre: ParameterValue | undefined): number {
    if (parameter.kind === 'choice') {
      const uniform = 1 / parameter.choices.length;
      if (centre === undefined) return log(uniform);
      const own = this.#ownShare(parameter);
      const isSame = choiceIndex(parameter, value) === choiceIndex(parameter, centre);
      return log((1 - own) * uniform + (isSame ? own : 0));
    }
    const [low, high] = internalRange(parameter);
    const [mean, deviation] = this.#normalOf(parameter, centre);
    const z = (toInternal(parameter, value as number) - mean) / deviation;
    const mass = normalShare((high - mean) / deviation) - normalShare((low - mean) / deviation);
    return -0.5 * z * z - log(deviation * mass);
  }

  /** Probability that a kernel stays with its own choice; the rest is spread over all. */
  #ownShare({ choices }: ChoiceParameter): number {
    const n = this.#components.length;
    const share = PRIOR / n;
    return 1 / (1 + share * choices.length);
  }

  #normalOf(
    parameter: NumberParameter,
    centre: ParameterValue | undefined,
  ): readonly [mean: number, deviation: number] {
    const [low, high] = internalRange(parameter);
    const range = high - low || 1;
    if (centre === undefined) return [(low + high) / 2, range];
    return [toInternal(parameter, centre as number), range * this.#width];
  }
}

/** The newest 25 count 1 each; older ones less, down to 1/n for the oldest. */
function agedWeights(n: number): number[] {
  const older = n - LARGEST_GOOD_SET;
  return Array.from({ length: n }, (_, k) => {
    if (k >= older) return 1;
    return older === 1 ? 1 / n : 1 / n + ((1 - 1 / n) * k) / (older - 1);
  });
}

/** Share of a standard normal variable below `z`, within 7.5e-8 (Abramowitz and Stegun 1964, 26.2.17). */
function normalShare(z: number): number {
  const x = Math.abs(z);
  const t = 1 / (1 + 0.2316419 * x);
  const series = t * (0.31938153 + t * (-0.356563782 + t * (1.781477937 + t * (-1.821255978 + t * 1.330274429))));
  const above = 0.3989422804014327 * exp(-0.5 * x * x) * series;
  return z >= 0 ? 1 - above : above;
}
