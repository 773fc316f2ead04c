// A data set in one file, as `fleetstep import` writes it: MessagePack with a magic word and a checksum.

import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { Packr } from 'msgpackr';
import { checkTrace } from '../engine/index.js';
import type { Dataset } from '../engine/index.js';
import { writeFileAtomic } from './atomic-file.js';
import { TripsError } from './errors.js';
import { float32, int32, uint8 } from './shared-columns.js';

const FORMAT = 'fleetstep-trips-1';
const packr = new Packr({ structuredClone: true, moreTypes: true });

/** Writes `dataset` to `file`, whole or not at all; gives the file's SHA-256. */
export function writeTrips(file: string, dataset: Dataset): string {
  // A copy out of shared memory: the packer writes plain typed arrays.
  const body = packr.pack(unshare(dataset));
  const sha256 = createHash('sha256').update(body).digest('hex');
  writeFileAtomic(file, packr.pack({ format: FORMAT, sha256, body }));
  return sha256;
}

/** @throws TripsError `ERR_DATA_MISSING`, or `ERR_DATA_FORMAT` for a file of another kind or a damaged one */
export function readTrips(file: string): Dataset {
  let bytes: Buffer;
  try {
    bytes = readFileSync(file);
  } catch (cause) {
    throw new TripsError('ERR_DATA_MISSING', `cannot read ${file}: ${(cause as Error).message}`, { cause });
  }
  let envelope: { format?: unknown; sha256?: unknown; body?: unknown };
  try {
    envelope = packr.unpack(bytes) as typeof envelope;
  } catch (cause) {
    throw new TripsError('ERR_DATA_FORMAT', `${file} is damaged or no trips file: import it again`, { cause });
  }
  if (envelope?.format !== FORMAT || !(envelope.body instanceof Uint8Array)) {
    throw new TripsError('ERR_DATA_FORMAT', `${file} is not a trips file: write one with "fleetstep import"`);
  }
  if (createHash('sha256').update(envelope.body).digest('hex') !== envelope.sha256) {
    throw new TripsError('ERR_DATA_FORMAT', `${file} is damaged (checksum differs): import it again`);
  }
  const dataset = share(packr.unpack(envelope.body)) as Dataset;
  checkTrace(dataset.trace, dataset.travel.zones);
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
