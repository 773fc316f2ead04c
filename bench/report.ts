// What every benchmark gives: rows with a median and its spread, and the machine they were measured on.

import { availableParallelism, cpus, totalmem } from 'node:os';

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
  /** @param quick a few rounds only: to see that it runs */
  run(quick: boolean, note: (text: string) => void): Promise<Row[]>;
}

export interface Machine {
  readonly cpu: string;
  readonly cores: number;
  readonly memoryGiB: number;
  readonly node: string;
  readonly v8: string;
  readonly platform: string;
}

export function machine(): Machine {
  return {
    cpu: cpus()[0]?.model ?? 'unknown',
    cores: availableParallelism(),
    memoryGiB: Math.round(totalmem() / 2 ** 30),
    node: process.version,
    v8: process.versions.v8,
    platform: `${process.platform} ${process.arch}`,
  };
}

/** A variant under test: runs once, gives how many units of work it did and how many seconds they took. */
export interface Variant {
  readonly name: string;
  readonly unit: string;
  readonly anchor?: string;
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
  return variants.map(({ name, unit, anchor }, k) => {
    const sorted = speeds[k].toSorted((a, b) => a - b);
    const row = { name, unit, value: median(sorted), low: sorted[0], high: sorted[sorted.length - 1] };
    if (anchor === undefined) return row;
    // The ratio of each round, then their median: both sides of a round saw the same machine.
    const other = speeds[variants.findIndex((variant) => variant.name === anchor)];
    const ratios = speeds[k].map((speed, round) => speed / other[round]).toSorted((a, b) => a - b);
    return { ...row, anchor, ratio: median(ratios) };
  });
}

function median(sorted: readonly number[]): number {
  const half = sorted.length >> 1;
  return sorted.length % 2 === 1 ? sorted[half] : (sorted[half - 1] + sorted[half]) / 2;
}
