// A study's trials as a page shows them: place, value, broken constraints, and where each setting lies in its range.

import { excess, meanFigure } from '../jobs/figures.js';
import { choiceIndex, internalRange, toInternal } from '../jobs/space.js';
import type { Constraint, Parameter, Study, TrialRow } from '../jobs/index.js';

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
