// Streams: independent of each other, uniform enough, and functions of their key alone.

import { describe, expect, it } from 'vitest';
import { Purpose, RandomStream, floatAt } from '#engine/index.js';

describe('random streams', () => {
  it('differ in every part of their key', () => {
    const first = (seed: number, env: number, episode: number, purpose: Purpose): number =>
      new RandomStream(seed, purpose, env, episode).float();
    const base = first(1, 0, 0, Purpose.demand);
    expect(first(1, 0, 0, Purpose.demand)).toBe(base);
    const others = [
      first(2, 0, 0, Purpose.demand),
      first(1 + 2 ** 40, 0, 0, Purpose.demand),
      first(1, 1, 0, Purpose.demand),
      first(1, 0, 1, Purpose.demand),
      first(1, 0, 0, Purpose.start),
    ];
    expect(new Set([base, ...others]).size).toBe(6);
  });

  it.each([
    ['a stream', (k: number, stream: RandomStream) => (k < 0 ? 0 : stream.float())],
    ['the first draws of neighbouring environments', (k: number) => new RandomStream(7, Purpose.demand, k).float()],
    ['the draws of neighbouring steps', (k: number) => floatAt(7, 0, 0, Purpose.action, k)],
  ])('%s are uniform (chi-squared, 64 bins) and uncorrelated', (_, draw) => {
    const n = 64_000;
    const stream = new RandomStream(11, Purpose.demand);
    const values = Array.from({ length: n }, (_, k) => draw(k, stream));
    const bins = new Float64Array(64);
    for (const value of values) bins[Math.floor(value * 64)]++;
    const chi2 = bins.reduce((sum, count) => sum + (count - n / 64) ** 2 / (n / 64), 0);
    // 63 degrees of freedom: 0.0001 and 0.9999 quantiles.
    expect(chi2).toBeGreaterThan(29);
    expect(chi2).toBeLessThan(114);
    let lag = 0;
    for (let k = 1; k < n; k++) lag += (values[k] - 0.5) * (values[k - 1] - 0.5) * 12;
    expect(Math.abs(lag / n)).toBeLessThan(4 / Math.sqrt(n));
  });
});
