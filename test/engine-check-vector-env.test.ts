// The checker of vector environments: it finds nothing in ours, and precisely the fault that was planted in a wrapper of it.

import { describe, expect, it } from 'vitest';
import {
  VectorDispatchEnv,
  checkVectorEnv,
  checkedKinds,
  compileScenario,
  observationKinds,
  preset,
} from '#engine/index.js';
import type {
  AutoresetMode,
  CompiledScenario,
  ResetOptions,
  VectorEnvInfos,
  VectorEnvLike,
  VectorEnvStep,
} from '#engine/index.js';
import { loadScenario } from '#trips/index.js';
import { inventedDataset } from './support/random-scenario.js';
import { describeWithTrips, nycAmod } from './support/shared-data.js';

const modes: readonly AutoresetMode[] = ['SAME_STEP', 'NEXT_STEP', 'DISABLED'];
const short = compileScenario({ ...preset('geneva'), horizonSeconds: 20 * 300 });
const zones = compileScenario(
  { ...preset('nyc-small'), drivers: 4, slots: 5, horizonSeconds: 600, name: 'random-trace' },
  inventedDataset(
    3,
    600,
    Array.from({ length: 30 }, (_, k) => [20 * k, k, k + 1 + (k % 2), 0, 900] as const),
    0,
  ),
);

/** What a wrapper declares wrongly, or makes of a seed. */
interface Fault {
  readonly space?: Partial<VectorEnvLike['singleObservationSpace']>;
  readonly seed?: (seed: number, resets: number, numEnvs: number) => number;
}

/** What a wrapper returns: copies of its own. */
interface Own extends VectorEnvStep {
  observations: Float32Array;
  infos: VectorEnvInfos & { actionMasks: Uint8Array; finalObservations: Float32Array };
}

/** A well-behaved wrapper, whose arrays are its own, with a fault planted. */
function wrapped(fault: Fault, mode: AutoresetMode = 'SAME_STEP', numEnvs = 4, scenario = short): VectorEnvLike {
  const env = new VectorDispatchEnv({ scenario, numEnvs, autoresetMode: mode });
  let resets = 0;
  const { out } = env.world;
  const own: Own = {
    observations: out.observations.slice(),
    rewards: out.rewards,
    terminations: out.terminations,
    truncations: out.truncations,
    infos: {
      actionMasks: out.actionMasks.slice(),
      invalidActions: out.invalidActions,
      finalObservations: out.finalObservations.slice(),
    },
  };
  const take = (): void => {
    own.observations.set(out.observations);
    own.infos.actionMasks.set(out.actionMasks);
    own.infos.finalObservations.set(out.finalObservations);
  };
  const { shape, dtype, low, high } = env.singleObservationSpace;
  return {
    numEnvs,
    singleObservationSpace: { shape, dtype, low, high, ...fault.space },
    singleActionSpace: env.singleActionSpace,
    metadata: env.metadata,
    reset({ seed, ...rest }: ResetOptions) {
      resets++;
      env.reset(seed === undefined ? rest : { seed: fault.seed?.(seed, resets, numEnvs) ?? seed, ...rest });
      take();
      return own;
    },
    step(actions: Int32Array) {
      env.step(actions);
      take();
      return own;
    },
    resized: (count) => wrapped(fault, mode, count, scenario),
  };
}

describe('checkVectorEnv', () => {
  const ours: [string, CompiledScenario][] = [
    ['geneva', compileScenario(preset('geneva'))],
    ['geneva-live', compileScenario(preset('geneva-live'))],
    ['geneva-medical', compileScenario({ ...preset('geneva-medical'), horizonSeconds: 36_300 })],
    ['zones with recorded trips', zones],
    ['an episode that terminates', compileScenario({ ...preset('geneva'), horizonEnd: 'terminate' })],
  ];
  const cases = ours.flatMap(([name, scenario], k) =>
    modes.map((mode, m) => [name, mode, observationKinds[(k + m) % 2], scenario] as const),
  );

  it.each(cases)('finds nothing in ours: %s, %s, %s', (_, autoresetMode, observation, scenario) => {
    const env = new VectorDispatchEnv({ scenario, numEnvs: 4, autoresetMode, observation });
    expect(checkVectorEnv(env, { steps: scenario === zones ? 100 : 200 })).toEqual([]);
  });

  it.each(modes)('finds nothing in one of a single environment, nor in a wrapper without a fault: %s', (mode) => {
    const env = new VectorDispatchEnv({ scenario: short, numEnvs: 1, autoresetMode: mode });
    expect(checkVectorEnv(env)).toEqual([]);
    expect(checkVectorEnv(wrapped({}, mode))).toEqual([]);
  });

  const {
    shape: [size],
    low,
    high,
  } = new VectorDispatchEnv({ scenario: short, numEnvs: 1 }).singleObservationSpace;

  /** Wraps with a fault that is planted by changing what the wrapper returns. */
  function found(make: () => (numEnvs: number) => VectorEnvLike): readonly { kind: string; message: string }[] {
    const maker = make();
    return checkVectorEnv(maker(4), { make: maker, steps: 250 });
  }

  /** A wrapper whose result `change` spoils after each step; `before` is the row state of the step before. */
  function spoilt(
    mode: AutoresetMode,
    change: (step: Own, before: Float32Array, t: number) => Own | undefined,
    inReset = false,
  ): () => (numEnvs: number) => VectorEnvLike {
    return () => (numEnvs) => {
      const inner = wrapped({}, mode, numEnvs);
      let t = 0;
      let before = new Float32Array(0);
      return {
        ...inner,
        reset(request) {
          if (request.seed !== undefined) t = 0;
          const result = inner.reset(request) as Own;
          if (inReset) change(result, before, t);
          before = result.observations.slice();
          return result;
        },
        step(actions) {
          t++;
          const result = inner.step(actions) as Own;
          const changed = change(result, before, t) ?? result;
          before = changed.observations.slice();
          return changed;
        },
      };
    };
  }
  const kinds = (findings: readonly { kind: string }[]): string[] => [...new Set(findings.map(({ kind }) => kind))];

  it('names an aliased final observation: the same array, the next episode already, or overwritten too early', () => {
    const n = 4;
    const same = found(
      spoilt('SAME_STEP', (step) => ({ ...step, infos: { ...step.infos, finalObservations: step.observations } })),
    );
    expect(kinds(same)).toEqual(['finalObservation']);
    expect(same[0].message).toContain('shares memory with observations');
    const late = found(
      spoilt('SAME_STEP', (step) => {
        step.infos.finalObservations.set(step.observations);
        return undefined;
      }),
    );
    expect(kinds(late)).toEqual(['finalObservation']);
    expect(late).toHaveLength(n);
    expect(late[0].message).toContain("the next episode's first observation");
    const overwritten = found(
      spoilt('SAME_STEP', (step, _, t) => {
        if (t % 20 === 3) step.infos.finalObservations.fill(0);
        return undefined;
      }),
    );
    expect(kinds(overwritten)).toEqual(['finalObservation']);
    expect(overwritten[0].message).toContain('overwritten before the next episode ended');
    const other = found(
      spoilt('NEXT_STEP', (step) => {
        step.infos.finalObservations.fill(0);
        return undefined;
      }),
    );
    expect(kinds(other)).toEqual(['finalObservation']);
    const mask = found(
      spoilt('SAME_STEP', (step) => ({
        ...step,
        infos: { ...step.infos, finalActionMasks: step.infos.actionMasks.subarray(0) },
      })),
    );
    expect(kinds(mask)).toEqual(['finalObservation']);
    expect(mask[0].message).toContain('finalActionMasks');
  });

  it.each(modes)('names a row that was not written, under %s: now and then, or in a batch of some size', (mode) => {
    const keep = (step: Own, before: Float32Array, e: number): undefined => {
      step.observations.set(before.subarray(e * size, (e + 1) * size), e * size);
    };
    const sometimes = found(spoilt(mode, (step, before, t) => (t % 7 === 0 ? keep(step, before, 2) : undefined)));
    expect(kinds(sometimes)).toEqual(['staleRow']);
    expect(sometimes).toMatchObject([{ environment: 2, step: 7 }]);
    const once = found(spoilt(mode, (step, before, t) => (t === 150 ? keep(step, before, 0) : undefined)));
    expect(kinds(once)).toEqual(['staleRow']);
    // The last row: which one that is depends on the batch.
    const last = found(
      spoilt(mode, (step, before, t) => (t % 5 === 0 ? keep(step, before, step.rewards.length - 1) : undefined)),
    );
    expect(kinds(last)).toEqual(['staleRow']);
  });

  it('names a stale row that a batch of another size shows, where rows stand still all the time', () => {
    // Observations that change every other step only: that rows stand still says nothing.
    const findings = found(() => {
      const slow = spoilt('SAME_STEP', (step, before, t) => {
        if (t % 2 === 1) step.observations.set(before);
        if (t === 30 && step.rewards.length === 4) step.observations.set(before.subarray(0, size));
        return undefined;
      });
      return slow();
    });
    expect(kinds(findings)).toEqual(['staleRow']);
    expect(findings).toMatchObject([{ environment: 0, step: 30 }]);
  });

  it.each(modes)('names a mask that disagrees with step, in either direction, under %s', (mode) => {
    const n = short.scenario.drivers * short.scenario.slots + 1;
    for (const [value, message] of [
      [1, 'the mask allows action 33, and step flags it as illegal'],
      [0, 'the mask forbids action 1, and step accepts it'],
    ] as const) {
      const action = value === 1 ? 33 : 1;
      const findings = found(
        spoilt(
          mode,
          (step) => {
            step.infos.actionMasks[n + action] = value;
            return undefined;
          },
          true,
        ),
      );
      expect(kinds(findings)).toEqual(['mask']);
      expect(findings[0]).toMatchObject({ environment: 1 });
      expect(findings[0].message).toContain(message);
    }
  });

  it('names a space that is not what is returned: shape, dtype, bounds', () => {
    const make =
      (fault: Fault) =>
      () =>
      (numEnvs: number): VectorEnvLike =>
        wrapped(fault, 'SAME_STEP', numEnvs);
    const wide = found(make({ space: { shape: [size + 1] } }));
    expect(kinds(wide)).toEqual(['space']);
    expect(wide[0].message).toBe(`length of singleObservationSpace.low is ${size}: expected ${size + 1}`);
    const double = found(make({ space: { dtype: 'float64' } }));
    expect(double.map(({ message }) => message)).toEqual([
      'singleObservationSpace.dtype is "float64": expected "float32"',
    ]);
    const narrow = found(make({ space: { high: high.map((value, k) => (k === size - 3 ? low[k] : value)) } }));
    expect(kinds(narrow)).toEqual(['space']);
    expect(narrow[0].message).toMatch(new RegExp(`^observations\\[0, ${size - 3}\\] is 0.\\d+: expected 0 to 0$`));
    const f64 = found(
      spoilt('SAME_STEP', (step) => ({ ...step, rewards: Float64Array.from(step.rewards) as unknown as Float32Array })),
    );
    expect(f64[0]).toMatchObject({
      kind: 'space',
      message: 'rewards is "Float64Array": expected a Float32Array, as the dtype says',
    });
    const batch = checkVectorEnv({
      ...wrapped({}),
      observationSpace: { shape: [3, size], dtype: 'float32', low, high },
    });
    expect(kinds(batch)).toEqual(['space']);
    expect(batch[0].message).toContain(`observationSpace.shape is [3,${size}]: expected [4,${size}]`);
  });

  it('names a seed that depends on the batch', () => {
    const findings = found(() => (n) => wrapped({ seed: (seed, _, count) => seed + count }, 'SAME_STEP', n));
    expect(kinds(findings)).toEqual(['batch']);
    expect(findings[0]).toMatchObject({ environment: 0, step: 0 });
    expect(findings[0].message).toContain('observations differ from those of 3 environments');
  });

  it('names a reset that does not repeat, or that changes what its mask leaves out', () => {
    const findings = found(() => (n) => wrapped({ seed: (seed, resets) => seed + resets }, 'SAME_STEP', n));
    expect(kinds(findings)).toEqual(['reset']);
    expect(findings[0]).toMatchObject({ environment: 0, step: 0 });
    // Any number of assignments a tick: environments end one by one.
    const live = compileScenario({ ...preset('geneva-live'), horizonSeconds: 20 * 300 });
    const masked = found(() => (numEnvs) => {
      const inner = wrapped({}, 'DISABLED', numEnvs, live);
      return {
        ...inner,
        reset(request) {
          const result = inner.reset(request);
          const mask = request.options?.resetMask;
          if (mask !== undefined && Number(mask[2]) === 0) result.observations[2 * size] += 1;
          return result;
        },
      };
    });
    expect(masked).toMatchObject([{ kind: 'reset', environment: 2 }]);
    expect(masked[0].message).toContain('resetMask does not name this environment');
  });

  it('says what it cannot do', () => {
    const env = { ...wrapped({}), resized: undefined } as unknown as VectorEnvLike;
    expect(() => checkVectorEnv(env)).toThrow('the environment has no resized(numEnvs): give the option make');
    expect(() => checkVectorEnv(wrapped({}), { steps: 10 })).toThrow('no episode ended within steps = 10');
    expect(() => checkVectorEnv(wrapped({}), { step: 10 } as never)).toThrow(
      'options has no "step": did you mean "steps"?',
    );
    expect(checkedKinds).toHaveLength(6);
  });
});

describeWithTrips('checkVectorEnv on recorded trips', { tags: ['long'] }, () => {
  it.each(modes)('finds nothing in ours: %s', (autoresetMode) => {
    const scenario = loadScenario({ scenario: 'nyc-small', data: nycAmod });
    const env = new VectorDispatchEnv({ scenario, numEnvs: 3, autoresetMode });
    expect(checkVectorEnv(env, { steps: 160 })).toEqual([]);
  });
});
