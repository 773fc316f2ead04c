// What a queue knows of its slices, in PostgreSQL. A slice belongs to whoever claimed it last: each claim raises its number
// (`attempt`), and only the holder of the present number can report, save or finish. Whoever was thought dead and wakes up can spoil
// nothing. The queue that delivers slices (boss.ts) may deliver twice, late, or never: this table decides.

import { createHash } from 'node:crypto';
import postgres from 'postgres';
import { infinityToWord, wordToInfinity } from '../files/index.js';
import { JobsError } from './errors.js';
import type { Slice, SliceProgress, SliceResult, StudyIdentity } from './slice.js';
import { runName, sliceKey } from './study-folder.js';

/** One slice of one study: the same slice has the same key, whoever enqueues it. */
export interface SliceKey {
  readonly study: string;
  readonly key: string;
}

/** A slice that this worker holds. */
export interface Claim extends SliceKey {
  /** Number of the claim, which fences off earlier holders. */
  readonly attempt: number;
  readonly slice: Slice;
  readonly identity: StudyIdentity;
}

/** How a slice stands, for the one who waits for it. */
export interface SliceState {
  readonly key: string;
  readonly state: 'queued' | 'running' | 'done' | 'failed';
  readonly result: SliceResult | null;
  readonly fault: string | null;
  readonly progress: SliceProgress | null;
  /** Why the last worker that refused it did so. */
  readonly refusal: string | null;
}

/** A file of a run's folder. */
export interface SavedFile {
  readonly name: string;
  readonly bytes: Uint8Array;
}

/** Bytes of a file in one row. */
const CHUNK = 1 << 20;
/** Seconds that a statement may take before the database counts as silent. */
const STATEMENT_SECONDS = 30;

/** The tables. All statements may run again. JSON lies there as text: the order of its members is part of a study's hash. */
const schema = `
create schema if not exists fleetstep_jobs;
create table if not exists fleetstep_jobs.slice (
  study text not null,
  key text not null,
  slice text not null,
  identity text not null,
  state text not null default 'queued' check (state in ('queued', 'running', 'done', 'failed')),
  attempt int not null default 0,
  worker text,
  queued_at timestamptz not null default clock_timestamp(),
  beat_at timestamptz,
  progress text,
  refusal text,
  result text,
  fault text,
  primary key (study, key)
);
create index if not exists slice_open on fleetstep_jobs.slice (state) where state in ('queued', 'running');
create table if not exists fleetstep_jobs.saved_run (
  study text not null,
  run text not null,
  steps bigint not null,
  primary key (study, run)
);
create table if not exists fleetstep_jobs.saved_file (
  study text not null,
  run text not null,
  name text not null,
  part int not null,
  bytes bytea not null,
  primary key (study, run, name, part),
  foreign key (study, run) references fleetstep_jobs.saved_run on delete cascade
);`;

/** Name of a study in the queue: what is searched, with what code and data. Two that are equal share their results. */
export function studyKey(name: string, study: unknown, identity: StudyIdentity): string {
  const digest = createHash('sha256').update(json({ study, identity })).digest('hex');
  return `${name}-${digest.slice(0, 16)}`;
}

/** The tables of a queue. */
export class QueueStore {
  readonly #sql: postgres.Sql;

  private constructor(sql: postgres.Sql) {
    this.#sql = sql;
  }

  /** Connects, and makes the tables if they are not there. @throws JobsError `ERR_QUEUE` */
  static async open(url: string): Promise<QueueStore> {
    const sql = postgres(url, {
      // A thousand workers share what connections a server has.
      max: 2,
      connect_timeout: 10,
      backoff: () => 0.5,
      onnotice: () => undefined,
      fetch_types: false,
      connection: {
        application_name: 'fleetstep-jobs',
        statement_timeout: STATEMENT_SECONDS * 1000,
        synchronous_commit: 'on',
        default_transaction_isolation: 'read committed',
      },
    });
    try {
      await sql.begin(async (tx) => {
        // Two that begin at once would both create them.
        await tx`select pg_advisory_xact_lock(hashtext('fleetstep_jobs'))`;
        await tx.unsafe(schema);
      });
    } catch (cause) {
      await sql.end({ timeout: 1 });
      throw queueError(cause);
    }
    return new QueueStore(sql);
  }

  /** Closes the connections. */
  async close(): Promise<void> {
    await this.#sql.end({ timeout: 5 });
  }

  /** Puts a slice on the table, unless it is there. True if it must be delivered: it is new, or failed before. */
  async enqueue(study: string, slice: Slice, identity: StudyIdentity): Promise<boolean> {
    const sql = this.#sql;
    const rows = await asked(
      sql`insert into fleetstep_jobs.slice as s (study, key, slice, identity)
          values (${study}, ${sliceKey(slice)}, ${json(slice)}, ${json(identity)})
          on conflict (study, key) do update
            set state = 'queued', attempt = s.attempt + 1, fault = null, queued_at = clock_timestamp()
            where s.state = 'failed'
          returning 1`,
    );
    return rows.length > 0;
  }

  /** How some slices of a study stand. */
  async states(study: string, keys: readonly string[]): Promise<SliceState[]> {
    const sql = this.#sql;
    const rows = await asked(
      sql<Raw[]>`
        select key, state, result, fault, progress, refusal from fleetstep_jobs.slice
        where study = ${study} and key in (select json_array_elements_text(${json(keys)}::text::json))`,
    );
    return rows.map(({ result, progress, ...row }) => ({
      ...row,
      result: parsed<SliceResult>(result),
      progress: parsed<SliceProgress>(progress),
    }));
  }

  /** Claims a slice that was delivered; null if there is nothing to do: somebody else has it, or it is done. */
  async claim({ study, key }: SliceKey, worker: string): Promise<Claim | null> {
    const sql = this.#sql;
    const rows = await asked(
      sql<{ attempt: number; slice: string; identity: string }[]>`
        update fleetstep_jobs.slice
        set state = 'running', attempt = attempt + 1, worker = ${worker}, beat_at = clock_timestamp(), progress = null
        where study = ${study} and key = ${key} and state = 'queued'
        returning attempt, slice, identity`,
    );
    const row = rows.at(0);
    if (row === undefined) return null;
    return {
      study,
      key,
      attempt: row.attempt,
      slice: parsed<Slice>(row.slice)!,
      identity: parsed<StudyIdentity>(row.identity)!,
    };
  }

  /** A sign of life; false if the slice is not this claim's any more. */
  async beat({ study, key, attempt }: Claim, progress: SliceProgress | null): Promise<boolean> {
    const sql = this.#sql;
    const rows = await asked(
      sql`update fleetstep_jobs.slice
          set beat_at = clock_timestamp(), progress = ${progress === null ? null : json(progress)}
          where study = ${study} and key = ${key} and attempt = ${attempt} and state = 'running'
          returning 1`,
    );
    return rows.length > 0;
  }

  /**
   * Ends a claim: with a result, with a fault that comes each time, or back to the queue (null), with the reason if it was refused.
   * The run's files are kept in the same transaction.
   * @returns false if the slice is not this claim's any more; then nothing has changed
   */
  async finish(
    claim: Claim,
    end: { readonly result: SliceResult } | { readonly fault: string } | { readonly refusal: string } | null,
    saved: { readonly steps: number; readonly files: readonly SavedFile[] } | null,
  ): Promise<boolean> {
    const { study, key, attempt, slice } = claim;
    const result = end !== null && 'result' in end ? end.result : null;
    const fault = end !== null && 'fault' in end ? end.fault : null;
    const refusal = end !== null && 'refusal' in end ? end.refusal : null;
    const state = result !== null ? 'done' : fault !== null ? 'failed' : 'queued';
    return asked(
      this.#sql.begin(async (sql) => {
        const rows = await sql`
          update fleetstep_jobs.slice
          set state = ${state}, result = ${result === null ? null : json(result)}, fault = ${fault},
            refusal = ${refusal}, worker = null, queued_at = clock_timestamp(),
            attempt = attempt + ${state === 'queued' ? 1 : 0}
          where study = ${study} and key = ${key} and attempt = ${attempt} and state = 'running'
          returning 1`;
        if (rows.length === 0) return false;
        if (saved !== null) await save(sql, study, runName(slice), saved);
        return true;
      }),
    );
  }

  /** What is saved of a slice's run beyond `steps`; null if there is nothing newer. */
  async savedRun({ study, slice }: Claim, steps: number): Promise<SavedFile[] | null> {
    const run = runName(slice);
    return asked(
      this.#sql.begin('isolation level repeatable read read only', async (sql) => {
        const [head] = await sql<{ steps: string }[]>`
          select steps::text as steps from fleetstep_jobs.saved_run where study = ${study} and run = ${run}`;
        if (head === undefined || Number(head.steps) <= steps) return null;
        const parts = await sql<{ name: string; bytes: Uint8Array }[]>`
          select name, bytes from fleetstep_jobs.saved_file where study = ${study} and run = ${run} order by name, part`;
        const files = new Map<string, Uint8Array[]>();
        for (const { name, bytes } of parts) files.set(name, [...(files.get(name) ?? []), bytes]);
        return [...files].map(([name, all]) => ({ name, bytes: Buffer.concat(all) }));
      }),
    );
  }

  /**
   * Takes slices back whose holder has been silent for `seconds`, and finds those that wait for so long that their delivery may be
   * lost. All of them must be delivered again.
   */
  async overdue(seconds: number): Promise<SliceKey[]> {
    const sql = this.#sql;
    const rows = await asked(
      sql<SliceKey[]>`
        update fleetstep_jobs.slice
        set state = 'queued', attempt = attempt + (state = 'running')::int, worker = null, queued_at = clock_timestamp()
        where (state = 'running' and beat_at < clock_timestamp() - make_interval(secs => ${seconds}))
          or (state = 'queued' and queued_at < clock_timestamp() - make_interval(secs => ${2 * seconds}))
        returning study, key`,
    );
    return rows.map(({ study, key }) => ({ study, key }));
  }
}

/** Replaces what is saved of a run. */
async function save(
  sql: postgres.TransactionSql,
  study: string,
  run: string,
  { steps, files }: { readonly steps: number; readonly files: readonly SavedFile[] },
): Promise<void> {
  await sql`delete from fleetstep_jobs.saved_run where study = ${study} and run = ${run}`;
  await sql`insert into fleetstep_jobs.saved_run (study, run, steps) values (${study}, ${run}, ${steps})`;
  for (const { name, bytes } of files) {
    for (let part = 0; part * CHUNK < Math.max(1, bytes.length); part++) {
      const chunk = Buffer.from(bytes.subarray(part * CHUNK, (part + 1) * CHUNK));
      await sql`insert into fleetstep_jobs.saved_file (study, run, name, part, bytes)
                values (${study}, ${run}, ${name}, ${part}, ${chunk})`;
    }
  }
}

/** A row of the table as it is read. */
interface Raw extends Omit<SliceState, 'result' | 'progress'> {
  readonly result: string | null;
  readonly progress: string | null;
}

function json(value: unknown): string {
  return JSON.stringify(value, infinityToWord);
}

function parsed<T>(text: string | null): T | null {
  return text === null ? null : (JSON.parse(text, wordToInfinity) as T);
}

async function asked<T>(answer: PromiseLike<T>): Promise<T> {
  try {
    return await answer;
  } catch (cause) {
    throw queueError(cause);
  }
}

/** An error of the database as one of the queue's. */
export function queueError(cause: unknown): JobsError {
  if (cause instanceof JobsError) return cause;
  const { message } = cause as Error;
  return new JobsError('ERR_QUEUE', `the queue's database: ${message}`, { cause });
}
