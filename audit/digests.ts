// The digests of the record, computed here from raw columns, byte by byte as the functions of the database write them. The
// database takes no part: what somebody planted there cannot make a forged row look sound.

import { hash } from 'node:crypto';
import type { BinaryRow } from './binary-rows.js';

/** In hex: a string costs a third of what a Buffer does. */
export function sha256(data: string | Buffer): string {
  return hash('sha256', data, 'hex');
}

/** Hash of a chain without entries. */
export const EMPTY_HASH: string = sha256('fleetstep');

const HASH_BYTES = 32;

/** Where a chain stands, entry after entry: what `audit_chain` of the database computes. */
export class ChainLink {
  /** The hash before, the number, the digest. */
  readonly #bytes: Buffer = Buffer.alloc(HASH_BYTES + 8 + HASH_BYTES);

  constructor(hashBefore: string = EMPTY_HASH) {
    this.stand(hashBefore);
  }

  /** The entries that follow do so upon this hash, in hex. */
  stand(hashBefore: string): void {
    this.#bytes.fill(0, 0, HASH_BYTES);
    this.#bytes.write(hashBefore, 0, HASH_BYTES, 'hex');
  }

  /** The hash of the next entry, in hex. The chain does not move on by it. */
  hash(seq: number, digest: string): string {
    this.#bytes.writeInt32BE(Math.floor(seq / 2 ** 32), HASH_BYTES);
    this.#bytes.writeUInt32BE(seq >>> 0, HASH_BYTES + 4);
    this.#bytes.fill(0, HASH_BYTES + 8);
    this.#bytes.write(digest, HASH_BYTES + 8, HASH_BYTES, 'hex');
    return sha256(this.#bytes);
  }
}

/** Elements of `jsonb_build_array(...)::text`, from columns of a row. */
export type Element = (row: BinaryRow, column: number) => string;
const orNull =
  (element: Element): Element =>
  (row, k) =>
    row.isNull(k) ? 'null' : element(row, k);

/** Decimal digits. */
export const integer: Element = orNull((row, k) => row.digits(k));
/** The server escapes what JSON must have escaped, and nothing else; so does `JSON.stringify`. */
export const text: Element = orNull((row, k) => JSON.stringify(row.text(k)));
/** In quotes, with hyphens, in lower case. */
export const uuid: Element = orNull((row, k) => `"${row.uuid(k)}"`);
/** The bytes of a double or of a bytea. */
export const hex: Element = orNull((row, k) => `"${row.hex(k)}"`);
/** The server's own text of a jsonb. */
export const json: Element = orNull((row, k) => row.json(k));
/** `true` or `false`. */
export const flag: Element = orNull((row, k) => (row.boolean(k) ? 'true' : 'false'));
/** SHA-256 of a bytea. */
export const hashed: Element = orNull((row, k) => `"${sha256(row.bytes(k))}"`);
/** Whole milliseconds. A column that has more was not written by this version's functions. */
export const time: Element = orNull((row, k) => String(row.milliseconds(k)));

/** Digest of an array with these elements, in hex. */
export function digestOf(elements: readonly string[]): string {
  return sha256(`[${elements.join(', ')}]`);
}
