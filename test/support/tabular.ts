// Finite decision processes that algorithms are trained on in place of dispatch, and their exact solution by value iteration.

import { Purpose, RandomStream } from '#engine/index.js';
import { SimdMlp, networkLayout } from '#policy/index.js';
import type { NetworkShape } from '#policy/index.js';
import { makeSampler } from '#workers/index.js';
import type { ActorCriticViews, ReplayViews, RolloutSeconds, Rollouts, SamplerSpec } from '#workers/index.js';

/** What may come of an action. */
export interface Outcome {
  readonly probability: number;
  readonly reward: number;
  /** State that follows; null ends the episode for good. */
  readonly next: number | null;
}

/** A process with states 0, 1, ...; episodes start in state 0. */
export interface Process {
  /** Outcomes of each action in each state; null where the action is illegal. */
  readonly states: readonly (readonly (readonly Outcome[] | null)[])[];
  /** Decisions after which an episode is cut. */
  readonly limit: number;
}

/** The value of each action in each state, exact; -Infinity where illegal (Bellman 1957). */
export function valueIteration({ states }: Process, gamma: number): number[][] {
  let q = states.map((actions) => actions.map((outcomes) => (outcomes === null ? -Infinity : 0)));
  for (let k = 0; k < 2000; k++) {
    const best = q.map((row) => Math.max(...row));
    q = states.map((actions) =>
      actions.map((outcomes) =>
        outcomes === null
          ? -Infinity
          : outcomes.reduce(
              (sum, { probability, reward, next }) =>
                sum + probability * (reward + (next === null ? 0 : gamma * best[next])),
              0,
            ),
      ),
    );
  }
  return q;
}

/** Environments of one process, on this thread; they see their state one-hot. Records for every algorithm. */
export class ProcessRollouts implements Rollouts<'replay'>, Rollouts<'actor-critic'> {
  readonly shape: NetworkShape;
  readonly weights: Float32Array;
  readonly rollout: ReplayViews & ActorCriticViews;
  readonly state: {
    readonly at: Int32Array;
    readonly age: Int32Array;
    readonly earned: Float64Array;
    readonly streams: Int32Array;
  };
  readonly outputs: object = {};
  readonly workers = 1;
  readonly #process: Process;
  readonly #envs: number;
  readonly #steps: number;
  readonly #streams: RandomStream[];
  readonly #actor: SimdMlp;
  readonly #critic: SimdMlp;

  constructor(process: Process, envs: number, steps: number, seed: number, hidden: readonly number[] = [16]) {
    const inputs = process.states.length;
    const actions = process.states[0].length;
    this.shape = { kind: 'flat', inputs, hidden, criticHidden: hidden, actions };
    const layout = networkLayout(this.shape);
    this.weights = new Float32Array(layout.size);
    this.#actor = new SimdMlp(layout.actor);
    this.#critic = new SimdMlp(layout.critic);
    this.#process = process;
    this.#envs = envs;
    this.#steps = steps;
    this.#streams = Array.from({ length: envs }, (_, e) => new RandomStream(seed, Purpose.demand, e));
    this.state = {
      at: new Int32Array(envs),
      age: new Int32Array(envs),
      earned: new Float64Array(envs),
      streams: new Int32Array(envs * 4),
    };
    this.#streams.forEach((stream, e) => this.state.streams.set(stream.state, 4 * e));
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
      finalObservations: new Float32Array(n * inputs),
      finalStarts: new Int32Array(n),
      finalCounts: new Int32Array(n),
      logProbs: new Float32Array(n),
      values: new Float32Array(n + envs),
      finalValues: new Float32Array(n),
    };
  }

  #legal(state: number): number[] {
    return this.#process.states[state].flatMap((outcomes, a) => (outcomes === null ? [] : [a]));
  }

  #oneHot(state: number): Float32Array {
    return Float32Array.from({ length: this.shape.inputs }, (_, k) => (k === state ? 1 : 0));
  }

  #value(state: number): number {
    const out = new Float32Array(1);
    this.#critic.run(this.#oneHot(state), 0, 1, out, 0);
    return out[0];
  }

  /** Scores of all actions in a state, by the weights given. */
  scores(weights: Float32Array, state: number): { scores: Float32Array; value: number } {
    this.#actor.load(weights);
    this.#critic.load(weights);
    const scores = new Float32Array(this.shape.actions);
    this.#actor.run(this.#oneHot(state), 0, 1, scores, 0);
    return { scores, value: this.#value(state) };
  }

  collect(spec: SamplerSpec): Promise<RolloutSeconds> {
    const sampler = makeSampler(spec);
    const { at, age, earned, streams } = this.state;
    const roll = this.rollout;
    const { inputs, actions } = this.shape;
    this.#actor.load(this.weights);
    this.#critic.load(this.weights);
    for (let e = 0; e < this.#envs; e++) {
      const stream = this.#streams[e];
      stream.state.set(streams.subarray(4 * e, 4 * e + 4));
      let used = 0;
      // One stretch per environment: with final states for replay, without them for actor and critic, which write none.
      const stretch = e * this.#steps * actions * (spec.kind === 'softmax' ? 1 : 2);
      const list = (state: number): { start: number; count: number } => {
        const legal = this.#legal(state);
        roll.legalActions.set(legal, stretch + used);
        used += legal.length;
        return { start: used - legal.length, count: legal.length };
      };
      for (let t = 0; t < this.#steps; t++) {
        const p = t * this.#envs + e;
        const state = at[e];
        const all = new Float32Array(actions);
        this.#actor.run(this.#oneHot(state), 0, 1, all, 0);
        const { start, count } = list(state);
        const legal = this.#legal(state);
        const k = sampler.draw(
          Float32Array.from(legal, (a) => all[a]),
          0,
          count,
          stream.float(),
        );
        roll.observations.set(this.#oneHot(state), p * inputs);
        roll.legalStarts[p] = start;
        roll.legalCounts[p] = count;
        roll.taken[p] = k;
        roll.logProbs[p] = sampler.logProb;
        roll.values[p] = this.#value(state);
        let u = stream.float();
        const outcomes = this.#process.states[state][legal[k]]!;
        const outcome = outcomes.find(({ probability }) => (u -= probability) < 0) ?? outcomes.at(-1)!;
        roll.rewards[p] = outcome.reward;
        earned[e] += outcome.reward;
        age[e]++;
        roll.terminated[p] = outcome.next === null ? 1 : 0;
        roll.truncated[p] = outcome.next !== null && age[e] === this.#process.limit ? 1 : 0;
        roll.finalCounts[p] = 0;
        roll.finalValues[p] = 0;
        if (outcome.next !== null) at[e] = outcome.next;
        if (roll.terminated[p] + roll.truncated[p] === 0) continue;
        if (roll.truncated[p] === 1) {
          roll.finalObservations.set(this.#oneHot(at[e]), p * inputs);
          roll.finalValues[p] = this.#value(at[e]);
          if (spec.kind !== 'softmax') {
            const final = list(at[e]);
            roll.finalStarts[p] = final.start;
            roll.finalCounts[p] = final.count;
          }
        }
        roll.episodeReturns[p] = earned[e];
        roll.episodeLengths[p] = age[e];
        at[e] = age[e] = earned[e] = 0;
      }
      roll.values[this.#steps * this.#envs + e] = this.#value(at[e]);
      streams.set(stream.state, 4 * e);
    }
    return Promise.resolve({ env: 1e-3, wall: 1e-3 });
  }

  close(): Promise<void> {
    return Promise.resolve();
  }
}

const sure = (reward: number, next: number | null): readonly Outcome[] => [{ probability: 1, reward, next }];
const chance = (p: number, a: Omit<Outcome, 'probability'>, b: Omit<Outcome, 'probability'>): readonly Outcome[] => [
  { probability: p, ...a },
  { probability: 1 - p, ...b },
];

/** Two arms, of which the second pays more often. */
export const bandit: Process = {
  states: [
    [
      chance(0.4, { reward: 1, next: null }, { reward: 0, next: null }),
      chance(0.6, { reward: 1, next: null }, { reward: 0, next: null }),
    ],
  ],
  limit: 10,
};

/**
 * Five places in a row. Action 0 goes back and earns a little at the start, 1 goes on against a current and earns at the far end,
 * 2 leaves for good with a prize, where that is legal. Which is best where follows from value iteration;
 * episodes are cut long before values have come to an end, so that a cut taken for an end shows.
 */
export const river: Process = {
  states: [
    [sure(0.1, 0), chance(0.8, { reward: 0, next: 1 }, { reward: 0, next: 0 }), null],
    [sure(0, 0), chance(0.8, { reward: 0, next: 2 }, { reward: 0, next: 1 }), sure(2.5, null)],
    [sure(0, 1), chance(0.8, { reward: 0, next: 3 }, { reward: 0, next: 2 }), null],
    [sure(0, 2), chance(0.8, { reward: 0, next: 4 }, { reward: 0, next: 3 }), sure(3, null)],
    [sure(0, 3), chance(0.8, { reward: 1, next: 4 }, { reward: -0.5, next: 2 }), sure(6, null)],
  ],
  limit: 12,
};
