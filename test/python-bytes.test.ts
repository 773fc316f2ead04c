// The same seed and the same actions give the same bytes in Python and in Node.

import { createHash } from 'node:crypto';
import { expect, it } from 'vitest';
import { VectorDispatchEnv, episodeSource } from '#engine/index.js';
import type { AutoresetMode, CompiledScenario, ObservationKind } from '#engine/index.js';
import { loadScenario } from '#trips/index.js';
import { heldOutSeed } from '#workers/index.js';
import { describeWithPython, python } from './support/python.js';
import { describeWithTrips, nycAmod } from './support/shared-data.js';

interface Case {
  readonly scenario: string | Readonly<Record<string, unknown>>;
  readonly data?: string;
  readonly num_envs: number;
  readonly seed: number;
  readonly steps: number;
  readonly autoreset_mode: AutoresetMode;
  readonly observation?: ObservationKind;
  readonly split?: 'validation';
  readonly workers?: number;
}

const custom = {
  extends: 'geneva',
  name: 'custom-fleet',
  drivers: 7,
  slots: 33,
  decisionsPerTick: 'Infinity',
  horizonSeconds: 6000,
  skills: [{ name: 'wheelchair', driverShare: 0.5, bookingShare: 0.4 }],
  demand: { returnShare: 0.3 },
};

function compiledOf({ scenario, data }: Case): CompiledScenario {
  if (typeof scenario === 'string') return loadScenario({ scenario, data });
  return loadScenario({
    scenario: JSON.parse(JSON.stringify(scenario), (_, value: unknown) =>
      value === 'Infinity' ? Infinity : value,
    ) as Record<string, unknown>,
  });
}

/** What python/tests/play.py prints. */
function inNode(one: Case): string {
  const compiled = compiledOf(one);
  const { num_envs: n, seed, steps, autoreset_mode: autoresetMode, observation = 'full', split } = one;
  const source = episodeSource(compiled.dataset, split ?? 'training', split === undefined ? 'sampled' : 'listed');
  const env = new VectorDispatchEnv({ scenario: compiled, numEnvs: n, autoresetMode, observation, source });
  const { infos } = env;
  const { n: width } = env.singleActionSpace;
  const [size] = env.singleObservationSpace.shape;
  const digest = createHash('sha256');
  const actions = new Int32Array(n);
  const { observations } = env.reset({ seed: split === undefined ? seed : heldOutSeed(seed, split) });
  digest.update(observations).update(infos.actionMasks);
  for (let t = 0; t < steps; t++) {
    for (let e = 0; e < n; e++) {
      const mask = infos.actionMasks.subarray(e * width, (e + 1) * width);
      const legal = [...mask.keys()].filter((action) => mask[action] === 1);
      actions[e] = (t + e) % 11 === 0 ? (t * 31 + e * 17) % width : legal[(t * 7 + e * 13) % legal.length];
    }
    const { rewards, terminations, truncations } = env.step(actions);
    digest.update(observations).update(infos.actionMasks);
    digest.update(rewards).update(terminations).update(truncations);
    for (let e = 0; e < n; e++) {
      if ((terminations[e] | truncations[e]) === 0) continue;
      const row = <T extends { subarray(from: number, to: number): T }>(array: T, count: number): T =>
        array.subarray(e * count, (e + 1) * count);
      if (autoresetMode === 'SAME_STEP') {
        digest.update(row(infos.finalObservations, size)).update(row(infos.finalActionMasks, width));
      }
      digest
        .update(row(infos.episodeReturns, 1))
        .update(row(infos.episodeLengths, 1))
        .update(row(infos.episodeKpis, 16));
    }
  }
  return digest.digest('hex');
}

async function inPython(one: Case): Promise<string> {
  const { stdout } = await python('tests/play.py', [JSON.stringify(one)]);
  return stdout.trim();
}

describeWithPython('the same bytes in Python and Node', () => {
  it.each<Case>([
    { scenario: 'geneva', num_envs: 5, seed: 1, steps: 200, autoreset_mode: 'SAME_STEP' },
    { scenario: 'geneva', num_envs: 64, seed: 7, steps: 110, autoreset_mode: 'NEXT_STEP', observation: 'classic' },
    { scenario: 'geneva-live', num_envs: 5, seed: 2 ** 33, steps: 200, autoreset_mode: 'SAME_STEP', workers: 2 },
    { scenario: 'geneva', num_envs: 3, seed: 1, steps: 100, autoreset_mode: 'SAME_STEP', split: 'validation' },
    { scenario: 'geneva-medical', num_envs: 5, seed: 4, steps: 500, autoreset_mode: 'SAME_STEP' },
    { scenario: 'geneva-medical', num_envs: 3, seed: 4, steps: 300, autoreset_mode: 'NEXT_STEP', split: 'validation' },
    { scenario: custom, num_envs: 4, seed: 3, steps: 150, autoreset_mode: 'SAME_STEP' },
    { scenario: custom, num_envs: 4, seed: 3, steps: 150, autoreset_mode: 'NEXT_STEP', workers: 3 },
  ])('%j', async (one) => {
    expect(await inPython(one)).toBe(inNode(one));
  });
});

describeWithTrips('on recorded trips', () => {
  describeWithPython('the same bytes in Python and Node', () => {
    it.each<Case>([
      { scenario: 'nyc-small', data: nycAmod, num_envs: 3, seed: 1, steps: 800, autoreset_mode: 'SAME_STEP' },
      {
        scenario: 'nyc-small',
        data: nycAmod,
        num_envs: 2,
        seed: 1,
        steps: 400,
        autoreset_mode: 'SAME_STEP',
        split: 'validation',
      },
    ])('%j', async (one) => {
      expect(await inPython(one)).toBe(inNode(one));
    });
  });
});
