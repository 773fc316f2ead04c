// What a run was trained with: the version of this package, the scenario and the data, the last two by digest. Results hold for
// these only, so a run is refused for others, by name.

import { createHash } from 'node:crypto';
import type { Hash } from 'node:crypto';
import { createRequire } from 'node:module';
import { resolve } from 'node:path';
import type { CompiledScenario, Dataset, Scenario } from '../engine/index.js';
import { infinityToWord } from '../files/index.js';
import type { ScenarioRequest } from '../trips/index.js';

const about = createRequire(import.meta.url)('fleetstep/package.json') as { version: string };
/** The package's version. */
export const version: string = about.version;

/** What a run's results hold for. */
export interface Identity {
  /** Version of fleetstep. */
  readonly fleetstep: string;
  /** As `scenarioSha256` computes it. */
  readonly scenarioSha256: string;
  /** Null for synthetic demand. */
  readonly data: DataIdentity | null;
}

/** The recorded trips that a run was trained on. */
export interface DataIdentity {
  /** As `datasetSha256` computes it. */
  readonly sha256: string;
  /** How scenario and data were asked for, with absolute paths; null if the caller passed the data itself. */
  readonly request: ScenarioRequest | null;
}

/**
 * The identity of a new run.
 * @param request as the user gave it, null if there was none
 */
export function identityOf({ scenario, dataset }: CompiledScenario, request: ScenarioRequest | null): Identity {
  return {
    fleetstep: version,
    scenarioSha256: scenarioSha256(scenario),
    data: dataset === null ? null : { sha256: datasetSha256(dataset), request: absolute(request) },
  };
}

/** SHA-256 of a scenario's values, hexadecimal; the order of its fields does not matter. */
export function scenarioSha256(scenario: Scenario): string {
  return createHash('sha256').update(canonical(scenario)).digest('hex');
}

/** SHA-256 of the data, hexadecimal, whatever files hold it: a folder, and the file imported from it, have the same. */
export function datasetSha256(dataset: Dataset): string {
  const hash = createHash('sha256');
  add(hash, dataset);
  return hash.digest('hex');
}

/** JSON with sorted keys, and with infinity as a word; `missing` for undefined. */
export function canonical(value: unknown): string {
  return (
    JSON.stringify(value, (key, member: unknown) => {
      if (typeof member !== 'object' || member === null || Array.isArray(member)) return infinityToWord(key, member);
      return Object.fromEntries(Object.entries(member).sort(([a], [b]) => (a < b ? -1 : 1)));
    }) ?? 'missing'
  );
}

/**
 * Whether this version reads what version `other` has written: as with npm's caret, the numbers up to the first that is not zero
 * must be the same.
 */
export function compatible(other: string, ours: string = version): boolean {
  const [a, b] = [other, ours].map((text) => text.split('.').slice(0, 3).map(Number.parseFloat));
  const first = b.findIndex((part) => part !== 0);
  return b.slice(0, (first < 0 ? 2 : first) + 1).every((part, k) => a[k] === part);
}

function absolute(request: ScenarioRequest | null): ScenarioRequest | null {
  if (request === null) return null;
  const { scenario, data } = request;
  return {
    scenario: scenario.endsWith('.json') ? resolve(scenario) : scenario,
    ...(data === undefined ? {} : { data: resolve(data) }),
  };
}

/** Members in order of their names; columns with their type and length, so that nothing runs into what follows. */
function add(hash: Hash, value: unknown): void {
  if (ArrayBuffer.isView(value)) {
    hash.update(`${value.constructor.name} ${value.byteLength}:`);
    hash.update(new Uint8Array(value.buffer, value.byteOffset, value.byteLength));
  } else if (typeof value === 'object' && value !== null && !Array.isArray(value)) {
    const members = Object.entries(value)
      .filter(([, member]) => member !== undefined)
      .sort(([a], [b]) => (a < b ? -1 : 1));
    hash.update(`{${members.length}:`);
    for (const [name, member] of members) {
      hash.update(`${canonical(name)}:`);
      add(hash, member);
    }
  } else {
    hash.update(`${canonical(value)};`);
  }
}
