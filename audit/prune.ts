// Taking old actions and decisions off the record, for good: a company's chain up to a moment, but for the entries of actions that
// are unfinished or have an entry since, and a signed entry that stands for what is gone and binds what stays. The rest verifies
// as before. Runs as the owner; the application cannot.

import type { KeyObject } from 'node:crypto';
import type { Transaction } from './connection.js';
import { OWNER_ROLE, connect, databaseError } from './database.js';
import type { Database } from './database.js';
import { AuditError } from './errors.js';
import { compileFields, flag, id, refuseFaults, text } from './fields.js';
import { timeOf } from './times.js';
import { signTombstone } from './tombstone.js';
import type { KeptEntries, PrunedDecisions, Tombstone } from './tombstone.js';
import { verify } from './verify.js';

/** What to prune, and who does it. */
export interface PruneOptions {
  readonly companyId: number;
  /** Entries from before this moment, which has come, go: Date, or ISO 8601 with a zone, or a day (its midnight in UTC). */
  readonly before: Date | string;
  /** Who does it, for the record. */
  readonly by: string;
  /** Signs the entry that stands for what is gone: the key of the signed heads (`signingKey`). A dry run needs none. */
  readonly key?: KeyObject | undefined;
  /** Only tell what would go. */
  readonly dryRun?: boolean | undefined;
  /** Also what is younger than six months, the least that the law asks for in many places. */
  readonly allowYoung?: boolean | undefined;
}

/** What is gone, or would go. */
export interface Pruned {
  readonly companyId: number;
  readonly before: Date;
  /** Whether it was only told. */
  readonly dryRun: boolean;
  /** Entries of the ledger, actions, and decisions with their events. */
  readonly entries: number;
  readonly acts: number;
  readonly decisions: number;
  /** The first and the last entry that go, and when the earliest and the latest were written; null if there are none. */
  readonly from: number | null;
  readonly through: number | null;
  readonly firstAt: Date | null;
  readonly lastAt: Date | null;
  /** Ids of actions from before `before` that stay with all of their entries, as they are unfinished, or have an entry since. */
  readonly held: readonly number[];
}

const KEPT = '6 months';
/** Rows to a statement, so that memory does not grow with the record. */
const BATCH = 5000;

const check = compileFields({
  $$strict: true,
  companyId: { ...id, optional: false },
  by: text(200),
  dryRun: flag,
  allowYoung: flag,
});

/**
 * Prunes a company's record, all in one transaction.
 * @throws AuditError `ERR_FIELD`, also for a moment that has not come, and for one of the last six months without `allowYoung`;
 *   `ERR_HEADS` without a key; `ERR_NOT_FOUND`; `ERR_MIGRATION` if the record does not verify: what is wrong must be found out
 *   before the evidence goes
 */
export async function prune(database: Database, options: PruneOptions): Promise<Pruned> {
  const { key, before: given, ...rest } = options;
  refuseFaults('prune', check(rest));
  const before = timeOf('before', given);
  if (key === undefined && rest.dryRun !== true) {
    throw new AuditError(
      'ERR_HEADS',
      'prune takes a key (signingKey), with which it signs the entry that stands for what is gone',
    );
  }
  const pool = connect(database, { role: 'owner', max: 1 });
  try {
    await pool.begin((sql) => checkBefore(sql, before, rest.allowYoung === true));
    const sound = await verify(database);
    if (!sound.ok) {
      throw new AuditError(
        'ERR_MIGRATION',
        `the record is not as it was written (${String(sound.firstBad)}: ${String(sound.reason)}): nothing is pruned before that is explained`,
      );
    }
    return await pool.begin<Pruned>(async (transaction) => {
      const sql = transaction as unknown as Sql;
      await becomeOwner(sql);
      return pruneWithin(sql, { ...rest, before, key });
    });
  } catch (error) {
    throw databaseError(error);
  } finally {
    await pool.end({ timeout: 5 });
  }
}

type Sql = Transaction;

async function becomeOwner(sql: Sql): Promise<void> {
  const [{ member }] = await sql<{ member: boolean }[]>`
    select coalesce((select pg_has_role(oid, 'member') from pg_roles where rolname = ${OWNER_ROLE}), false) as member`;
  if (member) await sql.unsafe(`set local role ${OWNER_ROLE}`);
}

/** By the clock of the database. */
async function checkBefore(sql: Sql, before: Date, allowYoung: boolean): Promise<void> {
  const [{ now, limit }] = await sql<{ now: Date; limit: Date }[]>`
    select clock_timestamp() as now, clock_timestamp() - ${KEPT}::interval as limit`;
  if (before > now) {
    throw new AuditError(
      'ERR_FIELD',
      `field "before" is ${before.toISOString()}: that has not come, it is ${now.toISOString()} by the clock of the database; give a moment of the past`,
    );
  }
  if (allowYoung || before <= limit) return;
  throw new AuditError(
    'ERR_FIELD',
    `field "before" is ${before.toISOString()}: less than six months ago, for which records of automatic decisions are commonly to be kept; allow it (--allow-under-six-months) if nothing obliges you`,
  );
}

/** What goes of the ledger: the entries up to `through`, but for those of the actions that are held. */
interface Segment {
  /** The first entry that no earlier prune has passed. */
  readonly from: number;
  readonly through: number;
  readonly held: readonly number[];
}

async function pruneWithin(
  sql: Sql,
  options: Omit<PruneOptions, 'before'> & { readonly before: Date },
): Promise<Pruned> {
  const { companyId, before, by, key, dryRun = false } = options;
  // One prune of a company at a time; actions go on meanwhile.
  const [company] = await sql`select from public.company where id = ${companyId} for no key update`;
  if (company === undefined) throw new AuditError('ERR_NOT_FOUND', `company ${companyId} is not known`);
  const segment = await segmentOf(sql, companyId, before);
  const { from, through, held } = segment;
  const goes = sql`company_id = ${companyId} and seq <= ${through} and not ${ofActions(sql, held)}`;
  const [counted] = await sql<[Counted]>`
    select count(*) as entries, count(*) filter (where kind in ('intended', 'refused', 'dry_run')) as acts,
      min(seq) as first, max(seq) as last, min(at) as "firstAt", max(at) as "lastAt"
    from public.audit_ledger where ${goes}`;
  const decisions = new DecisionPrune(sql, companyId, before);
  const plan = await decisions.plan(through);
  const { first, last, ...sizes } = counted;
  const result: Pruned = {
    companyId,
    before,
    dryRun,
    ...sizes,
    decisions: plan.rows,
    from: first,
    through: last,
    held,
  };
  if (dryRun || (counted.entries === 0 && plan.rows === 0)) return result;

  const hash = await hashAt(sql, companyId, segment);
  const earlier = await keptEntries(sql, companyId, from - 1);
  await sql`select set_config('fleetstep.prune', ${String(companyId)}, true)`;
  const goneDecisions = await decisions.remove(plan);
  await removeSegment(sql, companyId, segment);
  const kept = await keptEntries(sql, companyId, through);
  const stone = {
    by,
    before: before.toISOString(),
    from,
    through,
    hash,
    entries: counted.entries,
    acts: counted.acts,
    firstAt: counted.firstAt?.toISOString() ?? null,
    lastAt: counted.lastAt?.toISOString() ?? null,
    decisions: goneDecisions,
    kept: { ...kept, before: earlier.entries },
  };
  const detail: Tombstone = { ...stone, signature: signTombstone(companyId, stone, key!) };
  await sql`
    select public.audit_note(${companyId}, 'pruned', ${sql.json(detail as unknown as Parameters<Sql['json']>[0])}
      || ${(await hasBound(sql)) ? sql`jsonb_build_object('state', public.audit_state(${companyId}))` : sql`'{}'::jsonb`})`;
  return result;
}

interface Counted {
  readonly entries: number;
  readonly acts: number;
  readonly first: number | null;
  readonly last: number | null;
  readonly firstAt: Date | null;
  readonly lastAt: Date | null;
}

/** Whether an entry belongs to one of these actions. */
function ofActions(sql: Sql, ids: readonly number[]): ReturnType<Sql> {
  return sql`coalesce(action_id in (select id::bigint from jsonb_array_elements_text(${sql.json(ids)}) as given (id)), false)`;
}

/**
 * The entries from before `before`, all of them but those of actions that are held. Entries that say how the company stands go with
 * actions that come after them, however young they are (of a company whose actions were imported, say), as the entry that
 * stands for them says it anew.
 */
async function segmentOf(sql: Sql, companyId: number, before: Date): Promise<Segment> {
  const [{ from, through }] = await sql<[{ from: number; through: number }]>`
    with earlier as (
      select coalesce(max((detail ->> 'through')::bigint), 0) as through
      from public.audit_ledger where company_id = ${companyId} and kind = 'pruned'
    )
    select earlier.through + 1 as from,
      greatest(earlier.through, (
        select max(seq) from public.audit_ledger
        where company_id = ${companyId} and at < ${before} and seq < coalesce((
          select seq from public.audit_ledger
          where company_id = ${companyId} and seq > earlier.through and at >= ${before}
            and kind in ('intended', 'refused', 'dry_run', 'outcome', 'late_outcome', 'review')
          order by seq limit 1), 9223372036854775807))) as through
    from earlier`;
  const held = await sql<{ id: number }[]>`
    select a.id from public.autonomous_action a
    where a.company_id = ${companyId} and a.seq <= ${through} and (
      a.status = 'intended' or a.outcome_seq > ${through} or a.review_seq > ${through} or exists (
        select from public.audit_ledger l
        where l.action_id = a.id and l.kind in ('outcome', 'late_outcome', 'review') and l.seq > ${through}))
    order by a.id`;
  return { from, through, held: held.map(({ id }) => id) };
}

/** The entries up to `through` that are there, and the hash that binds them: as `ChainCheck` computes it. */
async function keptEntries(
  sql: Sql,
  companyId: number,
  through: number,
): Promise<Pick<KeptEntries, 'entries' | 'hash'>> {
  const [kept] = await sql<[{ entries: number; hash: string }]>`
    select count(*) as entries, encode(coalesce(
      public.audit_chain_over(sha256('fleetstep'), seq, sha256(digest || hash) order by seq), sha256('fleetstep')), 'hex') as hash
    from public.audit_ledger where company_id = ${companyId} and seq <= ${through}`;
  return kept;
}

/** The hash of the last entry of the segment, with which the one after it goes on; where it is gone already, as the entry says that stands for it. */
async function hashAt(sql: Sql, companyId: number, { from, through }: Segment): Promise<string> {
  const [{ hash }] = await sql<[{ hash: string }]>`
    select coalesce(
      (select encode(hash, 'hex') from public.audit_ledger where company_id = ${companyId} and seq = ${through}),
      (select detail ->> 'hash' from public.audit_ledger
        where company_id = ${companyId} and kind = 'pruned' and (detail ->> 'through')::bigint = ${from} - 1 order by seq desc limit 1),
      encode(sha256('fleetstep'), 'hex')) as hash`;
  return hash;
}

async function removeSegment(sql: Sql, companyId: number, { from, through, held }: Segment): Promise<void> {
  // What earlier prunes have left is little, and lies anywhere before `from`.
  let first = 1;
  for (let last = from - 1; first <= through; first = last + 1, last = Math.min(through, last + BATCH)) {
    const births = await sql<{ id: number }[]>`
      select action_id as id from public.audit_ledger
      where company_id = ${companyId} and seq between ${first} and ${last} and kind in ('intended', 'refused', 'dry_run')
        and not ${ofActions(sql, held)}`;
    const ids = sql.json(births.map(({ id }) => id));
    await sql`
      delete from public.action_review
      where action_id in (select id::bigint from jsonb_array_elements_text(${ids}) as given (id))`;
    const gone = await sql`
      delete from public.autonomous_action
      where id in (select id::bigint from jsonb_array_elements_text(${ids}) as given (id))
        and coalesce(review_seq, 0) <= ${through} and coalesce(outcome_seq, 0) <= ${through}`;
    if (gone.count !== births.length) {
      throw new AuditError('ERR_DATABASE', 'an action was reviewed in this moment: nothing was pruned, try again');
    }
    await sql`
      delete from public.audit_ledger
      where company_id = ${companyId} and seq between ${first} and ${last} and not ${ofActions(sql, held)}`;
  }
}

/** Whether decisions are numbered and chained, and the company's state is on record (migration 0007). */
async function hasBound(sql: Sql): Promise<boolean> {
  const [{ found }] = await sql<[{ found: boolean }]>`
    select to_regclass('public.decision_head') is not null as found`;
  return found;
}

interface DecisionPlan {
  readonly rows: number;
  /** The last number that goes, and its hash in hex. */
  readonly through: number;
  readonly hash: string;
}

/** Decisions and events of a company: numbered ones up to the end of an hour that the pruned entries speak of, older ones by time. */
class DecisionPrune {
  readonly #sql: Sql;
  readonly #companyId: number;
  readonly #before: Date;

  constructor(sql: Sql, companyId: number, before: Date) {
    this.#sql = sql;
    this.#companyId = companyId;
    this.#before = before;
  }

  /** @param through the last entry of the ledger that goes */
  async plan(through: number): Promise<DecisionPlan> {
    const sql = this.#sql;
    if (!(await hasBound(sql))) {
      const [{ rows }] = await sql<[{ rows: number }]>`
        select count(*) + coalesce(sum((select count(*) from public.decision_event e where e.decision_id = d.id)), 0)::bigint as rows
        from public.decision d where ${this.#old()}`;
      return { rows, through: 0, hash: '' };
    }
    // An event that came later keeps its decision, and what comes after that.
    const [seal] = await sql<[{ through: number; hash: string }] | []>`
      select (l.detail ->> 'through')::bigint as through, l.detail ->> 'hash' as hash from public.audit_ledger l
      where l.company_id = ${this.#companyId} and l.seq <= ${through} and l.kind = 'decisions' and not exists (
        select from public.decision_event e join public.decision d on d.id = e.decision_id
        where e.company_id = ${this.#companyId} and e.seq > (l.detail ->> 'through')::bigint
          and d.seq <= (l.detail ->> 'through')::bigint)
      order by l.seq desc limit 1`;
    const start = seal ?? (await this.#earlier());
    const [{ rows }] = await sql<[{ rows: number }]>`
      select (select count(*) from public.decision d where d.company_id = ${this.#companyId} and d.seq <= ${start.through})
        + (select count(*) from public.decision_event e where e.company_id = ${this.#companyId} and e.seq <= ${start.through})
        + (select count(*) + coalesce(sum((select count(*) from public.decision_event e where e.decision_id = d.id)), 0)::bigint
          from public.decision d where ${this.#oldUnnumbered(start.through)}) as rows`;
    return { rows, ...start };
  }

  /** Where an earlier prune has left off. */
  async #earlier(): Promise<{ through: number; hash: string }> {
    const [row] = await this.#sql<[{ through: number; hash: string }] | []>`
      select (detail -> 'decisions' ->> 'through')::bigint as through, detail -> 'decisions' ->> 'hash' as hash
      from public.audit_ledger where company_id = ${this.#companyId} and kind = 'pruned' and detail -> 'decisions' <> 'null'
      order by seq desc limit 1`;
    const [{ empty }] = await this.#sql<[{ empty: string }]>`select encode(sha256('fleetstep'), 'hex') as empty`;
    return row ?? { through: 0, hash: empty };
  }

  /** The same from before decisions were numbered, without an event that has a number and stays. */
  #oldUnnumbered(through: number): ReturnType<Sql> {
    return this.#sql`
      ${this.#old()} and d.seq is null and not exists (
        select from public.decision_event e where e.decision_id = d.id and e.seq > ${through})`;
  }

  /** A decision of the company from before then, as are all of its events. */
  #old(): ReturnType<Sql> {
    return this.#sql`
      d.company_id = ${this.#companyId} and d.created_at < ${this.#before} and not exists (
        select from public.decision_event e where e.decision_id = d.id and e.at >= ${this.#before})`;
  }

  async remove({ rows, through, hash }: DecisionPlan): Promise<PrunedDecisions | null> {
    const sql = this.#sql;
    const bound = await hasBound(sql);
    if (!bound) {
      await this.#removeWhere(this.#old());
      return null;
    }
    await this.#removeWhere(sql`d.company_id = ${this.#companyId} and d.seq <= ${through}`);
    await this.#removeWhere(this.#oldUnnumbered(through));
    await sql`delete from public.decision_event where company_id = ${this.#companyId} and seq <= ${through}`;
    const [unnumbered] = await sql<[PrunedDecisions['unnumbered']]>`
      select count(*) as rows, encode(coalesce(
        public.audit_chain_over(sha256('fleetstep'), n, digest order by n), sha256('fleetstep')), 'hex') as hash
      from (
        select row_number() over (order by part, decision, event) as n, digest from (
          select 0 as part, d.id as decision, 0::bigint as event, public.decision_digest(d) as digest
          from public.decision d where d.company_id = ${this.#companyId} and d.seq is null
          union all
          select 1, null, e.id, public.decision_event_digest(e)
          from public.decision_event e where e.company_id = ${this.#companyId} and e.seq is null
        ) as digested
      ) as ordered`;
    return { rows, through, hash, unnumbered };
  }

  async #removeWhere(condition: ReturnType<Sql>): Promise<void> {
    for (;;) {
      const rows = await this.#sql<{ id: string }[]>`
        select d.id from public.decision d where ${condition} limit ${BATCH}`;
      if (rows.length === 0) return;
      const ids = this.#sql.json(rows.map(({ id }) => id));
      await this.#sql`
        delete from public.decision_event
        where decision_id in (select id::uuid from jsonb_array_elements_text(${ids}) as given (id))`;
      await this.#sql`
        delete from public.decision
        where id in (select id::uuid from jsonb_array_elements_text(${ids}) as given (id))`;
    }
  }
}
