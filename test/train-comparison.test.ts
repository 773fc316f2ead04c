import { describe, expect, it } from 'vitest';
import { Purpose, RandomStream, compileScenario, preset } from '../dist/engine/index.js';
import { bootstrap, comparePolicies, interquartileMean, probabilityOfImprovement } from '../dist/train/index.js';
import type { Contender } from '../dist/train/index.js';

const compiled = compileScenario(preset('geneva'));
const rule = (name: 'edf' | 'random' | 'nearest' | 'hungarian'): Contender => ({
  policy: name,
  members: [{ kind: 'heuristic', name }],
});
const request = { compiled, split: 'validation' as const, episodes: 12, seed: 1, workers: 2 };

describe('bootstrap', () => {
  const stream = new RandomStream(1, Purpose.demand);
  const normal = (count: number, mean: number, deviation: number): number[] =>
    Array.from({ length: count }, () => mean + deviation * stream.normal());

  it('gives the interval of a mean that its spread gives', () => {
    const values = normal(400, 50, 10);
    const mean = values.reduce((a, b) => a + b, 0) / values.length;
    const deviation = Math.sqrt(values.reduce((sum, value) => sum + (value - mean) ** 2, 0) / (values.length - 1));
    const [interval] = bootstrap([[values]], [[1]]);
    expect(interval.mean).toBeCloseTo(mean, 10);
    expect((interval.high! - interval.low!) / ((2 * 1.96 * deviation) / 20)).toBeGreaterThan(0.9);
    expect((interval.high! - interval.low!) / ((2 * 1.96 * deviation) / 20)).toBeLessThan(1.1);
  });

  it('covers the true mean in about 95 of 100 samples', () => {
    let covered = 0;
    for (let k = 0; k < 100; k++) {
      const [{ low, high }] = bootstrap([[normal(60, 7, 3)]], [[1]], k);
      if (low! <= 7 && 7 <= high!) covered++;
    }
    expect(covered).toBeGreaterThanOrEqual(88);
  });

  it('pairs by episode: a constant gain is certain, though episodes differ by far more', () => {
    const base = normal(50, 0, 1000);
    const better = base.map((value) => value + 1);
    const [difference] = bootstrap([[better], [base]], [[1, -1]]);
    expect(difference.low).toBeCloseTo(1, 9);
    expect(difference.high).toBeCloseTo(1, 9);
  });

  it('takes seeds into account: few seeds that differ make wide intervals', () => {
    const episodes = normal(500, 0, 1);
    const seeds = [0, 10, 20].map((shift) => episodes.map((value) => value + shift));
    const [{ low, high }] = bootstrap([seeds], [[1]]);
    expect(high! - low!).toBeGreaterThan(10);
  });

  it('gives no bounds of one episode of one seed', () => {
    expect(bootstrap([[[3]]], [[1]])).toEqual([{ mean: 3, low: null, high: null }]);
  });
});

describe('summaries', () => {
  it('take the mean of the middle half, with parts of the outermost', () => {
    expect(interquartileMean([[1, 2, 3, 4, 5, 6, 7, 1000]])).toBe((3 + 4 + 5 + 6) / 4);
    // Of six: the middle three are half of 2, all of 3 and 4, half of 5.
    expect(
      interquartileMean([
        [6, 5, 4],
        [3, 2, 1],
      ]),
    ).toBeCloseTo((0.5 * 2 + 3 + 4 + 0.5 * 5) / 3, 12);
  });

  it('count how often one is better', () => {
    expect(probabilityOfImprovement([[1, 2, 3, 4]], [[0, 2, 4, 0]])).toBe((1 + 0.5 + 0 + 1) / 4);
  });
});

describe('a comparison', () => {
  it('finds no difference between a policy and itself', async () => {
    const baselines = [{ kind: 'heuristic', name: 'edf' } as const];
    const result = (await comparePolicies({ ...request, contenders: [rule('edf'), rule('edf')], baselines }))!;
    expect(result.verdict).toBe('undecided');
    expect(result.baseline).toBe('edf');
    expect(result.entries.map(({ policy }) => policy)).toEqual(['edf', 'edf (2)']);
    expect(result.differences).toEqual([
      { policy: 'edf', against: 'edf (2)', mean: 0, low: 0, high: 0, probabilityOfImprovement: 0.5 },
    ]);
  });

  it('finds a policy that is worse, and one that is better than the rules it is held against', async () => {
    const worse = (await comparePolicies({ ...request, contenders: [rule('random')] }))!;
    expect(worse).toMatchObject({ verdict: 'fail', baseline: 'linear', episodes: 12, split: 'validation' });
    expect(worse.differences[0].high).toBeLessThan(0);
    expect(worse.entries.map(({ policy }) => policy)).toEqual(['random', 'linear']);
    const better = (await comparePolicies({
      ...request,
      contenders: [rule('edf')],
      baselines: [
        { kind: 'heuristic', name: 'random' },
        { kind: 'heuristic', name: 'nearest' },
      ],
    }))!;
    expect(better).toMatchObject({ verdict: 'pass', baseline: 'nearest' });
  });

  it('counts several seeds of a policy as one entry', async () => {
    const members = (['edf', 'hungarian'] as const).map((name) => ({ kind: 'heuristic' as const, name }));
    const result = (await comparePolicies({ ...request, contenders: [{ policy: 'both', members }, rule('edf')] }))!;
    const [both, edf] = result.entries;
    expect(both.seeds).toBe(2);
    const alone = (await comparePolicies({ ...request, contenders: [rule('hungarian')] }))!;
    expect(both.mean).toBeCloseTo((edf.mean + alone.entries[0].mean) / 2, 9);
  });

  it('chooses the baseline on validation, whatever split is compared', async () => {
    const result = (await comparePolicies({ ...request, split: 'test', episodes: 4, contenders: [rule('nearest')] }))!;
    expect(result).toMatchObject({ split: 'test', episodes: 4, baseline: 'linear' });
  });

  it('is given up when it is no longer wanted', async () => {
    expect(await comparePolicies({ ...request, contenders: [rule('edf')], signal: AbortSignal.abort() })).toBe(null);
  });
});
