// The interval that every table prints, against printed tables and against samples whose mean is known.

import { describe, expect, it } from 'vitest';
import { Purpose, RandomStream } from '#engine/index.js';
import { halfWidth, studentQuantile } from '#policy/index.js';

describe('Student’s t', () => {
  it.each([
    // Two-sided 5% points, as tables print them (e.g. Fisher and Yates 1963, table III, with more digits).
    [1, 12.7062047364],
    [2, 4.30265272991],
    [3, 3.18244630528],
    [4, 2.7764451052],
    [5, 2.57058183661],
    [7, 2.36462425101],
    [10, 2.22813885196],
    [24, 2.06389856163],
    [30, 2.0422724563],
    [120, 1.97993040505],
    [199, 1.97195654],
    [1000, 1.96233907],
    [999_999, 1.95996635],
  ])('at %d degrees of freedom is %d', (freedom, t) => {
    expect(studentQuantile(freedom)).toBeCloseTo(t, 7);
  });
});

describe('an interval', () => {
  it('of no value, or of one, is none', () => {
    expect(halfWidth([])).toBeNull();
    expect(halfWidth([911.58])).toBeNull();
  });

  it('of a few values is the one of the textbook', () => {
    // s = sqrt(2.5), n = 5, t = 2.776.
    expect(halfWidth([1, 2, 3, 4, 5])).toBeCloseTo((2.7764451052 * Math.sqrt(2.5)) / Math.sqrt(5), 9);
    expect(halfWidth([7, 7, 7])).toBe(0);
  });

  it('of four normal values covers their mean in 95% of cases; the normal one would in 86%', () => {
    const stream = new RandomStream(1, Purpose.weights);
    const tries = 20_000;
    let inside = 0;
    for (let k = 0; k < tries; k++) {
      const values = Array.from({ length: 4 }, () => stream.normal());
      if (Math.abs(values.reduce((sum, value) => sum + value, 0) / 4) <= halfWidth(values)!) inside++;
    }
    // Four standard errors.
    expect(Math.abs(inside / tries - 0.95)).toBeLessThan(0.0062);
  });
});
