// Finite decision processes that algorithms are trained on in place of dispatch, and their exact solution by value iteration.

import { LocalRollouts } from '#bench/local-rollouts.js';
import type { LocalProblem } from '#bench/local-rollouts.js';

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

/** A process as a problem of which copies run: a copy's state is the number of its state, observed one-hot. */
function problemOf(process: Process): LocalProblem {
  const { states, limit } = process;
  const legal = states.map((actions) => actions.flatMap((outcomes, a) => (outcomes === null ? [] : [a])));
  return {
    words: 1,
    inputs: states.length,
    actions: states[0].length,
    limit,
    reset: (state, at) => void (state[at] = 0),
    legal: (state, at) => legal[state[at]],
    observe: (state, at, out, outAt) => {
      out.fill(0, outAt, outAt + states.length);
      out[outAt + state[at]] = 1;
    },
    step: (state, at, action, stream) => {
      const outcomes = states[state[at]][action]!;
      let u = stream.float();
      const { reward, next } = outcomes.find(({ probability }) => (u -= probability) < 0) ?? outcomes.at(-1)!;
      if (next !== null) state[at] = next;
      return { reward, terminated: next === null };
    },
  };
}

/** Environments of one process, on this thread. */
export class ProcessRollouts extends LocalRollouts {
  constructor(process: Process, envs: number, steps: number, seed: number, hidden: readonly number[] = [16]) {
    super(problemOf(process), envs, steps, seed, hidden);
  }

  /** Scores of all actions in a state, by the weights given. */
  scores(weights: Float32Array, state: number): { scores: Float32Array; value: number } {
    const seen = Float32Array.from({ length: this.shape.inputs }, (_, k) => (k === state ? 1 : 0));
    return this.evaluate(weights, seen, 0);
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
