// The linear assignment problem: rows to columns at the least total cost, by shortest augmenting paths with potentials
// (Kuhn 1955; in the form of Jonker and Volgenant 1987, without their initialisation). O(rows^2 columns).

import { PolicyError } from './policy.js';

/** Solves linear assignment problems one after the other; its memory grows with the largest. */
export class AssignmentSolver {
  #u = new Float64Array(0);
  #v = new Float64Array(0);
  #slack = new Float64Array(0);
  #rowOf = new Int32Array(0);
  #from = new Int32Array(0);
  #used = new Uint8Array(0);

  /**
   * @param costs    `[rows, columns]` row-major; rows <= columns. Infinity forbids a pair
   * @param columnOf `[rows]` output: the column of each row
   * @throws PolicyError `ERR_ASSIGNMENT` for costs that are not valid, buffers that are too small, and if the forbidden
   *   pairs leave no assignment of all rows; nothing is written then
   */
  solve(costs: Float64Array, rows: number, columns: number, columnOf: Int32Array): void {
    checkProblem(costs, rows, columns, columnOf);
    if (this.#v.length < columns + 1) {
      this.#v = new Float64Array(columns + 1);
      this.#slack = new Float64Array(columns + 1);
      this.#rowOf = new Int32Array(columns + 1);
      this.#from = new Int32Array(columns + 1);
      this.#used = new Uint8Array(columns + 1);
    }
    if (this.#u.length < rows + 1) this.#u = new Float64Array(rows + 1);
    const u = this.#u.fill(0);
    const v = this.#v.fill(0);
    // Row 0 and column 0 are the algorithm's own; the problem's start at 1.
    const rowOf = this.#rowOf.fill(0);
    const slack = this.#slack;
    const from = this.#from;
    const used = this.#used;
    for (let row = 1; row <= rows; row++) {
      rowOf[0] = row;
      slack.fill(Infinity);
      used.fill(0);
      let column = 0;
      do {
        used[column] = 1;
        const r = rowOf[column];
        const base = (r - 1) * columns - 1;
        let least = Infinity;
        let next = 0;
        for (let c = 1; c <= columns; c++) {
          if (used[c] === 1) continue;
          const reduced = costs[base + c] - u[r] - v[c];
          if (reduced < slack[c]) {
            slack[c] = reduced;
            from[c] = column;
          }
          if (slack[c] < least) {
            least = slack[c];
            next = c;
          }
        }
        // Every column that is left is forbidden: without this the search would not end.
        if (least === Infinity) throw infeasible(row - 1, rows, columns);
        for (let c = 0; c <= columns; c++) {
          if (used[c] === 1) {
            u[rowOf[c]] += least;
            v[c] -= least;
          } else {
            slack[c] -= least;
          }
        }
        column = next;
      } while (rowOf[column] !== 0);
      while (column !== 0) {
        const before = from[column];
        rowOf[column] = rowOf[before];
        column = before;
      }
    }
    for (let c = 1; c <= columns; c++) {
      if (rowOf[c] !== 0) columnOf[rowOf[c] - 1] = c - 1;
    }
  }
}

/** One pass over the costs, which the solver then reads once for each row. */
function checkProblem(costs: Float64Array, rows: number, columns: number, columnOf: Int32Array): void {
  if (!(Number.isInteger(rows) && Number.isInteger(columns) && rows >= 0 && columns >= 0)) {
    throw refused(`assignment has ${rows} rows and ${columns} columns: they must be whole numbers of at least 0`);
  }
  if (rows > columns) throw refused(`assignment has ${rows} rows and ${columns} columns: transpose it`);
  const count = rows * columns;
  if (costs.length < count) throw refused(`costs has ${costs.length} entries: ${rows} x ${columns} needs ${count}`);
  if (columnOf.length < rows) throw refused(`columnOf has ${columnOf.length} entries: ${rows} rows need as many`);
  for (let k = 0; k < count; k++) {
    // False for NaN, too.
    if (costs[k] > -Infinity) continue;
    throw refused(
      `the cost of row ${Math.floor(k / columns)} and column ${k % columns} is ${costs[k]}: it must be a number, or Infinity for a forbidden pair`,
    );
  }
}

function infeasible(row: number, rows: number, columns: number): PolicyError {
  return refused(
    `no assignment of ${rows} rows to ${columns} columns: forbidden pairs leave row ${row} none beside the rows before it`,
  );
}

function refused(message: string): PolicyError {
  return new PolicyError('ERR_ASSIGNMENT', message);
}
