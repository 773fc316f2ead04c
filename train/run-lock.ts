// One process a run: who works on a run's folder says so in a file of its own there, and looks whether anybody else has. Files of
// processes that have died count for nothing, and are removed by the next.

import { randomBytes } from 'node:crypto';
import { readFileSync, readdirSync, rmSync } from 'node:fs';
import { hostname } from 'node:os';
import { join } from 'node:path';
import { writeFileAtomic } from '../trips/index.js';
import { TrainError } from './errors.js';

const NAME = /^\.lock-[0-9a-f]{16}$/;

interface Holder {
  readonly pid: number;
  readonly host: string;
  /** When the process began, as the system counts it; null where it does not tell. A number may be given to another process. */
  readonly began: string | null;
  readonly since: string;
}

/** Whether a file of a run's folder is a lock. */
export function isLock(name: string): boolean {
  return NAME.test(name);
}

export class RunLock {
  readonly #file: string;
  readonly #release = (): void => this.release();

  private constructor(file: string) {
    this.#file = file;
    process.once('exit', this.#release);
  }

  /**
   * Each writes its own file first and then looks for others: of two that come at once, at least one sees the other, so that
   * never both go on.
   * @throws TrainError `ERR_RUN_LOCKED` naming the process that works on the run
   */
  static acquire(folder: string): RunLock {
    const name = `.lock-${randomBytes(8).toString('hex')}`;
    const mine: Holder = {
      pid: process.pid,
      host: hostname(),
      began: beginningOf(process.pid),
      since: new Date().toISOString(),
    };
    writeFileAtomic(join(folder, name), `${JSON.stringify(mine)}\n`);
    const lock = new RunLock(join(folder, name));
    try {
      for (const other of readdirSync(folder).filter((entry) => isLock(entry) && entry !== name)) {
        const file = join(folder, other);
        const holder = holderOf(file);
        if (holder === null) continue;
        if (isDead(holder)) {
          rmSync(file, { force: true });
          continue;
        }
        throw new TrainError(
          'ERR_RUN_LOCKED',
          `process ${holder.pid} on ${holder.host} works on ${folder} since ${holder.since}: wait for it or stop it` +
            (holder.host === mine.host ? '' : `; if it is gone, delete ${file}`),
        );
      }
    } catch (error) {
      lock.release();
      throw error;
    }
    return lock;
  }

  release(): void {
    process.off('exit', this.#release);
    rmSync(this.#file, { force: true });
  }
}

/** Null if it has just been released. */
function holderOf(file: string): Holder | null {
  let text: string;
  try {
    text = readFileSync(file, 'utf8');
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return null;
    throw error;
  }
  try {
    return JSON.parse(text) as Holder;
  } catch (cause) {
    throw new TrainError('ERR_RUN_LOCKED', `${file} is no lock of ours: delete it if nobody works on the run`, {
      cause,
    });
  }
}

function isDead({ pid, host, began }: Holder): boolean {
  // Of other machines nothing is known.
  if (host !== hostname()) return false;
  try {
    process.kill(pid, 0);
  } catch (error) {
    // EPERM: it lives, and is another user's.
    return (error as NodeJS.ErrnoException).code === 'ESRCH';
  }
  const now = beginningOf(pid);
  return began !== null && now !== null && began !== now;
}

/** Boot and clock ticks since then at which a process began (Linux: field 22 of /proc/PID/stat); null elsewhere. */
function beginningOf(pid: number): string | null {
  try {
    const boot = readFileSync('/proc/sys/kernel/random/boot_id', 'utf8').trim();
    const stat = readFileSync(`/proc/${pid}/stat`, 'utf8');
    // The second field is the program's name in brackets, and may hold anything.
    return `${boot} ${stat.slice(stat.lastIndexOf(')') + 2).split(' ')[19]}`;
  } catch {
    return null;
  }
}
