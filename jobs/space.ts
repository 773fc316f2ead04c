// The search space of a study: its parameters, their ranges and conditions, and points in it. It knows nothing of samplers.

import { exp, log } from '../engine/index.js';
import type { RandomStream } from '../engine/index.js';

/** What a parameter may be set to: whatever a config file holds for a field. */
export type ParameterValue = string | number | boolean | readonly number[];

/** The parameter is part of a point only where another one, listed before it, has one of these values. */
export interface Condition {
  /** Name of the other parameter; a choice. */
  readonly parameter: string;
  /** Values of it for which this one counts. */
  readonly in: readonly ParameterValue[];
}

/** One of several values, without order. */
export interface ChoiceParameter {
  readonly kind: 'choice';
  /** The values; at least one, none twice. */
  readonly choices: readonly ParameterValue[];
  readonly when?: Condition | undefined;
}

/** A number from `low` to `high`, both inclusive. */
export interface NumberParameter {
  readonly kind: 'int' | 'float';
  readonly low: number;
  readonly high: number;
  /** Whether ratios count rather than differences; `low` is then above 0. */
  readonly log: boolean;
  readonly when?: Condition | undefined;
}

/** One dimension of a search space. */
export type Parameter = ChoiceParameter | NumberParameter;

/** Parameters by name, in the order of the study file. */
export type Space = Readonly<Record<string, Parameter>>;

/** A value for each parameter whose condition holds. */
export type Point = Readonly<Record<string, ParameterValue>>;

/** Whether two values are the same setting. */
export function sameValue(a: ParameterValue, b: ParameterValue): boolean {
  return JSON.stringify(a) === JSON.stringify(b);
}

/** Whether the parameter's condition holds, given the parameters before it. */
export function isActive(parameter: Parameter, before: Point): boolean {
  const { when } = parameter;
  if (when === undefined) return true;
  const value = before[when.parameter];
  return value !== undefined && when.in.some((one) => sameValue(one, value));
}

/** Number of a choice. */
export function choiceIndex(parameter: ChoiceParameter, value: ParameterValue): number {
  return parameter.choices.findIndex((choice) => sameValue(choice, value));
}

/**
 * The interval in which a numeric parameter is searched: logarithms for `log`, and half a unit more at both ends for whole numbers,
 * so that each of them has the same share.
 */
export function internalRange({ kind, low, high, log: isLog }: NumberParameter): readonly [low: number, high: number] {
  const margin = kind === 'int' ? 0.5 : 0;
  return isLog ? [log(low - margin), log(high + margin)] : [low - margin, high + margin];
}

/** Where a value lies in `internalRange`. */
export function toInternal({ log: isLog }: NumberParameter, value: number): number {
  return isLog ? log(value) : value;
}

/** The value at a place in `internalRange`, rounded and kept within the bounds. */
export function fromInternal({ kind, low, high, log: isLog }: NumberParameter, internal: number): number {
  const value = isLog ? exp(internal) : internal;
  // Twelve digits say all that matters, and read well.
  const rounded = kind === 'int' ? Math.round(value) : Number(value.toPrecision(12));
  return Math.min(high, Math.max(low, rounded));
}

/** A value drawn uniformly from a parameter's range. */
export function drawUniform(parameter: Parameter, random: RandomStream): ParameterValue {
  if (parameter.kind === 'choice') return parameter.choices[random.integer(0, parameter.choices.length - 1)];
  const [low, high] = internalRange(parameter);
  return fromInternal(parameter, low + random.float() * (high - low));
}

/** A point of which each parameter is `draw`n, in the order of the space; those whose condition does not hold are left out. */
export function pointOf(space: Space, draw: (name: string, parameter: Parameter) => ParameterValue): Point {
  const point: Record<string, ParameterValue> = {};
  for (const [name, parameter] of Object.entries(space)) {
    if (isActive(parameter, point)) point[name] = draw(name, parameter);
  }
  return point;
}
