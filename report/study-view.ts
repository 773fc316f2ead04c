// A study's trials as a page shows them: place, value, broken constraints, and where each setting lies in its range.

import { excess, meanFigure } from '../jobs/figures.js';
import { directionOf } from '../jobs/study.js';
import { choiceIndex, internalRange, toInternal } from '../jobs/space.js';
import type { Constraint, Objective, Parameter, Study, TrialRow } from '../jobs/index.js';
import { settingText } from './html-table.js';

/** A trial that has a result. */
export interface TrialView {
  readonly trial: number;
  /** 0 for the best. */
  readonly rank: number;
  /** At the last rung that it came to; null if its training failed. */
  readonly value: number | null;
  /** Steps of that rung. */
  readonly steps: number;
  /** Whether it came to the last rung of the study. */
  readonly isWhole: boolean;
  /** Value at each rung of the study; undefined where it did not come. */
  readonly values: readonly (number | null | undefined)[];
  /** Numbers of the constraints that it breaks at its last rung. */
  readonly broken: readonly number[];
  readonly config: TrialRow['config'];
}

/** Trials as they are shown, in the order that they are given: from the best to the worst. */
export function trialViews({ rungs, objective }: Study, ranked: readonly TrialRow[]): TrialView[] {
  return ranked.map((row, rank) => {
    const last = row.rungs.at(-1)!;
    return {
      trial: row.trial,
      rank,
      value: last.value,
      steps: last.steps,
      isWhole: last.value !== null && row.rungs.length === rungs.length,
      values: rungs.map((_, rung) => row.rungs.at(rung)?.value),
      broken: objective.constraints.flatMap((one, k) =>
        excess(one, meanFigure(last.seeds, one.metric)) > 0 ? [k] : [],
      ),
      config: row.config,
    };
  });
}

/** `learningRate 0.003, hidden [32,32]` */
export function settingsText(config: TrialRow['config']): string {
  return Object.entries(config)
    .map(([name, setting]) => `${name} ${settingText(setting)}`)
    .join(', ');
}

/** A trial at its last rung, by the objective and another figure. */
export interface FrontPoint {
  readonly trial: number;
  /** The other figure. */
  readonly x: number;
  /** The objective. */
  readonly y: number;
  /** Whether no other trial is better in one of both and not worse in the other. */
  readonly isFront: boolean;
}

/** The objective against another figure. */
export interface Front {
  /** Name of the other figure. */
  readonly metric: string;
  readonly direction: Objective['direction'];
  /** Trials that have both, from the best to the worst. */
  readonly points: readonly FrontPoint[];
}

/**
 * The objective against each figure that is bounded by a constraint; without constraints against the share of bookings that are
 * served, which a mean return hides, or where that is the objective against the return.
 */
export function frontsOf({ objective }: Study, ranked: readonly TrialRow[]): Front[] {
  const { constraints, metric } = objective;
  const bounded = [...new Set(constraints.map((one) => one.metric))].filter((name) => name !== metric);
  const others = bounded.length > 0 ? bounded : [metric === 'serviceRate' ? 'return' : 'serviceRate'];
  return others.map((other) => {
    const own = constraints.filter((one) => one.metric === other);
    const isFloor = own.some(({ min }) => min !== undefined);
    const isCeiling = own.some(({ max }) => max !== undefined);
    const direction = isFloor === isCeiling ? directionOf(other) : isFloor ? 'maximize' : 'minimize';
    const points = ranked.flatMap(({ trial, rungs }) => {
      const { value: y, seeds } = rungs.at(-1)!;
      const x = meanFigure(seeds, other);
      return y === null || Number.isNaN(x) ? [] : [{ trial, x, y }];
    });
    const signs = [objective.direction, direction].map((way) => (way === 'maximize' ? 1 : -1));
    const front = new Set<number>();
    let last: (typeof points)[number] | null = null;
    // From the best objective down: who is on the front has more of the other figure than all before.
    const gains = (point: (typeof points)[number]): number => signs[1] * point.x;
    for (const point of [...points].sort((a, b) => signs[0] * (b.y - a.y) || gains(b) - gains(a))) {
      const isSame = last !== null && point.x === last.x && point.y === last.y;
      if (last !== null && !isSame && gains(point) <= gains(last)) continue;
      front.add(point.trial);
      last = point;
    }
    return { metric: other, direction, points: points.map((point) => ({ ...point, isFront: front.has(point.trial) })) };
  });
}

/** `serviceRate at least 0.9` */
export function constraintText({ metric, min, max }: Constraint): string {
  const bounds = [min === undefined ? '' : `at least ${min}`, max === undefined ? '' : `at most ${max}`];
  return `${metric} ${bounds.filter((bound) => bound !== '').join(' and ')}`;
}

/** Where a setting lies on its axis, from 0 to 1; null where the trial does not have it. */
export function placeOn(parameter: Parameter, value: unknown): number | null {
  if (value === undefined || value === null) return null;
  if (parameter.kind === 'choice') {
    return (choiceIndex(parameter, value as never) + 0.5) / parameter.choices.length;
  }
  const [low, high] = internalRange(parameter);
  return low === high ? 0.5 : (toInternal(parameter, value as number) - low) / (high - low);
}

/** Places on an axis that have a label. */
export function ticksOf(parameter: Parameter): { readonly place: number; readonly value: unknown }[] {
  if (parameter.kind === 'choice') {
    return parameter.choices.map((value, k) => ({ place: (k + 0.5) / parameter.choices.length, value }));
  }
  const { low, high, log, kind } = parameter;
  const middle = log ? Math.sqrt(low * high) : (low + high) / 2;
  const values = [...new Set([low, kind === 'int' ? Math.round(middle) : Number(middle.toPrecision(3)), high])];
  return values.map((value) => ({ place: placeOn(parameter, value)!, value }));
}
