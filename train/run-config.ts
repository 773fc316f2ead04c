// A run's config file: what `fleetstep train` is told by options, as JSON. Unknown and impossible fields are refused by name.

import { readFileSync } from 'node:fs';
import type { ValidationRule, ValidationSchema } from 'fastest-validator';
import { Validator, nearest, shown } from '../engine/index.js';
import { MAX_SEED, MAX_WORKERS } from '../workers/index.js';
import { backendNames } from './backend.js';
import { TrainError } from './errors.js';
import { checkField } from './fields.js';
import type { ChoiceField, Field, FieldTable, WholeField } from './fields.js';
import { algorithm, algorithmNames, defaultAlgorithm } from './registry.js';

type NumberName =
  | 'seed'
  | 'steps'
  | 'workers'
  | 'checkpointSeconds'
  | 'hangSeconds'
  | 'evalEpisodes'
  | 'evalEvery'
  | 'earlyStop'
  | 'keepEvery';
type WordName = 'algorithm' | 'backend';

/** What a config file may say beside an algorithm's settings; each is an option of the same name. */
export const runFields: Readonly<Record<NumberName, WholeField> & Record<WordName, ChoiceField>> = {
  algorithm: { kind: 'choice', choices: algorithmNames, default: defaultAlgorithm, doc: 'training algorithm' },
  seed: { kind: 'whole', min: 0, max: MAX_SEED, default: 1, doc: 'base seed' },
  steps: { kind: 'whole', min: 1, default: 1_500_000, doc: 'environment steps in total' },
  workers: { kind: 'whole', min: 1, max: MAX_WORKERS, default: 1, doc: 'worker threads' },
  backend: { kind: 'choice', choices: ['auto', ...backendNames], default: 'auto', doc: 'what the networks run on' },
  checkpointSeconds: { kind: 'whole', min: 1, default: 60, doc: 'seconds between checkpoints' },
  hangSeconds: { kind: 'whole', min: 1, default: 300, doc: 'replace the threads if one makes no step for this long' },
  evalEpisodes: { kind: 'whole', min: 0, default: 200, doc: 'held-out episodes per policy' },
  evalEvery: { kind: 'whole', min: 0, default: 0, doc: 'steps between evaluations; the best policy is kept; 0: none' },
  keepEvery: { kind: 'whole', min: 0, default: 0, doc: 'steps between checkpoints that are kept; 0: none' },
  earlyStop: { kind: 'whole', min: 0, default: 0, doc: 'end after this many evaluations without gain; 0: never' },
};

/** Fields that are a name or a path. */
const texts = ['scenario', 'data'] as const;

/** A config file's fields; all may be absent. Settings of the algorithm are among them, by their names. */
export type RunConfigFile = Readonly<
  Partial<Record<NumberName, number> & Record<WordName | (typeof texts)[number], string>> & Record<string, unknown>
>;

/**
 * Reads and checks a config file.
 * @param algorithmName of the algorithm that is asked for; undefined: the file's, or the default
 * @throws TrainError `ERR_TRAIN_OPTION` if it cannot be read, or naming the first field that is unknown or out of range
 */
export function readRunConfig(path: string, algorithmName?: string): RunConfigFile {
  let value: unknown;
  try {
    value = JSON.parse(readFileSync(path, 'utf8'));
  } catch (cause) {
    throw new TrainError('ERR_TRAIN_OPTION', `cannot read config file ${path}: ${(cause as Error).message}`, { cause });
  }
  return checkRunConfig(value, path, algorithmName);
}

/** As `readRunConfig`, of what a file holds. */
export function checkRunConfig(value: unknown, path: string, algorithmName?: string): RunConfigFile {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) {
    throw new TrainError('ERR_TRAIN_OPTION', `config file ${path} holds ${shown(value)}: it must be one object in { }`);
  }
  const given = value as Record<string, unknown>;
  if (given['algorithm'] !== undefined) checkIn(path, 'algorithm', runFields.algorithm, given['algorithm']);
  const name = algorithmName ?? (given['algorithm'] as string | undefined) ?? defaultAlgorithm;
  const fields: FieldTable = { ...runFields, ...algorithm(name).fields };
  const schema: ValidationSchema = {
    $$strict: true,
    ...Object.fromEntries(texts.map((text) => [text, { type: 'string', optional: true, empty: false }])),
    ...Object.fromEntries(Object.entries(fields).map(([field, rule]) => [field, ruleOf(rule)])),
  };
  // The validator may write into what it checks.
  const copy = structuredClone(given);
  const result = new Validator().compile(schema)(copy);
  if (result !== true && Array.isArray(result)) {
    const unknown = Object.keys(given).find((field) => !Object.hasOwn(schema, field));
    if (unknown !== undefined) throw unknownField(path, unknown, name, Object.keys(schema).slice(1));
    const first = result[0].field.split(/[.[]/)[0];
    if (Object.hasOwn(fields, first)) checkIn(path, first, fields[first], given[first]);
    throw new TrainError(
      'ERR_TRAIN_OPTION',
      `config file ${path}: ${first} is ${shown(given[first])}: it must be a name or a path`,
    );
  }
  // Bounds that are not part of the range.
  for (const [field, rule] of Object.entries(fields)) {
    if (given[field] !== undefined) checkIn(path, field, rule, given[field]);
  }
  return given;
}

function ruleOf(field: Field): ValidationRule {
  switch (field.kind) {
    case 'whole':
      return {
        type: 'number',
        integer: true,
        min: field.min,
        max: field.max ?? Number.MAX_SAFE_INTEGER,
        optional: true,
      };
    case 'number':
      return { type: 'number', min: field.above ?? field.min ?? -Number.MAX_VALUE, max: field.max, optional: true };
    case 'choice':
      return { type: 'enum', values: [...field.choices], optional: true };
    case 'switch':
      return { type: 'boolean', optional: true };
    case 'widths':
      return { type: 'array', items: { type: 'number', integer: true, min: 8, max: 4096 }, optional: true };
  }
}

function checkIn(path: string, name: string, field: Field, value: unknown): void {
  try {
    checkField(name, field, value);
  } catch (cause) {
    throw new TrainError('ERR_TRAIN_OPTION', `config file ${path}: ${(cause as Error).message}`, { cause });
  }
}

function unknownField(path: string, field: string, algorithmName: string, known: readonly string[]): TrainError {
  const others = algorithmNames.filter((name) => Object.hasOwn(algorithm(name).fields, field));
  if (others.length > 0) {
    return new TrainError(
      'ERR_TRAIN_OPTION',
      `config file ${path}: "${field}" is a setting of ${others.join(', ')}, this run trains ${algorithmName}: leave it out, or choose the algorithm with "algorithm" or --algorithm`,
    );
  }
  const near = nearest(field, known);
  return new TrainError(
    'ERR_TRAIN_OPTION',
    `config file ${path}: there is no field "${field}"${near === null ? '' : `: did you mean "${near}"?`} (there are ${known.join(', ')})`,
  );
}
