// Real PostgreSQL for a test file: a server of its own. FLEETSTEP_TEST_POSTGRES names the `bin` folder of another version to
// run on than the embedded one.

import { execFileSync } from 'node:child_process';
import { chmodSync, existsSync, mkdirSync, mkdtempSync, readFileSync, readdirSync, rmSync } from 'node:fs';
import { createServer, connect as openSocket } from 'node:net';
import type { AddressInfo, Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { inject } from 'vitest';
import { actionTypes, connect, migrate, periods, setLimits } from '#audit/index.js';
import type { Connection, Database, LimitScope } from '#audit/index.js';
import { databaseOf } from '#audit/database.js';
import { openEmbedded } from '#audit/embedded.js';
import type { EmbeddedServer } from '#audit/embedded.js';
import { withFolderLock } from '#audit/folder-lock.js';

/** A folder that the server's unprivileged user can reach, too. */
export function reachableFolder(): string {
  const folder = mkdtempSync(join(tmpdir(), 'fleetstep-audit-'));
  chmodSync(folder, 0o755);
  return folder;
}

const MAKE_SECONDS = 120;

/**
 * A folder with a cluster that has been initialised, and migrated if so asked. It is made once in a run of the tests, by the first file
 * that asks, and copied for each.
 */
export async function clusterFolder(migrated: boolean): Promise<string> {
  const kept = join(inject('keptFolder'), migrated ? 'migrated' : 'empty');
  mkdirSync(kept, { recursive: true });
  const made = join(kept, 'made');
  await withFolderLock(kept, MAKE_SECONDS, async () => {
    if (existsSync(made)) return;
    const server = await openServer(kept);
    if (migrated) await migrate(databaseOf(server));
    await server.close();
    mkdirSync(made);
  });
  const folder = reachableFolder();
  const place = join(folder, 'postgres');
  mkdirSync(place);
  // cp keeps the owner: the server's unprivileged user.
  for (const part of ['cluster', 'secrets.json']) execFileSync('cp', ['-a', join(kept, 'postgres', part), place]);
  return folder;
}

export interface TestDatabase {
  readonly database: Database;
  /** Of a superuser: for what an attacker would do. */
  readonly superuserUrl: string;
  /** Ends everything, and removes its data. */
  remove(): Promise<void>;
}

/** A server in `folder`, of the version under test: the embedded one with its settings, another one with PostgreSQL's own. */
export function openServer(folder: string): Promise<EmbeddedServer> {
  const other = process.env['FLEETSTEP_TEST_POSTGRES'];
  return other === undefined || other === '' ? openEmbedded(folder) : openEmbedded(folder, other, {});
}

/**
 * A migrated database.
 * @param stock on the settings that PostgreSQL ships with, whichever version it is
 */
export async function testDatabase({ migrated = true, stock = false } = {}): Promise<TestDatabase> {
  const folder = await clusterFolder(migrated);
  const other = process.env['FLEETSTEP_TEST_POSTGRES'];
  const server = stock ? await openEmbedded(folder, other === '' ? undefined : other, {}) : await openServer(folder);
  return {
    database: databaseOf(server),
    superuserUrl: server.superuserUrl,
    async remove() {
      await server.close();
      rmSync(folder, { recursive: true, force: true });
    },
  };
}

/** A superuser's connection. */
export function superuser({ superuserUrl }: Pick<EmbeddedServer, 'superuserUrl'>, max = 1): Connection {
  const none = (): Promise<void> => Promise.resolve();
  const database: Database = {
    kind: 'server',
    folder: undefined,
    ownerUrl: superuserUrl,
    appUrl: superuserUrl,
    close: none,
  };
  return connect(database, { role: 'owner', max });
}

export interface TestCompany {
  readonly id: number;
  readonly drivers: readonly number[];
  readonly bookings: readonly number[];
}

/** A company that may do everything alone, with three drivers and three bookings. */
export async function addCompany(owner: Connection, name = 'test'): Promise<TestCompany> {
  const company = await addManualCompany(owner, name);
  await letAct(owner, company.id);
  return company;
}

/** One that has never been changed: software does nothing there. */
export async function addManualCompany(owner: Connection, name = 'test'): Promise<TestCompany> {
  const [{ id }] = await owner<[{ id: number }]>`insert into company (name) values (${name}) returning id`;
  const ids = (rows: readonly { id: number }[]): number[] => rows.map((row) => row.id);
  const drivers = ids(
    await owner<{ id: number }[]>`insert into driver (company_id) select ${id} from generate_series(1, 3) returning id`,
  );
  const bookings = ids(
    await owner<
      { id: number }[]
    >`insert into booking (company_id) select ${id} from generate_series(1, 3) returning id`,
  );
  return { id, drivers, bookings };
}

/** Turns everything on, and puts it on record as an admin's change does. */
export async function letAct(owner: Connection, companyId: number): Promise<void> {
  const everything = {
    mode: 'FULLY_AUTO',
    auto_assign: true,
    auto_reassign: true,
    auto_notify_customer: true,
    auto_adjust_time: true,
    auto_reoptimize: true,
  };
  // Not prepared: tests of migrations make the row's type anew.
  await owner.unsafe(`select public.autonomy_configure(${companyId}, '${JSON.stringify(everything)}', 'test')`);
}

/** Makes every limit of all companies so large that it does not matter. */
export async function liftLimits(owner: Connection): Promise<void> {
  const large = ['all', ...actionTypes].flatMap((scope) =>
    periods.map((per) => ({ scope: scope as LimitScope, per, capacity: 1_000_000 })),
  );
  for (const { id } of await owner<{ id: number }[]>`select id from company`) await setLimits(owner, id, large, 'test');
}

/** The server's process and all its children. */
export function processesOf(server: EmbeddedServer): number[] {
  const children = readdirSync('/proc').filter((name) => {
    if (!/^\d+$/.test(name)) return false;
    try {
      const stat = readFileSync(`/proc/${name}/stat`, 'utf8');
      return Number(stat.slice(stat.lastIndexOf(')') + 2).split(' ')[1]) === server.pid;
    } catch {
      return false;
    }
  });
  return [server.pid, ...children.map(Number)];
}

export function signalServer(server: EmbeddedServer, signal: NodeJS.Signals): void {
  for (const pid of processesOf(server)) {
    try {
      process.kill(pid, signal);
    } catch {
      // It has ended by itself.
    }
  }
}

export interface SlowProxy {
  readonly port: number;
  /** Milliseconds by which every answer of the server is late from now on. */
  delay(ms: number): void;
  close(): Promise<void>;
}

/** A proxy before a server on this machine, whose answers can be made to come late. */
export async function slowProxy(target: number): Promise<SlowProxy> {
  let delayMs = 0;
  const sockets = new Set<Socket>();
  const server = createServer((client) => {
    const upstream = openSocket(target, '127.0.0.1');
    for (const socket of [client, upstream]) {
      sockets.add(socket);
      socket.on('error', () => socket.destroy()).on('close', () => sockets.delete(socket));
    }
    client.pipe(upstream);
    upstream.on('data', (data) => {
      setTimeout(() => client.write(data), delayMs);
    });
    upstream.on('close', () => client.destroy());
  });
  await new Promise<void>((done) => server.listen(0, '127.0.0.1', done));
  return {
    port: (server.address() as AddressInfo).port,
    delay: (ms) => (delayMs = ms),
    async close() {
      for (const socket of sockets) socket.destroy();
      await new Promise((done) => server.close(done));
    },
  };
}
