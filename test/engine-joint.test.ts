// A tick decided jointly is the same transition as its assignments one by one.

import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { EngineError, Purpose, RandomStream, VectorDispatchEnv } from '#engine/index.js';
import { RUNS, anyScenario } from './support/random-scenario.js';

describe('stepJoint', () => {
  it('leaves the same bytes as one step for each assignment and one that waits', () => {
    fc.assert(
      fc.property(anyScenario, fc.nat(1e9), (compiled, seed) => {
        const options = { scenario: compiled, numEnvs: 1, autoresetMode: 'DISABLED' } as const;
        const joint = new VectorDispatchEnv(options);
        const single = new VectorDispatchEnv(options);
        const { drivers, slots } = joint.world;
        const stream = new RandomStream(seed, Purpose.action);
        const slotOf = new Int32Array(drivers);
        const action = new Int32Array(1);
        joint.reset({ seed });
        single.reset({ seed });
        while (joint.world.state.ended[0] === 0) {
          slotOf.fill(-1);
          const tick = single.world.state.tick[0];
          for (let i = 0; i < drivers; i++) {
            // Asked once the assignments before it have been made.
            const legal: number[] = [];
            for (let j = 0; j < slots; j++) {
              if (single.world.state.tick[0] === tick && single.world.out.actionMasks[1 + i * slots + j] === 1)
                legal.push(j);
            }
            if (legal.length === 0 || stream.float() < 0.4) continue;
            slotOf[i] = legal[stream.integer(0, legal.length - 1)];
            action[0] = 1 + i * slots + slotOf[i];
            single.step(action);
          }
          action[0] = 0;
          if (single.world.state.tick[0] === tick) single.step(action);
          joint.stepJoint(slotOf);
          expect(joint.world.out.invalidActions[0]).toBe(0);
          expect(joint.world.state).toEqual(single.world.state);
          expect(joint.world.out.observations).toEqual(single.world.out.observations);
          expect(joint.world.out.actionMasks).toEqual(single.world.out.actionMasks);
        }
        expect(joint.world.out.episodeReturns).toEqual(single.world.out.episodeReturns);
        expect(joint.world.out.episodeKpis).toEqual(single.world.out.episodeKpis);
      }),
      { numRuns: RUNS },
    );
  });

  it('leaves out, flags and charges pairs that are not legal, and makes the others', () => {
    const env = new VectorDispatchEnv({ scenario: 'geneva-live', numEnvs: 1 });
    const { world } = env;
    env.reset({ seed: 5 });
    const open = world.openSlots(0, new Int32Array(world.slots));
    expect(open).toBeGreaterThan(0);
    const legal = world.out.actionMasks.indexOf(1, 1) - 1;
    const slotOf = new Int32Array(world.drivers).fill(-1);
    const driver = Math.floor(legal / world.slots);
    slotOf[driver] = legal % world.slots;
    const assigned = world.assignmentReward(0, driver, slotOf[driver]);
    // A slot that is empty, and one that there is not.
    slotOf[(driver + 1) % world.drivers] = world.slots - 1;
    slotOf[(driver + 2) % world.drivers] = world.slots;
    const { rewards } = env.stepJoint(slotOf);
    const { invalidActionReward, waitRewardPerOpen } = world.compiled.scenario;
    expect(world.out.invalidActions[0]).toBe(1);
    expect(world.state.load[driver]).toBe(1);
    expect(world.state.invalid[0]).toBe(2);
    expect(rewards[0]).toBeCloseTo(assigned + 2 * invalidActionReward + waitRewardPerOpen * (open - 1), 3);
  });

  it('wants a slot for each driver of each environment, and a reset before', () => {
    const env = new VectorDispatchEnv({ scenario: 'geneva-live', numEnvs: 2 });
    expect(() => env.stepJoint(new Int32Array(20))).toThrow('stepJoint() before reset()');
    env.reset({ seed: 1 });
    expect(() => env.stepJoint(new Int32Array(10))).toThrow('slotOf has 10 entries, expected 20');
    expect(() => env.stepJoint([1] as never)).toThrow(EngineError);
    expect(() => env.stepJoint([1] as never)).toThrow('expected an Int32Array of 2 x 10');
  });
});
