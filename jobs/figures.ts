// What a trial has come to, in figures: means over its seeds, by how much they break a bound, and the order of trials. Plain numbers
// of result files; it starts nothing.

import { compareTrials } from './schedule.js';
import type { RungResult } from './schedule.js';
import type { SliceResult } from './slice.js';
import type { TrialRow } from './study-folder.js';
import type { Constraint, Study } from './study.js';

/** Mean over the seeds of `return` or of a KPI; NaN if one has failed, or has no such figure. */
export function meanFigure(results: readonly SliceResult[], metric: string): number {
  const values = results.map((result) => ('failure' in result ? Number.NaN : figure(result, metric)));
  return values.reduce((sum, value) => sum + value, 0) / values.length;
}

function figure(result: Exclude<SliceResult, { failure: string }>, metric: string): number {
  if (metric === 'return') return result.meanReturn;
  // In a file null stands for NaN: no booking, no lateness.
  return result.kpis[metric as keyof typeof result.kpis] ?? Number.NaN;
}

/** By how much a bound is broken, as a share of the bound; 0 if it holds. */
export function excess({ min, max }: Constraint, value: number): number {
  if (Number.isNaN(value)) return value;
  const relative = (over: number, bound: number): number => (over <= 0 ? 0 : over / Math.max(Math.abs(bound), 1e-9));
  return (min === undefined ? 0 : relative(min - value, min)) + (max === undefined ? 0 : relative(value - max, max));
}

/** What the slices of a task come to together. */
export function rungResult({ objective }: Study, results: readonly SliceResult[]): RungResult {
  const value = meanFigure(results, objective.metric);
  const violation = objective.constraints.reduce((sum, one) => sum + excess(one, meanFigure(results, one.metric)), 0);
  // A figure may be undefined (no booking, no lateness): such a trial says nothing.
  return Number.isFinite(value) && Number.isFinite(violation) ? { value, violation } : { value: null, violation: 0 };
}

/** The trials that have a result, from the best to the worst. */
export function rankedRows(study: Pick<Study, 'objective'>, rows: readonly TrialRow[]): TrialRow[] {
  const place = ({ trial, rungs }: TrialRow): Parameters<typeof compareTrials>[1] => ({
    number: trial,
    results: rungs,
  });
  return rows.filter(({ rungs }) => rungs.length > 0).sort((a, b) => compareTrials(study, place(a), place(b)));
}
