// An anchor in a process of its own that answers each line on its stdin with a line of JSON.

import { spawn } from 'node:child_process';
import type { ChildProcess } from 'node:child_process';
import { createInterface } from 'node:readline';

/** A program that is asked line by line. */
export class LineProcess {
  readonly #name: string;
  readonly #child: ChildProcess;
  readonly #lines: AsyncIterator<string>;
  /** Why it could not be started. */
  #failure: Error | undefined;

  /**
   * @param name   for messages
   * @param stderr whether its complaints are shown
   */
  constructor(name: string, command: string, args: readonly string[], stderr: 'inherit' | 'ignore') {
    const child = spawn(command, args, { stdio: ['pipe', 'pipe', stderr] });
    child.on('error', (error) => (this.#failure = error));
    // A question to a process that has ended: its answer is missing, and says so.
    child.stdin.on('error', () => undefined);
    this.#name = name;
    this.#child = child;
    this.#lines = createInterface(child.stdout)[Symbol.asyncIterator]();
  }

  /** The next line, null once it has ended. */
  async next(): Promise<string | null> {
    const line = await this.#lines.next();
    return line.done === true ? null : line.value;
  }

  /** Its answer to one line. */
  async ask<T>(question: string): Promise<T> {
    this.#child.stdin!.write(`${question}\n`);
    const line = await this.next();
    if (line === null) throw new Error(`${this.#name} ended before its answer`, { cause: this.#failure });
    return JSON.parse(line) as T;
  }

  /** Ends the process. */
  close(): void {
    this.#child.kill();
  }
}
