// Decisions and what became of them: numbered together for each company without gaps, each number's hash over the one before.
// The ledger's `decisions` entries say where that stood at the end of an hour, the company's `decision_head` where it stands.

import { readRows } from './binary-rows.js';
import type { BinaryRow } from './binary-rows.js';
import type { Connection } from './connection.js';
import { ChainLink, EMPTY_HASH, digestOf, hashed, integer, json, text, time, uuid } from './digests.js';
import { fault, short } from './findings.js';
import type { Fault, Finding } from './findings.js';
import { isHash } from './tombstone.js';
import type { Tombstone } from './tombstone.js';

interface Seal {
  /** Number of the last decision or event that it covers. */
  readonly through: number;
  /** In hex, after that one. */
  readonly hash: string;
  readonly hour: string;
}

/** Decisions from before they were numbered, in the order of their ids, and then their events. */
interface Before {
  readonly rows: number;
  readonly hash: string;
}

const BEGINNING: Seal = { through: 0, hash: EMPTY_HASH, hour: '' };

/** What a chain says about the decisions. */
export class DecisionSeals {
  /** Entries that speak of decisions, in their order. */
  readonly seals: Seal[] = [];
  /** Decisions from before they were numbered, where an entry speaks of them. */
  before: Before | undefined;
  /** Where the numbers begin: after those that were pruned, or at the first. */
  start: Seal = BEGINNING;
  /** Where numbers began anew with fewer rows than the chain had spoken of: what it bound is gone, whatever came after. */
  readonly lost: Fault[] = [];

  /** @throws TypeError for a content that no such entry can have */
  note(kind: string, content: unknown): void {
    if (content === null || typeof content !== 'object') return;
    const detail = content as { readonly state?: { readonly decisions?: Before } } & Partial<Seal> & Partial<Tombstone>;
    if (kind === 'decisions' && detail.through !== undefined && detail.hash !== undefined) {
      if (!Number.isSafeInteger(detail.through) || !isHash(detail.hash)) throw new TypeError('no seal');
      this.seals.push({ through: detail.through, hash: detail.hash, hour: detail.hour ?? '' });
    } else if (kind === 'settings' && detail.state?.decisions !== undefined) {
      const { rows, hash } = detail.state.decisions;
      if (!Number.isSafeInteger(rows) || !isHash(hash)) throw new TypeError('no decisions');
      // Their numbers begin anew.
      const bound = (this.before?.rows ?? 0) + Math.max(0, (this.seals.at(-1)?.through ?? 0) - this.start.through);
      if (rows < bound)
        this.lost.push(fault('had been taken away before their numbers began anew', `${bound}`, `${rows}`));
      this.before = detail.state.decisions;
      this.seals.length = 0;
      this.start = BEGINNING;
    } else if (kind === 'pruned' && detail.decisions !== undefined && detail.decisions !== null) {
      const { through, hash, unnumbered } = detail.decisions;
      this.before = unnumbered;
      this.start = { through, hash, hour: '' };
    }
  }
}

const decisionColumns = [
  ...['id', 'company_id', 'seq', 'created_at', 'requested_by', 'idempotency_key', 'mode', 'policy', 'policy_hash'],
  ...['state_hash', 'fallback', 'assigned', 'waiting', 'unassigned', 'request', 'answer'],
];
const eventColumns = ['id', 'decision_id', 'company_id', 'seq', 'kind', 'by', 'detail', 'at'];
const decisionElements = [
  ...[uuid, integer, integer, time, text, text, text, text, text, text, text, integer, integer, integer],
  ...[hashed, hashed],
];
const eventElements = [integer, uuid, integer, integer, text, text, json, time];

function decisionDigest(row: BinaryRow, from: number): string {
  return digestOf(['"decision"', ...decisionElements.map((element, k) => element(row, from + k))]);
}

function eventDigest(row: BinaryRow, from: number): string {
  return digestOf(['"event"', ...eventElements.map((element, k) => element(row, from + k))]);
}

/** Numbered rows: `seq`, then a decision's columns or an event's, the others null. */
function numbered(companyId: number): string {
  const nulls = (count: number): string => Array.from({ length: count }, () => 'null').join();
  const of = (alias: string, names: readonly string[]): string => names.map((name) => `${alias}.${name}`).join();
  return `
    select d.seq, ${of('d', decisionColumns)}, ${eventColumns.map((name) => `null::${eventType[name]}`).join()}
    from public.decision d where d.company_id = ${companyId} and d.seq is not null
    union all
    select e.seq, ${nulls(decisionColumns.length)}, ${of('e', eventColumns)}
    from public.decision_event e where e.company_id = ${companyId} and e.seq is not null
    order by 1`;
}
const eventType: Readonly<Record<string, string>> = {
  id: 'bigint',
  decision_id: 'uuid',
  company_id: 'bigint',
  seq: 'bigint',
  kind: 'text',
  by: 'text',
  detail: 'jsonb',
  at: 'timestamptz',
};

/** Where a company's decisions and events stand. */
export interface DecisionHead {
  readonly seq: number;
  /** In hex. */
  readonly hash: string;
}

/** Checks a company's decisions against its chain and its head; gives how many rows there are, and what is wrong. */
export async function checkDecisions(
  sql: Connection,
  companyId: number,
  seals: DecisionSeals,
  head: DecisionHead | undefined,
): Promise<{ readonly rows: number; readonly findings: readonly Finding[] }> {
  const findings: Finding[] = [];
  const tell = (what: string, found: Fault): void => {
    findings.push({ what: `company ${companyId}, ${what}`, ...found, companyId });
  };
  for (const found of seals.lost) tell('decisions and events', found);
  let rows = await checkUnnumbered(sql, companyId, seals.before, tell);

  let at = seals.start.through;
  let hash = seals.start.hash;
  const link = new ChainLink(hash);
  let first = at + 1;
  let missing = 0;
  const ahead = seals.seals.filter(({ through }) => through > at);
  /** The next numbers up to `through` are complete: were they written so? */
  const close = (name: string, through: number, expected: string): void => {
    const span = `decisions ${first} to ${through}${name === '' ? '' : ` of ${name}`}`;
    missing += through - at;
    const count = through - first + 1;
    if (missing > 0) tell(span, fault('are missing', `${count} decisions and events`, `${count - missing}`));
    else if (hash !== expected) tell(span, fault('were edited', short(expected), short(hash)));
    at = through;
    first = through + 1;
    missing = 0;
    hash = expected;
    link.stand(hash);
  };
  const closeThrough = (seq: number): void => {
    for (let seal = ahead.at(0); seal !== undefined && seal.through <= seq; seal = ahead.at(0)) {
      close(seal.hour, seal.through, seal.hash);
      ahead.shift();
    }
  };
  await readRows(sql, numbered(companyId), 1 + decisionColumns.length + eventColumns.length, (row) => {
    rows++;
    const seq = row.integer(0);
    closeThrough(seq - 1);
    if (seq <= at) {
      tell(`decision ${seq}`, fault('has a number that was given before', `number ${at + 1}`, `number ${seq}`));
      return;
    }
    missing += seq - at - 1;
    at = seq;
    const digest = row.isNull(1) ? eventDigest(row, 1 + decisionColumns.length) : decisionDigest(row, 1);
    hash = link.hash(seq, digest);
    link.stand(hash);
  });
  closeThrough(Infinity);
  if (head === undefined) tell('decisions', fault('their head is missing'));
  else if (head.seq < at) {
    tell(`decisions ${head.seq + 1} to ${at}`, fault('are beyond what the head says', `${head.seq}`, `${at}`));
  } else if (head.seq > at || missing > 0 || hash !== head.hash) close('the hour under way', head.seq, head.hash);
  return { rows, findings };
}

async function checkUnnumbered(
  sql: Connection,
  companyId: number,
  before: Before | undefined,
  tell: (what: string, found: Fault) => void,
): Promise<number> {
  let rows = 0;
  let hash = EMPTY_HASH;
  const link = new ChainLink();
  const fold = (digest: string): void => {
    rows++;
    hash = link.hash(rows, digest);
    link.stand(hash);
  };
  await readRows(
    sql,
    `select ${decisionColumns.join()} from public.decision where company_id = ${companyId} and seq is null order by id`,
    decisionColumns.length,
    (row) => fold(decisionDigest(row, 0)),
  );
  await readRows(
    sql,
    `select ${eventColumns.join()} from public.decision_event where company_id = ${companyId} and seq is null order by id`,
    eventColumns.length,
    (row) => fold(eventDigest(row, 0)),
  );
  const expected = before ?? { rows: 0, hash: EMPTY_HASH };
  const what = 'decisions from before they were numbered';
  if (rows !== expected.rows) {
    tell(what, fault('are not as many', `${expected.rows} with their events`, `${rows}`));
  } else if (hash !== expected.hash) tell(what, fault('were edited', short(expected.hash), short(hash)));
  return rows;
}
