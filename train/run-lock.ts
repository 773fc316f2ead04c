// One process per run: a process that works on a run's folder writes a lock file there, and checks for the lock files of others.
// Lock files of processes that have died are ignored, and removed by the next process.

import { randomBytes } from 'node:crypto';
import { readFileSync, readdirSync, rmSync } from 'node:fs';
import { hostname } from 'node:os';
import { join } from 'node:path';
import { writeFileAtomic } from '../files/index.js';
import { TrainError } from './errors.js';

const NAME = /^\.lock-[0-9a-f]{16}$/;

interface Holder {
  readonly pid: number;
  readonly host: string;
  /** When the process began, as the system counts it, as its number may be reused; null where the system does not tell. */
  readonly began: string | null;
  readonly since: string;
  /** False while the process still checks for the locks of others. */
  readonly held: boolean;
}

/** Checks, 20 ms apart, of another process's claim that is neither held nor released. */
const PATIENCE = 500;

/** Whether a file of a run's folder is a lock. */
export function isLock(name: string): boolean {
  return NAME.test(name);
}

/** Sole access to a run's folder, released at the latest when the process exits. */
export class RunLock {
  readonly #file: string;
  readonly #release = (): void => this.release();

  private constructor(file: string) {
    this.#file = file;
    process.once('exit', this.#release);
  }

  /**
   * Takes the folder, or throws. Each process writes its claim first, then checks for others, and holds the run only once it
   * sees none: of two processes that start together, at least one sees the other. Among claims that see each other, the one
   * with the smallest name waits and the others give up.
   * @throws TrainError `ERR_RUN_LOCKED` naming the process that works on the run
   */
  static acquire(folder: string): RunLock {
    const name = `.lock-${randomBytes(8).toString('hex')}`;
    const claim: Holder = {
      pid: process.pid,
      host: hostname(),
      began: beginningOf(process.pid),
      since: new Date().toISOString(),
      held: false,
    };
    const lock = new RunLock(join(folder, name));
    try {
      lock.#write(claim);
      for (let tries = 0; ; tries++) {
        const others = livingOthers(folder, name);
        if (others.length === 0) break;
        const first = others.find(({ holder }) => holder.held) ?? others[0];
        if (first.holder.held || first.name < name || tries === PATIENCE) throw locked(folder, first);
        Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 20);
      }
      lock.#write({ ...claim, held: true });
      return lock;
    } catch (error) {
      lock.release();
      throw error;
    }
  }

  /** Whether a living process works on the folder. Changes nothing. */
  static isHeld(folder: string): boolean {
    return readdirSync(folder)
      .filter(isLock)
      .some((name) => {
        const holder = holderOf(join(folder, name));
        return holder !== null && !isDead(holder);
      });
  }

  #write(holder: Holder): void {
    writeFileAtomic(this.#file, `${JSON.stringify(holder)}\n`);
  }

  /** Gives the folder up; a second call does nothing. */
  release(): void {
    process.off('exit', this.#release);
    rmSync(this.#file, { force: true });
  }
}

interface Other {
  readonly name: string;
  readonly holder: Holder;
}

/** Locks of other living processes, by name; locks of dead ones are removed. */
function livingOthers(folder: string, mine: string): Other[] {
  const living: Other[] = [];
  for (const name of readdirSync(folder).sort()) {
    if (!isLock(name) || name === mine) continue;
    const file = join(folder, name);
    const holder = holderOf(file);
    if (holder === null) continue;
    if (isDead(holder)) rmSync(file, { force: true });
    else living.push({ name, holder });
  }
  return living;
}

function locked(folder: string, { name, holder }: Other): TrainError {
  return new TrainError(
    'ERR_RUN_LOCKED',
    `process ${holder.pid} on ${holder.host} works on ${folder} since ${holder.since}: wait for it or stop it` +
      (holder.host === hostname() ? '' : `; if it is gone, delete ${join(folder, name)}`),
  );
}

/** The process that wrote a lock file; null if the file has just been removed. */
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
    throw new TrainError(
      'ERR_RUN_LOCKED',
      `${file} is not a lock file of fleetstep: delete it if no process works on the run`,
      {
        cause,
      },
    );
  }
}

function isDead({ pid, host, began }: Holder): boolean {
  // Processes on other machines cannot be checked.
  if (host !== hostname()) return false;
  if (!isAlive(pid)) return true;
  const now = beginningOf(pid);
  return began !== null && now !== null && began !== now;
}

/** Whether there is such a process on this machine. */
export function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    // EPERM: it is alive and belongs to another user.
    return (error as NodeJS.ErrnoException).code !== 'ESRCH';
  }
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
