// Text files as people and their programs write them: UTF-8 or UTF-16, with or without a byte order mark.

import { readFileSync } from 'node:fs';
import { TripsError } from './errors.js';

/** A string of JavaScript holds half a gigabyte. */
const MOST_BYTES = 500 * 2 ** 20;

/**
 * @returns the text without a byte order mark, its lines ended by `\n` however they were ended
 * @throws TripsError `ERR_DATA_MISSING` if it cannot be read, `ERR_DATA_FORMAT` if it is of another encoding, or too long
 */
export function readText(file: string): string {
  let bytes: Buffer;
  try {
    bytes = readFileSync(file);
  } catch (cause) {
    throw new TripsError('ERR_DATA_MISSING', `cannot read ${file}: ${(cause as Error).message}`, { cause });
  }
  if (bytes.length > MOST_BYTES) {
    const size = Math.round(bytes.length / 2 ** 20);
    throw new TripsError('ERR_DATA_FORMAT', `${file} has ${size} MiB, at most 500 can be read: split it up`);
  }
  const text = decode(file, bytes);
  return text.includes('\r') ? text.replace(/\r\n?/g, '\n') : text;
}

function decode(file: string, bytes: Buffer): string {
  const encoding =
    bytes[0] === 0xff && bytes[1] === 0xfe ? 'utf-16le' : bytes[0] === 0xfe && bytes[1] === 0xff ? 'utf-16be' : 'utf-8';
  // Half of UTF-16 is zeros, and no text has any.
  if (encoding === 'utf-8' && bytes.subarray(0, 4096).includes(0)) {
    throw new TripsError(
      'ERR_DATA_FORMAT',
      `${file} is no text in UTF-8 (it holds zero bytes, as UTF-16 without a byte order mark does): save it as UTF-8`,
    );
  }
  try {
    return new TextDecoder(encoding, { fatal: true }).decode(bytes);
  } catch (cause) {
    const line = encoding === 'utf-8' ? `, line ${firstBadLine(bytes)}` : '';
    throw new TripsError(
      'ERR_DATA_FORMAT',
      `${file}${line}: a character is no ${encoding.toUpperCase()}: save the file as UTF-8 (Excel: "CSV UTF-8")`,
      { cause },
    );
  }
}

/** The first line that does not decode: its text, and the text of all before it, comes back changed. */
function firstBadLine(bytes: Buffer): number {
  const text = bytes.toString('utf8');
  let at = 0;
  for (let bad = text.indexOf('\ufffd'); bad >= 0; bad = text.indexOf('\ufffd', bad + 1)) {
    at += Buffer.byteLength(text.slice(0, bad)) - at;
    // One that was written as such is no fault.
    if (bytes.subarray(at, at + 3).toString('hex') !== 'efbfbd') return lineOf(text, bad);
    at += 3;
  }
  return 1;
}

function lineOf(text: string, end: number): number {
  return text.slice(0, end).split(/\r\n|\r|\n/).length;
}
