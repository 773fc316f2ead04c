// Snapshots of a whole vector environment: all bytes of its state and outputs, and what it must be restored into. Beside
// snapshot.ts, whose snapshots are live states from outside.

import type { CompiledScenario } from './compile.js';
import { EngineError } from './errors.js';
import { kindOf, shown, shownJson } from './shown.js';
import type { Dataset } from './trace.js';

/** Changes when the same bytes would mean something else. What is laid out otherwise is refused without it. */
export const ENV_SNAPSHOT_VERSION = 1;

/** What must be the same where a snapshot is restored. */
export interface EnvIdentity {
  readonly version: number;
  /** The whole scenario: infinite numbers are "Infinity". */
  readonly scenario: Readonly<Record<string, unknown>>;
  /** Digest of recorded trips and tables; null without. */
  readonly dataset: number | null;
  readonly numEnvs: number;
  readonly firstEnv: number;
  readonly observation: string;
  readonly autoresetMode: string;
  readonly finalPairs: boolean;
  /** Rule and days of `EpisodeSource`. */
  readonly source: string;
  /** Fields of state and outputs with their sizes. */
  readonly layout: string;
}

/**
 * All that a vector environment goes on from, from `VectorDispatchEnv.snapshot`. Plain data: `postMessage` sends it and
 * `v8.serialize` writes it. Not to be written to.
 */
export interface EnvSnapshot {
  readonly identity: EnvIdentity;
  /** The bytes of state, outputs, and pair rows of final observations where they are kept. */
  readonly parts: readonly Uint8Array[];
}

/** The scenario as plain data that compares by its JSON. */
export function plainScenario({ scenario }: CompiledScenario): Readonly<Record<string, unknown>> {
  const text = JSON.stringify(scenario, (_, value: unknown) => (value === Infinity ? 'Infinity' : value));
  return JSON.parse(text) as Record<string, unknown>;
}

const digests = new WeakMap<Dataset, number>();

/** A 32-bit digest of everything in a data set (FNV-1a, Fowler, Noll and Vo), computed once. */
export function datasetDigest(dataset: Dataset | null): number | null {
  if (dataset === null) return null;
  let digest = digests.get(dataset);
  if (digest === undefined) {
    digest = digestOf(dataset, 0x811c9dc5) >>> 0;
    digests.set(dataset, digest);
  }
  return digest;
}

function digestOf(value: unknown, from: number): number {
  if (ArrayBuffer.isView(value)) {
    const bytes = new Uint8Array(value.buffer, value.byteOffset, value.byteLength);
    let h = from;
    for (let k = 0; k < bytes.length; k++) h = Math.imul(h ^ bytes[k], 0x01000193);
    return h;
  }
  if (typeof value === 'object' && value !== null) {
    return Object.entries(value).reduce((h, [name, member]) => digestOf(member, digestOf(name, h)), from);
  }
  return digestOf(new TextEncoder().encode(String(value)), from);
}

/**
 * Refuses a snapshot that is none, or of another environment.
 * @param here the identity of what would take it
 * @throws EngineError `ERR_OPTION` that names what differs
 */
export function checkEnvSnapshot(snapshot: EnvSnapshot, here: EnvIdentity, parts: readonly Uint8Array[]): void {
  const given = snapshot as Partial<EnvSnapshot> | null | undefined;
  const identity = given?.identity as EnvIdentity | null | undefined;
  if (typeof identity !== 'object' || identity === null || !Array.isArray(given?.parts)) {
    throw new EngineError('ERR_OPTION', `snapshot is ${shown(snapshot)}: expected what snapshot() returned`);
  }
  const differ = (name: string, mine: unknown, theirs: unknown): EngineError =>
    new EngineError(
      'ERR_OPTION',
      `the snapshot's ${name} is ${shownJson(theirs)}, this environment's is ${shownJson(mine)}: restore it into an environment that is the same`,
    );
  if (identity.version !== here.version) throw differ('version', here.version, identity.version);
  const theirs = identity.scenario ?? {};
  for (const name of new Set([...Object.keys(here.scenario), ...Object.keys(theirs)])) {
    if (JSON.stringify(here.scenario[name]) === JSON.stringify(theirs[name])) continue;
    throw differ(`scenario field "${name}"`, here.scenario[name], theirs[name]);
  }
  for (const name of [
    'numEnvs',
    'firstEnv',
    'observation',
    'autoresetMode',
    'finalPairs',
    'dataset',
    'source',
  ] as const) {
    if (here[name] !== identity[name]) throw differ(name, here[name], identity[name]);
  }
  if (here.layout !== identity.layout) throw differ('layout', here.layout, identity.layout);
  parts.forEach((part, k) => {
    const bytes: unknown = (given.parts as readonly unknown[])[k];
    if (kindOf(bytes) === 'Uint8Array' && (bytes as Uint8Array).length === part.length) return;
    throw new EngineError(
      'ERR_OPTION',
      `the snapshot's parts[${k}] is ${shown(bytes)}: expected a Uint8Array of ${part.length} bytes`,
    );
  });
}
