// From what a user typed (a scenario, a data path) to a checked scenario with its data.

import { readFileSync, statSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { EngineError, compileScenario, preset, presetNames } from '../engine/index.js';
import type { CompiledScenario, Dataset } from '../engine/index.js';
import { TripsError } from './errors.js';
import { wordToInfinity } from './json.js';
import { nycScenarios, readNycAmod } from './nyc-amod.js';
import { readTrips } from './trips-file.js';

export interface ScenarioRequest {
  /** A built-in name, or the path of a .json file: a whole scenario, or changes to the built-in one named in `extends`. */
  readonly scenario: string;
  /** Folder with the benchmark's files, or a file written by `fleetstep import`. */
  readonly data?: string | undefined;
}

/**
 * Loads and compiles a scenario.
 * @throws EngineError `ERR_SCENARIO`, TripsError
 */
export function loadScenario(request: ScenarioRequest): CompiledScenario {
  const { base, candidate } = candidateOf(request.scenario);
  const kindOf = (field: 'travel' | 'demand'): unknown => (candidate[field] as { kind?: unknown } | undefined)?.kind;
  if (kindOf('demand') === 'trace' && kindOf('travel') === 'plane') {
    return compileScenario(candidate, collectedTrips(request, String(candidate['name'])));
  }
  if (kindOf('travel') !== 'matrix') {
    if (request.data !== undefined) {
      throw new EngineError(
        'ERR_SCENARIO',
        `scenario "${request.scenario}" draws its demand from the seed: leave --data out`,
      );
    }
    return compileScenario(candidate);
  }
  return compileScenario(candidate, loadDataset(base, request.data));
}

/** The name of the trips file that `fleetstep collect` writes beside its scenario. */
export const COLLECTED_TRIPS = 'trips.msgpack';

function collectedTrips({ scenario, data }: ScenarioRequest, name: string): Dataset {
  const dataset = readTrips(data ?? join(dirname(scenario), COLLECTED_TRIPS));
  if (dataset.scenario !== name) {
    throw new TripsError('ERR_DATA_FORMAT', `the trips are for scenario "${dataset.scenario}", not for "${name}"`);
  }
  return dataset;
}

/** @throws TripsError */
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

function candidateOf(scenario: string): { base: string; candidate: Record<string, unknown> } {
  if (!scenario.endsWith('.json')) return { base: scenario, candidate: { ...preset(scenario) } };
  let parsed: unknown;
  try {
    parsed = JSON.parse(readFileSync(scenario, 'utf8'), wordToInfinity);
  } catch (cause) {
    throw new EngineError('ERR_SCENARIO', `cannot read scenario file ${scenario}: ${(cause as Error).message}`, {
      cause,
    });
  }
  if (typeof parsed !== 'object' || parsed === null || Array.isArray(parsed)) {
    throw new EngineError('ERR_SCENARIO', `scenario file ${scenario} must hold one object`);
  }
  const { extends: base, ...changes } = parsed as Record<string, unknown>;
  if (base === undefined) return { base: String(changes['name']), candidate: changes };
  if (typeof base !== 'string' || !presetNames.includes(base)) {
    throw new EngineError(
      'ERR_SCENARIO',
      `scenario field "extends" is ${JSON.stringify(base)}: choose one of ${presetNames.join(', ')}`,
    );
  }
  return { base, candidate: { ...preset(base), ...changes } };
}

function isFile(path: string): boolean {
  return statSync(path, { throwIfNoEntry: false })?.isFile() ?? false;
}
