// What an episode ended on: observation, mask and pair rows, as a learner needs them that takes its maximum over them.

import { describe, expect, it } from 'vitest';
import {
  PAIR_COLUMNS,
  PairWriter,
  Purpose,
  RandomStream,
  VectorDispatchEnv,
  compileScenario,
  observationKinds,
  preset,
} from '#engine/index.js';
import type { AutoresetMode, CompiledScenario } from '#engine/index.js';
import { someAction } from './support/play.js';
import { inventedDataset } from './support/random-scenario.js';

const N = 3;
const scenarios: Readonly<Record<string, CompiledScenario>> = {
  'one assignment a tick': compileScenario({ ...preset('geneva'), horizonSeconds: 6 * 300 }),
  'any number a tick': compileScenario({ ...preset('geneva'), horizonSeconds: 6 * 300, decisionsPerTick: Infinity }),
  'recorded trips that end': compileScenario(
    { ...preset('nyc-small'), drivers: 3, slots: 5, horizonSeconds: 300, name: 'random-trace' },
    inventedDataset(
      3,
      300,
      [
        [0, 0, 1, 0, 900],
        [60, 1, 2, 0, 900],
        [250, 2, 0, 0, 900],
        [300, 1, 0, 0, 900],
      ],
      0,
    ),
  ),
};
const modes: readonly AutoresetMode[] = ['SAME_STEP', 'NEXT_STEP', 'DISABLED'];
const cases = Object.keys(scenarios).flatMap((name) =>
  observationKinds.flatMap((observation) => modes.map((mode) => [name, observation, mode] as const)),
);

/** Row e of a `[N, width]` array. */
function row(array: Float32Array | Uint8Array, e: number): number[] {
  const width = array.length / N;
  return [...array.subarray(e * width, (e + 1) * width)];
}

describe('the end of an episode', () => {
  it.each(cases)(
    '%s, %s, %s: the final row, mask and pairs are those on which a twin stands still',
    (name, observation, mode) => {
      const scenario = scenarios[name];
      const env = new VectorDispatchEnv({ scenario, numEnvs: N, observation, autoresetMode: mode, finalPairs: true });
      // One world, played without any reset, episode by episode.
      const { world: twin } = new VectorDispatchEnv({ scenario, numEnvs: N, observation });
      const writer = new PairWriter(twin);
      const legal = new Int32Array(twin.actions);
      const features = new Float32Array(twin.actions * PAIR_COLUMNS);
      const streams = Array.from({ length: N }, (_, e) => new RandomStream(6, Purpose.action, e));
      const actions = new Int32Array(N);
      const { infos } = env.reset({ seed: 6 });
      const before = infos.finalActionMasks;
      for (let e = 0; e < N; e++) twin.reset(e, 6, 0);
      let ends = 0;
      let busyEnds = 0;
      const seen: { mask: number[]; pairs: number[] }[] = [];
      for (let t = 0; t < 60; t++) {
        const waits = Array.from({ length: N }, (_, e) => env.world.state.ended[e] === 1);
        for (let e = 0; e < N; e++) actions[e] = waits[e] ? 0 : someAction(twin, e, streams[e], false);
        const result = env.step(actions);
        for (let e = 0; e < N; e++) {
          if (waits[e]) continue;
          twin.step(e, actions[e]);
          const ended = twin.out.terminations[e] | twin.out.truncations[e];
          expect(result.terminations[e] | result.truncations[e]).toBe(ended);
          if (ended === 0) continue;
          ends++;
          expect(row(result.infos.finalObservations, e)).toEqual(row(twin.out.observations, e));
          const mask = row(result.infos.finalActionMasks, e);
          expect(mask).toEqual(row(twin.out.actionMasks, e));
          if (mask.includes(1, 1)) busyEnds++;
          const count = writer.write(e, legal, features, 0);
          const pairs = result.infos.finalPairs!;
          const from = e * twin.actions;
          expect(pairs.counts[e]).toBe(count);
          expect([...pairs.actions.subarray(from, from + count)]).toEqual([...legal.subarray(0, count)]);
          const rows = [...pairs.features.subarray(from * PAIR_COLUMNS, (from + count) * PAIR_COLUMNS)];
          expect(rows).toEqual([...features.subarray(0, count * PAIR_COLUMNS)]);
          seen[e] = { mask, pairs: rows };
          // The mask of the present is the next episode's, and not this one, as soon as there is one.
          twin.reset(e, 6, twin.state.episode[e] + 1);
          const present = mode === 'SAME_STEP' ? row(twin.out.actionMasks, e) : mask;
          expect(row(result.infos.actionMasks, e)).toEqual(present);
          if (mode === 'DISABLED') env.reset({ options: { resetMask: Array.from({ length: N }, (_, k) => k === e) } });
        }
        // What was kept stays until the same environment ends again: resets and steps in between leave it alone.
        seen.forEach(({ mask, pairs }, e) => {
          expect(row(env.world.out.finalActionMasks, e)).toEqual(mask);
          const from = e * twin.actions * PAIR_COLUMNS;
          expect([...infos.finalPairs!.features.subarray(from, from + pairs.length)]).toEqual(pairs);
        });
        expect(result.infos).toBe(infos);
        expect(result.infos.finalActionMasks).toBe(before);
      }
      expect(ends).toBeGreaterThan(2 * N);
      // Where the slots empty themselves at the end of a tick, only what arrives in the last one is left.
      expect(busyEnds).toBeGreaterThan(0);
    },
  );

  it('keeps no pair rows unless asked to', () => {
    const env = new VectorDispatchEnv({ scenario: 'geneva', numEnvs: 1 });
    expect(env.reset({ seed: 1 }).infos.finalPairs).toBeNull();
    expect(
      () => new VectorDispatchEnv({ scenario: 'geneva', numEnvs: 1, finalPairs: 1 as unknown as boolean }),
    ).toThrow('finalPairs is 1: expected true or false');
  });
});
