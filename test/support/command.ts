// `fleetstep` commands within the test's process: many times cheaper than a process each. What only a process has (signals, its end, a
// closed pipe) is tested with one.

import { stripVTControlCharacters } from 'node:util';
import { runCommand } from '#cli/run.js';

/** What a command left behind. */
export interface Ended {
  readonly status: number;
  readonly stdout: string;
  readonly stderr: string;
}

/** Where a command runs. */
export interface Place {
  readonly cwd: string;
  /** The whole environment; default: that of the test. */
  readonly env?: NodeJS.ProcessEnv;
}

let isRunning = false;

/**
 * Runs a command, such as `['eval', '--policy', 'edf']`. One at a time: it has the folder, the environment and the outputs of the process.
 */
export async function runInProcess(args: readonly string[], { cwd, env = process.env }: Place): Promise<Ended> {
  if (isRunning)
    throw new Error('a command of this test is still running: start a process for what runs beside others');
  isRunning = true;
  const before = { cwd: process.cwd(), env: process.env, exitCode: process.exitCode };
  const stdout = listen(process.stdout);
  const stderr = listen(process.stderr);
  process.chdir(cwd);
  process.env = { ...env };
  process.exitCode = undefined;
  try {
    await runCommand(args);
    return { status: process.exitCode ?? 0, stdout: stdout.text(), stderr: stderr.text() };
  } finally {
    stdout.end();
    stderr.end();
    process.chdir(before.cwd);
    process.env = before.env;
    process.exitCode = before.exitCode;
    isRunning = false;
  }
}

/** Takes what is written to `stream` from now on; without colours, as a pipe would get it. */
function listen(stream: NodeJS.WriteStream): { text(): string; end(): void } {
  const chunks: Buffer[] = [];
  const write = stream.write.bind(stream);
  stream.write = (chunk: string | Uint8Array, ...rest: unknown[]): boolean => {
    chunks.push(Buffer.from(chunk as string));
    const done = rest.at(-1);
    if (typeof done === 'function') process.nextTick(done);
    return true;
  };
  return {
    text: () => stripVTControlCharacters(Buffer.concat(chunks).toString()),
    end: () => void (stream.write = write),
  };
}
