// train --supervise: the run goes on in another process, which is started again from the last checkpoint if it dies, fails, or takes
// too much memory. Results do not depend on it: a resumed run equals an uninterrupted one.

import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, readFileSync } from 'node:fs';
import { constants } from 'node:os';
import { join } from 'node:path';
import { setTimeout } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { CHECKPOINT_FILE, readCheckpoint } from '../train/index.js';

/** How a run is supervised. */
export interface Supervision {
  /** Arguments of the command line, without those of supervision. */
  readonly args: readonly string[];
  /** Folder of the run. */
  readonly out: string;
  /** Restarts in a row without a step more, at most. */
  readonly restarts: number;
  /** MiB in memory beyond which the process is ended and started again; undefined: no limit. */
  readonly memoryLimit?: number | undefined;
}

const main = fileURLToPath(new URL('./main.js', import.meta.url));
/** Seconds between looks at the process's memory. */
const LOOK_SECONDS = 1;
/** Seconds that an ending process has for its checkpoint. */
const END_SECONDS = 10;

/** Exit codes with which a run ends for good: done, or a mistake of the user's that comes each time. */
const FINAL = [0, 2];

/** Runs until the run is done or given up; gives the exit code. */
export async function supervise({ args, out, restarts, memoryLimit }: Supervision): Promise<number> {
  let next = args;
  let reached = -1;
  let inVain = 0;
  const signals: NodeJS.Signals[] = [];
  for (;;) {
    const child = spawn(process.execPath, [main, ...next], { stdio: 'inherit' });
    const onSignal = (signal: NodeJS.Signals): void => {
      signals.push(signal);
      child.kill(signal);
    };
    process.on('SIGINT', onSignal).on('SIGTERM', onSignal);
    const over = new AbortController();
    const watching = memoryLimit === undefined ? Promise.resolve(false) : watch(child.pid!, memoryLimit, over.signal);
    const [code, signal] = (await once(child, 'exit')) as [number | null, NodeJS.Signals | null];
    over.abort();
    const isTooLarge = await watching;
    process.off('SIGINT', onSignal).off('SIGTERM', onSignal);
    if (code !== null && FINAL.includes(code)) return code;
    if (signals.length > 0) return code ?? 128 + constants.signals[signals[0]];

    const steps = existsSync(join(out, CHECKPOINT_FILE)) ? readCheckpoint(out).steps : -1;
    inVain = steps > reached ? 0 : inVain + 1;
    reached = Math.max(reached, steps);
    const why = isTooLarge
      ? `held more than ${memoryLimit} MiB in memory`
      : `ended with ${signal ?? `exit code ${code}`}`;
    if (inVain > restarts) {
      process.stderr.write(
        `fleetstep: the run ${why}; given up at step ${Math.max(0, steps)} after ${restarts + 1} starts without a step more\n`,
      );
      return 1;
    }
    process.stderr.write(
      `fleetstep: the run ${why}; it is started again ${steps < 0 ? 'from the beginning' : `from its checkpoint of step ${steps}`}\n`,
    );
    next = steps < 0 ? args : resuming(args, out);
  }
}

/** Options of a start that hold for its resumption, too. */
const kept = ['--json', '--ui', '--workers', '--checkpoint-seconds', '--hang-seconds', '--eval-episodes', '--data'];

function resuming(args: readonly string[], out: string): string[] {
  const again = ['train', '--resume', out];
  args.forEach((arg, k) => {
    const [name] = arg.split('=');
    if (!kept.includes(name)) return;
    again.push(arg);
    const value = args.at(k + 1);
    // --ui may stand alone.
    if (name === arg && name !== '--json' && value !== undefined && !value.startsWith('-')) again.push(value);
  });
  return again;
}

/** Ends the process if it takes more than `limit` MiB; true if it did. */
async function watch(pid: number, limit: number, over: AbortSignal): Promise<boolean> {
  while (!over.aborted) {
    await setTimeout(LOOK_SECONDS * 1000, undefined, { signal: over }).catch(() => undefined);
    if (residentMiB(pid) <= limit) continue;
    process.kill(pid, 'SIGTERM');
    await setTimeout(END_SECONDS * 1000, undefined, { signal: over }).catch(() => undefined);
    if (!over.aborted) process.kill(pid, 'SIGKILL');
    return true;
  }
  return false;
}

/** MiB that a process has in memory (Linux); 0 for one that is gone. */
export function residentMiB(pid: number): number {
  try {
    const kiB = /^VmRSS:\s+(\d+) kB$/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1];
    return Number(kiB ?? 0) / 1024;
  } catch {
    return 0;
  }
}

/** The command line without the options of supervision. */
export function unsupervised(argv: readonly string[]): string[] {
  const args: string[] = [];
  for (let k = 0; k < argv.length; k++) {
    const [name, value] = argv[k].split('=');
    if (name !== '--supervise' && name !== '--memory-limit') {
      args.push(argv[k]);
      continue;
    }
    // A number of its own may follow.
    if (value === undefined && /^\d+$/.test(argv[k + 1] ?? '')) k++;
  }
  return args;
}
