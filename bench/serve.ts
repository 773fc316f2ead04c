// The service under load, as its users meet it: over HTTP, each answer on record, the load's own work on the same cores.

import { spawn } from 'node:child_process';
import type { ChildProcess } from 'node:child_process';
import { chmodSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import autocannon from 'autocannon';
import { connect, openDatabase } from '../audit/index.js';
import { Purpose, RandomStream } from '../engine/index.js';
import type { Benchmark, Row } from './report.js';

const CALLERS = 16;

interface Running {
  readonly url: string;
  readonly token: string;
  readonly process: ChildProcess;
  readonly folder: string;
}

/** The command itself, with a database of its own. */
async function start(): Promise<Running> {
  const folder = mkdtempSync(join(tmpdir(), 'fleetstep-serve-'));
  chmodSync(folder, 0o755);
  const main = fileURLToPath(new URL('../cli/main.js', import.meta.url));
  const child = spawn(
    process.execPath,
    [main, 'serve', '--port', '0', '--dev-token', 'admin', '--per-minute', '1000000000', '--json'],
    { env: { ...process.env, FLEETSTEP_DATA: folder }, stdio: ['ignore', 'pipe', 'inherit'] },
  );
  for await (const line of createInterface({ input: child.stdout })) {
    const { url, token } = JSON.parse(line) as { url: string; token: string };
    return { url, token, process: child, folder };
  }
  throw new Error('the service ended before it was ready');
}

async function stop({ process: child, folder }: Running): Promise<void> {
  const ended = new Promise((done) => child.once('exit', done));
  child.kill('SIGTERM');
  await ended;
  rmSync(folder, { recursive: true, force: true });
}

/** A state in Geneva: 10 vehicles, three of them busy, 20 shipments, one of five with a skill. */
function state(seed: number, explain: boolean): string {
  const stream = new RandomStream(seed, Purpose.demand);
  const place = (): number[] => [6.0682 + stream.integer(0, 15_000) / 1e5, 46.1294 + stream.integer(0, 15_000) / 1e5];
  const asOf = 1_763_971_200;
  return JSON.stringify({
    as_of: asOf,
    explain,
    time_zone: 'Europe/Zurich',
    vehicles: Array.from({ length: 10 }, (_, i) => ({
      id: i + 1,
      start: place(),
      ...(i % 2 === 1 ? { skills: ['wheelchair'] } : {}),
      ...(i % 3 === 2 ? { status: 'busy', free_at: asOf + 600, free_location: place() } : {}),
    })),
    shipments: Array.from({ length: 20 }, (_, k) => ({
      id: 100 + k,
      pickup: { location: place(), time_windows: [[asOf, asOf + 600 + stream.integer(0, 2400)]], service: 60 },
      delivery: { location: place() },
      ...(stream.integer(0, 4) === 0 ? { skills: ['wheelchair'] } : {}),
      priority: stream.integer(0, 100),
    })),
  });
}

/** @param much seconds, or exactly so many requests: then no one is under way at the end */
async function load(
  { url, token }: Running,
  connections: number,
  much: { readonly duration: number } | { readonly amount: number },
  explain = false,
): Promise<autocannon.Result> {
  const path = '/v1/recommend';
  return autocannon({
    url,
    connections,
    ...much,
    requests: Array.from({ length: 64 }, (_, k) => ({
      method: 'POST' as const,
      path,
      headers: { authorization: `Bearer ${token}`, 'content-type': 'application/json' },
      body: state(k, explain),
    })),
  });
}

/** Resident MiB, where the system tells. */
function resident({ process: { pid } }: Running): number {
  try {
    const [, kib] = /VmRSS:\s+(\d+)/.exec(readFileSync(`/proc/${String(pid)}/status`, 'utf8')) ?? [];
    return Number(kib) / 1024;
  } catch {
    return NaN;
  }
}

async function rowsOnRecord({ folder }: Running): Promise<number> {
  const database = await openDatabase({ dataFolder: folder });
  const connection = connect(database, { role: 'app', max: 1 });
  try {
    const [{ n }] = await connection<[{ n: number }]>`select count(*) as n from decision`;
    return n;
  } finally {
    await connection.end();
    await database.close();
  }
}

const one = (name: string, value: number, unit: string): Row => ({ name, value, low: value, high: value, unit });

export const serveBenchmark: Benchmark = {
  name: 'serve',
  question: 'recommendations over HTTP at 10 x 20, each on record, with the load on the same cores',
  run: async (quick, note) => {
    const running = await start();
    try {
      const seconds = (full: number): { duration: number } => ({ duration: quick ? 1 : full });
      await load(running, CALLERS, seconds(10));
      note('one caller');
      const alone = await load(running, 1, seconds(20));
      note('one caller, beside two who want explanations');
      const [beside, explained] = await Promise.all([
        load(running, 1, seconds(20)),
        load(running, 2, seconds(20), true),
      ]);
      const before = resident(running);
      note(`${CALLERS} callers${quick ? '' : ' for 5 minutes'}`);
      const steady = await load(running, CALLERS, seconds(300));
      const after = resident(running);
      note('overload');
      const over = await load(running, 512, seconds(20));
      const again = await load(running, CALLERS, seconds(20));
      const earlier = await rowsOnRecord(running);
      const counted = await load(running, CALLERS, { amount: 5000 });
      const rows = (await rowsOnRecord(running)) - earlier;
      const shed = over['5xx'];
      return [
        one('one caller, p50', alone.latency.p50, 'ms'),
        one('one caller, p99', alone.latency.p99, 'ms'),
        one('one caller beside two who want explanations, p50', beside.latency.p50, 'ms'),
        one('one caller beside two who want explanations, p99', beside.latency.p99, 'ms'),
        one('those two, explained answers', explained.requests.average, '1/s'),
        {
          name: `${CALLERS} callers, answers on record`,
          value: steady.requests.average,
          low: steady.requests.min,
          high: steady.requests.max,
          unit: '1/s',
        },
        one(`${CALLERS} callers, p50`, steady.latency.p50, 'ms'),
        one(`${CALLERS} callers, p99`, steady.latency.p99, 'ms'),
        one(`${CALLERS} callers, failed`, steady.non2xx + steady.errors, 'requests'),
        one('resident memory before', before, 'MiB'),
        one('resident memory after', after, 'MiB'),
        one('overload (512 callers), answered', over['2xx'] / over.duration, '1/s'),
        one('overload (512 callers), told to come again', shed / over.duration, '1/s'),
        one('overload (512 callers), other failures', over.non2xx - shed + over.errors, 'requests'),
        one('after it, answers on record', again.requests.average, '1/s'),
        one(`rows for ${counted['2xx']} answers`, rows, 'rows'),
      ];
    } finally {
      await stop(running);
    }
  },
};
