// Whether the record is as it was written: every entry of every chain, every row against its entries, the guards, and the
// signed heads. Works as any role that may read; trusts nothing that an editor could have changed with the rows.

import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { connect, databaseError } from './database.js';
import type { Connection, Database } from './database.js';
import { readHeads } from './heads.js';
import type { SignedHead } from './heads.js';
import { shippedMigrations } from './migrate.js';
import { isSignedBy } from './tombstone.js';
import type { Tombstone } from './tombstone.js';

export interface VerifyResult {
  /** Acts on record. */
  readonly rows: number;
  /** Entries of all chains. */
  readonly entries: number;
  readonly ok: boolean;
  /** Id of the first act that is not as it was written; for a break elsewhere, what it is. */
  readonly firstBad?: number | string;
  /** What is wrong with it. */
  readonly reason?: string;
  readonly companyId?: number;
  /** Signed heads that were compared. */
  readonly heads: number;
}

export interface VerifyOptions {
  /** Signed heads as exported, and the key that they must be signed with. */
  readonly heads?: { readonly file: string; readonly publicKey: string } | undefined;
  readonly progress?: ((done: number, total: number) => void) | undefined;
}

interface Break {
  readonly firstBad: number | string;
  readonly reason: string;
  readonly companyId?: number;
}

/** Hash of a chain without entries. */
const EMPTY_HASH = createHash('sha256').update('fleetstep').digest();
/** Entries to a statement: large enough to be fast, small enough to show progress and to share the work. */
const BATCH = 20_000;

/** @throws AuditError `ERR_DATABASE`, `ERR_NOT_MIGRATED`, `ERR_HEADS` for heads that cannot be read */
export async function verify(database: Database, options: VerifyOptions = {}): Promise<VerifyResult> {
  const pool = connect(database, { role: 'app', max: 2 });
  const read = <T>(work: (sql: Connection) => Promise<T>): Promise<T> =>
    pool.begin('isolation level repeatable read read only', (tx) => work(tx as unknown as Connection)) as Promise<T>;
  try {
    // Two readers, one snapshot: what is written meanwhile is neither missed nor half seen.
    return await read(async (sql) => {
      const [{ snapshot }] = await sql<[{ snapshot: string }]>`select pg_export_snapshot() as snapshot`;
      return read(async (second) => {
        await second.unsafe(`set transaction snapshot '${snapshot}'`);
        return verifyWithin([sql, second], options);
      });
    });
  } catch (error) {
    throw databaseError(error);
  } finally {
    await pool.end({ timeout: 5 });
  }
}

/** The same on connections of the caller's, in transactions that see one snapshot. */
export async function verifyWithin(readers: readonly Connection[], options: VerifyOptions = {}): Promise<VerifyResult> {
  const heads = options.heads === undefined ? [] : readHeads(options.heads.file, options.heads.publicKey);
  const [sql] = readers;
  // Nobody's functions but the checked ones.
  for (const reader of readers) await reader`set local search_path = public`;
  const [{ rows, entries }] = await sql<[{ rows: number; entries: number }]>`
    select (select count(*) from autonomous_action) as rows, (select count(*) from audit_ledger) as entries`;
  const broken = (await brokenGuard(sql)) ?? (await firstBreak(readers, heads, entries, options));
  return { rows, entries, ok: broken === undefined, ...broken, heads: heads.length };
}

/** Functions and triggers as this version ships them. They compute the digests below, so they come first. */
async function brokenGuard(sql: Connection): Promise<Break | undefined> {
  const shipped = shippedMigrations()
    .map(({ up }) => up)
    .join('\n');
  const functions = await sql<{ name: string; source: string }[]>`
    select p.proname as name, p.prosrc as source
    from pg_proc p join pg_language l on l.oid = p.prolang
    where p.pronamespace = 'public'::regnamespace and l.lanname in ('sql', 'plpgsql')
      and (p.proname like 'audit\\_%' or p.proname like 'autonomy\\_%') order by 1`;
  const known = new Set([...shipped.matchAll(/^create function (\w+)/gm)].map(([, name]) => name));
  const present = new Set(functions.map(({ name }) => name));
  for (const name of known) {
    if ((name.startsWith('audit_') || name.startsWith('autonomy_')) && !present.has(name)) {
      return { firstBad: `function ${name}`, reason: 'is missing' };
    }
  }
  for (const { name, source } of functions) {
    if (!known.has(name) || !shipped.includes(`$$${source}$$`)) {
      return { firstBad: `function ${name}`, reason: 'is not the one that this version ships' };
    }
  }
  const triggers = await sql<{ table: string; name: string; enabled: string }[]>`
    select c.relname as table, t.tgname as name, t.tgenabled as enabled
    from pg_trigger t join pg_class c on c.oid = t.tgrelid
    where not t.tgisinternal and c.relnamespace = 'public'::regnamespace`;
  for (const [, name, table] of shipped.matchAll(/^create trigger (\w+)\s+\w[\w ]*? on (\w+)/gm)) {
    const found = triggers.find((trigger) => trigger.name === name && trigger.table === table);
    if (found?.enabled !== 'O' && found?.enabled !== 'A') {
      return { firstBad: `trigger ${name} on ${table}`, reason: found === undefined ? 'is missing' : 'is disabled' };
    }
  }
  return undefined;
}

interface Chain {
  readonly companyId: number;
  /** As the head says. */
  readonly seq: number | null;
  readonly hash: Buffer | null;
  /** The entry before the first one, and its hash: of those that were pruned, else of none. */
  readonly start: number;
  readonly startHash: Buffer;
  /** What stands for entries that were pruned. */
  readonly tombstone: Tombstone | null;
  /** As the last entry says. */
  readonly last: number;
  readonly lastHash: Buffer | null;
}

async function firstBreak(
  readers: readonly Connection[],
  heads: readonly SignedHead[],
  total: number,
  options: VerifyOptions,
): Promise<Break | undefined> {
  const publicKey = options.heads?.publicKey;
  const [sql] = readers;
  const counts = await countRows(sql);
  const chains = await sql<Chain[]>`
    with recursive ledger as (
      -- A walk over the index from chain to chain, as there are few chains and many entries.
      (select company_id from audit_ledger order by company_id limit 1)
      union all
      select (select l.company_id from audit_ledger l where l.company_id > ledger.company_id order by company_id limit 1)
      from ledger where ledger.company_id is not null
    )
    select company_id as "companyId", h.seq, h.hash, coalesce(last.seq, 0) as last, last.hash as "lastHash",
      coalesce((pruned.detail ->> 'through')::bigint, 0) as start, pruned.detail as tombstone,
      coalesce(decode(pruned.detail ->> 'hash', 'hex'), sha256('fleetstep')) as "startHash"
    from (
      select company_id from ledger where company_id is not null
      union select id from company union select 0 union select company_id from audit_head
      union select jsonb_array_elements_text(${sql.json([...counts.keys()])})::bigint) as chain
    left join audit_head h using (company_id)
    left join lateral (
      select l.seq, l.hash from audit_ledger l where l.company_id = chain.company_id order by l.seq desc limit 1) as last on true
    left join lateral (
      select l.detail from audit_ledger l, (select min(seq) as seq from audit_ledger m where m.company_id = chain.company_id) as first
      where l.company_id = chain.company_id and l.kind = 'pruned' and first.seq > 1 and (l.detail ->> 'through')::bigint = first.seq - 1
      order by l.seq desc limit 1) as pruned on true
    order by company_id`;
  const bad = await badEntries(readers, chains, (done) => options.progress?.(Math.min(done, total), total));
  const found: Break[] = [];
  for (const chain of chains) {
    const { companyId } = chain;
    const broken =
      bad.get(companyId) ??
      (await brokenHead(sql, chain)) ??
      (await forged(sql, companyId, counts.get(companyId))) ??
      (await cutOff(sql, chain, heads, publicKey));
    if (broken !== undefined) found.push(broken);
  }
  // Of all companies' first breaks, the one with the earliest act.
  const order = ({ firstBad }: Break): number => (typeof firstBad === 'number' ? firstBad : Infinity);
  return found.sort((a, b) => order(a) - order(b)).at(0);
}

/** The first bad entry of each chain that has one. The readers share the chains, batch by batch. */
async function badEntries(
  readers: readonly Connection[],
  chains: readonly Chain[],
  progress: (done: number) => void,
): Promise<Map<number, Break>> {
  const bad = new Map<number, Break & { readonly seq: number }>();
  let done = 0;
  const batches = (function* () {
    for (const { companyId, start, startHash, last } of chains) {
      for (let after = start; after < last && !bad.has(companyId); after += BATCH) {
        yield { companyId, after, first: after === start ? startHash : null };
      }
    }
  })();
  await Promise.all(
    readers.map(async (sql) => {
      for (const { companyId, after, first } of batches) {
        const [{ count, seq, action, reason }] = await verifyBatch(sql, companyId, after, first);
        if (seq !== null && seq <= (bad.get(companyId)?.seq ?? Infinity)) {
          const firstBad = action ?? `company ${companyId}, entry ${seq}`;
          bad.set(companyId, { firstBad, reason: reason ?? 'differs from its entry', companyId, seq });
        }
        progress((done += count));
      }
    }),
  );
  return new Map([...bad].map(([companyId, { seq: _, ...broken }]) => [companyId, broken]));
}

interface BatchVerdict {
  readonly count: number;
  /** The first bad entry, its act, and what is wrong. */
  readonly seq: number | null;
  readonly action: number | null;
  readonly reason: string | null;
}

/**
 * Checks the entries `after + 1 .. after + BATCH`: numbers without gaps, hashes that follow from the entry before, and each
 * entry's row. That the entry before is right itself, another batch says; for the first batch, its hash is `start`.
 */
function verifyBatch(sql: Connection, companyId: number, after: number, start: Buffer | null): Promise<[BatchVerdict]> {
  return sql<[BatchVerdict]>`
    with linked as (
      select l.*, lag(l.seq, 1, case when ${start === null} then null else ${after}::bigint end) over w as previous_seq,
        lag(l.hash, 1, ${start}::bytea) over w as previous_hash
      from audit_ledger l
      where l.company_id = ${companyId} and (l.seq >= ${after}::bigint or ${after}::bigint = 0) and l.seq <= ${after}::bigint + ${BATCH}
      window w as (order by l.seq)
    ), entry as materialized (
      select * from linked where seq > ${after}::bigint or ${after}::bigint = 0
    ), checked as (
      select e.seq, coalesce(e.action_id, r.action_id) as action_id, case
        when e.seq is distinct from e.previous_seq + 1 then 'entries before it are missing'
        when e.hash <> audit_chain(e.previous_hash, e.seq, e.digest) then 'its hash does not follow from the entry before it'
        when (e.kind = 'review') <> (e.review_id is not null) or (e.detail is not null and e.kind in (
          'intended', 'refused', 'dry_run', 'outcome', 'review')) then 'the entry was edited'
        when e.kind in ('intended', 'refused', 'dry_run') then case
          when a.id is null then 'the act is missing'
          when a.seq <> e.seq or a.company_id <> e.company_id then 'the act names another entry'
          when a.created_at <> e.at or e.digest <> audit_birth_digest(e.kind, a) then 'the act was edited'
          when a.outcome_seq is null and (a.status::text <> e.kind::text or a.success is not null or a.execution_time_ms is not null
            or a.error_message is distinct from a.refusal ->> 'message'
            or (a.refusal is not null) <> (a.status = 'refused')) then 'the outcome was edited'
          when a.review_seq is null and (a.reviewed_by_admin or a.reviewed_at is not null or a.reviewed_by is not null
            or a.admin_notes is not null) then 'the review was edited'
          when a.outcome_seq is null and a.review_seq is null and a.updated_at <> e.at then 'the act was edited'
        end
        when e.kind = 'outcome' then case
          when a.id is null then 'the act is missing'
          when a.outcome_seq is distinct from e.seq or e.digest <> audit_outcome_digest(a, e.at) then 'the outcome was edited'
          when e.seq > coalesce(a.review_seq, 0) and a.updated_at <> e.at then 'the act was edited'
        end
        when e.kind = 'review' then case
          when a.id is null then 'the act is missing'
          when r.id is null then 'a review is missing'
          when r.action_id <> e.action_id or r.at <> e.at or e.digest <> audit_review_digest(r) then 'a review was edited'
          when a.review_seq is null or a.review_seq < e.seq or (a.review_seq > e.seq and not exists (
            select from audit_ledger l where l.company_id = e.company_id and l.seq = a.review_seq and l.kind = 'review'
              and l.action_id = a.id)) then 'the review was edited'
          when a.review_seq = e.seq and (not a.reviewed_by_admin or a.reviewed_at <> r.at or a.reviewed_by <> r.reviewer
            or a.admin_notes is distinct from r.notes) then 'the review was edited'
          when a.review_seq = e.seq and e.seq > coalesce(a.outcome_seq, 0) and a.updated_at <> e.at then 'the act was edited'
        end
        when e.digest <> audit_detail_digest(e.kind, e.action_id, e.detail, e.at) then 'the entry was edited'
      end as reason
      from entry e
      left join autonomous_action a on a.id = e.action_id
      left join action_review r on r.id = e.review_id
    ), bad as (
      select seq, action_id, reason from checked where reason is not null order by seq limit 1
    )
    select (select count(*) from entry) as count, bad.seq, bad.action_id as action, bad.reason
    from (values (1)) as one left join bad on true`;
}

async function brokenHead(
  sql: Connection,
  { companyId, seq, hash, last, lastHash }: Chain,
): Promise<Break | undefined> {
  if (seq === null || hash === null) {
    return { firstBad: `company ${companyId}, head`, reason: 'the head of the chain is missing', companyId };
  }
  if (seq === last && hash.equals(lastHash ?? EMPTY_HASH)) return undefined;
  // The acts whose entries were cut off may still be there.
  const [orphan] = await sql<[{ id: number }] | []>`
    select id from autonomous_action where company_id = ${companyId} and seq > ${last} order by id limit 1`;
  return {
    firstBad: orphan?.id ?? `company ${companyId}, entry ${Math.min(seq, last) + 1}`,
    reason: seq > last ? 'the end of the chain was cut off' : 'the head of the chain was edited',
    companyId,
  };
}

/** How many acts, outcomes, reviewed acts and reviews the tables hold for each company. */
interface Counts {
  readonly acts: number;
  readonly outcomes: number;
  readonly reviewed: number;
  readonly reviews: number;
}

async function countRows(sql: Connection): Promise<Map<number, Counts>> {
  const rows = await sql<(Counts & { companyId: number })[]>`
    select company_id as "companyId", count(*) as acts, count(outcome_seq) as outcomes, count(review_seq) as reviewed,
      coalesce(min(r.reviews), 0) as reviews
    from autonomous_action left join (
      select company_id, count(*) as reviews from action_review r join autonomous_action a on a.id = r.action_id
      group by company_id) as r using (company_id)
    group by company_id`;
  return new Map(rows.map((row) => [row.companyId, row]));
}

/**
 * Rows that no entry speaks of. Every entry has been found to have a row of its own that points back to it, so equal counts
 * say that there are no others.
 */
async function forged(sql: Connection, companyId: number, counts: Counts | undefined): Promise<Break | undefined> {
  const { acts, outcomes, reviewed, reviews } = counts ?? { acts: 0, outcomes: 0, reviewed: 0, reviews: 0 };
  const [entries] = await sql<[Counts]>`
    select count(*) filter (where kind in ('intended', 'refused', 'dry_run')) as acts,
      count(*) filter (where kind = 'outcome') as outcomes,
      count(distinct action_id) filter (where kind = 'review') as reviewed,
      count(*) filter (where kind = 'review') as reviews
    from audit_ledger where company_id = ${companyId}`;
  const find = async (reason: string, rows: PromiseLike<readonly { id: number }[]>): Promise<Break> => {
    const [row] = await rows;
    return { firstBad: row?.id ?? `company ${companyId}`, reason, companyId };
  };
  if (acts !== entries.acts) {
    return find(
      'the act has no entry',
      sql<{ id: number }[]>`
        select a.id from autonomous_action a where a.company_id = ${companyId} and not exists (
          select from audit_ledger l where l.company_id = a.company_id and l.seq = a.seq and l.action_id = a.id
            and l.kind in ('intended', 'refused', 'dry_run'))
        order by a.id limit 1`,
    );
  }
  if (outcomes !== entries.outcomes) {
    return find(
      'the outcome has no entry',
      sql<{ id: number }[]>`
        select a.id from autonomous_action a where a.company_id = ${companyId} and a.outcome_seq is not null and not exists (
          select from audit_ledger l where l.company_id = a.company_id and l.seq = a.outcome_seq and l.action_id = a.id
            and l.kind = 'outcome')
        order by a.id limit 1`,
    );
  }
  if (reviews !== entries.reviews || reviewed !== entries.reviewed) {
    return find(
      'a review has no entry',
      sql<{ id: number }[]>`
        select a.id from autonomous_action a left join action_review r on r.action_id = a.id
        where a.company_id = ${companyId} and (r.id is not null or a.review_seq is not null) and not exists (
          select from audit_ledger l where l.company_id = a.company_id and l.kind = 'review' and l.action_id = a.id
            and l.review_id = r.id)
        order by 1 limit 1`,
    );
  }
  return undefined;
}

/** Signed heads against the chain: who cuts off its end, head and all, cannot make the signature of what was there. */
async function cutOff(
  sql: Connection,
  { companyId, start, tombstone }: Chain,
  heads: readonly SignedHead[],
  publicKey: string | undefined,
): Promise<Break | undefined> {
  if (tombstone !== null && publicKey !== undefined && !isSignedBy(companyId, tombstone, readFileSync(publicKey))) {
    return {
      firstBad: `company ${companyId}, entries up to ${start}`,
      reason: `were pruned, and ${publicKey} has not signed that`,
      companyId,
    };
  }
  // What was signed and has gone in order is not looked for.
  const own = heads.filter((head) => head.companyId === companyId && head.seq > start);
  if (own.length === 0) return undefined;
  const [bad] = await sql<[{ seq: number; found: boolean }] | []>`
    select s.seq, l.seq is not null as found
    from jsonb_to_recordset(${sql.json(own.map(({ seq, hash }) => ({ seq, hash })))}) as s (seq bigint, hash text)
    left join audit_ledger l on l.company_id = ${companyId} and l.seq = s.seq
    where s.seq > 0 and encode(l.hash, 'hex') is distinct from s.hash order by s.seq limit 1`;
  if (bad === undefined) return undefined;
  return {
    firstBad: `company ${companyId}, entry ${bad.seq}`,
    reason: bad.found ? 'differs from what was signed' : 'was signed, and is gone',
    companyId,
  };
}
