// A real PgBouncer before a test's server.

import { spawn, spawnSync } from 'node:child_process';
import { chmodSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import type { Database } from '#audit/index.js';
import { reachableFolder } from './database.js';

/** @throws if there is none and CI would skip */
export function pgbouncerMissing(): boolean {
  if (spawnSync('pgbouncer', ['--version']).status === 0) return false;
  if (process.env['CI'] === 'true') throw new Error('CI needs PgBouncer: install pgbouncer');
  process.stderr.write(
    '\nWARNING: the way through PgBouncer is NOT tested: there is none on this machine (apt-get install pgbouncer)\n\n',
  );
  return true;
}

export interface PgBouncer {
  /** The application's way through it; `parameter` is the URL's query. */
  way(parameter: string): Database;
  close(): Promise<void>;
}

/**
 * @param lines of its configuration beyond the usual
 * @param size  sessions of the server that it shares out
 */
export async function startPgBouncer(
  database: Database,
  mode: 'transaction' | 'statement' | 'session',
  { size = 2, lines = '' }: { readonly size?: number; readonly lines?: string } = {},
): Promise<PgBouncer> {
  const folder = reachableFolder();
  const port = await freePort();
  const { hostname, port: target, pathname, username, password } = new URL(database.appUrl);
  const file = join(folder, 'pgbouncer.ini');
  writeFileSync(
    file,
    `[databases]
fleetstep = host=${hostname} port=${target} dbname=${pathname.slice(1)} user=${username} password=${decodeURIComponent(password)} pool_size=${size}
[pgbouncer]
listen_addr = 127.0.0.1
listen_port = ${port}
unix_socket_dir =
auth_type = any
pool_mode = ${mode}
max_client_conn = 200
${lines}
`,
  );
  chmodSync(file, 0o644);
  // It refuses to run as root.
  const child = spawn('pgbouncer', [...(process.getuid?.() === 0 ? ['-u', 'nobody'] : []), file]);
  const ended = new Promise((done) => child.once('exit', done));
  await new Promise<void>((ready, failed) => {
    const said: string[] = [];
    createInterface({ input: child.stderr }).on('line', (line) => {
      said.push(line);
      if (line.includes('process up')) ready();
    });
    void ended.then(() => failed(new Error(`pgbouncer ended: ${said.join('\n')}`)));
  });
  return {
    way(parameter) {
      const url = `postgres://app:x@127.0.0.1:${port}/fleetstep${parameter}`;
      return { ...database, kind: 'server', appUrl: url };
    },
    async close() {
      child.kill('SIGKILL');
      await ended;
      rmSync(folder, { recursive: true, force: true });
    },
  };
}

async function freePort(): Promise<number> {
  const server = createServer();
  await new Promise<void>((done) => server.listen(0, '127.0.0.1', done));
  const { port } = server.address() as AddressInfo;
  await new Promise((done) => server.close(done));
  return port;
}
