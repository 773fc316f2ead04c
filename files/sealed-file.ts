// A value in one file that is either whole or refused: MessagePack under a format's name and a checksum. Data sets and
// checkpoints are kept this way.

import { createHash } from 'node:crypto';
import { Packr } from 'msgpackr';
import { writeFileAtomic } from './atomic-file.js';

const packr = new Packr({ structuredClone: true, moreTypes: true });

/** `unreadable`: no MessagePack, or cut short. `foreign`: of another format. `damaged`: its checksum differs. */
export type SealFault = 'unreadable' | 'foreign' | 'damaged';

/** A sealed file that cannot be trusted; `fault` says why. */
export class SealError extends Error {
  readonly fault: SealFault;

  constructor(fault: SealFault, options?: ErrorOptions) {
    super(`the file is ${fault}`, options);
    this.name = 'SealError';
    this.fault = fault;
  }
}

function digest(body: Uint8Array): string {
  return createHash('sha256').update(body).digest('hex');
}

/** Writes `value` to `file`, whole or not at all; gives the SHA-256 of what was packed. */
export function writeSealed(file: string, format: string, value: unknown): string {
  const body = packr.pack(value);
  const sha256 = digest(body);
  writeFileAtomic(file, packr.pack({ format, sha256, body }));
  return sha256;
}

/**
 * What `writeSealed` has packed.
 * @param sha256 as `writeSealed` gave it, where only that very value will do
 * @throws SealError
 */
export function openSealed(bytes: Uint8Array, format: string, sha256?: string): unknown {
  let envelope: { format?: unknown; sha256?: unknown; body?: unknown } | null;
  try {
    envelope = packr.unpack(bytes) as typeof envelope;
  } catch (cause) {
    throw new SealError('unreadable', { cause });
  }
  if (envelope?.format !== format || !(envelope.body instanceof Uint8Array)) throw new SealError('foreign');
  if (digest(envelope.body) !== envelope.sha256 || (sha256 !== undefined && sha256 !== envelope.sha256)) {
    throw new SealError('damaged');
  }
  return packr.unpack(envelope.body) as unknown;
}
