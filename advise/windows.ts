// Windows of a stop, on the request's clock: put in order, and which of them a second belongs to.

import type { Window } from '../engine/index.js';

/** In order, those that overlap or leave no second between them as one, and without those that are over at `at`; the last stays. */
export function inOrder(windows: readonly Window[], at: number): readonly Window[] {
  // As nearly all are.
  if (windows.length <= 1) return windows;
  const joined: Window[] = [];
  for (const [from, to] of [...windows].sort((a, b) => a[0] - b[0])) {
    const last = joined.at(-1);
    if (last === undefined || from > last[1] + 1) joined.push([from, to]);
    else joined[joined.length - 1] = [last[0], Math.max(last[1], to)];
  }
  const left = joined.filter(([, to]) => to >= at);
  return left.length > 0 ? left : joined.slice(-1);
}

/** The window that a start at `at` belongs to: the last that has begun by then, else the first. */
export function windowOf(windows: readonly Window[], at: number): Window {
  return windows.findLast(([from]) => from <= at) ?? windows[0];
}

/** Seconds after that window. */
export function latenessOf(windows: readonly Window[], at: number): number {
  return Math.max(0, at - windowOf(windows, at)[1]);
}

/** The first second from `at` on that lies in a window; Infinity if none does. */
export function secondWithin(windows: readonly Window[], at: number): number {
  const next = windows.find(([, to]) => to >= at);
  return next === undefined ? Infinity : Math.max(at, next[0]);
}
