// How much each parameter matters: PED-ANOVA (Watanabe, Bansal and Hutter 2023). For each parameter by itself, how the best trials
// are distributed over its range against how all of them are: the Pearson divergence of the two.

import { exp } from '../engine/index.js';
import type { Parameter, ParameterValue, Point, Space } from './space.js';
import { choiceIndex, internalRange, toInternal } from './space.js';

/** Share of the trials that count as good. */
const GOOD_SHARE = 0.25;
/** Trials below which nothing can be said. */
const LEAST_TRIALS = 8;
const GRID = 50;

/**
 * Importance of each parameter; they add up to 1.
 * @param ranked points from the best to the worst
 * @returns null for fewer than 8 trials, or where no parameter tells them apart
 */
export function importances(space: Space, ranked: readonly Point[]): Readonly<Record<string, number>> | null {
  if (ranked.length < LEAST_TRIALS) return null;
  const good = ranked.slice(0, Math.max(2, Math.ceil(GOOD_SHARE * ranked.length)));
  const raw = Object.entries(space).map(([name, parameter]): [string, number] => {
    const valuesOf = (points: readonly Point[]): ParameterValue[] => points.flatMap((point) => point[name] ?? []);
    return [name, divergence(parameter, valuesOf(good), valuesOf(ranked))];
  });
  const sum = raw.reduce((total, [, value]) => total + value, 0);
  if (!(sum > 0)) return null;
  return Object.fromEntries(raw.map(([name, value]) => [name, value / sum]));
}

/** The mean over `all` of (density of `good` / density of `all` - 1)^2. */
function divergence(parameter: Parameter, good: readonly ParameterValue[], all: readonly ParameterValue[]): number {
  if (good.length === 0) return 0;
  const p = densities(parameter, good);
  const q = densities(parameter, all);
  return q.reduce((sum, density, k) => sum + density * (p[k] / density - 1) ** 2, 0);
}

/** Shares of the cells of a parameter's range, each above 0, that add up to 1. */
function densities(parameter: Parameter, values: readonly ParameterValue[]): number[] {
  const cells = new Array<number>(parameter.kind === 'choice' ? parameter.choices.length : GRID).fill(1e-3);
  if (parameter.kind === 'choice') {
    for (const value of values) cells[choiceIndex(parameter, value)] += 1 / values.length;
  } else {
    const [low, high] = internalRange(parameter);
    const places = values.map((value) => (toInternal(parameter, value as number) - low) / (high - low || 1));
    const mean = places.reduce((sum, place) => sum + place, 0) / places.length;
    const variance = places.reduce((sum, place) => sum + (place - mean) ** 2, 0) / places.length;
    // Scott's rule, never narrower than a cell.
    const width = Math.max(1 / GRID, 1.06 * Math.sqrt(variance) * values.length ** -0.2);
    cells.forEach((_, k) => {
      const at = (k + 0.5) / GRID;
      for (const place of places) cells[k] += exp(-0.5 * ((at - place) / width) ** 2) / (values.length * GRID * width);
    });
  }
  const sum = cells.reduce((total, share) => total + share, 0);
  return cells.map((share) => share / sum);
}
