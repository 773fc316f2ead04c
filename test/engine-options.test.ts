// What the library is given: options, resets, actions, buffers and recorded trips. Each fault is named with its value and
// its remedy, before anything has changed.

import { describe, expect, it } from 'vitest';
import {
  EngineError,
  PAIR_COLUMNS,
  PairWriter,
  VectorDispatchEnv,
  allocate,
  compileScenario,
  episodeSource,
  nearest,
  outputSpec,
  preset,
  presetMeaning,
  presetNames,
  stateSpec,
  viewsOf,
} from '#engine/index.js';
import type { EngineErrorCode, ResetOptions, Split, Trace, VectorDispatchEnvOptions } from '#engine/index.js';
import { inventedDataset } from './support/random-scenario.js';

function refused(code: EngineErrorCode, message: string, call: () => unknown): void {
  let thrown: unknown;
  try {
    call();
  } catch (error) {
    thrown = error;
  }
  expect(thrown, message).toBeInstanceOf(EngineError);
  expect((thrown as EngineError).message).toContain(message);
  expect((thrown as EngineError).code).toBe(code);
}

const make = (options: object): VectorDispatchEnv =>
  new VectorDispatchEnv({ scenario: 'geneva', numEnvs: 2, ...options });

describe('options of the environment', () => {
  it.each([
    [{ num_envs: 8 }, 'options has no "num_envs": did you mean "numEnvs"?'],
    [{ numEnv: 8 }, 'did you mean "numEnvs"?'],
    [{ autoreset_mode: 'DISABLED' }, 'did you mean "autoresetMode"?'],
    [{ observations: 'full' }, 'did you mean "observation"?'],
    [{ scenerio: 'geneva' }, 'did you mean "scenario"?'],
    [{ seed: 3 }, 'options has no "seed" (it has scenario, dataset, numEnvs'],
    [{ numEnvs: 1.5 }, 'numEnvs is 1.5: it must be a whole number of at least 1'],
    [{ numEnvs: '4' }, 'numEnvs is "4"'],
    [{ firstEnv: -1 }, 'firstEnv is -1'],
    [{ observation: 'pairs' }, 'observation is "pairs": choose one of classic, full'],
    [{ observation: null }, 'observation is null'],
    [
      { autoresetMode: 'same_step' },
      'autoresetMode is "same_step": did you mean "SAME_STEP"? (choose one of SAME_STEP',
    ],
    [{ source: { mode: 'all', days: new Int32Array(2) } }, 'source.mode is "all": choose one of sampled, listed'],
    [{ source: { mode: 'listed', days: [0, 1] } }, 'source.days is an Array: expected an Int32Array'],
    [{ source: 'training' }, 'source is "training": it must be { mode, days }'],
  ])('%j are refused', (options, message) => {
    refused('ERR_OPTION', message, () => make(options));
  });

  it('that are no object, or no scenario, are refused', () => {
    const construct = (options: unknown): VectorDispatchEnv =>
      new VectorDispatchEnv(options as VectorDispatchEnvOptions);
    refused('ERR_OPTION', 'options is "geneva": it must be { scenario, numEnvs, ... }', () => construct('geneva'));
    refused('ERR_OPTION', 'options is missing', () => construct(undefined));
    refused('ERR_SCENARIO', 'scenario is null', () => make({ scenario: null }));
    refused('ERR_SCENARIO', 'scenario is missing', () => make({ scenario: undefined }));
    refused('ERR_SCENARIO', 'scenario is 7', () => make({ scenario: 7 }));
    refused('ERR_SCENARIO', 'unknown scenario "constructor"', () => make({ scenario: 'constructor' }));
  });

  it('undefined ones are as if they had not been given', () => {
    const env = make({ observation: undefined, dataset: undefined, source: undefined, stateBuffer: undefined });
    expect(env.metadata.autoresetMode).toBe('SAME_STEP');
  });

  it('a split is one of the three', () => {
    const split = (name: string): unknown => episodeSource(null, name as Split, 'sampled');
    refused(
      'ERR_OPTION',
      'split is "valid": did you mean "validation"? (choose one of training, validation, test)',
      () => split('valid'),
    );
    refused('ERR_OPTION', 'split is "constructor"', () => split('constructor'));
  });

  it('a name is only guessed where few letters differ', () => {
    expect(nearest('gammma', ['gamma', 'lambda'])).toBe('gamma');
    expect(nearest('RESET_MASK', ['seed', 'resetMask'])).toBe('resetMask');
    expect(nearest('foo', ['seed', 'resetMask'])).toBeNull();
  });
});

describe('built-in scenarios', () => {
  /** Most assignments within one tick, of all vehicles and of one. */
  function mostInATick(scenario: string): [all: number, one: number] {
    const { world } = new VectorDispatchEnv({ scenario, numEnvs: 1 });
    let [all, one] = [0, 0];
    for (let seed = 0; seed < 5; seed++) {
      world.reset(0, seed, 0);
      let taken = 0;
      while (world.state.tick[0] < 20) {
        const tick = world.state.tick[0];
        const action = world.out.actionMasks.lastIndexOf(1);
        world.step(0, action);
        if (action !== 0) all = Math.max(all, ++taken);
        one = Math.max(one, ...world.state.takenThisTick);
        if (world.state.tick[0] !== tick) taken = 0;
      }
    }
    return [all, one];
  }

  it('geneva gives one assignment a tick, geneva-live as many as there are vehicles and bookings, and nothing else differs', () => {
    const [{ name, decisionsPerTick, ...geneva }, live] = [preset('geneva'), preset('geneva-live')];
    expect(live).toEqual({ ...geneva, name: `${name}-live`, decisionsPerTick: Infinity });
    expect(decisionsPerTick).toBe(1);
    expect(mostInATick('geneva')[0]).toBe(1);
    const [all, one] = mostInATick('geneva-live');
    expect(all).toBeGreaterThan(3);
    expect(one).toBe(1);
    expect(Object.keys(presetMeaning)).toEqual(presetNames);
    expect(presetMeaning['geneva']).toContain('ONE assignment a tick');
  });
});

describe('reset', () => {
  const call = (env: VectorDispatchEnv, request: unknown): unknown => env.reset(request as ResetOptions);

  it.each([
    [42, 'reset() is 42: it must be an object: reset({ seed: 42 })'],
    [null, 'reset() is null'],
    [{ seed: 1.5 }, 'seed is 1.5'],
    [{ seed: [1, 2] }, 'seed is an Array'],
    [{ sead: 1 }, 'did you mean "seed"?'],
    [{ seed: 1, options: { reset_mask: [true, false] } }, 'options has no "reset_mask": did you mean "resetMask"?'],
    [{ seed: 1, options: [true, false] }, 'options is an Array: it must be { resetMask }'],
    [{ seed: 1, resetMask: [true, false] }, 'reset() has no "resetMask"'],
    [{ seed: 1, options: { resetMask: [true] } }, 'resetMask has 1 entries, expected 2'],
    [{ seed: 1, options: { resetMask: [true, 2] } }, 'resetMask[1] is 2: expected true, false, 1 or 0'],
    [{ seed: 1, options: { resetMask: ['false', 'true'] } }, 'resetMask[0] is "false"'],
    [{ seed: 1, options: { resetMask: Uint8Array.of(0, 3) } }, 'resetMask[1] is 3'],
    [{ seed: 1, options: { resetMask: new Float32Array(2) } }, 'resetMask is a Float32Array'],
    [{ seed: 1, options: { resetMask: true } }, 'resetMask is true'],
  ])('(%j) is refused, and nothing is reset', (request, message) => {
    const env = make({});
    env.reset({ seed: 9 });
    env.step(Int32Array.of(0, 0));
    refused('ERR_OPTION', message, () => call(env, request));
    expect([...env.world.state.steps, ...env.world.state.seed]).toEqual([1, 1, 9, 9]);
  });

  it.each([
    [
      [true, false],
      [1, 0],
    ],
    [
      [false, true],
      [0, 1],
    ],
    [
      [false, false],
      [0, 0],
    ],
    [
      [true, true],
      [1, 1],
    ],
    [Uint8Array.of(0, 1), [0, 1]],
    [[1, 0] as unknown as boolean[], [1, 0]],
  ])('with resetMask %j resets exactly those', (resetMask, episodes) => {
    const env = make({});
    env.reset({ seed: 9 });
    env.step(Int32Array.of(0, 0));
    env.reset({ options: { resetMask } });
    expect([...env.world.state.episode]).toEqual(episodes);
    expect([...env.world.state.steps]).toEqual(episodes.map((episode) => 1 - episode));
  });

  it('in parts that cover all is a reset of all, in any number of calls', () => {
    const env = make({});
    env.reset({ seed: 9, options: { resetMask: [false, true] } });
    refused('ERR_ACTION', 'step() before reset()', () => env.step(new Int32Array(2)));
    env.reset({ seed: 9, options: { resetMask: [true, false] } });
    env.step(new Int32Array(2));
    const whole = make({});
    whole.reset({ seed: 9 });
    whole.step(new Int32Array(2));
    expect(env.world.out.observations).toEqual(whole.world.out.observations);
  });
});

describe('actions and buffers', () => {
  it('of another kind or length are refused, and nobody has moved', () => {
    const env = make({});
    env.reset({ seed: 1 });
    const step = (actions: unknown): unknown => env.step(actions as Int32Array);
    refused('ERR_ACTION', 'actions is an Array: expected an Int32Array of 2', () => step([0, 0]));
    refused('ERR_ACTION', 'actions is a Float32Array', () => step(new Float32Array(2)));
    refused('ERR_ACTION', 'actions is missing', () => step(undefined));
    refused('ERR_ACTION', 'actions has 1 entries, expected 2', () => step(new Int32Array(1)));
    refused('ERR_ACTION', 'actions has 3 entries, expected 2', () => env.stepRange(new Int32Array(3), 0, 2));
    for (const [from, to] of [
      [0, 3],
      [-1, 1],
      [2, 1],
      [0.5, 1],
      [NaN, 2],
    ] as const) {
      refused('ERR_ACTION', 'expected a range within 0 to', () => env.stepRange(new Int32Array(2), from, to));
    }
    expect([...env.world.state.steps]).toEqual([0, 0]);
  });

  it('that are views, or of another length, are refused', () => {
    const compiled = compileScenario(preset('geneva'));
    const spec = stateSpec(compiled, 2);
    const buffer = allocate(spec);
    refused('ERR_BUFFER', 'buffer is a Uint8Array: expected a SharedArrayBuffer', () =>
      make({ stateBuffer: new Uint8Array(buffer) }),
    );
    refused('ERR_BUFFER', 'buffer holds 64 bytes', () => make({ outputBuffer: new SharedArrayBuffer(64) }));
    const outputs = outputSpec(compiled, 2, 'full');
    expect(viewsOf(outputs, allocate(outputs)).actionMasks.length).toBe(402);
  });

  it('too small for the rows of pairs are refused, and nothing is written', () => {
    const env = make({});
    env.reset({ seed: 1 });
    const pairs = new PairWriter(env.world);
    const room = env.world.actions;
    const features = new Float32Array(room * PAIR_COLUMNS);
    const count = pairs.write(0, new Int32Array(room), features, 0);
    expect(count).toBeGreaterThan(2);
    const exact = new Float32Array(count * PAIR_COLUMNS);
    expect(pairs.write(0, new Int32Array(count), exact, 0)).toBe(count);
    const short = new Int32Array(count - 1);
    refused('ERR_BUFFER', `${count} are needed`, () => pairs.write(0, short, features, 0));
    refused('ERR_BUFFER', `${count + 1} are needed`, () => pairs.write(0, new Int32Array(room), exact, 1));
    expect(Math.max(...short)).toBe(0);
  });
});

describe('recorded trips', () => {
  const scenario = { ...preset('nyc-small'), drivers: 3, slots: 4, horizonSeconds: 300, name: 'random-trace' };
  const dataset = inventedDataset(
    3,
    300,
    [
      [0, 0, 1, 0, 300],
      [60, 1, 2, 0, 300],
      [200, 2, 0, 30, 300],
    ],
    0,
  );
  const { trace, travel } = dataset;
  const skilled = { ...scenario, skills: [{ name: 'wheelchair', driverShare: 1, bookingShare: 0 }] };
  const compile = (changes: object, of: object = scenario): unknown => compileScenario(of, { ...dataset, ...changes });

  it('recorded trips for a scenario that draws its demand are refused, and others for one that is compiled', () => {
    refused(
      'ERR_SCENARIO',
      'dataset is an Object, and scenario "geneva" draws its demand from the seed: leave dataset out',
      () => make({ dataset }),
    );
    const compiled = compileScenario(scenario, dataset);
    refused('ERR_OPTION', 'dataset is an Object, and scenario is compiled: leave dataset out', () =>
      make({ scenario: compiled, dataset: { ...dataset } }),
    );
    expect(make({ scenario: compiled, dataset }).world.compiled).toBe(compiled);
  });

  /** The trace with entry `at` of a column set to `value`. */
  function withValue(
    name: 'metres' | 'fare' | 'priority' | 'skills' | 'leg' | 'pickupZone',
    at: number,
    value: number,
  ): Trace {
    const column = trace[name].slice();
    column[at] = value;
    return { ...trace, [name]: column };
  }

  it.each([
    [{ trace: withValue('metres', 4, -1) }, 'day b, booking 1: metres is -1, expected at least 0'],
    [{ trace: withValue('fare', 0, -20) }, 'day a, booking 0: fare is -20, expected at least 0'],
    [{ trace: withValue('priority', 5, 200) }, 'day b, booking 2: priority is 200, expected 1 to 5'],
    [{ trace: withValue('priority', 5, 0) }, 'priority is 0'],
    [{ trace: withValue('leg', 1, 2) }, 'day a, booking 1: leg is 2, expected 0 to 1'],
    [{ trace: withValue('pickupZone', 1, 3) }, 'zones 3 -> 2, expected 0..2'],
    [{ trace: withValue('skills', 3, 1) }, "day b, booking 0: skills is 1, expected bits of the scenario's 0 skills"],
    [{ trace: { ...trace, metres: trace.metres.slice(1) } }, 'trace column "metres" has 5 entries, expected 6'],
    [{ trace: { ...trace, metres: [...trace.metres] } }, 'trace column "metres" is an Array: expected an Int32Array'],
    [{ trace: { ...trace, leg: undefined } }, 'trace column "leg" is missing'],
    [{ trace: { ...trace, dayStart: Int32Array.of(0, 3) } }, 'trace.dayStart has 2 entries, expected 3'],
    [{ trace: { ...trace, dayStart: Int32Array.of(0, 7, 6) } }, 'trace.dayStart[2] is 6'],
    [{ trace: { ...trace, dayStart: Int32Array.of(1, 3, 6) } }, 'trace.dayStart[0] is 1: expected 0'],
    [{ splits: { ...dataset.splits, test: [2] } }, 'dataset.splits.test[0] is 2: expected a day of the trace, 0 to 1'],
    [{ splits: { ...dataset.splits, training: [0, -1] } }, 'dataset.splits.training[1] is -1'],
    [{ splits: { ...dataset.splits, validation: [0.5] } }, 'dataset.splits.validation[0] is 0.5'],
    [{ splits: { training: [0], validation: [0] } }, 'dataset.splits.test is missing'],
    [
      { travel: { ...travel, seconds: travel!.seconds.map((s) => -s) } },
      'travel.seconds[1] is -120: expected at least 0',
    ],
    [{ travel: { ...travel, metres: travel!.metres.slice(1) } }, 'travel.metres has 8 entries, expected 9'],
    [{ travel: { ...travel, x: Float32Array.of(0, NaN, 1) } }, 'travel.x is NaN at zone 1'],
    [{ travel: { ...travel, zones: 0 } }, 'travel.zones is 0'],
    [
      { travel: { ...travel, periods: { ofMinute: new Uint8Array(1440).fill(1), seconds: [travel!.seconds] } } },
      'travel.periods.ofMinute[0] is 1: expected 0 to 0',
    ],
  ])('that cannot be are refused (%#)', (changes, message) => {
    refused('ERR_TRACE', message, () => compile(changes));
  });

  it('may need the skills that the scenario has, and no others', () => {
    compile({ trace: withValue('skills', 3, 1) }, skilled);
    refused('ERR_TRACE', "skills is 2, expected bits of the scenario's 1 skills, 0 to 1", () =>
      compile({ trace: withValue('skills', 3, 2) }, skilled),
    );
  });

  it('are not played on days that they do not have', () => {
    const play = (...days: number[]): unknown =>
      make({ scenario, dataset, source: { mode: 'listed', days: Int32Array.from(days) } });
    play(0, 1);
    refused('ERR_OPTION', 'source.days[1] is 2: expected a day of the trace, 0 to 1', () => play(0, 2));
    refused('ERR_OPTION', 'source.days[0] is -1', () => play(-1, 0));
    refused('ERR_OPTION', 'source.days lists 1 days for 2 environments', () => play(0));
  });
});
