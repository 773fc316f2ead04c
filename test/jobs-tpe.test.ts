// The samplers: draws within bounds, the same for the same numbers, and better than chance on functions with known optima.

import { describe, expect, test } from 'vitest';
import { importances, randomPoint, tpePoint } from '#jobs/index.js';
import type { Observation, Point, Space } from '#jobs/index.js';

const space: Space = {
  rate: { kind: 'float', low: 1e-5, high: 1e-1, log: true },
  layers: { kind: 'int', low: 1, high: 4, log: false },
  kind: { kind: 'choice', choices: ['a', 'b'] },
  extra: { kind: 'float', low: -1, high: 1, log: false, when: { parameter: 'kind', in: ['b'] } },
};

/** The best value after `trials` points of which each is asked for with all results before it. */
function search(
  of: Space,
  value: (point: Point) => number,
  trials: number,
  seed: number,
  propose: typeof tpePoint,
): { best: number; points: Point[] } {
  const done: { point: Point; value: number }[] = [];
  for (let trial = 0; trial < trials; trial++) {
    const order = [...done].sort((a, b) => a.value - b.value);
    const observations = done.map((one): Observation => ({ point: one.point, rank: order.indexOf(one) }));
    const point = propose(of, observations, seed, trial);
    done.push({ point, value: value(point) });
  }
  return { best: Math.min(...done.map((one) => one.value)), points: done.map(({ point }) => point) };
}

const random: typeof tpePoint = (of, _, seed, trial) => randomPoint(of, seed, trial);

test('points lie within bounds, and conditions hold', () => {
  const { points } = search(space, ({ rate }) => rate as number, 200, 1, tpePoint);
  for (const point of points) {
    expect(point['rate']).toBeGreaterThanOrEqual(1e-5);
    expect(point['rate']).toBeLessThanOrEqual(1e-1);
    expect([1, 2, 3, 4]).toContain(point['layers']);
    expect('extra' in point).toBe(point['kind'] === 'b');
  }
  // All values of a whole number and of a choice are tried.
  expect(new Set(points.map(({ layers }) => layers)).size).toBe(4);
  expect(new Set(points.map(({ kind }) => kind)).size).toBe(2);
});

test('the same study asks for the same points, another seed for others', () => {
  const run = (seed: number): Point[] => search(space, ({ rate }) => rate as number, 40, seed, tpePoint).points;
  expect(run(3)).toEqual(run(3));
  expect(run(3)).not.toEqual(run(4));
});

test('trials under way count as bad ones: a batch does not ask for the same place again and again', () => {
  const line: Space = { x: { kind: 'float', low: 0, high: 1, log: false } };
  const spreadOf = (liar: boolean): number => {
    const known = Array.from({ length: 20 }, (_, k): Observation => ({ point: { x: k / 19 }, rank: k }));
    const batch: Observation[] = [];
    for (let k = 0; k < 16; k++) {
      const point = tpePoint(line, liar ? [...known, ...batch] : known, 5, 20 + k);
      batch.push({ point, rank: null });
    }
    const places = batch.map(({ point }) => point['x'] as number);
    const mean = places.reduce((sum, x) => sum + x, 0) / places.length;
    return places.reduce((sum, x) => sum + (x - mean) ** 2, 0) / places.length;
  };
  expect(spreadOf(true)).toBeGreaterThan(1.5 * spreadOf(false));
});

describe('it comes closer than the random sampler, at equal numbers of trials, over 20 paired seeds', () => {
  const square = (names: readonly string[], low: number, high: number): Space =>
    Object.fromEntries(names.map((name) => [name, { kind: 'float', low, high, log: false }]));
  const numbers = (point: Point): number[] => Object.values(point) as number[];
  const functions: readonly (readonly [string, Space, (point: Point) => number])[] = [
    [
      'a bowl in four dimensions',
      square(['a', 'b', 'c', 'd'], -5, 5),
      (point) => numbers(point).reduce((sum, x) => sum + (x - 1) ** 2, 0),
    ],
    [
      'Branin',
      { x: { kind: 'float', low: -5, high: 10, log: false }, y: { kind: 'float', low: 0, high: 15, log: false } },
      (point) => {
        const [x, y] = numbers(point);
        const term = y - (5.1 / (4 * Math.PI ** 2)) * x * x + (5 / Math.PI) * x - 6;
        return term * term + 10 * (1 - 1 / (8 * Math.PI)) * Math.cos(x) + 10;
      },
    ],
    [
      'a valley over a logarithmic scale and a choice',
      {
        rate: { kind: 'float', low: 1e-6, high: 1, log: true },
        width: { kind: 'int', low: 1, high: 64, log: true },
        kind: { kind: 'choice', choices: ['a', 'b', 'c', 'd'] },
      },
      ({ rate, width, kind }) =>
        (Math.log10(rate as number) + 3) ** 2 + Math.log2((width as number) / 16) ** 2 + (kind === 'c' ? 0 : 2),
    ],
  ];
  test.each(functions)('%s', (_, of, value) => {
    let wins = 0;
    for (let seed = 1; seed <= 20; seed++) {
      const [ours, chance] = [search(of, value, 60, seed, tpePoint).best, search(of, value, 60, seed, random).best];
      if (ours < chance) wins++;
    }
    // By chance 15 or more of 20 come in 2 of 100 cases.
    expect(wins).toBeGreaterThanOrEqual(15);
  });
});

test('importance is the share of a parameter in what tells good from bad', () => {
  const of: Space = {
    matters: { kind: 'float', low: 0, high: 1, log: false },
    hardly: { kind: 'float', low: 0, high: 1, log: false },
    kind: { kind: 'choice', choices: [1, 2, 3] },
  };
  const points = Array.from({ length: 200 }, (_, k) => randomPoint(of, 1, k));
  const ranked = [...points].sort((a, b) => (a['matters'] as number) - (b['matters'] as number));
  const shares = importances(of, ranked)!;
  expect(Object.values(shares).reduce((sum, share) => sum + share, 0)).toBeCloseTo(1, 12);
  expect(shares['matters']).toBeGreaterThan(0.9);
  const byKind = [...points].sort((a, b) => (a['kind'] as number) - (b['kind'] as number));
  expect(importances(of, byKind)!['kind']).toBeGreaterThan(0.9);
  expect(importances(of, ranked.slice(0, 7))).toBeNull();
});
