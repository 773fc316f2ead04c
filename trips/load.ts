// From what a user typed (a scenario, a data path) to a checked scenario with its data.

import { existsSync, statSync } from 'node:fs';
import { dirname, join, resolve } from 'node:path';
import { EngineError, compileScenario, preset } from '../engine/index.js';
import type { CompiledScenario, Dataset } from '../engine/index.js';
import { TripsError } from './errors.js';
import { log } from './log.js';
import { nycScenarios, readNycAmod } from './nyc-amod.js';
import { checkPlayable, checkSkillsNamed } from './playable.js';
import { scenarioSource } from './scenario-file.js';
import type { ScenarioSource } from './scenario-file.js';
import { readTrips } from './trips-file.js';

/** Which scenario to load, and where its trips are. */
export interface ScenarioRequest {
  /** A built-in name, or the path of a .json file: a whole scenario, or changes to the one named in `extends`. */
  readonly scenario: string;
  /** Folder with the benchmark's files, a file or folder written by `fleetstep import`, or a folder of `collect`. */
  readonly data?: string | undefined;
}

/** A scenario that is given as it would stand in a file, and where its trips are. */
export interface GivenScenario extends Omit<ScenarioRequest, 'scenario'> {
  /** A whole scenario, or changes to the one named in `extends`. */
  readonly scenario: Readonly<Record<string, unknown>>;
  /** Names of scenarios that it has been made of, beside `extends`: their trips are its own. Default: none. */
  readonly names?: readonly string[] | undefined;
}

/** The name of the trips file that `fleetstep collect` and `fleetstep import` write beside their scenario. */
export const COLLECTED_TRIPS = 'trips.msgpack';

/**
 * Loads and compiles a scenario.
 * @throws EngineError `ERR_SCENARIO`, TripsError
 */
export function loadScenario(request: ScenarioRequest | GivenScenario): CompiledScenario {
  const found = scenarioSource(request.scenario);
  const source = { ...found, names: [...found.names, ...('names' in request ? (request.names ?? []) : [])] };
  const { candidate, names, files } = source;
  const asked = typeof request.scenario === 'string' ? request.scenario : JSON.stringify(request.scenario);
  log('scenario %s: names %o, files %o', asked, names, files);
  const nyc = nycScenarios.find((name) => names.includes(name));
  let compiled: CompiledScenario;
  if (!needsTrips(source)) {
    if (request.data !== undefined) {
      throw new EngineError(
        'ERR_SCENARIO',
        `scenario "${typeof request.scenario === 'string' ? request.scenario : names[0]}" draws its demand from the seed: leave --data out`,
      );
    }
    compiled = compileScenario(candidate);
  } else if (nyc !== undefined && kindOf(source, 'travel') === 'matrix') {
    compiled = withTrips(candidate, loadDataset(nyc, request.data));
  } else {
    compiled = withTrips(candidate, ownTrips(source, request.data));
  }
  checkPlayable(compiled, nyc === undefined ? undefined : preset(nyc).horizonSeconds);
  return compiled;
}

/**
 * The same request for a machine that has none of the scenario's files: what they say goes along. Where recorded trips lie is an
 * absolute path; it may be another one there.
 * @throws EngineError `ERR_SCENARIO`
 */
export function withoutFiles(request: ScenarioRequest): ScenarioRequest | GivenScenario {
  const source = scenarioSource(request.scenario);
  const { candidate, names, files } = source;
  const isOwn = needsTrips(source) && !nycScenarios.some((name) => names.includes(name));
  const data = isOwn ? tripsFile(source, request.data) : request.data;
  const where = data === undefined ? {} : { data: resolve(data) };
  return files.length === 0 ? { ...request, ...where } : { scenario: candidate, names: names.slice(1), ...where };
}

function kindOf({ candidate }: ScenarioSource, field: 'travel' | 'demand'): unknown {
  return (candidate[field] as { kind?: unknown } | undefined)?.kind;
}

function needsTrips(source: ScenarioSource): boolean {
  return kindOf(source, 'demand') === 'trace' || kindOf(source, 'travel') === 'matrix';
}

function withTrips(candidate: ScenarioSource['candidate'], dataset: Dataset): CompiledScenario {
  checkSkillsNamed(candidate, dataset);
  return compileScenario(candidate, dataset);
}

/** The file with the trips of the scenario, or of one that it extends: in `data`, or beside the first of their files that has any. */
function tripsFile({ files }: ScenarioSource, data: string | undefined): string {
  if (data !== undefined) return isFolder(data) ? join(data, COLLECTED_TRIPS) : data;
  const beside = files.map((file) => join(dirname(file), COLLECTED_TRIPS));
  return beside.find((path) => existsSync(path)) ?? beside[0] ?? COLLECTED_TRIPS;
}

function ownTrips(source: ScenarioSource, data: string | undefined): Dataset {
  const { names } = source;
  const file = tripsFile(source, data);
  if (!existsSync(file)) {
    throw new TripsError(
      'ERR_DATA_MISSING',
      `scenario "${names[0]}" runs on recorded trips, and there is no ${file}: write it with "fleetstep import", give it with --data, or extend one of ${nycScenarios.join(', ')}`,
    );
  }
  log('trips of %s from %s', names[0], file);
  const dataset = readTrips(file);
  if (!names.includes(dataset.scenario)) {
    throw new TripsError('ERR_DATA_FORMAT', `the trips are for scenario "${dataset.scenario}", not for "${names[0]}"`);
  }
  return dataset;
}

/**
 * Trips that lie where they were written by `fleetstep import` or `collect`, whatever scenario stands beside them.
 * @param data a trips file, or a folder that holds one; null if it is neither, such as a clone of the benchmark
 * @throws TripsError
 */
export function tripsAt(data: string): Dataset | null {
  const file = isFolder(data) ? join(data, COLLECTED_TRIPS) : data;
  return isFile(file) ? readTrips(file) : null;
}

/** The benchmark's trips. @throws TripsError */
export function loadDataset(scenario: string, data: string | undefined): Dataset {
  const nyc = nycScenarios.find((name) => name === scenario);
  if (nyc === undefined) {
    throw new EngineError(
      'ERR_SCENARIO',
      `scenario "${scenario}" has no known trips: extend one of ${nycScenarios.join(', ')}`,
    );
  }
  if (data === undefined) {
    throw new TripsError(
      'ERR_DATA_MISSING',
      `scenario "${scenario}" runs on recorded trips: clone https://github.com/tumBAIS/HybridMADRL-AMoD and pass its folder with --data`,
    );
  }
  const dataset = isFile(data) ? readTrips(data) : readNycAmod(nyc, data);
  if (dataset.scenario !== scenario) {
    throw new TripsError('ERR_DATA_FORMAT', `${data} holds trips for ${dataset.scenario}, not for ${scenario}`);
  }
  return dataset;
}

function isFile(path: string): boolean {
  return statSync(path, { throwIfNoEntry: false })?.isFile() ?? false;
}

function isFolder(path: string): boolean {
  return statSync(path, { throwIfNoEntry: false })?.isDirectory() ?? false;
}
