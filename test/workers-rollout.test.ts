// What a rollout notes for the learner, against a plain environment that is stepped with the same actions.

import { describe, expect, it } from 'vitest';
import { PAIR_COLUMNS, Purpose, RandomStream, VectorDispatchEnv, compileScenario, preset } from '#engine/index.js';
import { Actor, SimdMlp, initialiseNetwork, logSumExp, networkLayout, sample } from '#policy/index.js';
import { RolloutPool } from '#workers/index.js';

const numEnvs = 5;
const steps = 60;

describe.each(['truncate', 'terminate'] as const)('a rollout over episodes that %s', (horizonEnd) => {
  it.each(['pairs', 'flat'] as const)(
    'of a %s network holds what happened, and continues where it stopped',
    async (network) => {
      // 25 steps an episode: several ends within a rollout, and one that straddles two.
      const compiled = compileScenario({ ...preset('geneva'), horizonSeconds: 25 * 300, horizonEnd });
      const pool = new RolloutPool({
        compiled,
        observation: 'full',
        network,
        hidden: [16],
        criticHidden: [8],
        numEnvs,
        steps,
        workers: 2,
        seed: 9,
      });
      try {
        const { shape, weights, rollout: roll } = pool;
        initialiseNetwork(shape, new RandomStream(1, Purpose.weights), weights);
        // Far from uniform, so that a wrong probability shows.
        for (let k = 0; k < weights.length; k++) weights[k] *= 3;
        const env = new VectorDispatchEnv({ scenario: compiled, numEnvs });
        const { world } = env;
        env.reset({ seed: 9 });
        const actor = new Actor(shape, world);
        actor.load(weights);
        const critic = new SimdMlp(networkLayout(shape).critic);
        critic.load(weights);
        const value = (observations: Float32Array, e: number): number => {
          const out = new Float32Array(1);
          critic.run(observations, e, 1, out, 0);
          return out[0];
        };
        const actions = new Int32Array(numEnvs);
        let ends = 0;
        for (let round = 0; round < 2; round++) {
          await pool.collect();
          for (let t = 0; t < steps; t++) {
            actor.consider(0, numEnvs);
            const size = world.observationSize;
            expect(roll.observations.subarray(t * numEnvs * size, (t + 1) * numEnvs * size)).toEqual(
              world.out.observations,
            );
            for (let e = 0; e < numEnvs; e++) {
              const p = t * numEnvs + e;
              const [from, to] = [actor.starts[e], actor.starts[e + 1]];
              const place = e * steps * shape.actions + roll.legalStarts[p];
              expect(roll.legalCounts[p]).toBe(to - from);
              expect(roll.legalActions.subarray(place, place + to - from)).toEqual(actor.actions.subarray(from, to));
              if (network === 'pairs') {
                expect(roll.features.subarray(place * PAIR_COLUMNS, (place + to - from) * PAIR_COLUMNS)).toEqual(
                  actor.features.subarray(from * PAIR_COLUMNS, to * PAIR_COLUMNS),
                );
              }
              const normaliser = logSumExp(actor.logits, from, to);
              const k = sample(actor.logits, from, to, normaliser, world.floatNow(e, Purpose.action));
              expect(roll.taken[p]).toBe(k - from);
              expect(roll.logProbs[p]).toBeCloseTo(actor.logits[k] - normaliser, 5);
              expect(roll.values[p]).toBe(value(world.out.observations, e));
              actions[e] = actor.actions[k];
            }
            const { rewards, terminations, truncations, infos } = env.step(actions);
            for (let e = 0; e < numEnvs; e++) {
              const p = t * numEnvs + e;
              expect([roll.rewards[p], roll.terminated[p], roll.truncated[p]]).toEqual([
                rewards[e],
                terminations[e],
                truncations[e],
              ]);
              expect(roll.finalValues[p]).toBe(truncations[e] === 1 ? value(infos.finalObservations, e) : 0);
              if ((terminations[e] | truncations[e]) === 1) {
                ends++;
                expect([roll.episodeReturns[p], roll.episodeLengths[p]]).toEqual([infos.episodeReturns[e], 25]);
              }
            }
          }
          for (let e = 0; e < numEnvs; e++)
            expect(roll.values[steps * numEnvs + e]).toBe(value(world.out.observations, e));
        }
        expect(ends).toBe(numEnvs * 4);
      } finally {
        await pool.close();
      }
    },
  );
});
