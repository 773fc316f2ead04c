// Algorithms solve the cart and the pole: the network's best action keeps the pole up for all 500 steps, on 100 episodes.

import './support/uncounted.js';
import { expect, it } from 'vitest';
import { cartPole, cartPoleDqn, cartPolePpo, greedyReturn } from '#bench/cart-pole.js';
import { LocalRollouts } from '#bench/local-rollouts.js';
import { Dqn, Ppo, loadBackend } from '#train/index.js';
import { sized, told } from './support/size.js';

/** Episodes that are held out from the choice of the moment at which training ends. */
const HELD_OUT = 1_000_000;

/** Of the two, DQN takes longer. */
const algorithms = sized(['ppo'], ['ppo', 'dqn']);
const SEEDS = sized(1, 10);

it.each(algorithms)(
  `%s balances the pole to the end, on ${told(SEEDS)} of ${told(SEEDS)} seeds`,
  { tags: ['attack'] },
  async (name) => {
    const backend = await loadBackend('simd');
    for (let seed = 1; seed <= SEEDS; seed++) {
      const settings = name === 'ppo' ? cartPolePpo : cartPoleDqn;
      const rollouts = new LocalRollouts(cartPole, settings.numEnvs, settings.rolloutSteps, seed, settings.hidden);
      const training =
        name === 'ppo'
          ? new Ppo(rollouts, backend, { ...cartPolePpo, seed })
          : new Dqn(rollouts, backend, { ...cartPoleDqn, seed });
      // Looked at about every 4,000 steps, as a run with --eval-every is.
      const every = Math.ceil(4000 / (settings.numEnvs * settings.rolloutSteps));
      const scored = (episodes: number, of: number): number =>
        greedyReturn(cartPole, training.shape, training.weights, episodes, of);
      while (training.iteration < training.iterations) {
        for (let k = 0; k < every && training.iteration < training.iterations; k++) await training.step();
        if (scored(20, seed) === 500 && scored(300, seed + 1000) === 500) break;
      }
      expect(scored(100, HELD_OUT + seed), `${name}, seed ${seed}, ${training.globalStep} steps`).toBe(500);
      await training.close();
    }
  },
);
