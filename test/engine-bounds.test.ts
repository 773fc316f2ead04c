// Bounds of observations: nothing that an episode brings lies beyond them, and they are no wider than they must be where that is known.

import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  BookingColumn,
  DriverColumn,
  Purpose,
  RandomStream,
  VectorDispatchEnv,
  compileScenario,
  observationBounds,
  observationKinds,
  preset,
} from '#engine/index.js';
import type { CompiledScenario, ObservationKind } from '#engine/index.js';
import { loadScenario } from '#trips/index.js';
import { someAction } from './support/play.js';
import { RUNS, anyScenario } from './support/random-scenario.js';
import { describeWithTrips, nycAmod } from './support/shared-data.js';

/** The first number out of bounds in `steps` steps of actions drawn from `seed`, or null. */
function stray(scenario: CompiledScenario, observation: ObservationKind, seed: number, steps: number): string | null {
  const env = new VectorDispatchEnv({ scenario, numEnvs: 3, observation });
  const { low, high } = observationBounds(scenario, observation);
  const [size] = env.singleObservationSpace.shape;
  expect([low.length, high.length]).toEqual([size, size]);
  const stream = new RandomStream(seed, Purpose.action);
  const actions = new Int32Array(3);
  let { observations } = env.reset({ seed });
  for (let t = 0; ; t++) {
    for (let p = 0; p < observations.length; p++) {
      const value = observations[p];
      if (!(value >= low[p % size] && value <= high[p % size])) {
        return `step ${t}, number ${p % size}: ${value}, expected ${low[p % size]} to ${high[p % size]}`;
      }
    }
    if (t === steps) return null;
    for (let e = 0; e < 3; e++) actions[e] = someAction(env.world, e, stream, true);
    ({ observations } = env.step(actions));
  }
}

describe('the bounds of observations', () => {
  it('hold whatever the rules, the demand and the actions', () => {
    fc.assert(
      fc.property(anyScenario, fc.constantFrom(...observationKinds), fc.nat(1e6), (scenario, observation, seed) => {
        expect(stray(scenario, observation, seed, 3 * scenario.ticks + 20)).toBeNull();
      }),
      { numRuns: RUNS },
    );
  });

  it('hold on geneva, are finite, and are tight for places, flags and windows', () => {
    for (const name of ['geneva', 'geneva-live']) {
      const scenario = compileScenario(preset(name));
      expect(stray(scenario, 'full', 5, 600)).toBeNull();
      const { low, high } = observationBounds(scenario, 'full');
      expect([...low, ...high].every(Number.isFinite)).toBe(true);
      expect([low[DriverColumn.x], high[DriverColumn.x], high[DriverColumn.available]]).toEqual([-1, 1, 1]);
      const booking = 10 * 8;
      expect([low[booking + BookingColumn.timeLeft], high[booking + BookingColumn.timeLeft]]).toEqual([0, 1]);
      expect([low[booking + BookingColumn.fare], high[booking + BookingColumn.fare]]).toEqual([0, 1]);
    }
  });
});

describe('the bounds of observations with shifts', () => {
  it('hold on geneva-medical, and are tight for what is left of a shift', () => {
    const scenario = compileScenario(preset('geneva-medical'));
    for (const kind of observationKinds) expect(stray(scenario, kind, 3, 900)).toBeNull();
    const { high } = observationBounds(scenario, 'full');
    // The ambulances' shift ends at midnight, 17 hours after the start; the column follows two skills.
    expect(high[DriverColumn.skills + 2]).toBeCloseTo(17, 5);
  });
});

describeWithTrips('the bounds of observations on real trips', () => {
  it('hold', () => {
    const scenario = loadScenario({ scenario: 'nyc-small', data: nycAmod });
    for (const kind of observationKinds) expect(stray(scenario, kind, 7, 2000)).toBeNull();
  });
});
