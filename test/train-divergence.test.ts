// A run that is no longer finite stops, names the step and what is not finite, and can go on from its last good state: every
// algorithm, on every backend that is ours or comes with the package.

import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { compileScenario, preset } from '#engine/index.js';
import type { CompiledScenario } from '#engine/index.js';
import {
  Dqn,
  Linear,
  Ppo,
  dqnDefaults,
  linearDefaults,
  loadBackend,
  ppoDefaults,
  readCheckpoint,
  runTraining,
  weightsSha256,
} from '#train/index.js';
import type { Algorithm, Backend, BackendName, PpoConfig } from '#train/index.js';
import { RolloutIteration, rolloutDefaults } from '#train/rollout-iteration.js';

const geneva = compileScenario(preset('geneva'));
const brief = compileScenario({ ...preset('geneva-live'), name: 'brief', horizonSeconds: 3600 });
const shared = { seed: 3, numEnvs: 8, totalSteps: 1e6 };
const folder = mkdtempSync(join(tmpdir(), 'fleetstep-divergence-'));
afterAll(() => rmSync(folder, { recursive: true }));

/** What of a snapshot is spoilt; the copy may be changed. */
type State = Record<string, never> & {
  iteration: number;
  weights: Float32Array;
  adam: { m: Float32Array };
  outputs: Record<string, Float32Array>;
  replay: Record<string, Float32Array>;
  rewardScale: { variance: number };
  search: { mean: Float64Array };
};

interface Fault {
  readonly what: string;
  readonly spoil: (state: State) => void;
  readonly message: RegExp;
}

const actorWeight: Fault = {
  what: 'a weight',
  // A moment that is not finite spoils the weight in one update, and shows in the next.
  spoil: (state) => (state.adam.m[40] = NaN),
  message: /^(update|iteration) \d+ has diverged.*; weights\[40\] \(a weight of layer 1 of the actor\) is NaN$/,
};

const cases: Readonly<
  Record<string, { make: (backend: BackendName) => Promise<Algorithm>; faults: readonly Fault[] }>
> = {
  ppo: {
    make: async (backend) =>
      new Ppo(
        geneva,
        await loadBackend(backend),
        { ...ppoDefaults, ...shared, rolloutSteps: 32, minibatchSize: 100, criticHidden: [8], hidden: [8] },
        2,
      ),
    faults: [
      actorWeight,
      {
        what: 'an input',
        spoil: ({ outputs }) => outputs['observations'].fill(Infinity),
        message: /; number \d+ of the observation of (step \d+ of environment|sample) \d+ is Infinity$/,
      },
      {
        what: 'a loss',
        spoil: ({ rewardScale }) => (rewardScale.variance = NaN),
        message: /; the loss's policy loss is NaN$/,
      },
    ],
  },
  dqn: {
    make: async (backend) =>
      new Dqn(
        geneva,
        await loadBackend(backend),
        {
          ...{ ...dqnDefaults, ...shared, rolloutSteps: 16, minibatchSize: 32, criticHidden: [8], hidden: [8] },
          ...{ learningStarts: 64, replayCapacity: 1000, trainFrequency: 8 },
        },
        1,
      ),
    faults: [
      actorWeight,
      {
        what: 'an input',
        spoil: ({ replay }) => replay['observations'].fill(Infinity),
        message: /; number \d+ of the observation of sample \d+ is Infinity$/,
      },
      {
        what: 'a loss',
        spoil: ({ replay }) => replay['returns'].fill(NaN),
        message: /; the loss's td loss is NaN$/,
      },
    ],
  },
  linear: {
    make: () => Promise.resolve(new Linear(brief, { ...linearDefaults, ...shared, numEnvs: 2, population: 4 }, 1)),
    faults: [
      {
        what: 'a weight',
        spoil: ({ search }) => (search.mean[2] = NaN),
        message: /^generation 2, step \d+, has diverged: .*; the weight of column \d+ of candidate 0 is NaN$/,
      },
    ],
  },
  rollout: {
    make: async (backend) =>
      new RolloutIteration(
        { compiled: brief, backend: await loadBackend(backend), workers: 1 },
        {
          ...rolloutDefaults,
          ...shared,
          rolloutSteps: 3,
          tries: 2,
          hidden: [8],
          linearRounds: 1,
          epochs: 1,
          members: 1,
        },
      ),
    faults: [
      {
        what: 'an input',
        spoil: ({ replay }) => (replay['features0'][5] = NaN),
        message: /^round 2, step \d+, has diverged: .*; column 5 of label 0 is NaN$/,
      },
      {
        what: 'a loss',
        spoil: ({ replay }) => (replay['worths0'][0] = Infinity),
        message: /^round 2, step \d+, has diverged: .*; the worth of label 0 is Infinity$/,
      },
    ],
  },
};

/** Linear has no gradient, and rollout looks at its fit whatever made it. */
function backendsOf(algorithm: string): readonly BackendName[] {
  return algorithm === 'linear' ? ['simd'] : algorithm === 'rollout' ? ['simd', 'cpu'] : ['simd', 'wasm', 'cpu'];
}

const table = Object.entries(cases).flatMap(([algorithm, { make, faults }]) =>
  backendsOf(algorithm).flatMap((backend) => faults.map((fault) => ({ algorithm, backend, make, ...fault }))),
);

describe('a run that is no longer finite', () => {
  it.each(table)('$algorithm on $backend stops at $what', async ({ backend, make, spoil, message }) => {
    const learning = await make(backend);
    try {
      // Until it has learnt something.
      do await learning.step();
      while (learning.iteration < 1 || (learning instanceof Dqn && learning.snapshot().updates === 0));
      const good = structuredClone(learning.snapshot());
      const bad = structuredClone(good);
      spoil(bad as unknown as State);
      learning.restore(bad);
      const failure = learning.step();
      await expect(failure).rejects.toMatchObject({ code: 'ERR_DIVERGED' });
      await expect(failure).rejects.toThrow(message);
      // The last good state is not lost, and the threads are still there.
      learning.restore(good);
      await learning.step();
      expect(learning.weights.every((weight) => Number.isFinite(weight))).toBe(true);
    } finally {
      await learning.close();
    }
  });

  it('keeps its last good checkpoint, and says so', async () => {
    const out = join(folder, 'run');
    const job = (compiled: CompiledScenario, resume: ReturnType<typeof readCheckpoint> | null) =>
      ({
        ...{ compiled, out, resume, workers: 1, checkpointSeconds: 1000, evaluationEpisodes: 0 },
        ...{ signal: new AbortController().signal, onMetrics: () => undefined, onEvaluation: () => undefined },
      }) as const;
    const cpu = await loadBackend('cpu');
    // From the third minibatch on it is broken.
    const backend: Backend = {
      ...{ name: cpu.name, version: cpu.version, reason: '' },
      mlp: (layers) => {
        const mlp = cpu.mlp(layers);
        let calls = 0;
        return {
          load: (weights) => mlp.load(weights),
          forward: (x, rows) => (++calls < 3 ? mlp.forward(x, rows) : mlp.forward(x, rows).map(() => NaN)),
          backward: (dOutputs, gradient) => mlp.backward(dOutputs, gradient),
          dispose: () => mlp.dispose(),
        };
      },
    };
    const config: PpoConfig = { ...ppoDefaults, ...shared, rolloutSteps: 16, minibatchSize: 64 };
    const failure = runTraining({ ...job(geneva, null), backend, config });
    await expect(failure).rejects.toMatchObject({ code: 'ERR_DIVERGED' });
    await expect(failure).rejects.toThrow(/; the checkpoint of step 0 is kept: resume with "fleetstep train --resume /);
    const kept = readCheckpoint(out);
    expect([kept.steps, kept.state.weights.every((weight) => Number.isFinite(weight))]).toEqual([0, true]);
    expect(weightsSha256(kept.state.weights)).toMatch(/^[0-9a-f]{64}$/);
  });
});
