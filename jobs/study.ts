// A study: what is searched, where, how, and what counts as good. Read from a JSON file and checked here, once.

import { readFileSync } from 'node:fs';
import type { ValidationSchema } from 'fastest-validator';
import { Validator, kpiNames, nearest, shown, shownJson } from '../engine/index.js';
import { algorithm, checkRunConfig, defaultAlgorithm, defaultSteps } from '../train/index.js';
import type { RunConfigFile } from '../train/index.js';
import { JobsError } from './errors.js';
import { choiceIndex, sameValue } from './space.js';
import type { Condition, Parameter, ParameterValue, Point, Space } from './space.js';

/** Ways to propose the next point. */
export const samplerNames: readonly ['tpe', 'random'] = ['tpe', 'random'];
/** One of `samplerNames`. */
export type SamplerName = (typeof samplerNames)[number];

/** A bound on a figure of the evaluation; a trial that breaks one comes after all that break none. */
export interface Constraint {
  readonly metric: string;
  readonly min?: number | undefined;
  readonly max?: number | undefined;
}

/** What is to be made large or small. */
export interface Objective {
  /** `return`, or a KPI. */
  readonly metric: string;
  readonly direction: 'maximize' | 'minimize';
  /** Validation episodes that it is the mean of. */
  readonly episodes: number;
  readonly constraints: readonly Constraint[];
}

/** A study with all defaults filled in. */
export interface Study {
  readonly name: string;
  /** Preset or scenario file. */
  readonly scenario: string;
  /** Where recorded trips lie, if the scenario needs them. */
  readonly data?: string | undefined;
  /** Fields of a run's config that all trials share. */
  readonly config: RunConfigFile;
  readonly space: Space;
  /** Every trial is trained once with each; its value is the mean. */
  readonly seeds: readonly number[];
  readonly trials: number;
  /** Trials under way at the same time, in the study's own time: part of the result, whatever the number of processes. */
  readonly slots: number;
  /** Seed of the sampler. */
  readonly samplerSeed: number;
  readonly sampler: SamplerName;
  /** Steps at which a trial is evaluated and may be paused, ascending; the last are all steps of a run. */
  readonly rungs: readonly number[];
  /** One in how many goes on to the next rung. */
  readonly eta: number;
  readonly objective: Objective;
  /** Training steps over all trials and seeds after which no new trial begins; null: no bound. */
  readonly budgetSteps: number | null;
  /** Minutes after which no new trial begins; null: no bound. */
  readonly budgetMinutes: number | null;
}

const whole = (min: number, max = Number.MAX_SAFE_INTEGER) => ({ type: 'number', integer: true, min, max }) as const;

const schema: ValidationSchema = {
  $$strict: true,
  name: { type: 'string', pattern: /^[A-Za-z0-9][A-Za-z0-9._-]*$/, max: 60, optional: true },
  scenario: { type: 'string', empty: false, optional: true },
  data: { type: 'string', empty: false, optional: true },
  config: { type: 'object', optional: true },
  space: { type: 'object' },
  seeds: { type: 'array', min: 1, max: 100, items: whole(0), optional: true },
  trials: { ...whole(1, 100_000), optional: true },
  slots: { ...whole(1, 256), optional: true },
  samplerSeed: { ...whole(0, 2 ** 32 - 1), optional: true },
  sampler: { type: 'enum', values: [...samplerNames], optional: true },
  pruner: {
    type: 'object',
    strict: true,
    optional: true,
    props: { minSteps: whole(1), eta: { ...whole(2, 16), optional: true } },
  },
  objective: {
    type: 'object',
    strict: true,
    optional: true,
    props: {
      metric: { type: 'string', optional: true },
      direction: { type: 'enum', values: ['maximize', 'minimize'], optional: true },
      episodes: { ...whole(2, 100_000), optional: true },
      constraints: {
        type: 'array',
        optional: true,
        items: {
          type: 'object',
          strict: true,
          props: {
            metric: { type: 'string' },
            min: { type: 'number', optional: true },
            max: { type: 'number', optional: true },
          },
        },
      },
    },
  },
  budget: {
    type: 'object',
    strict: true,
    optional: true,
    props: { steps: { ...whole(1), optional: true }, minutes: { type: 'number', positive: true, optional: true } },
  },
};

interface StudyFile {
  readonly name?: string;
  readonly scenario?: string;
  readonly data?: string;
  readonly config?: Readonly<Record<string, unknown>>;
  readonly space: Readonly<Record<string, unknown>>;
  readonly seeds?: readonly number[];
  readonly trials?: number;
  readonly slots?: number;
  readonly samplerSeed?: number;
  readonly sampler?: SamplerName;
  readonly pruner?: { readonly minSteps: number; readonly eta?: number };
  readonly objective?: Partial<Objective>;
  readonly budget?: { readonly steps?: number; readonly minutes?: number };
}

/** Figures of which less is better. */
const costs: readonly string[] = [
  'expired',
  'refused',
  'openAtEnd',
  'meanWaitMinutes',
  'meanLatenessMinutes',
  'meanApproachKm',
  'emptyShare',
  'loadStd',
  'invalidActions',
];

/** Whether more of a figure is better, or less. */
export function directionOf(metric: string): Objective['direction'] {
  return costs.includes(metric) ? 'minimize' : 'maximize';
}

/** @throws JobsError `ERR_STUDY` if the file cannot be read, or naming the first field that is wrong */
export function readStudy(path: string): Study {
  let value: unknown;
  try {
    value = JSON.parse(readFileSync(path, 'utf8'));
  } catch (cause) {
    throw new JobsError('ERR_STUDY', `cannot read study file ${path}: ${(cause as Error).message}`, { cause });
  }
  return checkStudy(value, path);
}

/**
 * As `readStudy`, of what a file holds.
 * @param from name of the file, for messages
 */
export function checkStudy(value: unknown, from: string): Study {
  const fail = (message: string): never => {
    throw new JobsError('ERR_STUDY', `study file ${from}: ${message}`);
  };
  if (typeof value !== 'object' || value === null || Array.isArray(value)) {
    return fail(`it holds ${shown(value)}: it must be one object in { }`);
  }
  const unknown = Object.keys(value).find((field) => !Object.hasOwn(schema, field));
  if (unknown !== undefined) {
    const names = Object.keys(schema).slice(1);
    const near = nearest(unknown, names);
    fail(
      `there is no field "${unknown}"${near === null ? '' : `: did you mean "${near}"?`} (there are ${names.join(', ')})`,
    );
  }
  const { seeds } = value as StudyFile;
  if (Array.isArray(seeds) && new Set(seeds).size < seeds.length)
    fail(`seeds is ${shownJson(seeds)}: each must be there once`);
  const result = new Validator().compile(schema)(structuredClone(value));
  if (result !== true && Array.isArray(result)) {
    const [{ field, type, expected, message }] = result;
    const what =
      type === 'enumValue'
        ? `it must be one of ${String(expected)}`
        : type === 'stringPattern'
          ? 'it must begin with a letter or a digit, and have only letters, digits, ".", "_" and "-"'
          : (message ?? 'it is not allowed').replace(/^The '[^']*' field /, 'it ');
    fail(`${field} is ${shownJson(memberAt(value, field))}: ${what}`);
  }
  const file = value as StudyFile;
  const metric = file.objective?.metric ?? 'return';
  const constraints = file.objective?.constraints ?? [];
  for (const [where, name] of [
    ['objective.metric', metric],
    ...constraints.map((one, k): [string, string] => [`objective.constraints[${k}].metric`, one.metric]),
  ]) {
    const names = ['return', ...kpiNames];
    if (!names.includes(name)) fail(`${where} is "${name}": it must be one of ${names.join(', ')}`);
  }
  constraints.forEach(({ min, max }, k) => {
    if (min === undefined && max === undefined) fail(`objective.constraints[${k}] has neither min nor max: give one`);
  });
  const config = file.config ?? {};
  for (const own of [
    'scenario',
    'data',
    'seed',
    'workers',
    'evalEpisodes',
    'evalEvery',
    'earlyStop',
    'keepEvery',
    'checkpointSeconds',
  ]) {
    if (Object.hasOwn(config, own)) {
      fail(
        `config.${own} is set: leave it out${own === 'scenario' || own === 'data' ? `; it is a field of the study itself ("${own}")` : own === 'seed' ? '; the study has "seeds"' : '; the study decides it'}`,
      );
    }
  }
  const space = spaceOf(file.space, fail);
  const scenario = file.scenario ?? 'geneva';
  const steps =
    (config['steps'] as number | undefined) ?? defaultSteps(scenario, config['algorithm'] as string | undefined);
  if (!Number.isInteger(steps) || steps < 1)
    fail(`config.steps is ${shownJson(steps)}: it must be a whole number of 1 or more`);
  const eta = file.pruner?.eta ?? 3;
  const minSteps = file.pruner?.minSteps ?? steps;
  if (minSteps > steps) fail(`pruner.minSteps is ${minSteps}: it must be at most the ${steps} steps of a run`);
  const study: Study = {
    name: file.name ?? 'study',
    scenario,
    ...(file.data === undefined ? {} : { data: file.data }),
    config: config,
    space,
    seeds: file.seeds ?? [1],
    trials: file.trials ?? 20,
    slots: file.slots ?? 4,
    samplerSeed: file.samplerSeed ?? 1,
    sampler: file.sampler ?? 'tpe',
    rungs: rungsOf(minSteps, steps, eta),
    eta,
    objective: {
      metric,
      direction: file.objective?.direction ?? directionOf(metric),
      episodes: file.objective?.episodes ?? 100,
      constraints,
    },
    budgetSteps: file.budget?.steps ?? null,
    budgetMinutes: file.budget?.minutes ?? null,
  };
  checkValues(study, from);
  return study;
}

/** `minSteps`, and `eta` times as many again and again, up to `steps`. */
function rungsOf(minSteps: number, steps: number, eta: number): number[] {
  const rungs: number[] = [];
  for (let at = minSteps; at < steps; at *= eta) rungs.push(at);
  return [...rungs, steps];
}

/** A trial's settings as a config file would hold them. */
export function configOf(study: Study, point: Point): RunConfigFile {
  return { ...study.config, ...point };
}

/** Every bound and every choice must be a value that a run accepts. */
function checkValues(study: Study, from: string): void {
  const base = study.space;
  const first = (parameter: Parameter): ParameterValue =>
    parameter.kind === 'choice' ? parameter.choices[0] : parameter.low;
  for (const [name, parameter] of Object.entries(base)) {
    const values = parameter.kind === 'choice' ? parameter.choices : [parameter.low, parameter.high];
    for (const value of values) {
      const point: Record<string, ParameterValue> = {};
      for (const [other, its] of Object.entries(base)) {
        const { when } = its;
        const holds =
          when === undefined ||
          when.in.some((one) => point[when.parameter] !== undefined && sameValue(one, point[when.parameter]));
        // The condition of the parameter in question is made to hold.
        const wanted = parameter.when?.parameter === other ? parameter.when.in[0] : first(its);
        if (other === name) point[other] = value;
        else if (holds) point[other] = wanted;
      }
      checkRunConfig(configOf(study, point), `${from}, config with space.${name} = ${JSON.stringify(value)}`);
    }
  }
  checkRunConfig(study.config, `${from}, config`);
}

function spaceOf(given: Readonly<Record<string, unknown>>, fail: (message: string) => never): Space {
  const names = Object.keys(given);
  if (names.length === 0)
    fail('space is empty: give at least one parameter, such as "learningRate": { "float": [1e-4, 1e-2], "log": true }');
  const space: Record<string, Parameter> = {};
  for (const name of names) {
    if (name === 'seed')
      fail('space.seed: a seed is no parameter, as its best value would be luck; give "seeds" for replicates');
    if (name === 'steps') fail('space.steps: all trials have the same steps; set config.steps');
    space[name] = parameterOf(`space.${name}`, given[name], space, fail);
  }
  return space;
}

function parameterOf(path: string, value: unknown, before: Space, fail: (message: string) => never): Parameter {
  const forms =
    '{ "choice": [...] }, { "int": [low, high] } or { "float": [low, high] }, with "log": true where ratios count';
  if (typeof value !== 'object' || value === null || Array.isArray(value)) {
    return fail(`${path} is ${shown(value)}: it must be ${forms}`);
  }
  const given = value as Readonly<Record<string, unknown>>;
  const unknown = Object.keys(given).find((key) => !['choice', 'int', 'float', 'log', 'when'].includes(key));
  if (unknown !== undefined) fail(`${path} has "${unknown}": it must be ${forms}`);
  const kinds = (['choice', 'int', 'float'] as const).filter((kind) => given[kind] !== undefined);
  if (kinds.length !== 1)
    fail(`${path} has ${kinds.length === 0 ? 'no kind' : kinds.join(' and ')}: it must be ${forms}`);
  const [kind] = kinds;
  const when = given['when'] === undefined ? undefined : conditionOf(`${path}.when`, given['when'], before, fail);
  const list = given[kind];
  if (kind === 'choice') {
    if (given['log'] !== undefined) fail(`${path}.log: a choice has no scale; leave it out`);
    if (!Array.isArray(list) || list.length === 0)
      return fail(`${path}.choice is ${shownJson(list)}: it must be a list of values`);
    const choices = list as ParameterValue[];
    const twice = choices.findIndex((one, k) => choices.findIndex((other) => sameValue(one, other)) < k);
    if (twice >= 0) fail(`${path}.choice has ${JSON.stringify(choices[twice])} twice`);
    return { kind, choices, when };
  }
  const log = given['log'] ?? false;
  if (typeof log !== 'boolean') return fail(`${path}.log is ${shown(log)}: it must be true or false`);
  const isNumber = kind === 'int' ? Number.isSafeInteger : Number.isFinite;
  if (!Array.isArray(list) || list.length !== 2 || !list.every((bound) => isNumber(bound))) {
    return fail(
      `${path}.${kind} is ${shownJson(list)}: it must be [low, high], two ${kind === 'int' ? 'whole ' : ''}numbers`,
    );
  }
  const [low, high] = list as [number, number];
  if (low > high) fail(`${path}.${kind} is [${low}, ${high}]: low must not be above high`);
  if (log && low <= 0) fail(`${path}.${kind} starts at ${low}: with "log" it must be above 0`);
  return { kind, low, high, log, when };
}

function conditionOf(path: string, value: unknown, before: Space, fail: (message: string) => never): Condition {
  const entries = typeof value === 'object' && value !== null && !Array.isArray(value) ? Object.entries(value) : [];
  if (entries.length !== 1)
    return fail(
      `${path} is ${shownJson(value)}: it must be one earlier parameter with its values, such as { "algorithm": ["dqn"] }`,
    );
  const [[parameter, values]] = entries as [[string, unknown]];
  const other = Object.hasOwn(before, parameter) ? before[parameter] : undefined;
  if (other?.kind !== 'choice') {
    return fail(`${path} names "${parameter}": it must be a choice that is listed before`);
  }
  if (!Array.isArray(values) || values.length === 0)
    return fail(`${path}.${parameter} is ${shownJson(values)}: it must be a list of values`);
  const missing = (values as ParameterValue[]).find((one) => choiceIndex(other, one) < 0);
  if (missing !== undefined) fail(`${path}.${parameter} has ${JSON.stringify(missing)}, which is none of its choices`);
  return { parameter, in: values as ParameterValue[] };
}

function memberAt(value: object, path: string): unknown {
  let member: unknown = value;
  for (const key of path.split(/[.[\]]+/).filter((part) => part !== '')) {
    if (typeof member !== 'object' || member === null) return undefined;
    member = (member as Readonly<Record<string, unknown>>)[key];
  }
  return member;
}

/** Name of the algorithm that a point trains. */
export function algorithmOf(config: RunConfigFile): string {
  return algorithm(config.algorithm ?? defaultAlgorithm).name;
}
