// Algorithms solve problems whose solution is known: a bandit, and a small decision process against value iteration.

import './support/uncounted.js';
import { describe, expect, it } from 'vitest';
import { argmax } from '#policy/index.js';
import { Dqn, Ppo, dqnDefaults, loadBackend, ppoDefaults } from '#train/index.js';
import type { DqnConfig, PpoConfig } from '#train/index.js';
import { ProcessRollouts, bandit, river, valueIteration } from './support/tabular.js';
import { sized } from './support/size.js';
import type { Process } from './support/tabular.js';

/** The second one only in the long form. */
const seeds = [1, 2].slice(0, sized(1, 2));

async function trainedDqn(process: Process, config: DqnConfig): Promise<(state: number) => number[]> {
  const rollouts = new ProcessRollouts(process, config.numEnvs, config.rolloutSteps, config.seed);
  const dqn = new Dqn(rollouts, await loadBackend('cpu'), config);
  while (dqn.iteration < dqn.iterations) await dqn.step();
  const { weights } = dqn;
  await dqn.close();
  return (state) => {
    const { scores, value } = rollouts.scores(weights, state);
    const legal = process.states[state].flatMap((outcomes, a) => (outcomes === null ? [] : [a]));
    const all = legal.map((a) => scores[a]);
    const mean = all.reduce((sum, score) => sum + score, 0) / all.length;
    const baseline = config.duelingBaseline === 'max' ? Math.max(...all) : mean;
    return Array.from(scores, (score, a) => {
      if (!legal.includes(a)) return -Infinity;
      return config.dueling ? value + score - baseline : score;
    });
  };
}

const small: Partial<DqnConfig> & { numEnvs: number; rolloutSteps: number } = {
  numEnvs: 8,
  rolloutSteps: 8,
  network: 'flat',
  minibatchSize: 32,
  trainFrequency: 16,
  learningStarts: 200,
  targetFrequency: 25,
  replayCapacity: 4096,
  epsilonFinal: 0.3,
  huberDelta: 100,
  rewardScale: 1,
  learningRate: 5e-3,
  learningRateFinal: 0.1,
  temperature: 0,
  explorationShare: 0.3,
};

describe('DQN', { tags: ['attack'] }, () => {
  it.each([
    ['plain', { double: false, dueling: false, nSteps: 1 }],
    ['double, dueling, prioritised', { prioritised: true, nSteps: 1 }],
    ['with a target network that follows softly', { tau: 0.05, targetFrequency: 1, nSteps: 1 }],
    ['on two arms, of n steps', { nSteps: 4 }],
  ])('%s, knows what the arms of a bandit pay', async (_, variant) => {
    for (const seed of seeds) {
      const config: DqnConfig = { ...dqnDefaults, ...small, ...variant, seed, totalSteps: 20_000 };
      const values = (await trainedDqn(bandit, config))(0);
      expect(values[0]).toBeGreaterThan(0.3);
      expect(values[0]).toBeLessThan(0.5);
      expect(values[1]).toBeGreaterThan(0.52);
      expect(values[1]).toBeLessThan(0.68);
    }
  });

  it.each<[string, Partial<DqnConfig>]>([
    ['plain', { double: false, dueling: false, nSteps: 1 }],
    ['double', { dueling: false, nSteps: 1 }],
    ['dueling from the mean', { double: false, nSteps: 1 }],
    ['dueling from the best', { double: false, nSteps: 1, duelingBaseline: 'max' }],
    ['prioritised', { double: false, dueling: false, prioritised: true, nSteps: 1 }],
    ['all three', { prioritised: true, nSteps: 1 }],
    ['of sums that end before a random action', { nSteps: 5, cutTraces: true }],
  ])(
    '%s, finds the values that value iteration gives, though episodes are cut long before, and some actions are illegal',
    async (_, variant) => {
      const exact = valueIteration(river, 0.9);
      for (const seed of seeds) {
        const config: DqnConfig = {
          ...dqnDefaults,
          ...small,
          gamma: 0.9,
          ...variant,
          seed,
          totalSteps: 60_000,
          epsilonFinal: 0.5,
        };
        const values = await trainedDqn(river, config);
        exact.forEach((row, state) => {
          const got = values(state);
          row.forEach((q, a) => {
            if (q === -Infinity) expect(got[a]).toBe(-Infinity);
            else
              expect(Math.abs(got[a] - q), `seed ${seed}, state ${state}, action ${a}: ${got[a]}, ${q}`).toBeLessThan(
                0.4,
              );
          });
          expect(argmax(Float32Array.from(got), 0, 3)).toBe(argmax(Float32Array.from(row), 0, 3));
        });
      }
    },
  );
});

describe('PPO', { tags: ['attack'] }, () => {
  const small: Partial<PpoConfig> = {
    network: 'flat',
    numEnvs: 8,
    rolloutSteps: 32,
    minibatchSize: 64,
    epochs: 4,
    learningRate: 5e-3,
    targetKl: 100,
  };

  async function trained(process: Process, config: PpoConfig): Promise<(state: number) => Float32Array> {
    const rollouts = new ProcessRollouts(process, config.numEnvs, config.rolloutSteps, config.seed);
    const ppo = new Ppo(rollouts, await loadBackend('cpu'), config);
    while (ppo.iteration < ppo.iterations) await ppo.step();
    const weights = ppo.weights.slice();
    await ppo.close();
    return (state) => rollouts.scores(weights, state).scores;
  }

  it('pulls the better arm of a bandit', async () => {
    for (const seed of seeds) {
      const scores = (await trained(bandit, { ...ppoDefaults, ...small, seed, totalSteps: 20_000 }))(0);
      expect(1 / (1 + Math.exp(scores[0] - scores[1]))).toBeGreaterThan(0.9);
    }
  });

  it('takes the actions that value iteration says are best, among the legal ones', async () => {
    const exact = valueIteration(river, 0.9);
    for (const seed of seeds) {
      const scores = await trained(river, { ...ppoDefaults, ...small, gamma: 0.9, seed, totalSteps: 60_000 });
      exact.forEach((row, state) => {
        const legal = scores(state).map((score, a) => (row[a] === -Infinity ? -Infinity : score));
        expect(argmax(legal, 0, 3), `seed ${seed}, state ${state}`).toBe(argmax(Float32Array.from(row), 0, 3));
      });
    }
  });
});
