// An algorithm's settings as a table: kind, range, default and meaning of each, written once. Checks, defaults, command-line
// options and config files are derived from it.

import { shown } from '../engine/index.js';
import { OptionCheck } from '../workers/index.js';
import { TrainError } from './errors.js';

interface FieldBase<T> {
  /** Used where none is given. */
  readonly default: T;
  /** What it is, in one line. */
  readonly doc: string;
  /** Name of its option on the command line, where that is not the field's name with hyphens. */
  readonly flag?: string;
}

/** A whole number. */
export interface WholeField extends FieldBase<number> {
  readonly kind: 'whole';
  /** Least and largest value; without `max` any whole number that is exact. */
  readonly min: number;
  readonly max?: number;
}

/** A number above `above`, or of at least `min`; and at most `max`. */
export interface NumberField extends FieldBase<number> {
  readonly kind: 'number';
  readonly above?: number;
  readonly min?: number;
  readonly max: number;
}

/** One of a few words. */
export interface ChoiceField<T extends string = string> extends FieldBase<T> {
  readonly kind: 'choice';
  readonly choices: readonly T[];
}

/** Yes or no. */
export interface SwitchField extends FieldBase<boolean> {
  readonly kind: 'switch';
}

/** Widths of hidden layers, each a multiple of 8 from 8 to 4096; none for a linear network. */
export interface WidthsField extends FieldBase<readonly number[]> {
  readonly kind: 'widths';
}

/** One setting. */
export type Field = WholeField | NumberField | ChoiceField | SwitchField | WidthsField;

/** Settings by name. */
export type FieldTable = Readonly<Record<string, Field>>;

type FieldFor<T> = T extends boolean
  ? SwitchField
  : T extends string
    ? ChoiceField<T>
    : T extends number
      ? WholeField | NumberField
      : WidthsField;

/** The table of a config's settings, but for those of the run: seed and steps. */
export type Fields<Config> = {
  readonly [Name in Exclude<keyof Config, 'seed' | 'totalSteps'>]: [Config[Name]] extends [boolean]
    ? SwitchField
    : [Config[Name]] extends [string]
      ? ChoiceField<Config[Name]>
      : FieldFor<Config[Name]>;
};

/** The defaults of all settings of a table. */
export function defaultsOf<Config>(fields: Fields<Config>): Omit<Config, 'seed' | 'totalSteps'> {
  return Object.fromEntries(
    Object.entries(fields as FieldTable).map(([name, field]) => [name, field.default]),
  ) as unknown as Omit<Config, 'seed' | 'totalSteps'>;
}

/** Checks of this room's options: throws TrainError `ERR_TRAIN_OPTION`. */
export const check: OptionCheck = new OptionCheck((message) => new TrainError('ERR_TRAIN_OPTION', message));

/** @throws TrainError `ERR_TRAIN_OPTION` naming the first field that is missing, unknown or out of range */
export function checkFields(fields: FieldTable, config: object): void {
  const names = [...Object.keys(fields), 'seed', 'totalSteps'];
  check.members('the config', config, names, names);
  for (const [name, field] of Object.entries(fields)) {
    checkField(name, field, (config as Readonly<Record<string, unknown>>)[name]);
  }
}

/** @throws TrainError `ERR_TRAIN_OPTION` if `value` is not what `field` allows */
export function checkField(name: string, field: Field, value: unknown): void {
  switch (field.kind) {
    case 'whole':
      check.whole(name, value, field.min, field.max);
      return;
    case 'number':
      if (field.above === undefined) check.between(name, value, field.min ?? -Infinity, field.max);
      else check.within(name, value, field.above, field.max);
      return;
    case 'choice':
      check.oneOf(name, value, field.choices);
      return;
    case 'switch':
      if (typeof value === 'boolean') return;
      throw new TrainError('ERR_TRAIN_OPTION', `${name} is ${shown(value)}: it must be true or false`);
    case 'widths':
      if (
        Array.isArray(value) &&
        value.every((width) => Number.isInteger(width) && width >= 8 && width <= 4096 && width % 8 === 0)
      ) {
        return;
      }
      throw new TrainError(
        'ERR_TRAIN_OPTION',
        `${name} is ${shown(value)}: it must be a list of widths, each a multiple of 8 from 8 to 4096`,
      );
  }
}
