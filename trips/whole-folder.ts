// Folders that are either whole or not there: filled beside, then moved into place.

import { existsSync, readdirSync, renameSync, rmSync } from 'node:fs';
import { resolve } from 'node:path';
import { makeFolder } from '../files/index.js';
import { TripsError } from './errors.js';
import { log } from './log.js';

/**
 * @param spared names of files that may lie there
 * @throws TripsError `ERR_DATA_EXISTS` if `out` is a file, or a folder with other files in it
 */
export function refuseTaken(out: string, spared: readonly string[] = []): void {
  if (!existsSync(out)) return;
  let names: string[];
  try {
    names = readdirSync(out);
  } catch (cause) {
    throw new TripsError('ERR_DATA_EXISTS', `${out} is not a readable folder: give another --out`, { cause });
  }
  if (names.some((name) => !spared.includes(name))) {
    throw new TripsError('ERR_DATA_EXISTS', `${out} is not empty: give another --out`);
  }
}

/**
 * Fills a folder beside `out` and moves it there, in place of one that `refuseTaken` has let pass.
 * @throws TripsError `ERR_DATA_MISSING` if it cannot be written, with nothing left behind
 */
export function writeWholeFolder(out: string, fill: (folder: string) => void): void {
  const partial = `${resolve(out)}.${process.pid}.partial`;
  try {
    makeFolder(partial);
    fill(partial);
    rmSync(out, { recursive: true, force: true });
    renameSync(partial, out);
    log('wrote %s', out);
  } catch (error) {
    log('writing %s failed: %o', out, error);
    rmSync(partial, { recursive: true, force: true });
    if (error instanceof Error && 'syscall' in error) {
      throw new TripsError('ERR_DATA_MISSING', `cannot write ${out}: ${error.message}`, { cause: error });
    }
    throw error;
  }
}
