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
  /** False: it still looks whether it may. */
  readonly held: boolean;
}

/** Looks at a claim that neither goes nor holds, 20 ms apart. */
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
   * Each writes its claim first and then looks for others, and has the run only once it sees none: of two that come at once,
   * at least one sees the other. Of claims that see each other the smallest name waits, and the others give way.
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

/** Locks of other living processes, by name; those of dead ones go. */
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
    // EPERM: it lives, and is another user's.
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
