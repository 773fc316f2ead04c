// What every benchmark gives: rows with a median and its spread.

export interface Row {
  readonly name: string;
  /** Median over the rounds. */
  readonly value: number;
  readonly unit: string;
  /** Lowest and highest round. */
  readonly low: number;
  readonly high: number;
  /** What `ratio` compares with: ratio = ours / anchor in speed. */
  readonly anchor?: string;
  readonly ratio?: number;
}

export interface Benchmark {
  readonly name: string;
  readonly question: string;
  /**
   * @param quick a few rounds only: to see that it runs
   * @param note  what is left out, and why
   * @param data  folder of the New York trips, if it was given
   */
  run(quick: boolean, note: (text: string) => void, data?: string): Promise<Row[]>;
}

/** A variant under test: runs once, gives how many units of work it did and how many seconds they took. */
export interface Variant {
  readonly name: string;
  readonly unit: string;
  /** Name of the variant that it is compared with. */
  readonly anchor?: string;
  /** What rows call that one; default: by its name. */
  readonly anchorLabel?: string;
  run(): Promise<{ work: number; seconds: number }> | { work: number; seconds: number };
}

/** Runs the variants in turn, round after round, so that drift of the machine hits all alike; one round warms up. */
export async function interleave(variants: readonly Variant[], rounds: number): Promise<Row[]> {
  const speeds = variants.map((): number[] => []);
  for (let round = 0; round <= rounds; round++) {
    for (const [k, variant] of variants.entries()) {
      const { work, seconds } = await variant.run();
      if (round > 0) speeds[k].push(work / seconds);
    }
  }
  return variants.map(({ name, unit, anchor, anchorLabel }, k) => {
    const row = { name, unit, ...spread(speeds[k]) };
    if (anchor === undefined) return row;
    // The ratio of each round, then their median: both sides of a round saw the same machine.
    const other = speeds[variants.findIndex((variant) => variant.name === anchor)];
    const ratios = speeds[k].map((speed, round) => speed / other[round]);
    return { ...row, anchor: anchorLabel ?? anchor, ratio: spread(ratios).value };
  });
}

/** Median, lowest and highest. */
export function spread(values: readonly number[]): { value: number; low: number; high: number } {
  const sorted = values.toSorted((a, b) => a - b);
  const half = sorted.length >> 1;
  const value = sorted.length % 2 === 1 ? sorted[half] : (sorted[half - 1] + sorted[half]) / 2;
  return { value, low: sorted[0], high: sorted[sorted.length - 1] };
}

/** Runs `call` from so many callers for so long; collects each call's milliseconds. */
export async function load(
  callers: number,
  seconds: number,
  call: (k: number) => Promise<unknown>,
  times: number[] = [],
): Promise<{ work: number; seconds: number }> {
  const started = performance.now();
  const until = started + 1000 * seconds;
  let k = 0;
  let work = 0;
  await Promise.all(
    Array.from({ length: callers }, async () => {
      for (let now = performance.now(); now < until; now = performance.now()) {
        await call(k++);
        times.push(performance.now() - now);
        work++;
      }
    }),
  );
  return { work, seconds: (performance.now() - started) / 1000 };
}
