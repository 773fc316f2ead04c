// Lines and messages over two file descriptors, in blocking calls: a doorbell each way takes 8 to 10 microseconds so, half of what
// streams take. Nothing else may read from `input`.

import { readSync, writeSync } from 'node:fs';
import { BridgeError } from './errors.js';

/** A line may carry a scenario, but no more. */
const LONGEST_LINE: number = 2 ** 26;
const NEWLINE = 10;

/** The connection to the client. */
export class Channel {
  readonly #input: number;
  readonly #output: number;
  readonly #byte: Uint8Array = new Uint8Array(1);
  /** What has come after the last line. The client waits for an answer before its first message, so that nothing is left here then. */
  #held: Buffer = Buffer.alloc(0);
  readonly #nap: Int32Array = new Int32Array(new SharedArrayBuffer(4));

  /** @param input and `output` are file descriptors, such as 0 and 1 */
  constructor(input: number, output: number) {
    this.#input = input;
    this.#output = output;
  }

  /**
   * The next line of JSON; null at the end of the input.
   * @throws BridgeError `ERR_BRIDGE_MESSAGE`
   */
  readLine(): unknown {
    const chunk = Buffer.alloc(65_536);
    let end: number;
    while ((end = this.#held.indexOf(NEWLINE)) < 0) {
      if (this.#held.length > LONGEST_LINE) {
        throw new BridgeError('ERR_BRIDGE_MESSAGE', `a line is longer than ${LONGEST_LINE} bytes`);
      }
      const count = this.#read(chunk, 0, chunk.length);
      if (count === 0) return null;
      this.#held = Buffer.concat([this.#held, chunk.subarray(0, count)]);
    }
    const text = this.#held.toString('utf8', 0, end);
    this.#held = this.#held.subarray(end + 1);
    try {
      return JSON.parse(text) as unknown;
    } catch (cause) {
      throw new BridgeError('ERR_BRIDGE_MESSAGE', `cannot read a line: ${(cause as Error).message}`, { cause });
    }
  }

  /** Writes one line of JSON. */
  writeLine(value: unknown): void {
    this.#writeAll(Buffer.from(`${JSON.stringify(value)}\n`));
  }

  /**
   * Reads at least `least` bytes of a message into `into`, from byte `from` on, and what of it has come besides.
   * @returns the bytes that `into` holds then; 0 if the input has ended before a message
   * @throws BridgeError `ERR_BRIDGE_MESSAGE` if it ends within one
   */
  read(into: Uint8Array, from: number, least: number): number {
    let held = from;
    while (held < least) {
      const count = this.#read(into, held, into.length - held);
      if (count === 0) {
        if (held === 0) return 0;
        throw new BridgeError('ERR_BRIDGE_MESSAGE', `the input has ended within a message, after ${held} bytes`);
      }
      held += count;
    }
    return held;
  }

  /** Answers with one byte. */
  ring(reply: number): void {
    this.#byte[0] = reply;
    this.#writeAll(this.#byte);
  }

  /** Answers with a byte, and JSON after it. */
  tell(reply: number, value: unknown): void {
    const text = Buffer.from(JSON.stringify(value));
    const head = Buffer.alloc(5);
    head[0] = reply;
    head.writeInt32LE(text.length, 1);
    this.#writeAll(Buffer.concat([head, text]));
  }

  #read(into: Uint8Array, from: number, room: number): number {
    for (;;) {
      try {
        return readSync(this.#input, into, from, room, null);
      } catch (error) {
        const { code } = error as NodeJS.ErrnoException;
        // Windows' word for the end of a pipe.
        if (code === 'EOF') return 0;
        this.#rest(error);
      }
    }
  }

  #writeAll(bytes: Uint8Array): void {
    for (let from = 0; from < bytes.length;) {
      try {
        from += writeSync(this.#output, bytes, from, bytes.length - from);
      } catch (error) {
        this.#rest(error);
      }
    }
  }

  /** Another process on the same pipe, such as npx, may have set it to not block. */
  #rest(error: unknown): void {
    const { code } = error as NodeJS.ErrnoException;
    if (code !== 'EAGAIN' && code !== 'EINTR') throw error;
    Atomics.wait(this.#nap, 0, 0, 1);
  }
}
