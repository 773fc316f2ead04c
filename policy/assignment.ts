// The linear assignment problem: rows to columns at the least total cost, by shortest augmenting paths with potentials
// (Kuhn 1955; in the form of Jonker and Volgenant 1987, without their initialisation). O(rows^2 columns).

export class AssignmentSolver {
  #u = new Float64Array(0);
  #v = new Float64Array(0);
  #slack = new Float64Array(0);
  #rowOf = new Int32Array(0);
  #from = new Int32Array(0);
  #used = new Uint8Array(0);

  /**
   * @param costs    `[rows, columns]` row-major, finite; rows <= columns
   * @param columnOf `[rows]` output: the column of each row
   */
  solve(costs: Float64Array, rows: number, columns: number, columnOf: Int32Array): void {
    if (rows > columns) throw new RangeError(`assignment has ${rows} rows and ${columns} columns: transpose it`);
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
            least = slack[c]!;
            next = c;
          }
        }
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
        rowOf[column] = rowOf[before]!;
        column = before;
      }
    }
    for (let c = 1; c <= columns; c++) {
      if (rowOf[c] !== 0) columnOf[rowOf[c] - 1] = c - 1;
    }
  }
}
