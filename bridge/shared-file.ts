// The file that both sides have open: the client maps it, this side writes to it. Its name, where it has one, goes as soon as both have it.

import { closeSync, fstatSync, openSync, rmSync, writeSync } from 'node:fs';
import { BridgeError } from './errors.js';

/** Where the client keeps the shared file. */
export interface FileNotice {
  readonly file: string;
  /** The name is in a folder, and somebody must remove it. */
  readonly remove: boolean;
}

/**
 * What the client's second line says.
 * @throws BridgeError `ERR_BRIDGE_MESSAGE`
 */
export function noticeOf(candidate: unknown): FileNotice {
  const { file, remove } = candidate as Partial<FileNotice>;
  if (typeof file !== 'string' || typeof remove !== 'boolean') {
    throw new BridgeError('ERR_BRIDGE_MESSAGE', 'the second line must be { file, remove }');
  }
  return { file, remove };
}

/** Removes the name of a shared file that nobody has opened yet, or that both have. */
export function removeName({ file, remove }: FileNotice): void {
  if (remove) rmSync(file, { force: true });
}

/** The writing end of the shared file. */
export class SharedFile {
  readonly #fd: number;

  /**
   * Opens what the client has made.
   * @param bytes how long it must be: what is written beyond a mapping's end would be lost
   * @throws BridgeError `ERR_BRIDGE_FILE` for a file of another size, or one that cannot be opened
   */
  constructor(notice: FileNotice, bytes: number) {
    try {
      this.#fd = openSync(notice.file, 'r+');
    } catch (cause) {
      throw new BridgeError('ERR_BRIDGE_FILE', `cannot open the shared file: ${(cause as Error).message}`, { cause });
    }
    const { size } = fstatSync(this.#fd);
    if (size === bytes) return;
    closeSync(this.#fd);
    throw new BridgeError('ERR_BRIDGE_FILE', `the shared file ${notice.file} has ${size} bytes, expected ${bytes}`);
  }

  /** Writes bytes `from` to `to` (exclusive) of `source` to where `from` lies after `base` in the file. */
  write(source: Uint8Array, from: number, to: number, base: number): void {
    while (from < to) from += writeSync(this.#fd, source, from, to - from, base + from);
  }

  /** Closes it. */
  close(): void {
    closeSync(this.#fd);
  }
}
