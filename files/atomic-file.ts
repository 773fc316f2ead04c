// Files that are either whole or not there: write beside, flush, rename, flush the folder.

import { closeSync, existsSync, fsyncSync, mkdirSync, openSync, renameSync, rmSync, writeSync } from 'node:fs';
import { dirname, join, resolve } from 'node:path';

/** The system refused to write a file; the message names it. It has the system's code, such as `ENOSPC`. */
export class FileError extends Error {
  /** Such as `ENOSPC`. */
  readonly code: string | undefined;
  /** Such as `write`. */
  readonly syscall: string | undefined;

  /** @param cause what the system said */
  constructor(file: string, cause: NodeJS.ErrnoException) {
    // What it says of the temporary file is of no use to anybody.
    super(`cannot write ${file}: ${cause.message.replace(/, \w+( '.*')?$/, '')}`, { cause });
    this.name = 'FileError';
    this.code = cause.code;
    this.syscall = cause.syscall;
  }
}

/** Makes a folder and what is missing above it. One by one: Node's recursive mkdir never returns from under /proc. */
export function makeFolder(path: string): void {
  const missing: string[] = [];
  for (let folder = resolve(path); !existsSync(folder); folder = dirname(folder)) missing.unshift(folder);
  for (const folder of missing) mkdirSync(folder);
}

/**
 * Writes `data` to `file` so that a reader, a crash or a full disk never sees a part of it.
 * @throws FileError with nothing left behind
 */
export function writeFileAtomic(file: string, data: Uint8Array | string): void {
  try {
    replace(file, typeof data === 'string' ? Buffer.from(data) : data);
  } catch (error) {
    throw error instanceof Error && 'syscall' in error ? new FileError(file, error as NodeJS.ErrnoException) : error;
  }
}

function replace(file: string, bytes: Uint8Array): void {
  const folder = dirname(file);
  makeFolder(folder);
  const temporary = join(folder, `.${process.pid}-${Date.now()}.tmp`);
  try {
    const handle = openSync(temporary, 'wx');
    try {
      // writeSync may write less than asked for.
      for (let at = 0; at < bytes.length;) at += writeSync(handle, bytes, at);
      fsyncSync(handle);
    } finally {
      closeSync(handle);
    }
    renameSync(temporary, file);
  } catch (error) {
    rmSync(temporary, { force: true });
    throw error;
  }
  const handle = openSync(folder, 'r');
  try {
    fsyncSync(handle);
  } finally {
    closeSync(handle);
  }
}
