// Who uses a data folder: a lock for the moments in which a server is started or stopped, and a list of users, so that the
// last one to leave stops it. Both survive SIGKILL: a dead holder's claim is void.

import { randomUUID } from 'node:crypto';
import { linkSync, mkdirSync, readFileSync, readdirSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { AuditError } from './errors.js';

/** A process, told apart from a later one with the same number by the moment it started (where the system tells). */
function identity(pid: number): string {
  const fields = statOf(pid);
  return fields === undefined ? String(pid) : `${pid} ${fields[19]}`;
}

/** What Linux tells of a process: its state first, its start time as the 20th. */
function statOf(pid: number): string[] | undefined {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, 'utf8');
    // After the command, which may hold blanks and brackets.
    return stat.slice(stat.lastIndexOf(')') + 2).split(' ');
  } catch {
    return undefined;
  }
}

/** Whether a process runs, whoever's it is; one that has ended and that nobody has waited for does not. */
export function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    // One that has ended, and that nobody has asked about yet, is dead.
    return statOf(pid)?.[0] !== 'Z';
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'EPERM';
  }
}

function holds(claim: string): boolean {
  const pid = Number.parseInt(claim, 10);
  return Number.isSafeInteger(pid) && pid > 0 && isAlive(pid) && identity(pid) === claim.trim();
}

function read(file: string): string | undefined {
  try {
    return readFileSync(file, 'utf8');
  } catch {
    return undefined;
  }
}

/**
 * Runs `work` while nobody else holds the folder's lock.
 * @throws AuditError `ERR_DATA_FOLDER` if a living process keeps it for longer than `waitSeconds`
 */
export async function withFolderLock<T>(folder: string, waitSeconds: number, work: () => Promise<T>): Promise<T> {
  const file = join(folder, 'lock');
  const mine = join(folder, `lock.${randomUUID()}`);
  const until = Date.now() + waitSeconds * 1000;
  writeFileSync(mine, identity(process.pid));
  try {
    for (;;) {
      try {
        // A link appears with its content or not at all.
        linkSync(mine, file);
        break;
      } catch (error) {
        if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error;
      }
      const claim = read(file);
      if (claim !== undefined && !holds(claim)) removeStale(folder, file);
      else if (Date.now() > until) {
        throw new AuditError(
          'ERR_DATA_FOLDER',
          `${folder} is being opened or closed by process ${String(claim).split(' ')[0]} for more than ${waitSeconds} s: wait for it, or end it`,
        );
      } else await sleep(20);
    }
    try {
      return await work();
    } finally {
      rmSync(file, { force: true });
    }
  } finally {
    rmSync(mine, { force: true });
  }
}

/** Moves a dead holder's lock away; if another process was quicker and this is a living one's, puts it back. */
function removeStale(folder: string, file: string): void {
  const aside = join(folder, `lock.${randomUUID()}`);
  try {
    renameSync(file, aside);
  } catch {
    return;
  }
  const claim = read(aside);
  if (claim !== undefined && holds(claim)) {
    try {
      linkSync(aside, file);
    } catch {
      // Somebody holds a new one; the server's own lock on its files is the last line.
    }
  }
  rmSync(aside, { force: true });
}

/** Enters the list of the folder's users; the result leaves it and says how many living ones are left. */
export function enterUsers(folder: string): () => number {
  const users = join(folder, 'users');
  mkdirSync(users, { recursive: true });
  const file = join(users, randomUUID());
  writeFileSync(file, identity(process.pid));
  return () => {
    rmSync(file, { force: true });
    let left = 0;
    for (const name of readdirSync(users)) {
      const claim = read(join(users, name));
      if (claim !== undefined && holds(claim)) left++;
      else rmSync(join(users, name), { force: true });
    }
    return left;
  };
}
