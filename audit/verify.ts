// Whether the record is as it was written: what guards it, every entry of every chain, every row against its entries, the
// present settings, the decisions, and the signed heads. Works as any role that may read. What proves something is computed
// here, from raw columns: the database is asked for rows, and believed nothing else.

import type { KeyObject } from 'node:crypto';
import { catalogueFindings, isStructural, pinPlanner, pinSession } from './catalogue.js';
import { ChainCheck } from './chain-check.js';
import type { Counts } from './chain-check.js';
import { readPresent, stateFindings } from './bound-state.js';
import type { BoundState, PresentTables, State } from './bound-state.js';
import type { Connection } from './connection.js';
import { OWNER_ROLE, connect, databaseError } from './database.js';
import type { Database } from './database.js';
import { checkDecisions } from './decision-check.js';
import type { DecisionHead } from './decision-check.js';
import { AuditError } from './errors.js';
import { fault, short } from './findings.js';
import type { Finding } from './findings.js';
import { readHeads, readPublicKey } from './heads.js';
import type { SignedHead } from './heads.js';
import { shippedMigrations } from './migrate.js';

/** Whether the record is as it was written, and if not, where. */
export interface VerifyResult {
  /** Actions on record. */
  readonly rows: number;
  /** Entries of all chains. */
  readonly entries: number;
  /** Decisions and what became of them. */
  readonly decisions: number;
  readonly ok: boolean;
  /** Id of the first action that is not as it was written; for a break elsewhere, what it is. */
  readonly firstBad?: number | string;
  /** What is wrong with it. */
  readonly reason?: string;
  /** What it should be, and what it is, where that can be told in a line. */
  readonly expected?: string;
  readonly actual?: string;
  readonly companyId?: number;
  /** Everything that was found, the first one included; of each chain at most its first twenty. */
  readonly findings: readonly Finding[];
  /** Signed heads that were compared. */
  readonly heads: number;
}

/** What to verify with. */
export interface VerifyOptions {
  /** Signed heads as exported, and the key that they must be signed with. */
  readonly heads?: { readonly file: string; readonly publicKey: string } | undefined;
  readonly progress?: ((done: number, total: number) => void) | undefined;
}

/** @throws AuditError `ERR_DATABASE`, `ERR_NOT_MIGRATED`, `ERR_HEADS` for heads that cannot be read */
export async function verify(database: Database, options: VerifyOptions = {}): Promise<VerifyResult> {
  // Files first: what cannot be read is said before the database is asked.
  const given = readGiven(options);
  const pool = connect(database, { role: 'app', max: 1 });
  try {
    // One snapshot: what is written meanwhile is neither missed nor half seen.
    return await pool.begin('isolation level repeatable read read only', (tx) =>
      verifySnapshot(tx as unknown as Connection, given, options.progress),
    );
  } catch (error) {
    throw databaseError(error);
  } finally {
    await pool.end({ timeout: 5 });
  }
}

/** The same within a transaction of the caller's, whose settings it changes. One reader is enough. */
export async function verifyWithin([sql]: readonly Connection[], options: VerifyOptions = {}): Promise<VerifyResult> {
  return verifySnapshot(sql, readGiven(options), options.progress);
}

/** Signed heads, and the key that they must be signed with. */
interface Given {
  readonly heads: readonly SignedHead[];
  readonly key: KeyObject | undefined;
}

function readGiven({ heads }: VerifyOptions): Given {
  if (heads === undefined) return { heads: [], key: undefined };
  return { heads: readHeads(heads.file, heads.publicKey), key: readPublicKey(heads.publicKey) };
}

async function verifySnapshot(
  sql: Connection,
  { heads, key }: Given,
  progress: VerifyOptions['progress'],
): Promise<VerifyResult> {
  await pinSession(sql);
  await refuseOtherVersions(sql);
  const guards = await catalogueFindings(sql, await recordedOwner(sql));
  if (guards.some(isStructural)) {
    return conclude({ rows: 0, entries: 0, decisions: 0 }, guards, heads.length);
  }
  await pinPlanner(sql);
  const { sizes, findings } = await readAll(sql, heads, key, progress);
  return conclude(sizes, [...guards, ...findings], heads.length);
}

type Sizes = Pick<VerifyResult, 'rows' | 'entries' | 'decisions'>;

function conclude(sizes: Sizes, findings: readonly Finding[], heads: number): VerifyResult {
  if (findings.length === 0) return { ...sizes, ok: true, findings, heads };
  const [{ what, ...rest }] = findings;
  return { ...sizes, ok: false, firstBad: what, ...rest, findings, heads };
}

async function refuseOtherVersions(sql: Connection): Promise<void> {
  const applied = await sql<{ version: number }[]>`select version from public.schema_migration`;
  const missing = shippedMigrations().filter(({ version }) => applied.every((row) => row.version !== version));
  if (missing.length > 0) {
    throw new AuditError(
      'ERR_NOT_MIGRATED',
      `the database lacks ${missing.map(({ name }) => name).join(', ')}: run "fleetstep audit migrate"`,
    );
  }
}

/** Whom everything belonged to when it was migrated. The entry that says so is checked with its chain. */
async function recordedOwner(sql: Connection): Promise<string> {
  // Where a policy may hide rows, the catalogue says so; nothing is read before that.
  const [{ hidden }] = await sql<[{ hidden: boolean }]>`
    select relrowsecurity as hidden from pg_class where oid = 'public.audit_ledger'::regclass`;
  if (hidden) return OWNER_ROLE;
  const rows = await sql<{ owner: string }[]>`
    select detail -> 'state' ->> 'owner' as owner from public.audit_ledger
    where company_id = 0 and kind = 'settings' and jsonb_typeof(detail -> 'state' -> 'owner') = 'string'
    order by seq desc limit 1`;
  return rows.at(0)?.owner ?? OWNER_ROLE;
}

interface Head extends DecisionHead {
  readonly companyId: number;
}

/** What all chains are compared with. */
interface Context {
  readonly counts: ReadonlyMap<number, Counts>;
  readonly heads: ReadonlyMap<number, Head>;
  readonly decisionHeads: ReadonlyMap<number, Head>;
  readonly present: PresentTables;
  readonly signed: ReadonlyMap<number, readonly SignedHead[]>;
  readonly key: KeyObject | undefined;
  readonly progress: (count: number) => void;
}

async function readAll(
  sql: Connection,
  heads: readonly SignedHead[],
  key: KeyObject | undefined,
  progress: VerifyOptions['progress'],
): Promise<{ sizes: Sizes; findings: Finding[] }> {
  const [{ rows, entries }] = await sql<[{ rows: number; entries: number }]>`
    select (select count(*) from public.autonomous_action) as rows, (select count(*) from public.audit_ledger) as entries`;
  const signed = new Map<number, SignedHead[]>();
  for (const head of heads) signed.set(head.companyId, [...(signed.get(head.companyId) ?? []), head]);
  const byCompany = (all: readonly Head[]): Map<number, Head> => new Map(all.map((head) => [head.companyId, head]));
  let done = 0;
  const context: Context = {
    counts: await countRows(sql),
    heads: byCompany(
      await sql<Head[]>`select company_id as "companyId", seq, encode(hash, 'hex') as hash from public.audit_head`,
    ),
    decisionHeads: byCompany(
      await sql<Head[]>`select company_id as "companyId", seq, encode(hash, 'hex') as hash from public.decision_head`,
    ),
    present: await readPresent(sql),
    signed,
    key,
    progress: (count) => progress?.(Math.min((done += count), entries), entries),
  };
  // Every company that anything speaks of, be it only a signed head.
  const known = new Set<number>([
    ...context.present.companies,
    ...context.heads.keys(),
    ...context.decisionHeads.keys(),
    ...context.counts.keys(),
    ...signed.keys(),
    ...(await companiesOf(sql, 'audit_ledger')),
    ...(await companiesOf(sql, 'decision')),
    ...(await companiesOf(sql, 'decision_event')),
  ]);
  const all = await readChain(sql, 0, context);
  for (const id of all.companies.keys()) known.add(id);
  known.delete(0);
  let decisions = 0;
  const found = [all.findings];
  for (const companyId of [...known].sort((a, b) => a - b)) {
    const { findings } = await readChain(
      sql,
      companyId,
      context,
      all.companies.get(companyId),
      (count) => (decisions += count),
    );
    found.push(findings);
  }
  // Of all companies' first breaks, the one with the earliest action comes first; then the rest, company by company.
  const order = ([first]: readonly Finding[]): number => (typeof first.what === 'number' ? first.what : Infinity);
  const broken = found.filter(({ length }) => length > 0).sort((a, b) => order(a) - order(b));
  return {
    sizes: { rows, entries, decisions },
    findings: [...broken.map(([first]) => first), ...broken.flatMap(([, ...rest]) => rest)],
  };
}

/** Everything about one company, or about the whole installation (0). */
async function readChain(
  sql: Connection,
  companyId: number,
  { counts, heads, decisionHeads, present, signed, key, progress }: Context,
  opening?: State,
  decisions: (count: number) => void = () => undefined,
): Promise<{ findings: Finding[]; companies: BoundState['companies'] }> {
  const chain = new ChainCheck(companyId, signed.get(companyId) ?? [], key, opening);
  await chain.read(sql, progress);
  const findings: Finding[] = [...chain.findings];
  // What is missing or too much explains more than what follows from it.
  if (findings.length === 0) findings.push(...(await headFindings(sql, chain, heads.get(companyId))));
  if (findings.length === 0) findings.push(...(await forged(sql, companyId, chain.counts, counts.get(companyId))));
  findings.push(...chain.unmet());
  if (companyId !== 0 && !present.companies.has(companyId)) {
    findings.push({ what: `company ${companyId}`, reason: 'is missing', companyId });
  } else {
    findings.push(...stateFindings(chain.state, companyId, present));
  }
  if (companyId !== 0) {
    const checked = await checkDecisions(sql, companyId, chain.seals, decisionHeads.get(companyId));
    decisions(checked.rows);
    findings.push(...checked.findings);
  }
  return { findings, companies: chain.state.companies };
}

/** A walk over the index from company to company, as there are few and many rows of each. */
async function companiesOf(sql: Connection, table: 'audit_ledger' | 'decision' | 'decision_event'): Promise<number[]> {
  const rows = await sql.unsafe<{ id: number }[]>(`
    with recursive found as (
      (select company_id as id from public.${table} order by company_id limit 1)
      union all
      select (select t.company_id from public.${table} t where t.company_id > found.id order by company_id limit 1)
      from found where found.id is not null
    )
    select id from found where id is not null`);
  return rows.map(({ id }) => id);
}

async function headFindings(sql: Connection, chain: ChainCheck, head: Head | undefined): Promise<Finding[]> {
  const { companyId, seq, hash } = chain;
  if (head === undefined) {
    return [{ what: `company ${companyId}, head`, reason: 'the head of the chain is missing', companyId }];
  }
  if (head.seq === seq && head.hash === hash) return [];
  // The actions whose entries were cut off may still be there.
  const [orphan] = await sql<[{ id: number }] | []>`
    select id from public.autonomous_action where company_id = ${companyId} and seq > ${seq} order by id limit 1`;
  return [
    {
      what: orphan?.id ?? `company ${companyId}, entry ${Math.min(head.seq, seq) + 1}`,
      ...(head.seq > seq
        ? fault('the end of the chain was cut off', `${head.seq} entries`, `${seq}`)
        : fault('the head of the chain was edited', `${seq} ${short(hash)}`, `${head.seq} ${short(head.hash)}`)),
      companyId,
    },
  ];
}

/** How many actions, outcomes, reviewed actions and reviews the tables hold for each company. */
async function countRows(sql: Connection): Promise<Map<number, Counts>> {
  const rows = await sql<(Counts & { companyId: number })[]>`
    select company_id as "companyId", count(*) as acts, count(outcome_seq) as outcomes, count(review_seq) as reviewed,
      coalesce(min(r.reviews), 0) as reviews
    from public.autonomous_action left join (
      select a.company_id, count(*) as reviews
      from public.action_review r join public.autonomous_action a on a.id = r.action_id
      group by a.company_id) as r using (company_id)
    group by company_id`;
  return new Map(rows.map(({ companyId, ...counts }) => [companyId, counts]));
}

/**
 * Rows that no entry speaks of. Every entry has been found to have a row of its own that points back to it, so equal counts
 * say that there are no others.
 */
async function forged(
  sql: Connection,
  companyId: number,
  entries: Counts,
  rows: Counts = { acts: 0, outcomes: 0, reviewed: 0, reviews: 0 },
): Promise<Finding[]> {
  const find = async (
    reason: string,
    expected: number,
    found: number,
    acts: PromiseLike<readonly { id: number }[]>,
  ): Promise<Finding[]> => {
    const [act] = await acts;
    const what = act?.id ?? `company ${companyId}`;
    return [{ what, ...fault(reason, `${expected}`, `${found}`), companyId }];
  };
  if (rows.acts !== entries.acts) {
    return find(
      'the action has no entry',
      entries.acts,
      rows.acts,
      sql<{ id: number }[]>`
        select a.id from public.autonomous_action a where a.company_id = ${companyId} and not exists (
          select from public.audit_ledger l where l.company_id = a.company_id and l.seq = a.seq and l.action_id = a.id
            and l.kind in ('intended', 'refused', 'dry_run'))
        order by a.id limit 1`,
    );
  }
  if (rows.outcomes !== entries.outcomes) {
    return find(
      'the outcome has no entry',
      entries.outcomes,
      rows.outcomes,
      sql<{ id: number }[]>`
        select a.id from public.autonomous_action a
        where a.company_id = ${companyId} and a.outcome_seq is not null and not exists (
          select from public.audit_ledger l where l.company_id = a.company_id and l.seq = a.outcome_seq
            and l.action_id = a.id and l.kind = 'outcome')
        order by a.id limit 1`,
    );
  }
  if (rows.reviews !== entries.reviews || rows.reviewed !== entries.reviewed) {
    return find(
      'a review has no entry',
      entries.reviews,
      rows.reviews,
      sql<{ id: number }[]>`
        select a.id from public.autonomous_action a left join public.action_review r on r.action_id = a.id
        where a.company_id = ${companyId} and (
          r.id is not null and not exists (
            select from public.audit_ledger l where l.company_id = a.company_id and l.kind = 'review'
              and l.action_id = a.id and l.review_id = r.id)
          or a.review_seq is not null and not exists (
            select from public.audit_ledger l where l.company_id = a.company_id and l.kind = 'review'
              and l.action_id = a.id and l.seq = a.review_seq))
        order by 1 limit 1`,
    );
  }
  return [];
}
