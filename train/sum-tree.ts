// A complete binary tree of sums over priorities: draws an index with probability proportional to its priority in log2(n) steps
// (Schaul et al. 2016, appendix B.2.1). It knows numbers only.

/**
 * Non-negative priorities of `size` indices. Sums are in double precision, and each is computed anew from its two children
 * whenever one of them changes: they are a function of the leaves alone, and no error builds up over millions of changes.
 */
export class SumTree {
  /** Indices 0 to `size - 1` may have a priority. */
  readonly size: number;
  /** A power of two, so that all leaves lie at the same depth; those from `size` on stay 0. */
  readonly #leaves: number;
  /** `[2 * leaves]`; node k has children 2k and 2k + 1, node 1 is the root, index i lies at `leaves + i` */
  readonly #nodes: Float64Array;

  /** @param size at least 1 */
  constructor(size: number) {
    this.size = size;
    let leaves = 1;
    while (leaves < size) leaves *= 2;
    this.#leaves = leaves;
    this.#nodes = new Float64Array(2 * leaves);
  }

  /** The sum of all priorities. */
  get total(): number {
    return this.#nodes[1];
  }

  /** The priority of index i. */
  get(i: number): number {
    return this.#nodes[this.#leaves + i];
  }

  /** Gives index i a finite priority of at least 0; with 0 it is never drawn. */
  set(i: number, priority: number): void {
    const nodes = this.#nodes;
    let k = this.#leaves + i;
    nodes[k] = priority;
    for (k >>= 1; k >= 1; k >>= 1) nodes[k] = nodes[2 * k] + nodes[2 * k + 1];
  }

  /**
   * The index at which the sum of the priorities up to and with it first exceeds `at`.
   * @param at from 0 to `total` (exclusive), which must be above 0; rounding never leads to an index of priority 0
   */
  find(at: number): number {
    const nodes = this.#nodes;
    const leaves = this.#leaves;
    let left = at;
    let k = 1;
    while (k < leaves) {
      k *= 2;
      // `at` may lie a rounding error beyond what the right half holds, and the right half may hold nothing.
      if (left < nodes[k] || nodes[k + 1] === 0) continue;
      left -= nodes[k];
      k++;
    }
    return k - leaves;
  }

  /** The priorities of the first `count` indices, in place: not to be written, and not to be kept. */
  view(count: number): Float64Array {
    return this.#nodes.subarray(this.#leaves, this.#leaves + count);
  }

  /** Takes over the priorities of the first `priorities.length` indices; all others become 0. */
  restore(priorities: Float64Array): void {
    const nodes = this.#nodes;
    nodes.fill(0);
    nodes.set(priorities, this.#leaves);
    for (let k = this.#leaves - 1; k >= 1; k--) nodes[k] = nodes[2 * k] + nodes[2 * k + 1];
  }
}
