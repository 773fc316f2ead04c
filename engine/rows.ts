// Copies of environments, row by row: each environment's part of every array of a world, as bytes. The views are made once, as
// making them anew took a tenth of a look-ahead.

/** The rows of environments in a group of arrays that hold `n` rows each. */
export class Rows {
  readonly #arrays: readonly (Float64Array | Float32Array | Int32Array | Uint8Array)[];
  readonly #n: number;
  readonly #rows: Uint8Array[][] = [];

  /** @param views arrays whose lengths are multiples of `n` */
  constructor(views: object, n: number) {
    // In the order of their names, so that those of two worlds correspond.
    const entries = Object.entries(views as Readonly<Record<string, Float64Array>>);
    this.#arrays = entries.sort(([a], [b]) => (a < b ? -1 : 1)).map(([, view]) => view);
    this.#n = n;
  }

  /** Row `to` of each array becomes row `from` of its namesake in `other`, which has rows of the same widths. */
  copy(to: number, other: Rows, from: number): void {
    const mine = this.#row(to);
    const theirs = other.#row(from);
    for (let k = 0; k < mine.length; k++) mine[k].set(theirs[k]);
  }

  #row(e: number): Uint8Array[] {
    return (this.#rows[e] ??= this.#arrays.map(({ buffer, byteOffset, byteLength }) => {
      const width = byteLength / this.#n;
      return new Uint8Array(buffer, byteOffset + e * width, width);
    }));
  }
}
