// Spaces: what they contain, what they draw, and that draws repeat.

import { describe, expect, it } from 'vitest';
import {
  BoxSpace,
  DiscreteSpace,
  MultiDiscreteSpace,
  Purpose,
  RandomStream,
  VectorDispatchEnv,
  observationBounds,
} from '#engine/index.js';

describe('BoxSpace', () => {
  const box = new BoxSpace(Float32Array.of(0, -Infinity, 2, -Infinity), Float32Array.of(1, Infinity, Infinity, 3));

  it('contains float32 numbers of its size within its bounds, and nothing else', () => {
    expect(box.contains(Float32Array.of(0, -9e9, 2, 3))).toBe(true);
    expect(box.contains(Float32Array.of(1.001, 0, 2, 3))).toBe(false);
    expect(box.contains(Float32Array.of(0, 0, 1.9, 3))).toBe(false);
    expect(box.contains(Float32Array.of(NaN, 0, 2, 3))).toBe(false);
    expect(box.contains(Float32Array.of(0, 0, 2))).toBe(false);
    expect(box.contains(Float64Array.of(0, 0, 2, 3))).toBe(false);
    expect(box.contains([0, 0, 2, 3])).toBe(false);
  });

  it('draws what it contains, the same from the same seed, over the whole of a bounded range', () => {
    const draws = Array.from({ length: 500 }, () => box.sample());
    expect(draws.every((draw) => box.contains(draw))).toBe(true);
    const first = draws.map(([value]) => value);
    expect(first.reduce((a, b) => a + b) / 500).toBeCloseTo(0.5, 1);
    expect(draws.some(([, value]) => value < -1) && draws.some(([, value]) => value > 1)).toBe(true);
    box.seed(0);
    expect(box.sample()).toEqual(draws[0]);
    box.seed(1);
    expect(box.sample()).not.toEqual(draws[0]);
    const stream = new RandomStream(0, Purpose.action);
    expect(box.sample(null, stream)).toEqual(draws[0]);
  });

  it('refuses bounds that are crossed, no numbers, or of another size', () => {
    const one = Float32Array.of(1);
    expect(() => new BoxSpace(one, Float32Array.of(0))).toThrow('low[0] is 1: it must not be above high[0], 0');
    expect(() => new BoxSpace(Float32Array.of(NaN), one)).toThrow('low[0] is NaN');
    expect(() => new BoxSpace(one, one, [2])).toThrow('low is a Float32Array: expected a Float32Array of 2 numbers');
    expect(() => {
      box.seed(-1);
    }).toThrow('seed is -1');
  });
});

describe('DiscreteSpace', () => {
  const space = new DiscreteSpace(5);

  it('contains whole numbers from 0 to n - 1', () => {
    expect([space.low, space.high, space.shape, space.dtype]).toEqual([0, 4, [], 'int32']);
    expect([0, 4, -1, 5, 1.5, '1', NaN].map((x) => space.contains(x))).toEqual([
      true,
      true,
      false,
      false,
      false,
      false,
      false,
    ]);
    expect(() => new DiscreteSpace(0)).toThrow('n is 0');
  });

  it('draws each value equally often, or only those that a mask allows', () => {
    const count = (mask?: Uint8Array): number[] => {
      const counts = [0, 0, 0, 0, 0];
      for (let k = 0; k < 5000; k++) counts[space.sample(mask)]++;
      return counts;
    };
    for (const times of count()) expect(Math.abs(times - 1000)).toBeLessThan(150);
    const [a, b, c, d, e] = count(Uint8Array.of(0, 1, 0, 0, 1));
    expect([a, c, d]).toEqual([0, 0, 0]);
    expect(Math.abs(b - e)).toBeLessThan(300);
    expect(space.sample(new Uint8Array(5))).toBe(0);
    expect(() => space.sample(new Uint8Array(4))).toThrow('mask is a Uint8Array of 4: expected a Uint8Array of 5');
    expect(() => space.sample([1] as unknown as Uint8Array)).toThrow('mask is an Array');
  });
});

describe('the spaces of environments', () => {
  it('batch those of one environment, and draw actions that every mask allows', () => {
    const env = new VectorDispatchEnv({ scenario: 'geneva-live', numEnvs: 3 });
    const { singleObservationSpace: single, observationSpace, singleActionSpace, actionSpace } = env;
    const { low, high } = observationBounds(env.world.compiled, 'full');
    expect([single.low, single.high]).toEqual([low, high]);
    expect(observationSpace.shape).toEqual([3, low.length]);
    expect(observationSpace.high.subarray(2 * low.length)).toEqual(high);
    expect(env.observationSpace).toBe(observationSpace);
    expect(actionSpace).toBeInstanceOf(MultiDiscreteSpace);
    expect([[...actionSpace.nvec], actionSpace.shape]).toEqual([[201, 201, 201], [3]]);
    expect(actionSpace.contains(Int32Array.of(0, 200, 1))).toBe(true);
    expect(actionSpace.contains(Int32Array.of(0, 201, 1))).toBe(false);
    expect(actionSpace.contains(Int32Array.of(0, 200))).toBe(false);
    const { observations, infos } = env.reset({ seed: 1 });
    const seen = new Set<number>();
    for (let t = 0; t < 300; t++) {
      const actions = actionSpace.sample(infos.actionMasks);
      expect(actionSpace.contains(actions)).toBe(true);
      actions.forEach((action) => seen.add(action));
      env.step(actions);
      expect([...infos.invalidActions]).toEqual([0, 0, 0]);
      expect(observationSpace.contains(observations)).toBe(true);
    }
    expect(seen.size).toBeGreaterThan(40);
    expect(singleActionSpace.contains(Math.max(...seen))).toBe(true);
    expect(actionSpace.contains(actionSpace.sample())).toBe(true);
    expect(() => actionSpace.sample(new Uint8Array(201))).toThrow('expected a Uint8Array of 603');
  });
});
