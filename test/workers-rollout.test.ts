// What a rollout notes for the learner, against a plain environment that is stepped with the same actions.

import { describe, expect, it } from 'vitest';
import { PAIR_COLUMNS, Purpose, RandomStream, VectorDispatchEnv, compileScenario, preset } from '#engine/index.js';
import { Actor, SimdMlp, argmax, initialiseNetwork, logSumExp, networkLayout, sample } from '#policy/index.js';
import { RolloutPool, makeSampler } from '#workers/index.js';

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
        recorder: 'actor-critic',
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
          await pool.collect({ kind: 'softmax' });
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

describe('a sampler', () => {
  const scores = Float32Array.of(9, 0.5, 2, -1, 7);

  it('softmax draws with the probabilities of the softmax, and tells them', () => {
    const sampler = makeSampler({ kind: 'softmax' });
    const total = Math.exp(0.5) + Math.exp(2) + Math.exp(-1);
    let cumulated = 0;
    for (const k of [1, 2, 3]) {
      const p = Math.exp(scores[k]) / total;
      expect(sampler.draw(scores, 1, 4, cumulated + p / 2)).toBe(k);
      expect(Math.exp(sampler.logProb)).toBeCloseTo(p, 6);
      cumulated += p;
    }
  });

  it('epsilon-greedy explores uniformly with probability epsilon, and else takes the highest score', () => {
    const sampler = makeSampler({ kind: 'epsilon-greedy', epsilon: 0.3 });
    const drawn = (u: number): [number, number] => [sampler.draw(scores, 1, 4, u), Math.exp(sampler.logProb)];
    for (const [u, k] of [
      [0, 1],
      [0.0999, 1],
      [0.1001, 2],
      [0.1999, 2],
      [0.2001, 3],
      [0.2999, 3],
      [0.3, 2],
      [0.999, 2],
    ]) {
      const [got, p] = drawn(u);
      expect(got).toBe(k);
      expect(p).toBeCloseTo(k === 2 ? 0.8 : 0.1, 12);
    }
    for (const [epsilon, u, k] of [
      [0, 0, 2],
      [1, 0, 1],
      [1, 1 - 2 ** -53, 3],
    ]) {
      expect(makeSampler({ kind: 'epsilon-greedy', epsilon }).draw(scores, 1, 4, u)).toBe(k);
    }
  });

  it.each([
    [{ kind: 'boltzmann' }, 'the sampler’s kind is "boltzmann": choose one of softmax, epsilon-greedy'],
    [{ kind: 'constructor' }, 'the sampler’s kind is "constructor"'],
    [{ kind: 'epsilon-greedy' }, 'the sampler’s epsilon is missing: it must be from 0 to 1'],
    [{ kind: 'epsilon-greedy', epsilon: NaN }, 'the sampler’s epsilon is NaN'],
    [{ kind: 'epsilon-greedy', epsilon: -0.1 }, 'the sampler’s epsilon is -0.1'],
    [{ kind: 'epsilon-greedy', epsilon: 1.1 }, 'the sampler’s epsilon is 1.1'],
    [{ kind: 'softmax', temperature: 2 }, 'the sampler has no "temperature"'],
    [null, 'the sampler is null'],
  ])('%j is refused', (spec, message) => {
    expect(() => makeSampler(spec as never)).toThrow(message);
  });
});

it('a rollout records transitions without a critic, by the sampler that each call names', async () => {
  const compiled = compileScenario(preset('geneva'));
  const options = {
    compiled,
    observation: 'full',
    network: 'pairs',
    hidden: [8],
    criticHidden: [8],
    numEnvs: 4,
    steps: 30,
    workers: 2,
    seed: 5,
  } as const;
  const pool = new RolloutPool({ ...options, recorder: 'transitions' });
  try {
    const { shape, weights, rollout: roll } = pool;
    expect(Object.keys(roll)).not.toContain('values');
    initialiseNetwork(shape, new RandomStream(1, Purpose.weights), weights);
    const env = new VectorDispatchEnv({ scenario: compiled, numEnvs: 4 });
    env.reset({ seed: 5 });
    const { world } = env;
    const actor = new Actor(shape, world);
    actor.load(weights);
    const actions = new Int32Array(4);
    for (const sampler of [
      { kind: 'epsilon-greedy', epsilon: 0 },
      { kind: 'epsilon-greedy', epsilon: 0.5 },
      { kind: 'softmax' },
    ] as const) {
      await pool.collect(sampler);
      const draw = makeSampler(sampler);
      for (let t = 0; t < 30; t++) {
        actor.consider(0, 4);
        for (let e = 0; e < 4; e++) {
          const [from, to] = [actor.starts[e], actor.starts[e + 1]];
          const k = draw.draw(actor.logits, from, to, world.floatNow(e, Purpose.action));
          if (sampler.kind === 'epsilon-greedy' && sampler.epsilon === 0)
            expect(k).toBe(argmax(actor.logits, from, to));
          expect(roll.taken[t * 4 + e]).toBe(k - from);
          expect(roll.legalCounts[t * 4 + e]).toBe(to - from);
          actions[e] = actor.actions[k];
        }
        const { rewards } = env.step(actions);
        expect(roll.rewards.subarray(t * 4, t * 4 + 4)).toEqual(rewards);
      }
    }
    await expect(pool.collect({ kind: 'greedy' } as never)).rejects.toMatchObject({ code: 'ERR_WORKERS_OPTION' });
  } finally {
    await pool.close();
  }
  expect(() => new RolloutPool({ ...options, recorder: 'everything' as never })).toThrow(
    'recorder is "everything": choose one of transitions, replay, actor-critic',
  );
});
