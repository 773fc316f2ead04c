// The cart and the pole: the problem that every implementation of an algorithm is tried on. Dynamics and bounds are those of Barto,
// Sutton and Anderson (1983), as in Gymnasium's CartPole-v1: 500 steps at most, reward 1 a step.

import { Purpose, RandomStream } from '../engine/index.js';
import { SimdMlp, networkLayout } from '../policy/index.js';
import { dqnDefaults, ppoDefaults } from '../train/index.js';
import type { DqnConfig, PpoConfig } from '../train/index.js';
import type { NetworkShape } from '../policy/index.js';
import type { LocalProblem } from './local-rollouts.js';

const GRAVITY = 9.8;
const POLE_MASS = 0.1;
const TOTAL_MASS = 1.1;
const HALF_LENGTH = 0.5;
const FORCE = 10;
const SECONDS = 0.02;
/** 12 degrees. */
const ANGLE_BOUND = (12 * 2 * Math.PI) / 360;
const PLACE_BOUND = 2.4;
/** Sizes of what is observed, so that all inputs are about 1. */
const SCALES = [PLACE_BOUND, 2, ANGLE_BOUND, 2] as const;
const BOTH: readonly number[] = [0, 1];

/** Settings with which PPO solves it. */
export const cartPolePpo: Omit<PpoConfig, 'seed'> = {
  ...ppoDefaults,
  network: 'flat',
  totalSteps: 400_000,
  numEnvs: 8,
  rolloutSteps: 64,
  minibatchSize: 256,
  epochs: 10,
  learningRate: 2e-3,
  learningRateFinal: 0.01,
  targetKl: 0.1,
  entropyCoefficient: 0,
  hidden: [64, 64],
  criticHidden: [64, 64],
};

/** Settings with which DQN solves it. */
export const cartPoleDqn: Omit<DqnConfig, 'seed'> = {
  ...dqnDefaults,
  network: 'flat',
  totalSteps: 300_000,
  numEnvs: 8,
  rolloutSteps: 8,
  minibatchSize: 64,
  trainFrequency: 8,
  learningStarts: 1000,
  learningRate: 1e-3,
  replayCapacity: 100_000,
  tau: 0.01,
  targetFrequency: 1,
  epsilonFinal: 0.05,
  explorationShare: 0.1,
  rewardScale: 0.1,
  nSteps: 3,
  hidden: [64, 64],
  criticHidden: [64, 64],
};

/** State: place, speed, angle, angular speed. Action 0 pushes to the left, 1 to the right. */
export const cartPole: LocalProblem = {
  words: 4,
  inputs: 4,
  actions: 2,
  limit: 500,
  reset(state, at, stream) {
    for (let k = 0; k < 4; k++) state[at + k] = stream.float() * 0.1 - 0.05;
  },
  legal: () => BOTH,
  observe(state, at, out, outAt) {
    for (let k = 0; k < 4; k++) out[outAt + k] = state[at + k] / SCALES[k];
  },
  step(state, at, action) {
    const angle = state[at + 2];
    const angular = state[at + 3];
    const sin = Math.sin(angle);
    const cos = Math.cos(angle);
    const force = action === 1 ? FORCE : -FORCE;
    const push = (force + POLE_MASS * HALF_LENGTH * angular * angular * sin) / TOTAL_MASS;
    const turn = (GRAVITY * sin - cos * push) / (HALF_LENGTH * (4 / 3 - (POLE_MASS * cos * cos) / TOTAL_MASS));
    const speed = push - (POLE_MASS * HALF_LENGTH * turn * cos) / TOTAL_MASS;
    state[at] += SECONDS * state[at + 1];
    state[at + 1] += SECONDS * speed;
    state[at + 2] += SECONDS * angular;
    state[at + 3] += SECONDS * turn;
    const terminated = Math.abs(state[at]) > PLACE_BOUND || Math.abs(state[at + 2]) > ANGLE_BOUND;
    return { reward: 1, terminated };
  },
};

/** Mean return of the network's best action over `episodes` episodes, which depend on `seed` alone. */
export function greedyReturn(
  problem: LocalProblem,
  shape: NetworkShape,
  weights: Float32Array,
  episodes: number,
  seed: number,
): number {
  const actor = new SimdMlp(networkLayout(shape).actor);
  actor.load(weights);
  const state = new Float64Array(problem.words);
  const seen = new Float32Array(problem.inputs);
  const scores = new Float32Array(problem.actions);
  let sum = 0;
  for (let episode = 0; episode < episodes; episode++) {
    const stream = new RandomStream(seed, Purpose.demand, 0, episode);
    problem.reset(state, 0, stream);
    for (let t = 0; t < problem.limit; t++) {
      problem.observe(state, 0, seen, 0);
      actor.run(seen, 0, 1, scores, 0);
      let best = -1;
      for (const action of problem.legal(state, 0)) if (best < 0 || scores[action] > scores[best]) best = action;
      const { reward, terminated } = problem.step(state, 0, best, stream);
      sum += reward;
      if (terminated) break;
    }
  }
  return sum / episodes;
}
