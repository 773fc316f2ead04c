import { spawn } from 'node:child_process';
import { once } from 'node:events';
import {
  chmodSync,
  chownSync,
  copyFileSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  readdirSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import postgres from 'postgres';
import { afterEach, describe, expect, it } from 'vitest';
import { openEmbedded } from '#audit/embedded.js';
import { isAlive, withFolderLock } from '#audit/folder-lock.js';
import { clusterFolder, reachableFolder } from './support/database.js';

const folders: string[] = [];
function folder(): string {
  const made = reachableFolder();
  folders.push(made);
  return made;
}
/** One with a cluster in it; where other tests run on another PostgreSQL, it is made here as well. */
async function initialised(): Promise<string> {
  if (![undefined, ''].includes(process.env['FLEETSTEP_TEST_POSTGRES'])) return folder();
  const made = await clusterFolder(false);
  folders.push(made);
  return made;
}
afterEach(() => {
  for (const made of folders.splice(0)) rmSync(made, { recursive: true, force: true });
});

async function ask(url: string): Promise<string> {
  const sql = postgres(url, { max: 1 });
  try {
    const [{ user }] = await sql<{ user: string }[]>`select current_user as user`;
    return user;
  } finally {
    await sql.end();
  }
}

/** Opens the folder in a process of its own, which prints the server's pid and then waits. */
async function openElsewhere(path: string): Promise<{ process: ReturnType<typeof spawn>; pid: number }> {
  const child = spawn(process.execPath, [join(import.meta.dirname, 'support', 'open-embedded.js'), path], {
    stdio: ['pipe', 'pipe', 'inherit'],
  });
  const [line] = (await once(child.stdout, 'data')) as [Buffer];
  return { process: child, pid: Number(line.toString()) };
}

describe('the embedded server', () => {
  it('starts, gives each role its login, keeps its data over a restart, and stops', async () => {
    const path = folder();
    const server = await openEmbedded(path);
    expect(server.started).toBe(true);
    expect(await ask(server.ownerUrl)).toBe('fleetstep_owner');
    expect(await ask(server.appUrl)).toBe('fleetstep_app');
    const sql = postgres(server.ownerUrl, { max: 1 });
    await sql`create table kept (i integer)`;
    await sql.end();
    await server.close();
    expect(isAlive(server.pid)).toBe(false);
    const again = await openEmbedded(path);
    const reader = postgres(again.ownerUrl, { max: 1 });
    expect(await reader`select * from kept`).toHaveLength(0);
    await reader.end();
    await again.close();
  });

  it('is durable: fsync and synchronous_commit are on', async () => {
    const server = await openEmbedded(await initialised());
    const sql = postgres(server.appUrl, { max: 1 });
    const [row] = await sql`
      select current_setting('fsync') as fsync, current_setting('synchronous_commit') as commit,
        current_setting('full_page_writes') as pages, current_setting('listen_addresses') as addresses`;
    expect(row).toEqual({ fsync: 'on', commit: 'on', pages: 'on', addresses: '127.0.0.1' });
    await sql.end();
    await server.close();
  });

  it('is shared by all who open the folder, and stopped by the last who leaves', async () => {
    const path = folder();
    const opened = await Promise.all([openEmbedded(path), openEmbedded(path), openElsewhere(path)]);
    const [first, second, elsewhere] = opened;
    expect(new Set([first.pid, second.pid, elsewhere.pid]).size).toBe(1);
    await first.close();
    await first.close();
    expect(isAlive(first.pid)).toBe(true);
    await second.close();
    expect(await ask(second.appUrl)).toBe('fleetstep_app');
    elsewhere.process.stdin?.end();
    await once(elsewhere.process, 'exit');
    expect(isAlive(first.pid)).toBe(false);
  });

  it('is found again by the next opener when its first one was killed, and then stopped in order', async () => {
    const path = await initialised();
    const elsewhere = await openElsewhere(path);
    elsewhere.process.kill('SIGKILL');
    await once(elsewhere.process, 'exit');
    expect(isAlive(elsewhere.pid)).toBe(true);
    const server = await openEmbedded(path);
    expect(server).toMatchObject({ pid: elsewhere.pid, started: false });
    await server.close();
    expect(isAlive(elsewhere.pid)).toBe(false);
  });

  it('starts again after it was killed itself, on the same port', async () => {
    const path = await initialised();
    const server = await openEmbedded(path);
    process.kill(server.pid, 'SIGKILL');
    while (isAlive(server.pid)) await new Promise((done) => setTimeout(done, 5));
    const again = await openEmbedded(path);
    expect(again.started).toBe(true);
    expect(new URL(again.appUrl).port).toBe(new URL(server.appUrl).port);
    await again.close();
  });

  it('waits for one that is being killed: a process that still lives, and takes no connections', async () => {
    const path = await initialised();
    const server = await openEmbedded(path);
    const cluster = join(path, 'postgres', 'cluster');
    const claim = readFileSync(join(cluster, 'postmaster.pid'), 'utf8');
    await server.close();
    const sleeper = join(path, 'postgres', 'sleeper');
    mkdirSync(sleeper);
    copyFileSync('/bin/sleep', join(sleeper, 'postgres'));
    const dying = spawn(join(sleeper, 'postgres'), ['60']);
    await once(dying, 'spawn');
    const pidFile = join(cluster, 'postmaster.pid');
    writeFileSync(pidFile, claim.replace(/^\d+/, String(dying.pid)), { mode: 0o600 });
    const { uid, gid } = statSync(cluster);
    chownSync(pidFile, uid, gid);
    setTimeout(() => dying.kill('SIGKILL'), 500);
    const again = await openEmbedded(path);
    expect(again.started).toBe(true);
    expect(dying.signalCode).toBe('SIGKILL');
    expect(await ask(again.appUrl)).toBe('fleetstep_app');
    await again.close();
  });

  it('waits for the children of one that was killed', async () => {
    const path = await initialised();
    const server = await openEmbedded(path);
    const sql = postgres(server.appUrl, { max: 1, onclose: () => undefined });
    const [{ pid }] = await sql<{ pid: number }[]>`select pg_backend_pid() as pid`;
    process.kill(pid, 'SIGSTOP');
    process.kill(server.pid, 'SIGKILL');
    while (isAlive(server.pid)) await new Promise((done) => setTimeout(done, 5));
    setTimeout(() => process.kill(pid, 'SIGCONT'), 1000);
    const again = await openEmbedded(path);
    expect(again.started).toBe(true);
    await sql.end({ timeout: 1 });
    await again.close();
    expect(readFileSync(join(path, 'postgres', 'server.log'), 'utf8')).toContain('still in use');
  });

  it('tells what the server says when it does not start, and leaves nothing running', async () => {
    const path = folder();
    await (await openEmbedded(path)).close();
    writeFileSync(join(path, 'postgres', 'cluster', 'postgresql.conf'), 'no_such_setting = 1\n');
    await expect(openEmbedded(path)).rejects.toMatchObject({
      code: 'ERR_DATABASE',
      message: expect.stringMatching(/no_such_setting/) as string,
    });
    expect(existsSync(join(path, 'postgres', 'cluster', 'postmaster.pid'))).toBe(false);
  });

  it('refuses a cluster of another version of PostgreSQL', async () => {
    const path = folder();
    await (await openEmbedded(path)).close();
    writeFileSync(join(path, 'postgres', 'cluster', 'PG_VERSION'), '9\n');
    await expect(openEmbedded(path)).rejects.toMatchObject({ code: 'ERR_DATA_FOLDER' });
  });

  it('keeps its passwords from other users', async () => {
    const path = folder();
    await (await openEmbedded(path)).close();
    const { mode } = await import('node:fs').then(({ statSync }) => statSync(join(path, 'postgres', 'secrets.json')));
    expect(mode & 0o077).toBe(0);
  });

  it.runIf(process.getuid?.() === 0)('runs for root also where its unprivileged user cannot go', async () => {
    const closed = mkdtempSync(join(tmpdir(), 'fleetstep-closed-'));
    chmodSync(closed, 0o700);
    const server = await openEmbedded(join(closed, 'data'));
    try {
      expect(server.folder).toMatch(/^\/var\/lib\/fleetstep\//);
      expect(await ask(server.appUrl)).toBe('fleetstep_app');
    } finally {
      await server.close();
      rmSync(join(server.folder, '..'), { recursive: true, force: true });
      rmSync(closed, { recursive: true, force: true });
    }
  });
});

describe('the lock of a folder', () => {
  it('lets one at a time in', async () => {
    const path = folder();
    let inside = 0;
    let most = 0;
    await Promise.all(
      Array.from({ length: 8 }, () =>
        withFolderLock(path, 30, async () => {
          most = Math.max(most, ++inside);
          await new Promise((done) => setTimeout(done, 5));
          inside--;
        }),
      ),
    );
    expect(most).toBe(1);
    expect(readdirSync(path)).toEqual([]);
  });

  it('names the living process that keeps it for too long', async () => {
    const path = folder();
    await withFolderLock(path, 1, async () => {
      await expect(withFolderLock(path, 0, () => Promise.resolve())).rejects.toThrow(`process ${process.pid}`);
    });
  });

  it('passes over a dead holder, and over one whose number another process has now', async () => {
    const path = folder();
    mkdirSync(path, { recursive: true });
    writeFileSync(join(path, 'lock'), '999999999 1');
    expect(await withFolderLock(path, 0, () => Promise.resolve('in'))).toBe('in');
    writeFileSync(join(path, 'lock'), `${process.pid} 1`);
    expect(await withFolderLock(path, 0, () => Promise.resolve('in'))).toBe('in');
    expect(readFileSync('/proc/self/stat', 'utf8')).not.toBe('');
  });
});
