// Scenario files, and scenarios that are given as an object: a whole one, or changes to another one, which is built in or a file itself.

import { realpathSync } from 'node:fs';
import { basename, dirname, extname, resolve } from 'node:path';
import { isDeepStrictEqual } from 'node:util';
import { EngineError, didYouMean, preset, presetNames } from '../engine/index.js';
import { wordToInfinity } from '../files/index.js';
import { readText } from './text-file.js';

/** A scenario as its files say it, before it is checked. */
export interface ScenarioSource {
  /** What the scenario says, not yet checked. */
  readonly candidate: Readonly<Record<string, unknown>>;
  /** Its name, and those of the scenarios that it extends, nearest first. */
  readonly names: readonly string[];
  /** The files in which it stands, nearest first; none for a built-in one. */
  readonly files: readonly string[];
}

/** The name of a scenario that is given as an object, extends another one, and does not say its own. */
const GIVEN_NAME = 'custom';

/**
 * The scenario that `scenario` names, or is.
 * @param scenario a built-in name, the path of a `.json` file, or what such a file would hold. A file's `extends` is a built-in name, or
 * another file's path from where the file lies; an object's, from the working directory. Objects are merged member by member, all else
 * is replaced, and so is an object of another `kind`. Without a `name`, a file that extends is called as the file, an object `custom`.
 * @throws EngineError `ERR_SCENARIO`
 */
export function scenarioSource(scenario: string | Readonly<Record<string, unknown>>): ScenarioSource {
  if (typeof scenario !== 'string') return fromMembers(scenario, null, []);
  if (!isFile(scenario)) return { candidate: { ...preset(scenario) }, names: [scenario], files: [] };
  return fromFile(scenario, []);
}

function fromFile(file: string, opened: readonly string[]): ScenarioSource {
  const members = readObject(file);
  const real = realpathSync(file);
  if (opened.includes(real)) {
    throw new EngineError(
      'ERR_SCENARIO',
      `scenario file ${file} extends itself (${[...opened, real].map((path) => basename(path)).join(' -> ')}): leave "extends" out of one of them`,
    );
  }
  return fromMembers(members, file, [...opened, real]);
}

/** @param file where `members` stand, null if they were given as they are */
function fromMembers(
  members: Readonly<Record<string, unknown>>,
  file: string | null,
  opened: readonly string[],
): ScenarioSource {
  const { extends: base, ...changes } = members;
  const files = file === null ? [] : [file];
  if (base === undefined) {
    const source: ScenarioSource = { candidate: changes, names: [String(changes['name'])], files };
    ownName(file, source, null);
    return source;
  }
  if (typeof base !== 'string' || !(isFile(base) || presetNames.includes(base))) {
    throw new EngineError(
      'ERR_SCENARIO',
      `scenario field "extends" is ${JSON.stringify(base)} in ${placeOf(file)}${typeof base === 'string' ? didYouMean(base, presetNames) : ''}: it must be one of ${presetNames.join(', ')}, or the path of a .json file`,
    );
  }
  const of = isFile(base)
    ? fromFile(file === null ? resolve(base) : resolve(dirname(file), base), opened)
    : { candidate: { ...preset(base) }, names: [base], files: [] };
  const candidate: Record<string, unknown> = {
    ...(merged(of.candidate, changes) as Record<string, unknown>),
    name: changes['name'] ?? (file === null ? GIVEN_NAME : scenarioNameOf(file)),
  };
  const source: ScenarioSource = {
    candidate,
    names: [String(candidate['name']), ...of.names],
    files: [...files, ...of.files],
  };
  ownName(file, source, of);
  return source;
}

function placeOf(file: string | null): string {
  return file ?? 'the given object';
}

function readObject(file: string): Record<string, unknown> {
  let parsed: unknown;
  try {
    parsed = JSON.parse(readText(file), wordToInfinity);
  } catch (cause) {
    const reason = (cause as Error).message.replace(`cannot read ${file}: `, '');
    throw new EngineError('ERR_SCENARIO', `cannot read scenario file ${file}: ${reason}`, { cause });
  }
  if (typeof parsed !== 'object' || parsed === null || Array.isArray(parsed)) {
    throw new EngineError('ERR_SCENARIO', `scenario file ${file} must hold one object`);
  }
  return parsed as Record<string, unknown>;
}

/** Results go by names, so two different scenarios may not share one. */
function ownName(file: string | null, { candidate, names }: ScenarioSource, base: ScenarioSource | null): void {
  const [name] = names;
  const other = base?.names[0] === name ? base.candidate : presetNames.includes(name) ? preset(name) : null;
  if (other === null || isDeepStrictEqual({ ...other }, { ...candidate })) return;
  throw new EngineError(
    'ERR_SCENARIO',
    `scenario field "name" is "${name}" in ${placeOf(file)}: it must be one of its own, as it changes the scenario of that name; give it a "name" such as "${name}-2"`,
  );
}

/**
 * The name of a file as a scenario's: `Night Shift.json` becomes `night-shift`.
 * @throws EngineError `ERR_SCENARIO` if nothing is left of it
 */
export function scenarioNameOf(file: string): string {
  const name = basename(file, extname(file))
    .toLowerCase()
    .replace(/[^a-z0-9]+/g, '-')
    .slice(0, 60)
    .replace(/^-+|-+$/g, '');
  if (name === '') {
    throw new EngineError(
      'ERR_SCENARIO',
      `scenario field "name" is missing for ${file}: give it one, such as "my-city"`,
    );
  }
  return name;
}

/** `changes` over `base`: members of plain objects one by one. */
function merged(base: unknown, changes: unknown): unknown {
  if (!isObject(base) || !isObject(changes)) return changes;
  // What belongs to another kind would not go with it.
  if (Object.hasOwn(changes, 'kind') && changes['kind'] !== base['kind']) return changes;
  return Object.fromEntries(
    [...new Set([...Object.keys(base), ...Object.keys(changes)])].map((key) => [
      key,
      !Object.hasOwn(changes, key)
        ? base[key]
        : !Object.hasOwn(base, key)
          ? changes[key]
          : merged(base[key], changes[key]),
    ]),
  );
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function isFile(scenario: string): boolean {
  return scenario.endsWith('.json');
}
