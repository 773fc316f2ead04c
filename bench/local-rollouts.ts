// Environments on this thread, of any small problem: what benches and tests train algorithms on in place of dispatch. Records what
// every algorithm needs.

import { Purpose, RandomStream } from '../engine/index.js';
import { SimdMlp, argmax, networkLayout } from '../policy/index.js';
import type { NetworkShape } from '../policy/index.js';
import { makeSampler } from '../workers/index.js';
import type { ActorCriticViews, ReplayViews, RolloutSeconds, Rollouts, SamplerSpec } from '../workers/index.js';

/** What a step comes to. */
export interface LocalStep {
  readonly reward: number;
  /** Whether the episode has ended for good. */
  readonly terminated: boolean;
}

/** A problem of which many copies run side by side; the state of copy `e` is `state[e * words]` to `state[(e + 1) * words - 1]`. */
export interface LocalProblem {
  /** Numbers that a copy's state has. */
  readonly words: number;
  /** Numbers of an observation. */
  readonly inputs: number;
  readonly actions: number;
  /** Decisions after which an episode is cut. */
  readonly limit: number;
  /** Writes the first state of an episode at `state[at]`. */
  reset(state: Float64Array, at: number, stream: RandomStream): void;
  /** Legal actions, ascending. */
  legal(state: Float64Array, at: number): readonly number[];
  /** Writes the observation at `out[outAt]`. */
  observe(state: Float64Array, at: number, out: Float32Array, outAt: number): void;
  /** Takes a step. */
  step(state: Float64Array, at: number, action: number, stream: RandomStream): LocalStep;
}

/** Copies of one problem; see `Rollouts`. */
export class LocalRollouts implements Rollouts<'replay'>, Rollouts<'actor-critic'> {
  readonly shape: NetworkShape;
  readonly weights: Float32Array;
  readonly rollout: ReplayViews & ActorCriticViews;
  readonly state: {
    readonly at: Float64Array;
    readonly age: Int32Array;
    readonly earned: Float64Array;
    readonly streams: Int32Array;
  };
  readonly outputs: object = {};
  readonly workers = 1;
  readonly #problem: LocalProblem;
  readonly #envs: number;
  readonly #steps: number;
  readonly #streams: RandomStream[];
  readonly #actor: SimdMlp;
  readonly #critic: SimdMlp;
  readonly #scores: Float32Array;
  readonly #legalScores: Float32Array;
  readonly #one = new Float32Array(1);

  /**
   * @param envs  copies
   * @param steps steps of each copy in one rollout
   * @param seed  of their random streams
   */
  constructor(problem: LocalProblem, envs: number, steps: number, seed: number, hidden: readonly number[]) {
    const { inputs, actions, words } = problem;
    this.shape = { kind: 'flat', inputs, hidden, criticHidden: hidden, actions };
    const layout = networkLayout(this.shape);
    this.weights = new Float32Array(layout.size);
    this.#actor = new SimdMlp(layout.actor);
    this.#critic = new SimdMlp(layout.critic);
    this.#scores = new Float32Array(actions);
    this.#legalScores = new Float32Array(actions);
    this.#problem = problem;
    this.#envs = envs;
    this.#steps = steps;
    this.#streams = Array.from({ length: envs }, (_, e) => new RandomStream(seed, Purpose.demand, e));
    this.state = {
      at: new Float64Array(envs * words),
      age: new Int32Array(envs),
      earned: new Float64Array(envs),
      streams: new Int32Array(envs * 4),
    };
    this.#streams.forEach((stream, e) => {
      problem.reset(this.state.at, e * words, stream);
      this.state.streams.set(stream.state, 4 * e);
    });
    const n = envs * steps;
    this.rollout = {
      observations: new Float32Array(n * inputs),
      legalActions: new Int32Array(2 * n * actions),
      features: new Float32Array(0),
      legalStarts: new Int32Array(n),
      legalCounts: new Int32Array(n),
      taken: new Int32Array(n),
      rewards: new Float32Array(n),
      terminated: new Uint8Array(n),
      truncated: new Uint8Array(n),
      episodeReturns: new Float64Array(n),
      episodeLengths: new Int32Array(n),
      explored: new Uint8Array(n),
      finalObservations: new Float32Array(n * inputs),
      finalStarts: new Int32Array(n),
      finalCounts: new Int32Array(n),
      logProbs: new Float32Array(n),
      values: new Float32Array(n + envs),
      finalValues: new Float32Array(n),
    };
  }

  /** Scores of all actions, and the value, of row `row` of `from`, by the weights given. */
  evaluate(weights: Float32Array, from: Float32Array, row: number): { scores: Float32Array; value: number } {
    this.#actor.load(weights);
    this.#critic.load(weights);
    this.#actor.run(from, row, 1, this.#scores, 0);
    return { scores: this.#scores.slice(), value: this.#value(from, row) };
  }

  #value(from: Float32Array, row: number): number {
    this.#critic.run(from, row, 1, this.#one, 0);
    return this.#one[0];
  }

  collect(spec: SamplerSpec): Promise<RolloutSeconds> {
    const started = performance.now();
    const sampler = makeSampler(spec);
    const problem = this.#problem;
    const { inputs, actions, words, limit } = problem;
    const { at, age, earned, streams } = this.state;
    const roll = this.rollout;
    // Of actor and critic: nothing that a replay memory needs is read.
    const forReplay = spec.kind !== 'softmax';
    const scores = this.#scores;
    const legalScores = this.#legalScores;
    this.#actor.load(this.weights);
    this.#critic.load(this.weights);
    const last = new Float32Array(inputs);
    for (let e = 0; e < this.#envs; e++) {
      const stream = this.#streams[e];
      stream.state.set(streams.subarray(4 * e, 4 * e + 4));
      const own = e * words;
      let used = 0;
      // One stretch per environment: with final states for replay, without them for actor and critic, which write none.
      const stretch = e * this.#steps * actions * (forReplay ? 2 : 1);
      for (let t = 0; t < this.#steps; t++) {
        const p = t * this.#envs + e;
        const legal = problem.legal(at, own);
        roll.legalActions.set(legal, stretch + used);
        roll.legalStarts[p] = used;
        roll.legalCounts[p] = legal.length;
        used += legal.length;
        problem.observe(at, own, roll.observations, p * inputs);
        this.#actor.run(roll.observations, p, 1, scores, 0);
        legal.forEach((action, k) => (legalScores[k] = scores[action]));
        const k = sampler.draw(legalScores, 0, legal.length, stream.float());
        roll.explored[p] = k === argmax(legalScores, 0, legal.length) ? 0 : 1;
        roll.taken[p] = k;
        roll.logProbs[p] = sampler.logProb;
        roll.values[p] = forReplay ? 0 : this.#value(roll.observations, p);
        const { reward, terminated } = problem.step(at, own, legal[k], stream);
        roll.rewards[p] = reward;
        earned[e] += reward;
        age[e]++;
        const truncated = !terminated && age[e] === limit;
        roll.terminated[p] = terminated ? 1 : 0;
        roll.truncated[p] = truncated ? 1 : 0;
        roll.finalCounts[p] = 0;
        roll.finalValues[p] = 0;
        if (!terminated && !truncated) continue;
        if (truncated) {
          problem.observe(at, own, roll.finalObservations, p * inputs);
          if (forReplay) {
            const final = problem.legal(at, own);
            roll.legalActions.set(final, stretch + used);
            roll.finalStarts[p] = used;
            roll.finalCounts[p] = final.length;
            used += final.length;
          } else {
            roll.finalValues[p] = this.#value(roll.finalObservations, p);
          }
        }
        roll.episodeReturns[p] = earned[e];
        roll.episodeLengths[p] = age[e];
        age[e] = earned[e] = 0;
        problem.reset(at, own, stream);
      }
      problem.observe(at, own, last, 0);
      roll.values[this.#steps * this.#envs + e] = forReplay ? 0 : this.#value(last, 0);
      streams.set(stream.state, 4 * e);
    }
    const wall = (performance.now() - started) / 1000;
    return Promise.resolve({ env: wall, wall });
  }

  close(): Promise<void> {
    return Promise.resolve();
  }
}
