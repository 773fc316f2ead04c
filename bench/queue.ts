// What the queue of studies bears on one server: slices from hand to hand, signs of life, questions, and what each leaves behind. Nothing
// is trained.

import { randomBytes } from 'node:crypto';
import { chmodSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import postgres from 'postgres';
import { openEmbedded } from '../audit/embedded.js';
import { Deliveries, QueueStore, sliceKey } from '../jobs/index.js';
import type { Claim, Slice, SliceResult } from '../jobs/index.js';
import { interleave, load } from './report.js';
import type { Benchmark, Row, Variant } from './report.js';

/** Workers, each with connections of its own. */
const WORKERS = 8;
/** Bytes of a checkpoint of PPO on geneva with the defaults. */
const CHECKPOINT = 750_000;
/** Slices that a sweep looks at together. */
const LOOK = 2048;

const identity = { fleetstep: 'bench', scenarioSha256: 'bench', dataSha256: null };
const result = { steps: 1, meanReturn: 1, kpis: {}, weightsSha256: 'bench' } as unknown as SliceResult;
const sliceOf = (trial: number): Slice => ({
  ...{ trial, seed: 1, rung: 0, scenario: 'geneva', config: {}, toSteps: 1, episodes: 1 },
});

export const queueBenchmark: Benchmark = {
  name: 'queue',
  question: `the queue of studies on the embedded server, ${WORKERS} workers, no training`,
  async run(quick) {
    const folder = mkdtempSync(join(tmpdir(), 'fleetstep-bench-'));
    chmodSync(folder, 0o755);
    const server = await openEmbedded(folder);
    const url = server.superuserUrl;
    const sql = postgres(url, { max: 1, onnotice: () => undefined });
    const workers = await Promise.all(
      Array.from({ length: WORKERS }, async () => ({
        store: await QueueStore.open(url),
        deliveries: await Deliveries.open(url, () => undefined),
      })),
    );
    try {
      return await measure(workers, sql, quick);
    } finally {
      for (const { store, deliveries } of workers) {
        await deliveries.close();
        await store.close();
      }
      await sql.end();
      await server.close();
      rmSync(folder, { recursive: true, force: true });
    }
  },
};

async function measure(
  workers: readonly { readonly store: QueueStore; readonly deliveries: Deliveries }[],
  sql: postgres.Sql,
  quick: boolean,
): Promise<Row[]> {
  const seconds = quick ? 0.5 : 3;
  let trial = 0;
  // Weights do not compress.
  const files = [{ name: 'checkpoint.msgpack', bytes: randomBytes(CHECKPOINT) }];
  /** A slice on its whole way: into the table, delivered, claimed, and finished. */
  const whole = async (k: number, withFiles: boolean): Promise<void> => {
    const { store, deliveries } = workers[k % WORKERS];
    const slice = sliceOf(trial++);
    await store.enqueue('bench', slice, identity);
    await deliveries.send({ study: 'bench', key: sliceKey(slice) });
    const claim = await deliveries.next((key) => store.claim(key, 'bench'));
    if (claim !== null) await store.finish(claim, { result }, withFiles ? { steps: 1, files } : null);
  };
  const held: Claim[] = [];
  for (const [k, { store }] of workers.entries()) {
    const slice = sliceOf(1e6 + k);
    await store.enqueue('held', slice, identity);
    held.push((await store.claim({ study: 'held', key: sliceKey(slice) }, 'bench'))!);
  }
  const looked = Array.from({ length: LOOK }, (_, k) => sliceKey(sliceOf(k)));
  const variant = (name: string, unit: string, call: (k: number) => Promise<unknown>): Variant => ({
    ...{ name, unit },
    run: () => load(WORKERS, seconds, call),
  });
  const rows = await interleave(
    [
      variant('slices on their whole way, without files', 'slices/s', (k) => whole(k, false)),
      variant(`slices on their whole way, with a checkpoint of ${CHECKPOINT / 1000} KB`, 'slices/s', (k) =>
        whole(k, true),
      ),
      variant('signs of life', '/s', (k) => workers[k % WORKERS].store.beat(held[k % WORKERS], null)),
      variant('questions to a queue that is empty', '/s', (k) =>
        workers[k % WORKERS].deliveries.next((key) => workers[k % WORKERS].store.claim(key, 'bench')),
      ),
      variant('looks for silent workers', '/s', (k) => workers[k % WORKERS].store.overdue(3600)),
      variant(`looks of a sweep at ${LOOK} slices`, '/s', (k) => workers[k % WORKERS].store.states('bench', looked)),
    ],
    quick ? 1 : 5,
  );
  const once = (name: string, unit: string, value: number): Row => ({ name, unit, value, low: value, high: value });
  const [{ connections }] = await sql<[{ connections: number }]>`
    select count(*)::int as connections from pg_stat_activity where application_name = 'fleetstep-jobs'`;
  const [{ bytes }] = await sql<[{ bytes: number }]>`
    select (pg_total_relation_size('fleetstep_jobs.slice') / greatest(1, count(*)))::int as bytes from fleetstep_jobs.slice`;
  const [{ saved }] = await sql<[{ saved: number }]>`
    select (pg_total_relation_size('fleetstep_jobs.saved_file') / greatest(1, count(*)))::int as saved
    from fleetstep_jobs.saved_run`;
  return [
    ...rows,
    once('connections of a worker that has been busy', '', connections / WORKERS),
    once('stored for a slice that is done', 'bytes', bytes),
    once(`stored for a checkpoint of ${CHECKPOINT / 1000} KB`, 'bytes', saved),
  ];
}
