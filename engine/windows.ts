// Bookings with several windows: where their lists lie in a world's state, and which window a second belongs to. Only live
// states have such bookings; in all others `windowStart` and `windowEnd` are the one window, and no list takes any room.

import type { CompiledScenario } from './compile.js';

/** First and last second at which a service may start. */
export type Window = readonly [from: number, to: number];

/** Elements of `StateViews.windows` that belong to one slot: [from, to] of each pickup window, then of each drop-off window. */
export function windowStride({ windows }: CompiledScenario): number {
  return 4 * windows;
}

/** Index of the first of `count` windows from `windows[p]` on that is not over at `at`; `count` if all are. */
export function windowAt(windows: Int32Array, p: number, count: number, at: number): number {
  let k = 0;
  while (k < count && windows[p + 2 * k + 1] < at) k++;
  return k;
}

/**
 * Seconds after the window that a start at `at` belongs to: the one it lies in, else the last one before it; negative within
 * a window, and 0 before the first.
 */
export function secondsAfter(windows: Int32Array, p: number, count: number, at: number): number {
  const k = windowAt(windows, p, count, at);
  if (k < count && windows[p + 2 * k] <= at) return at - windows[p + 2 * k + 1];
  return k === 0 ? 0 : at - windows[p + 2 * k - 1];
}

/** Writes a list that has been checked from `into[p]` on, and says how many there are: 0 for a single one, which needs no list. */
export function writeWindows(list: readonly Window[] | undefined, into: Int32Array, p: number): number {
  if (list === undefined || list.length <= 1) return 0;
  for (let k = 0; k < list.length; k++) {
    into[p + 2 * k] = list[k][0];
    into[p + 2 * k + 1] = list[k][1];
  }
  return list.length;
}
