// A data set in one file, as `fleetstep import` writes it.

import { readFileSync } from 'node:fs';
import { checkTrace } from '../engine/index.js';
import type { Dataset } from '../engine/index.js';
import { TripsError } from './errors.js';
import { SealError, openSealed, writeSealed } from '../files/index.js';
import type { SealFault } from '../files/index.js';
import { float32, int32, uint8 } from './shared-columns.js';

const FORMAT = 'fleetstep-trips-1';

const faults: Readonly<Record<SealFault, string>> = {
  unreadable: 'is damaged or no trips file: import it again',
  foreign: 'is not a trips file: write one with "fleetstep import"',
  damaged: 'is damaged (checksum differs): import it again',
};

/** Writes `dataset` to `file`, whole or not at all; gives the file's SHA-256. */
export function writeTrips(file: string, dataset: Dataset): string {
  // A copy out of shared memory: the packer writes plain typed arrays.
  return writeSealed(file, FORMAT, unshare(dataset));
}

/** @throws TripsError `ERR_DATA_MISSING`, or `ERR_DATA_FORMAT` for a file of another kind or a damaged one */
export function readTrips(file: string): Dataset {
  let bytes: Buffer;
  try {
    bytes = readFileSync(file);
  } catch (cause) {
    throw new TripsError('ERR_DATA_MISSING', `cannot read ${file}: ${(cause as Error).message}`, { cause });
  }
  let dataset: Dataset;
  try {
    dataset = share(openSealed(bytes, FORMAT)) as Dataset;
  } catch (cause) {
    if (!(cause instanceof SealError)) throw cause;
    throw new TripsError('ERR_DATA_FORMAT', `${file} ${faults[cause.fault]}`, { cause });
  }
  checkTrace(dataset.trace, dataset.travel);
  return dataset;
}

function share(value: unknown): unknown {
  if (value instanceof Int32Array) return int32(value);
  if (value instanceof Float32Array) return float32(value);
  if (value instanceof Uint8Array) return uint8(value);
  return mapMembers(value, share);
}

function unshare(value: unknown): unknown {
  if (value instanceof Int32Array || value instanceof Float32Array || value instanceof Uint8Array) return value.slice();
  return mapMembers(value, unshare);
}

function mapMembers(value: unknown, f: (value: unknown) => unknown): unknown {
  if (Array.isArray(value)) return value;
  if (typeof value !== 'object' || value === null) return value;
  return Object.fromEntries(Object.entries(value).map(([key, member]) => [key, f(member)]));
}
