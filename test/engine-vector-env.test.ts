// Reset and step: what Gymnasium promises, in every autoreset mode.

import { describe, expect, it } from 'vitest';
import {
  VectorDispatchEnv,
  actionCount,
  allocate,
  compileScenario,
  kpisOf,
  outputSpec,
  preset,
  stateSpec,
} from '#engine/index.js';
import type { AutoresetMode } from '#engine/index.js';

const short = compileScenario({ ...preset('geneva'), horizonSeconds: 5 * 300 });
const ending = compileScenario({ ...preset('geneva'), horizonSeconds: 5 * 300, horizonEnd: 'terminate' });

function make(mode: AutoresetMode, scenario = short): VectorDispatchEnv {
  const env = new VectorDispatchEnv({ scenario, numEnvs: 2, autoresetMode: mode });
  env.reset({ seed: 3 });
  return env;
}

const waits = new Int32Array(2);

describe('VectorDispatchEnv', () => {
  it('has the spaces of the original contract', () => {
    const classic = new VectorDispatchEnv({ scenario: 'geneva', numEnvs: 1, observation: 'classic' });
    expect(classic.singleActionSpace).toMatchObject({ type: 'Discrete', n: 10 * 20 + 1, high: 10 * 20 });
    expect(classic.singleObservationSpace.shape).toEqual([4 * 10 + 4 * 20 + 2]);
    expect(classic.metadata.autoresetMode).toBe('SAME_STEP');
    expect(actionCount(preset('nyc-large'))).toBe(2001);
  });

  it('under SAME_STEP the observation is the new episode and the final one stays in its own buffer', () => {
    const env = make('SAME_STEP');
    const still = make('DISABLED');
    let steps = 0;
    for (let ended = false; !ended; steps++) {
      still.step(waits);
      ended = env.step(waits).truncations[0] === 1;
    }
    expect(steps).toBe(5);
    const { infos, observations } = env.step(new Int32Array(2));
    // One step into the new episode the old one's last observation is still there, and differs from the present.
    expect([...infos.finalObservations]).toEqual([...still.world.out.observations]);
    expect([...observations]).not.toEqual([...infos.finalObservations]);
    expect(env.world.state.episode[0]).toBe(1);
    expect(env.world.state.steps[0]).toBe(1);
  });

  it('under NEXT_STEP the final observation is returned, and the next step only resets', () => {
    const env = make('NEXT_STEP');
    for (let t = 0; t < 5; t++) env.step(waits);
    const last = env.world.out;
    expect(last.truncations[0]).toBe(1);
    expect([...last.observations]).toEqual([...last.finalObservations]);
    const { rewards, truncations } = env.step(Int32Array.of(99, 99));
    expect([rewards[0], truncations[0], env.world.state.steps[0], env.world.state.episode[0]]).toEqual([0, 0, 0, 1]);
    const fresh = new VectorDispatchEnv({ scenario: short, numEnvs: 2 });
    fresh.reset({ seed: 3 });
    fresh.reset();
    expect([...env.world.out.observations]).toEqual([...fresh.world.out.observations]);
  });

  it('under DISABLED an ended environment stands still until its entry of resetMask', () => {
    const env = make('DISABLED');
    for (let t = 0; t < 5; t++) env.step(waits);
    const before = [...env.world.out.observations];
    const { truncations, rewards } = env.step(waits);
    expect([...env.world.out.observations]).toEqual(before);
    expect([truncations[0], rewards[0]]).toEqual([1, 0]);
    env.reset({ options: { resetMask: Uint8Array.of(0, 1) } });
    expect([env.world.state.episode[0], env.world.state.episode[1]]).toEqual([0, 1]);
    expect([env.world.state.tick[0], env.world.state.tick[1]]).toEqual([5, 0]);
  });

  it('another environment on the same memory goes on where the first one stopped, an ended episode included', () => {
    const stateBuffer = allocate(stateSpec(short, 2));
    const outputBuffer = allocate(outputSpec(short, 2, 'full'));
    const options = { scenario: short, numEnvs: 2, autoresetMode: 'NEXT_STEP', stateBuffer, outputBuffer } as const;
    const first = new VectorDispatchEnv(options);
    const alone = make('NEXT_STEP');
    first.reset({ seed: 3 });
    for (let t = 0; t < 5; t++) {
      first.step(waits);
      alone.step(waits);
    }
    const second = new VectorDispatchEnv(options);
    second.resume();
    for (let t = 0; t < 3; t++) {
      second.step(waits);
      alone.step(waits);
    }
    expect([...second.world.out.observations]).toEqual([...alone.world.out.observations]);
    expect(second.world.state.episode[0]).toBe(1);
  });

  it.each<AutoresetMode>(['SAME_STEP', 'NEXT_STEP', 'DISABLED'])(
    'counts every step and reward of an episode under %s',
    (mode) => {
      const env = make(mode);
      let sum = 0;
      for (let t = 0; t < 5; t++) sum += env.step(waits).rewards[0];
      const { episodeLengths, episodeReturns, episodeKpis } = env.world.out;
      expect(episodeLengths[0]).toBe(5);
      expect(episodeReturns[0]).toBeCloseTo(sum, 3);
      expect(episodeReturns[0]).toBeLessThan(0);
      expect(kpisOf(episodeKpis, 0).decisions).toBe(5);
    },
  );

  it('tells termination from truncation as the scenario says', () => {
    for (const [scenario, terminated] of [
      [short, 0],
      [ending, 1],
    ] as const) {
      const env = make('SAME_STEP', scenario);
      for (let t = 0; t < 4; t++) {
        const { terminations, truncations } = env.step(waits);
        expect(terminations[0] | truncations[0]).toBe(0);
      }
      const { terminations, truncations } = env.step(waits);
      expect([terminations[0], truncations[0]]).toEqual([terminated, 1 - terminated]);
    }
  });

  it('an illegal action acts as a wait, costs its price on top, and is flagged', () => {
    const env = make('SAME_STEP');
    const masks = env.world.out.actionMasks;
    const illegal = masks.findIndex((legal, a) => legal === 0 && a < env.world.actions);
    const open = env.world.state.open[0];
    const { rewards, infos } = env.step(Int32Array.of(illegal, 0));
    expect(rewards[0] - -10 * open).toBeCloseTo(-100, 3);
    expect([...infos.invalidActions]).toEqual([1, 0]);
    for (const action of [-1, env.world.actions, 2 ** 30]) {
      env.step(Int32Array.of(action, 0));
      expect(env.world.out.invalidActions[0]).toBe(1);
    }
  });

  it('writes into the memory that the caller owns', () => {
    const stateBuffer = allocate(stateSpec(short, 2));
    const outputBuffer = allocate(outputSpec(short, 2, 'full'));
    const env = new VectorDispatchEnv({ scenario: short, numEnvs: 2, stateBuffer, outputBuffer });
    env.reset({ seed: 1 });
    expect(env.world.out.observations.buffer).toBe(outputBuffer);
    expect(env.world.state.now.buffer).toBe(stateBuffer);
    expect(() => new VectorDispatchEnv({ scenario: short, numEnvs: 3, stateBuffer })).toThrow(
      /buffer holds \d+ bytes, its layout needs \d+/,
    );
  });

  it('refuses impossible calls with field, value and remedy', () => {
    expect(() => new VectorDispatchEnv({ scenario: 'geneva', numEnvs: 0 })).toThrow('numEnvs is 0');
    expect(() => new VectorDispatchEnv({ scenario: 'paris', numEnvs: 1 })).toThrow(
      'unknown scenario "paris": choose one of geneva',
    );
    expect(() => new VectorDispatchEnv({ scenario: 'nyc-small', numEnvs: 1 })).toThrow('give its data folder');
    const env = new VectorDispatchEnv({ scenario: short, numEnvs: 2 });
    expect(() => env.step(waits)).toThrow('step() before reset()');
    expect(() => env.reset({ seed: -1 })).toThrow('seed is -1');
    env.reset({ seed: 1 });
    expect(() => env.step(new Int32Array(3))).toThrow('actions has 3 entries, expected 2');
  });
});
