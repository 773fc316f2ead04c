// Which known name somebody may have meant: for the hint in an error about an unknown one.

/** The one of `known` that `name` is most probably meant to be: the same letters, or few edits away; else null. */
export function nearest(name: string, known: readonly string[]): string | null {
  const plain = (text: string): string => text.replace(/[^a-z0-9]/gi, '').toLowerCase();
  let best: string | null = null;
  let least = Infinity;
  for (const candidate of known) {
    const edits = editDistance(plain(name), plain(candidate));
    if (edits < least) [least, best] = [edits, candidate];
  }
  // More than a third of the letters wrong is another word.
  return least <= Math.max(1, Math.floor(name.length / 3)) ? best : null;
}

/** ` (did you mean "drivers"?)`, or nothing if no known name is close. */
export function didYouMean(name: string, known: readonly string[]): string {
  const near = nearest(name, known);
  return near === null ? '' : ` (did you mean "${near}"?)`;
}

/** Insertions, deletions, replacements and swaps of neighbours that make `b` of `a` (optimal string alignment). */
function editDistance(a: string, b: string): number {
  // d[i][j]: between the first i letters of a and the first j of b.
  const d = Array.from({ length: a.length + 1 }, (_, i) => Array.from({ length: b.length + 1 }, (_, j) => i + j));
  for (let i = 1; i <= a.length; i++) {
    for (let j = 1; j <= b.length; j++) {
      d[i][j] = Math.min(d[i - 1][j] + 1, d[i][j - 1] + 1, d[i - 1][j - 1] + (a[i - 1] === b[j - 1] ? 0 : 1));
      if (i > 1 && j > 1 && a[i - 1] === b[j - 2] && a[i - 2] === b[j - 1])
        d[i][j] = Math.min(d[i][j], d[i - 2][j - 2] + 1);
    }
  }
  return d[a.length][b.length];
}
