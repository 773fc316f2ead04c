// The assignment problem with what cannot be: forbidden pairs, costs that are none, buffers that are too small.

import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { AssignmentSolver, PolicyError } from '#policy/index.js';
import { RUNS } from './support/random-scenario.js';

/** The least total cost by trying every assignment, Infinity if all are forbidden. */
function least(costs: Float64Array, rows: number, columns: number, row = 0, used = 0): number {
  if (row === rows) return 0;
  let best = Infinity;
  for (let c = 0; c < columns; c++) {
    if ((used & (1 << c)) !== 0) continue;
    best = Math.min(best, costs[row * columns + c] + least(costs, rows, columns, row + 1, used | (1 << c)));
  }
  return best;
}

const sizes = fc.tuple(fc.integer({ min: 0, max: 5 }), fc.integer({ min: 0, max: 2 }));
const problem = (cost: fc.Arbitrary<number>): fc.Arbitrary<readonly [number, number, Float64Array]> =>
  sizes.chain(([rows, extra]) => {
    const columns = rows + extra;
    const count = rows * columns;
    return fc
      .array(cost, { minLength: count, maxLength: count })
      .map((costs) => [rows, columns, Float64Array.from(costs)] as const);
  });

function thrownBy(call: () => void): PolicyError {
  try {
    call();
  } catch (error) {
    expect(error).toBeInstanceOf(PolicyError);
    expect((error as PolicyError).code).toBe('ERR_ASSIGNMENT');
    return error as PolicyError;
  }
  throw new Error('was not refused');
}

describe('AssignmentSolver', () => {
  it('keeps clear of forbidden pairs at the least cost, or says that they leave no assignment', () => {
    const solver = new AssignmentSolver();
    const seen = { feasible: 0, infeasible: 0 };
    const cost = fc.oneof({ weight: 2, arbitrary: fc.integer({ min: -9, max: 9 }) }, fc.constant(Infinity));
    fc.assert(
      fc.property(problem(cost), ([rows, columns, costs]) => {
        const columnOf = new Int32Array(rows + 1).fill(-7);
        const expected = least(costs, rows, columns);
        if (expected === Infinity) {
          seen.infeasible++;
          expect(thrownBy(() => solver.solve(costs, rows, columns, columnOf)).message).toContain(
            `no assignment of ${rows} rows to ${columns} columns`,
          );
          expect(new Set(columnOf)).toEqual(new Set([-7]));
          return;
        }
        seen.feasible++;
        solver.solve(costs, rows, columns, columnOf);
        const taken = columnOf.subarray(0, rows);
        expect(new Set(taken).size).toBe(rows);
        expect(taken.reduce((sum, c, row) => sum + costs[row * columns + c], 0)).toBe(expected);
        expect(columnOf[rows]).toBe(-7);
      }),
      { numRuns: 5 * RUNS },
    );
    expect(seen.feasible).toBeGreaterThan(20);
    expect(seen.infeasible).toBeGreaterThan(20);
  });

  it('refuses NaN and -Infinity wherever they are, with row and column', () => {
    const solver = new AssignmentSolver();
    fc.assert(
      fc.property(
        problem(fc.double({ noNaN: true, min: -1e6, max: 1e6 })).filter(([rows]) => rows > 0),
        fc.nat(1e6),
        fc.constantFrom(NaN, -Infinity),
        ([rows, columns, costs], at, bad) => {
          const k = at % costs.length;
          costs[k] = bad;
          const columnOf = new Int32Array(rows).fill(-7);
          expect(thrownBy(() => solver.solve(costs, rows, columns, columnOf)).message).toContain(
            `the cost of row ${Math.floor(k / columns)} and column ${k % columns} is ${bad}`,
          );
          expect(new Set(columnOf)).toEqual(new Set([-7]));
        },
      ),
      { numRuns: RUNS },
    );
  });

  it('ends with costs whose sums overflow', () => {
    const solver = new AssignmentSolver();
    const huge = Float64Array.of(1e308, -1e308, 1e308, -1e308, 1e308, 1e308, -1e308, -1e308, 1e308);
    try {
      solver.solve(huge, 3, 3, new Int32Array(3));
    } catch (error) {
      expect(error).toBeInstanceOf(PolicyError);
    }
    // And is as good as new afterwards.
    const columnOf = new Int32Array(2);
    solver.solve(Float64Array.of(1, 2, 1, 5), 2, 2, columnOf);
    expect([...columnOf]).toEqual([1, 0]);
  });

  it.each([
    [3, 2, 6, 3, 'transpose it'],
    [2, 3, 5, 2, 'costs has 5 entries: 2 x 3 needs 6'],
    [2, 3, 6, 1, 'columnOf has 1 entries: 2 rows need as many'],
    [-1, 3, 6, 2, 'assignment has -1 rows and 3 columns'],
    [1.5, 3, 6, 2, 'assignment has 1.5 rows'],
    [NaN, 3, 6, 2, 'assignment has NaN rows'],
    [1, Infinity, 6, 2, 'Infinity columns'],
  ])('refuses %d rows and %d columns with %d costs and %d outputs', (rows, columns, costs, outputs, message) => {
    const call = (): void =>
      new AssignmentSolver().solve(new Float64Array(costs), rows, columns, new Int32Array(outputs));
    expect(thrownBy(call).message).toContain(message);
  });

  it('has nothing to do for no rows', () => {
    new AssignmentSolver().solve(new Float64Array(0), 0, 0, new Int32Array(0));
    new AssignmentSolver().solve(new Float64Array(0), 0, 4, new Int32Array(0));
  });
});
