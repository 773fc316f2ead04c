// Whether the record is as it was written: every entry of every chain, every row against its entries, the guards, and the
// signed heads. Works as any role that may read; trusts nothing that an editor could have changed with the rows.

import { connect, databaseError } from './database.js';
import type { Connection, Database } from './database.js';
import { readHeads } from './heads.js';
import type { SignedHead } from './heads.js';
import { shippedMigrations } from './migrate.js';

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

/** Entries to a statement: large enough to be fast, small enough to show progress. */
const BATCH = 50_000;

/** @throws AuditError `ERR_DATABASE`, `ERR_NOT_MIGRATED`, `ERR_HEADS` for heads that cannot be read */
export async function verify(database: Database, options: VerifyOptions = {}): Promise<VerifyResult> {
  const pool = connect(database, { role: 'app', max: 1 });
  try {
    // One snapshot: what is written meanwhile is neither missed nor half seen.
    return await pool.begin('isolation level repeatable read read only', async (tx) => {
      // Nobody's functions but the checked ones.
      await tx`set local search_path = public`;
      return verifyWithin(tx as unknown as Connection, options);
    });
  } catch (error) {
    throw databaseError(error);
  } finally {
    await pool.end({ timeout: 5 });
  }
}

/** The same within a transaction of the caller's, which should be `repeatable read`. */
export async function verifyWithin(sql: Connection, options: VerifyOptions = {}): Promise<VerifyResult> {
  const heads = options.heads === undefined ? [] : readHeads(options.heads.file, options.heads.publicKey);
  const [{ rows, entries }] = await sql<[{ rows: number; entries: number }]>`
    select (select count(*) from autonomous_action) as rows, (select count(*) from audit_ledger) as entries`;
  const broken = (await brokenGuard(sql)) ?? (await firstBreak(sql, heads, entries, options.progress));
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

async function firstBreak(
  sql: Connection,
  heads: readonly SignedHead[],
  total: number,
  progress: VerifyOptions['progress'],
): Promise<Break | undefined> {
  const chains = await sql<{ companyId: number; seq: number | null; hash: Buffer | null; last: number }[]>`
    with recursive ledger as (
      -- A walk over the index from chain to chain, as there are few chains and many entries.
      (select company_id from audit_ledger order by company_id limit 1)
      union all
      select (select l.company_id from audit_ledger l where l.company_id > ledger.company_id order by company_id limit 1)
      from ledger where ledger.company_id is not null
    )
    select company_id as "companyId", h.seq, h.hash,
      coalesce((select max(l.seq) from audit_ledger l where l.company_id = chain.company_id), 0) as last
    from (
      select company_id from ledger where company_id is not null
      union select id from company union select 0 union select company_id from audit_head
      union select distinct company_id from autonomous_action) as chain
    left join audit_head h using (company_id) order by company_id`;
  let done = 0;
  const found: Break[] = [];
  for (const { companyId, seq, hash, last } of chains) {
    let after = 0;
    let previous: Buffer | null = null;
    let broken: Break | undefined;
    while (broken === undefined && after < last) {
      const [batch]: [BatchVerdict] = await verifyBatch(sql, companyId, after, previous);
      if (batch.badSeq !== null) {
        broken = {
          firstBad: batch.badAction ?? `company ${companyId}, entry ${batch.badSeq}`,
          reason: batch.badReason ?? 'differs from its entry',
          companyId,
        };
      }
      after = batch.lastSeq;
      previous = batch.lastHash;
      done += batch.count;
      progress?.(Math.min(done, total), total);
    }
    broken ??= await brokenHead(sql, companyId, seq, hash, last, previous);
    broken ??= await forged(sql, companyId);
    broken ??= await cutOff(sql, companyId, heads);
    if (broken !== undefined) found.push(broken);
  }
  // Of all companies' first breaks, the one with the earliest act.
  const order = ({ firstBad }: Break): number => (typeof firstBad === 'number' ? firstBad : Infinity);
  return found.sort((a, b) => order(a) - order(b)).at(0);
}

interface BatchVerdict {
  readonly count: number;
  readonly lastSeq: number;
  readonly lastHash: Buffer;
  readonly badSeq: number | null;
  readonly badAction: number | null;
  readonly badReason: string | null;
}

/** Checks up to BATCH entries after `after`: numbers without gaps, hashes, and each entry's row. */
function verifyBatch(
  sql: Connection,
  companyId: number,
  after: number,
  previous: Buffer | null,
): Promise<[BatchVerdict]> {
  return sql<[BatchVerdict]>`
    with entry as materialized (
      select l.*, lag(l.seq, 1, ${after}::bigint) over w as previous_seq,
        lag(l.hash, 1, coalesce(${previous}::bytea, sha256('fleetstep'))) over w as previous_hash
      from audit_ledger l where l.company_id = ${companyId} and l.seq > ${after}
      window w as (order by l.seq) order by l.seq limit ${BATCH}
    ), checked as (
      select e.seq, e.hash, coalesce(e.action_id, r.action_id) as action_id, case
        when e.seq <> e.previous_seq + 1 then 'entries before it are missing'
        when e.hash <> audit_chain(e.previous_hash, e.seq, e.digest) then 'its hash does not follow from the entry before it'
        when e.kind in ('intended', 'refused', 'dry_run') then case
          when a.id is null then 'the act is missing'
          when a.seq <> e.seq or a.company_id <> e.company_id then 'the act names another entry'
          when a.created_at <> e.at or e.digest <> audit_birth_digest(e.kind, a) then 'the act was edited'
          when a.outcome_seq is null and (a.status::text <> e.kind::text or a.success is not null or a.execution_time_ms is not null
            or a.error_message is distinct from a.refusal ->> 'message') then 'the outcome was edited'
          when a.outcome_seq is not null and not exists (select from audit_ledger o
            where o.company_id = a.company_id and o.seq = a.outcome_seq and o.kind = 'outcome' and o.action_id = a.id)
            then 'the outcome was edited'
          when a.review_seq is null and (a.reviewed_by_admin or a.reviewed_at is not null or a.reviewed_by is not null
            or a.admin_notes is not null) then 'the review was edited'
          when a.review_seq is not null and not exists (select from audit_ledger o
            where o.company_id = a.company_id and o.seq = a.review_seq and o.kind = 'review' and o.action_id = a.id)
            then 'the review was edited'
          when a.updated_at <> coalesce((select o.at from audit_ledger o where o.company_id = a.company_id
            and o.seq = greatest(a.outcome_seq, a.review_seq)), a.created_at) then 'the act was edited'
        end
        when e.kind = 'outcome' then case
          when a.id is null then 'the act is missing'
          when a.outcome_seq is distinct from e.seq or e.digest <> audit_outcome_digest(a, e.at) then 'the outcome was edited'
        end
        when e.kind = 'review' then case
          when a.id is null then 'the act is missing'
          when r.id is null then 'a review is missing'
          when r.action_id <> e.action_id or r.at <> e.at or e.digest <> audit_review_digest(r) then 'a review was edited'
          when a.review_seq is null or a.review_seq < e.seq then 'the review was edited'
          when a.review_seq = e.seq and (not a.reviewed_by_admin or a.reviewed_at <> r.at or a.reviewed_by <> r.reviewer
            or a.admin_notes is distinct from r.notes) then 'the review was edited'
        end
        when e.digest <> audit_detail_digest(e.kind, e.action_id, e.detail, e.at) then 'the entry was edited'
      end as reason
      from entry e
      left join autonomous_action a on a.id = e.action_id
      left join action_review r on r.id = e.review_id
    ), bad as (
      select seq, action_id, reason from checked where reason is not null order by seq limit 1
    )
    select (select count(*) from entry) as count, last.seq as "lastSeq", last.hash as "lastHash",
      bad.seq as "badSeq", bad.action_id as "badAction", bad.reason as "badReason"
    from (select seq, hash from entry order by seq desc limit 1) as last left join bad on true`;
}

async function brokenHead(
  sql: Connection,
  companyId: number,
  seq: number | null,
  hash: Buffer | null,
  last: number,
  previous: Buffer | null,
): Promise<Break | undefined> {
  if (seq === null || hash === null) {
    return { firstBad: `company ${companyId}, head`, reason: 'the head of the chain is missing', companyId };
  }
  if (seq === last && (previous === null ? seq === 0 : hash.equals(previous))) return undefined;
  // The acts whose entries were cut off may still be there.
  const [orphan] = await sql<[{ id: number }] | []>`
    select id from autonomous_action where company_id = ${companyId} and seq > ${last} order by id limit 1`;
  return {
    firstBad: orphan?.id ?? `company ${companyId}, entry ${Math.min(seq, last) + 1}`,
    reason: seq > last ? 'the end of the chain was cut off' : 'the head of the chain was edited',
    companyId,
  };
}

/** Acts and reviews that no entry speaks of. Every entry has its own, so equal counts say that there are none. */
async function forged(sql: Connection, companyId: number): Promise<Break | undefined> {
  const [{ acts, births, reviews, reviewed }] = await sql<
    [{ acts: number; births: number; reviews: number; reviewed: number }]
  >`
    select (select count(*) from autonomous_action where company_id = ${companyId}) as acts,
      count(*) filter (where kind in ('intended', 'refused', 'dry_run')) as births,
      count(*) filter (where kind = 'review') as reviewed,
      (select count(*) from action_review r join autonomous_action a on a.id = r.action_id
        where a.company_id = ${companyId}) as reviews
    from audit_ledger where company_id = ${companyId}`;
  if (acts !== births) {
    const [row] = await sql<[{ id: number }] | []>`
      select a.id from autonomous_action a where a.company_id = ${companyId} and not exists (
        select from audit_ledger l where l.company_id = a.company_id and l.seq = a.seq and l.action_id = a.id
          and l.kind in ('intended', 'refused', 'dry_run'))
      order by a.id limit 1`;
    return { firstBad: row?.id ?? `company ${companyId}`, reason: 'the act has no entry', companyId };
  }
  if (reviews !== reviewed) {
    const [row] = await sql<[{ id: number }] | []>`
      select r.action_id as id from action_review r join autonomous_action a on a.id = r.action_id
      where a.company_id = ${companyId} and not exists (
        select from audit_ledger l where l.company_id = a.company_id and l.kind = 'review' and l.review_id = r.id)
      order by 1 limit 1`;
    return { firstBad: row?.id ?? `company ${companyId}`, reason: 'a review has no entry', companyId };
  }
  return undefined;
}

/** Signed heads against the chain: who cuts off its end, head and all, cannot make the signature of what was there. */
async function cutOff(sql: Connection, companyId: number, heads: readonly SignedHead[]): Promise<Break | undefined> {
  const own = heads.filter((head) => head.companyId === companyId);
  if (own.length === 0) return undefined;
  const [bad] = await sql<[{ seq: number; found: boolean }] | []>`
    select s.seq, l.seq is not null as found
    from unnest(${own.map(({ seq }) => seq)}::bigint[], ${own.map(({ hash }) => hash)}::text[]) as s (seq, hash)
    left join audit_ledger l on l.company_id = ${companyId} and l.seq = s.seq
    where s.seq > 0 and encode(l.hash, 'hex') is distinct from s.hash order by s.seq limit 1`;
  if (bad === undefined) return undefined;
  return {
    firstBad: `company ${companyId}, entry ${bad.seq}`,
    reason: bad.found ? 'differs from what was signed' : 'was signed, and is gone',
    companyId,
  };
}
