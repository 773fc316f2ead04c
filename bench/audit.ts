// Limits and record on real servers: decisions a second, pages and statistics of a large record, and its proof.

import { randomUUID } from 'node:crypto';
import { chmodSync, existsSync, mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { databaseOf } from '../audit/database.js';
import { openEmbedded } from '../audit/embedded.js';
import {
  Recorder,
  actionTypes,
  configure,
  connect,
  listActions,
  migrate,
  periods,
  setLimits,
  statistics,
  verify,
} from '../audit/index.js';
import type { Connection, Database, PageRequest } from '../audit/index.js';
import { Purpose, RandomStream } from '../engine/index.js';
import { recordPast } from './past.js';
import type { PastAction } from './past.js';
import { interleave, load, spread } from './report.js';
import type { Benchmark, Row, Variant } from './report.js';

const CALLERS = 16;
const DAYS = 90;
/** Where Debian keeps its servers. */
const DEBIAN = '/usr/lib/postgresql';

interface Bench {
  readonly label: string;
  readonly database: Database;
  readonly owner: Connection;
  readonly companies: readonly number[];
  remove(): Promise<void>;
}

/** A new server with 50 companies that may do anything. */
async function openBench(binaries: string | undefined): Promise<Bench> {
  const folder = mkdtempSync(join(tmpdir(), 'fleetstep-bench-'));
  chmodSync(folder, 0o755);
  const server = await openEmbedded(folder, { binariesFolder: binaries });
  const database = databaseOf(server);
  await migrate(database);
  const owner = connect(database, { role: 'owner', max: 1 });
  const [{ version }] = await owner<[{ version: string }]>`select current_setting('server_version') as version`;
  const rows = await owner<{ id: number }[]>`
    insert into company (name) select 'company ' || i from generate_series(1, 50) as i returning id`;
  const large = ['all' as const, ...actionTypes].flatMap((scope) =>
    periods.map((per) => ({ scope, per, capacity: 1_000_000 })),
  );
  for (const { id } of rows) {
    await configure(owner, id, { mode: 'FULLY_AUTO', autoAssign: true, breakerFailures: 0 }, 'bench');
    await setLimits(owner, id, large, 'bench');
  }
  await owner`create table bare (id bigint generated always as identity primary key, at timestamptz default now(), text text)`;
  await owner`grant insert on bare to fleetstep_app`;
  return {
    label: version.split(' ')[0],
    database,
    owner,
    companies: rows.map(({ id }) => id),
    async remove() {
      await owner.end();
      await server.close();
      rmSync(folder, { recursive: true, force: true });
    },
  };
}

async function decisions(benches: readonly Bench[], quick: boolean): Promise<Row[]> {
  const seconds = quick ? 0.5 : 3;
  const ends: (() => Promise<void>)[] = [];
  const latencies: { name: string; times: number[] }[] = [];
  const variants = benches.flatMap(({ label, database, companies }): Variant[] => {
    // The deadline is not what is measured; a slow machine must not turn into refusals.
    const recorder = new Recorder(database, { deadlineMs: 10_000 });
    const sql = connect(database, { role: 'app', max: CALLERS });
    ends.push(async () => {
      await recorder.close();
      await sql.end();
    });
    const anchor = `${label} bare insert`;
    const variant = (name: string, call: (k: number) => Promise<unknown>): Variant => {
      const times: number[] = [];
      const full = `${label} ${name}`;
      latencies.push({ name: full, times });
      return { name: full, unit: '/s', anchor, run: () => load(CALLERS, seconds, call, times) };
    };
    // A dry run is a decision with its record, and nothing after it.
    const decide = (companyId: number, dryRun: boolean): Promise<unknown> =>
      recorder.act(
        { companyId, actionType: 'assign', description: 'bench', triggerSource: 'bench', dryRun },
        () => undefined,
      );
    const alone = (company: number): Promise<unknown> => {
      const intent = {
        n: 0,
        company,
        type: 'assign',
        key: randomUUID(),
        attempt: randomUUID(),
        description: 'bench',
        data: {},
        trigger: 'bench',
        dryRun: false,
        actSeconds: 60,
      };
      return sql`select id from autonomy_intend(${sql.json([intent])})`;
    };
    return [
      variant('bare insert', () => sql`insert into bare (text) values ('bench')`),
      variant(`decisions, one company, ${CALLERS} callers`, () => decide(companies[0], true)),
      variant(`decisions, 50 companies, ${CALLERS} callers`, (k) => decide(companies[k % 50], true)),
      variant(`acts, one company, ${CALLERS} callers`, () => decide(companies[0], false)),
      variant(`acts, 50 companies, ${CALLERS} callers`, (k) => decide(companies[k % 50], false)),
      variant(`decisions, one a statement, ${CALLERS} connections`, () => alone(companies[0])),
    ];
  });
  try {
    const rows = await interleave(variants, quick ? 1 : 5);
    return rows.flatMap((row) => {
      const { times } = latencies.find(({ name }) => name === row.name)!;
      return [row.name === row.anchor ? { ...row, ratio: 1 } : row, latency(row.name, times)];
    });
  } finally {
    for (const end of ends) await end();
  }
}

/** The 99th percentile, with the median and the longest as its spread. */
function latency(name: string, times: readonly number[]): Row {
  const sorted = times.toSorted((a, b) => a - b);
  const at = (share: number): number => sorted[Math.min(sorted.length - 1, Math.floor(share * sorted.length))];
  return {
    name: `${name}, p99 [p50, max]`,
    unit: 'ms',
    value: at(0.99),
    low: at(0.5),
    high: sorted[sorted.length - 1],
  };
}

/** So many actions of one moment are decided by one statement. */
const TOGETHER = 20;

/** Actions spread evenly over the last days, all companies and all types. */
async function fillRecord(
  owner: Connection,
  companies: readonly number[],
  rows: number,
  note: (text: string) => void,
): Promise<void> {
  // Few to a transaction: each entry leaves a dead version of its chain's head, which only the next transaction clears away.
  const part = 1000;
  const now = Date.now();
  const action = (i: number): PastAction => ({
    companyId: companies[i % companies.length],
    actionType: actionTypes[i % actionTypes.length],
    at: new Date(now - DAYS * 86_400_000 * (1 - (i - (i % TOGETHER) + 1) / (rows + TOGETHER))),
    status: i % 50 === 7 ? 'failed' : i % 10 === 3 ? 'refused' : 'succeeded',
    ms: 5 + (i % 40),
    description: 'Move the booking to a driver who is nearer',
    data: { from: i % 10, to: i % 7 },
  });
  for (let from = 0; from < rows; from += part) {
    const to = Math.min(rows, from + part);
    await recordPast(
      owner,
      Array.from({ length: to - from }, (_, k) => action(from + k)),
    );
    note(`record: ${Math.min(rows, from + part)} of ${rows} rows`);
  }
  const [{ step }] = await owner<
    [{ step: number }]
  >`select greatest(1, count(*) / 1000) as step from autonomous_action`;
  await owner`select autonomy_review(id, 'bench', null) from autonomous_action where id % ${step} = 0`;
  await owner`vacuum analyze`;
}

async function record(bench: Bench, quick: boolean, note: (text: string) => void): Promise<Row[]> {
  const { label, database, owner, companies } = bench;
  const rows = quick ? 20_000 : 1_000_000;
  await fillRecord(owner, companies, rows, note);
  const app = connect(database, { role: 'app', max: 1 });
  const random = new RandomStream(1, Purpose.action);
  const pick = <T>(values: readonly T[]): T => values[random.integer(0, values.length - 1)];
  const day = (back: number): Date => new Date(Date.now() - 86_400_000 * back);
  try {
    // Cursors from all over the record, then pages of every kind of filter.
    const cursors: string[] = [];
    for (let k = 0; k < 50; k++) {
      const { next } = await listActions(app, { perPage: 1, to: day(DAYS * random.float()) });
      if (next !== null) cursors.push(next);
    }
    const filters: (() => PageRequest)[] = [
      () => ({}),
      () => ({ companyId: pick(companies) }),
      () => ({ actionType: pick(actionTypes) }),
      () => ({ companyId: pick(companies), actionType: pick(actionTypes) }),
      () => ({ success: random.float() < 0.5 }),
      () => ({ reviewed: random.float() < 0.5 }),
      () => ({ companyId: pick(companies), success: false }),
      () => ({ companyId: pick(companies), reviewed: true }),
      () => ({ status: 'refused' }),
      () => ({ from: day(30), to: day(20) }),
    ];
    const byCursor: number[] = [];
    const byNumber: number[] = [];
    for (let k = 0; k < (quick ? 200 : 3000); k++) {
      const filter = pick(filters)();
      const started = performance.now();
      await listActions(app, { ...filter, perPage: 50, cursor: pick(cursors) });
      const between = performance.now();
      await listActions(app, { ...filter, perPage: 50, page: random.integer(1, 40) });
      byCursor.push(between - started);
      byNumber.push(performance.now() - between);
    }
    const stats: number[] = [];
    for (let k = 0; k < (quick ? 5 : 40); k++) {
      const started = performance.now();
      await statistics(app, { period: 'day', to: day(DAYS * 0.9 * random.float()) });
      stats.push(performance.now() - started);
    }
    const speeds: number[] = [];
    for (let k = 0; k < (quick ? 1 : 3); k++) {
      const started = performance.now();
      const result = await verify(database);
      if (!result.ok) throw new Error(`the record is broken at ${String(result.firstBad)}: ${String(result.reason)}`);
      speeds.push(result.rows / ((performance.now() - started) / 1000));
    }
    const [{ bytes }] = await owner<[{ bytes: number }]>`
      select (pg_total_relation_size('autonomous_action') + pg_total_relation_size('audit_ledger')) / count(*) as bytes
      from autonomous_action`;
    const of = `${label} ${rows.toExponential(0).replace('e+', 'e')} acts`;
    return [
      latency(`${of}: page by cursor`, byCursor),
      latency(`${of}: page by number`, byNumber),
      { name: `${of}: statistics of a day`, unit: 'ms', ...spread(stats) },
      { name: `${of}: verify`, unit: 'acts/s', ...spread(speeds) },
      { name: `${of}: stored`, unit: 'bytes/act', value: bytes, low: bytes, high: bytes },
    ];
  } finally {
    await app.end();
  }
}

export const auditBenchmark: Benchmark = {
  name: 'audit',
  question: 'decisions a second, pages, statistics and proof, on the embedded server and on those of Debian',
  async run(quick, note) {
    const others = existsSync(DEBIAN) ? readdirSync(DEBIAN).map((version) => join(DEBIAN, version, 'bin')) : [];
    const benches: Bench[] = [];
    try {
      for (const binaries of [undefined, ...others.filter((folder) => existsSync(join(folder, 'initdb')))]) {
        benches.push(await openBench(binaries));
      }
      const rows = await decisions(benches, quick);
      for (const bench of benches) rows.push(...(await record(bench, quick, note)));
      return rows;
    } finally {
      for (const bench of benches) await bench.remove();
    }
  },
};
