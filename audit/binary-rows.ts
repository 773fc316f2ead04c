// Rows in the server's binary format, as COPY gives them: bytes that no setting of a session, a role or a database changes
// the look of. Read as a stream, each row once, in bounded memory.

import type { Readable } from 'node:stream';
import type { Connection } from './connection.js';

/** Microseconds of PostgreSQL's epoch, 2000-01-01, as Unix time in milliseconds. */
const EPOCH_MS = 946_684_800_000;
const HEADER_BYTES = 19;

/** One row; valid until the next one is read. Columns are numbered as they were selected. */
export class BinaryRow {
  #bytes: Buffer = Buffer.alloc(0);
  readonly #starts: Int32Array;
  /** -1: null */
  readonly #lengths: Int32Array;

  constructor(columns: number) {
    this.#starts = new Int32Array(columns);
    this.#lengths = new Int32Array(columns);
  }

  /** Takes the row at `at`; gives where it ends, or -1 if it is not whole yet. */
  take(bytes: Buffer, at: number, columns: number): number {
    let p = at + 2;
    for (let k = 0; k < columns; k++) {
      if (p + 4 > bytes.length) return -1;
      const length = bytes.readInt32BE(p);
      this.#starts[k] = p + 4;
      this.#lengths[k] = length;
      p += 4 + Math.max(0, length);
    }
    this.#bytes = bytes;
    return p > bytes.length ? -1 : p;
  }

  isNull(k: number): boolean {
    return this.#lengths[k] < 0;
  }

  bytes(k: number): Buffer {
    return this.#bytes.subarray(this.#starts[k], this.#starts[k] + this.#lengths[k]);
  }

  /** Whether both are there, and the same to the last bit. */
  same(k: number, other: number): boolean {
    const length = this.#lengths[k];
    if (length < 0 || length !== this.#lengths[other]) return false;
    const bytes = this.#bytes;
    for (let p = this.#starts[k], q = this.#starts[other], end = p + length; p < end; p++, q++) {
      if (bytes[p] !== bytes[q]) return false;
    }
    return true;
  }

  /** text, and enums by their label */
  text(k: number): string {
    return this.#bytes.toString('utf8', this.#starts[k], this.#starts[k] + this.#lengths[k]);
  }

  boolean(k: number): boolean {
    return this.#bytes[this.#starts[k]] === 1;
  }

  /** bigint or integer, exact up to 2^53 */
  integer(k: number): number {
    const p = this.#starts[k];
    return this.#lengths[k] === 4
      ? this.#bytes.readInt32BE(p)
      : this.#bytes.readInt32BE(p) * 2 ** 32 + this.#bytes.readUInt32BE(p + 4);
  }

  /** Decimal digits, exact for every bigint. */
  digits(k: number): string {
    const value = this.integer(k);
    return Number.isSafeInteger(value) ? String(value) : String(this.#bytes.readBigInt64BE(this.#starts[k]));
  }

  double(k: number): number {
    return this.#bytes.readDoubleBE(this.#starts[k]);
  }

  /** Unix time in milliseconds; a fraction where the value has microseconds. Infinity lies beyond every date. */
  milliseconds(k: number): number {
    return this.integer(k) / 1000 + EPOCH_MS;
  }

  hex(k: number): string {
    return this.#bytes.toString('hex', this.#starts[k], this.#starts[k] + this.#lengths[k]);
  }

  uuid(k: number): string {
    const all = this.hex(k);
    return `${all.slice(0, 8)}-${all.slice(8, 12)}-${all.slice(12, 16)}-${all.slice(16, 20)}-${all.slice(20)}`;
  }

  /** The server's own text of a jsonb. */
  json(k: number): string {
    return this.#bytes.toString('utf8', this.#starts[k] + 1, this.#starts[k] + this.#lengths[k]);
  }
}

/**
 * Runs `select` and calls `each` with every row.
 * @param select text without parameters: whoever makes it puts nothing but numbers of his own into it
 * @param columns how many it selects
 * @throws what the driver or `each` throws, the latter when the stream has ended
 */
export async function readRows(
  sql: Connection,
  select: string,
  columns: number,
  each: (row: BinaryRow) => void,
): Promise<void> {
  const stream: Readable = await sql.unsafe(`copy (${select}) to stdout (format binary)`).readable();
  const row = new BinaryRow(columns);
  let rest: Buffer = Buffer.alloc(0);
  let begun = false;
  let failed: { readonly error: unknown } | undefined;
  const take = (chunk: Buffer): void => {
    const bytes = rest.length === 0 ? chunk : Buffer.concat([rest, chunk]);
    let p = 0;
    if (!begun) {
      if (bytes.length < HEADER_BYTES) {
        rest = bytes;
        return;
      }
      begun = true;
      p = HEADER_BYTES + bytes.readInt32BE(HEADER_BYTES - 4);
    }
    while (p + 2 <= bytes.length && bytes.readInt16BE(p) !== -1) {
      const end = row.take(bytes, p, columns);
      if (end < 0) break;
      each(row);
      p = end;
    }
    rest = bytes.subarray(p);
  };
  await new Promise<void>((resolve, reject) => {
    stream
      .on('data', (chunk: Buffer) => {
        // A stream that is left before its end would block the connection: what follows is read, and dropped.
        if (failed !== undefined) return;
        try {
          take(chunk);
        } catch (error) {
          failed = { error };
        }
      })
      .on('error', reject)
      .on('end', () => {
        // The driver pauses its socket when the stream is full, and goes on when it is read from: at the end nobody does.
        stream._read(0);
        resolve();
      });
  });
  if (failed !== undefined) throw failed.error;
}
