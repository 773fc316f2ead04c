// Options of `fleetstep train` that are settings of an algorithm: made from the algorithms' own tables, so that nothing is said
// twice.

import { InvalidArgumentError, Option } from 'commander';
import type { Command } from 'commander';
import { TrainError, algorithm, algorithmNames } from '../train/index.js';
import type { Field } from '../train/index.js';
import { numberFrom, real, whole } from './options.js';

/** A setting, and the algorithms that have it. */
interface Setting {
  readonly field: Field;
  /** The setting's name in configs. */
  readonly name: string;
  /** The option's name without hyphens before it. */
  readonly flag: string;
  /** Its name among commander's values. */
  readonly attribute: string;
  readonly algorithms: readonly string[];
}

const kebab = (name: string): string => name.replace(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`);
const camel = (flag: string): string => flag.replace(/-(.)/g, (_, letter: string) => letter.toUpperCase());

/** All settings of all algorithms, each once; those of the most algorithms first. */
export const trainSettings: readonly Setting[] = [
  ...new Set(algorithmNames.flatMap((name) => Object.keys(algorithm(name).fields))),
]
  .map((name): Setting => {
    const algorithms = algorithmNames.filter((other) => Object.hasOwn(algorithm(other).fields, name));
    const field = algorithm(algorithms[0]).fields[name];
    const flag = field.flag ?? kebab(name);
    return { field, name, flag, attribute: camel(flag), algorithms };
  })
  .sort((a, b) => b.algorithms.length - a.algorithms.length);

/** The options, with their meaning, range and default. */
export function settingOptions(): Option[] {
  return trainSettings.flatMap((setting) => {
    const { field, flag } = setting;
    const text = `${field.doc} (default: ${defaultText(setting)})`;
    const made = field.kind === 'switch' ? switchOptions(flag, text, setting) : [valueOption(setting, text)];
    return made.map((option) => option.helpGroup(`Settings of ${setting.algorithms.join(' and ')}:`));
  });
}

/**
 * The settings that were given as options, by their names.
 * @throws TrainError `ERR_TRAIN_OPTION` for one that the algorithm does not have
 */
export function givenSettings(
  options: Readonly<Record<string, unknown>>,
  command: Command,
  algorithmName: string,
): Readonly<Record<string, unknown>> {
  const given: Record<string, unknown> = {};
  for (const { name, flag, attribute, algorithms } of trainSettings) {
    if (command.getOptionValueSource(attribute) !== 'cli') continue;
    if (!algorithms.includes(algorithmName)) {
      throw new TrainError(
        'ERR_TRAIN_OPTION',
        `--${flag} is a setting of ${algorithms.join(', ')}, this run trains ${algorithmName}: leave it out, or give --algorithm ${algorithms[0]}`,
      );
    }
    given[name] = options[attribute];
  }
  return given;
}

/** `64`, or `ppo 128, dqn 16` where algorithms differ. */
function defaultText({ name, algorithms }: Setting): string {
  const texts = algorithms.map((each) => {
    const value: unknown = algorithm(each).fields[name].default;
    if (typeof value === 'boolean') return value ? 'on' : 'off';
    return Array.isArray(value) ? value.join(',') : String(value);
  });
  if (new Set(texts).size === 1) return texts[0];
  return texts.map((text, k) => `${algorithms[k]} ${text}`).join(', ');
}

/** `--x` and `--no-x`; the help shows the one that changes something. */
function switchOptions(flag: string, text: string, { field }: Setting): Option[] {
  return [
    new Option(`--${flag}`, text).hideHelp(field.default === true),
    new Option(`--no-${flag}`, `switch off: ${text}`).hideHelp(field.default !== true),
  ];
}

function valueOption({ field, flag }: Setting, text: string): Option {
  switch (field.kind) {
    case 'choice':
      return new Option(`--${flag} <kind>`, text).choices(field.choices);
    case 'widths':
      return new Option(`--${flag} <widths>`, text).argParser(widths);
    case 'whole':
      return new Option(`--${flag} <n>`, text).argParser(whole(field.min, field.max));
    case 'number':
      return new Option(`--${flag} <x>`, text).argParser(
        field.above === undefined ? numberFrom(field.min ?? -Infinity, field.max) : real(field.above, field.max),
      );
    case 'switch':
      throw new TypeError(`--${flag} is a switch`);
  }
}

/** `64,32` as [64, 32]; an empty text or `none` for no hidden layer. */
function widths(text: string): number[] {
  if (text.trim() === '' || text === 'none') return [];
  const parsed = text.split(',').map(Number);
  if (parsed.every((width) => Number.isInteger(width) && width >= 8 && width <= 4096 && width % 8 === 0)) return parsed;
  throw new InvalidArgumentError('It must be widths such as 64,32, each a multiple of 8 from 8 to 4096, or none.');
}
