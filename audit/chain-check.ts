// One chain, entry by entry in the order of their numbers: numbers without gaps, hashes that follow from the entry before,
// and each entry's own row as it was written. Counts what it has seen, so that rows without an entry show.

import type { KeyObject } from 'node:crypto';
import { readRows } from './binary-rows.js';
import type { BinaryRow } from './binary-rows.js';
import { BoundState } from './bound-state.js';
import type { State as Opening } from './bound-state.js';
import type { Connection } from './connection.js';
import { DecisionSeals } from './decision-check.js';
import { ChainLink, EMPTY_HASH, digestOf, hex, integer, json, flag, sha256, text, time, uuid } from './digests.js';
import { fault, short } from './findings.js';
import type { Fault, Finding } from './findings.js';
import type { SignedHead } from './heads.js';
import { isSignedBy, isTombstone } from './tombstone.js';
import type { KeptEntries } from './tombstone.js';

/** So many of a chain are told; who has forged more has forged enough. */
const TOLD = 20;

const columnsOf = (alias: string, names: string): string[] => names.split(' ').map((name) => `${alias}.${name}`);
const selected = [
  ...columnsOf('l', 'seq kind action_id review_id at detail digest hash'),
  ...columnsOf('a', 'id company_id seq outcome_seq review_seq booking_id driver_id action_type action_description'),
  ...columnsOf('a', 'action_data success error_message execution_time_ms confidence_score'),
  ...columnsOf('a', 'expected_improvement_minutes trigger_source reviewed_by_admin reviewed_at admin_notes'),
  ...columnsOf('a', 'created_at updated_at status idempotency_key attempt approved_by act_by refusal reviewed_by'),
  ...columnsOf('r', 'id action_id reviewer notes at'),
];
const column = (name: string): number => {
  const k = selected.indexOf(name);
  if (k < 0) throw new Error(`no column ${name}`);
  return k;
};
const entry = {
  seq: column('l.seq'),
  kind: column('l.kind'),
  action: column('l.action_id'),
  review: column('l.review_id'),
  at: column('l.at'),
  detail: column('l.detail'),
  digest: column('l.digest'),
  hash: column('l.hash'),
};
const act = {
  id: column('a.id'),
  company: column('a.company_id'),
  seq: column('a.seq'),
  outcomeSeq: column('a.outcome_seq'),
  reviewSeq: column('a.review_seq'),
  booking: column('a.booking_id'),
  driver: column('a.driver_id'),
  type: column('a.action_type'),
  description: column('a.action_description'),
  data: column('a.action_data'),
  success: column('a.success'),
  error: column('a.error_message'),
  ms: column('a.execution_time_ms'),
  confidence: column('a.confidence_score'),
  improvement: column('a.expected_improvement_minutes'),
  trigger: column('a.trigger_source'),
  reviewed: column('a.reviewed_by_admin'),
  reviewedAt: column('a.reviewed_at'),
  notes: column('a.admin_notes'),
  createdAt: column('a.created_at'),
  updatedAt: column('a.updated_at'),
  status: column('a.status'),
  key: column('a.idempotency_key'),
  attempt: column('a.attempt'),
  approvedBy: column('a.approved_by'),
  actBy: column('a.act_by'),
  refusal: column('a.refusal'),
  reviewedBy: column('a.reviewed_by'),
};
const review = {
  id: column('r.id'),
  action: column('r.action_id'),
  reviewer: column('r.reviewer'),
  notes: column('r.notes'),
  at: column('r.at'),
};

/** How many actions, outcomes, reviewed actions and reviews a chain speaks of, or the tables hold. */
export interface Counts {
  acts: number;
  outcomes: number;
  reviewed: number;
  reviews: number;
}

/** As versions pruned that kept no entry before the end of what they took away. */
const NONE_KEPT: KeptEntries = { entries: 0, before: 0, hash: EMPTY_HASH };

/** One chain (a company's, or 0 for all of them) under check: what is wrong with it, what it has counted, and where it ends. */
export class ChainCheck {
  /** Whose chain is checked; 0 is that of the whole system. */
  readonly companyId: number;
  /** What does not hold, in the order of the entries. */
  readonly findings: Finding[] = [];
  /** What has been seen so far. */
  readonly counts: Counts = { acts: 0, outcomes: 0, reviewed: 0, reviews: 0 };
  /** Settings, limits and switches as the entries leave them. */
  readonly state: BoundState;
  /** What the entries say of the decisions. */
  readonly seals: DecisionSeals = new DecisionSeals();
  /** The last entry. */
  seq = 0;
  /** Hash of the last entry seen, hexadecimal. */
  hash: string = EMPTY_HASH;
  readonly #link = new ChainLink();

  /** Up to which entry the chain was pruned, and what the last prune says of entries up to there that stay; 0 without any. */
  #prunedThrough = 0;
  #kept: KeptEntries | undefined;
  /** Entries that a prune has left: how many have come, and the hash over them. */
  #keptCount = 0;
  #keptHash = EMPTY_HASH;

  /** What signed heads say of entries that have not come yet, in hex. */
  readonly #signed = new Map<number, string>();

  readonly #opening: Opening | undefined;
  /** Signs prunes as it signs heads; unknown if no heads were given. */
  readonly #key: KeyObject | undefined;

  /**
   * @param signed what signed heads say of this chain, and `key` with what they are verified, if any were given
   * @param opening how the company stood when it began, as chain 0 has it
   */
  constructor(
    companyId: number,
    signed: readonly SignedHead[],
    key: KeyObject | undefined,
    opening: Opening | undefined,
  ) {
    this.companyId = companyId;
    this.#key = key;
    this.#opening = opening;
    this.state = new BoundState(companyId);
    for (const { seq, hash } of signed) {
      const other = this.#signed.get(seq);
      // Two heads that contradict each other cannot both be met.
      this.#signed.set(seq, other === undefined || other === hash ? hash : `${other} and ${hash}`);
    }
    this.#meet(0, EMPTY_HASH);
  }

  /** Signed heads whose entry has not come. Whatever was signed must still be there. */
  unmet(): Finding[] {
    const missing = [...this.#signed].sort(([a], [b]) => a - b);
    return missing.slice(0, TOLD).map(([seq, hash]) => ({
      what: `company ${this.companyId}, entry ${seq}`,
      ...fault('was signed, and is gone', `hash ${short(hash)}`, `the chain ends at ${this.seq}`),
      companyId: this.companyId,
    }));
  }

  #meet(seq: number, hash: string): void {
    const signed = this.#signed.get(seq);
    if (signed === undefined) return;
    this.#signed.delete(seq);
    if (signed !== hash) {
      this.#tell(
        `company ${this.companyId}, entry ${seq}`,
        fault('differs from what was signed', short(signed), short(hash)),
      );
    }
  }

  #tell(what: number | string, found: Fault): void {
    if (this.findings.length < TOLD) this.findings.push({ what, ...found, companyId: this.companyId });
  }

  /** @param progress is called now and then with how many entries were checked since */
  async read(sql: Connection, progress: (count: number) => void): Promise<void> {
    await this.#beginAfterPruned(sql);
    let unsaid = 0;
    await readRows(
      sql,
      `select ${selected.join()} from public.audit_ledger l
        left join public.autonomous_action a on a.id = l.action_id
        left join public.action_review r on r.id = l.review_id
        where l.company_id = ${this.companyId} order by l.seq`,
      selected.length,
      (row) => {
        this.#check(row);
        if (++unsaid === 5000) {
          progress(unsaid);
          unsaid = 0;
        }
      },
    );
    progress(unsaid);
    this.#closeKept();
  }

  /**
   * Where entries were pruned, the chain begins with the hash that the last prune has left. That its own entry is as it was
   * written shows in its turn.
   */
  async #beginAfterPruned(sql: Connection): Promise<void> {
    const stones = await sql<{ seq: number; detail: unknown }[]>`
      select seq, detail from public.audit_ledger where company_id = ${this.companyId} and kind = 'pruned' order by seq`;
    const last = stones.flatMap(({ seq, detail }) => (isTombstone(detail) ? [{ seq, detail }] : [])).at(-1);
    if (last === undefined) {
      if (this.#opening !== undefined) this.state.begin(this.#opening);
      return;
    }
    const { from, through, hash, entries, kept = NONE_KEPT } = last.detail;
    const what = `company ${this.companyId}, entry ${last.seq}`;
    const gone = through - from + 1 + kept.before - kept.entries;
    if (entries !== gone) {
      this.#tell(what, fault('stands for entries that were pruned', `${gone} entries`, `${entries}`));
    }
    this.#prunedThrough = through;
    this.#kept = kept;
    const signed = this.#key !== undefined && isSignedBy(this.companyId, last.detail, this.#key);
    if (this.#key !== undefined && !signed) {
      this.#tell(
        `company ${this.companyId}, entries up to ${through}`,
        fault('were pruned, and the key of the heads has not signed that'),
      );
    }
    this.seq = through;
    this.hash = hash;
    this.#link.stand(hash);
    this.#meet(through, hash);
    // What was signed of pruned entries, the signature of the prune answers for.
    if (signed) for (const seq of [...this.#signed.keys()]) if (seq < through) this.#signed.delete(seq);
  }

  #check(row: BinaryRow): void {
    const seq = row.integer(entry.seq);
    if (seq <= this.#prunedThrough) {
      this.#checkKept(row, seq);
      return;
    }
    this.#closeKept();
    const kind = row.text(entry.kind);
    const found = this.#fault(row, seq, kind);
    if (found !== undefined) this.#tell(this.#whose(row) ?? `company ${this.companyId}, entry ${seq}`, found);
    this.#count(row, seq, kind);
    this.#note(row, seq, kind);
    this.seq = seq;
    this.hash = row.hex(entry.hash);
    this.#link.stand(this.hash);
    this.#meet(seq, this.hash);
  }

  /** An entry that a prune has left follows from none before it; it says what it says, and all of them together make one hash. */
  #checkKept(row: BinaryRow, seq: number): void {
    const kind = row.text(entry.kind);
    const found = this.#contentFault(row, seq, kind, row.hex(entry.digest));
    if (found !== undefined) this.#tell(this.#whose(row) ?? `company ${this.companyId}, entry ${seq}`, found);
    this.#count(row, seq, kind);
    this.#link.stand(this.#keptHash);
    const content = Buffer.concat([row.bytes(entry.digest), row.bytes(entry.hash)]);
    this.#keptHash = this.#link.hash(seq, sha256(content));
    this.#keptCount++;
    this.#link.stand(this.hash);
  }

  /** All entries that the last prune has left have come. */
  #closeKept(): void {
    const kept = this.#kept;
    if (kept === undefined) return;
    this.#kept = undefined;
    const what = `company ${this.companyId}, entries up to ${this.#prunedThrough}`;
    if (this.#keptCount !== kept.entries) {
      this.#tell(what, fault('are not those that a prune has left', `${kept.entries} entries`, `${this.#keptCount}`));
    } else if (this.#keptHash !== kept.hash) {
      this.#tell(what, fault('that a prune has left were edited', short(kept.hash), short(this.#keptHash)));
    }
  }

  /** What an entry without a row of its own says. Whoever forges may put anything there. */
  #note(row: BinaryRow, seq: number, kind: string): void {
    const content = row.isNull(entry.detail) ? null : (JSON.parse(row.json(entry.detail)) as unknown);
    try {
      if (kind === 'pruned' && !isTombstone(content)) throw new TypeError('no prune');
      this.state.note(kind, content);
      this.seals.note(kind, content);
    } catch (error) {
      if (!(error instanceof TypeError)) throw error;
      this.#tell(
        `company ${this.companyId}, entry ${seq}`,
        fault(`says nothing that an entry of kind ${kind} can say`),
      );
    }
  }

  #whose(row: BinaryRow): number | undefined {
    if (!row.isNull(entry.action)) return row.integer(entry.action);
    return row.isNull(review.action) ? undefined : row.integer(review.action);
  }

  #count(row: BinaryRow, seq: number, kind: string): void {
    switch (kind) {
      case 'intended':
      case 'refused':
      case 'dry_run':
        this.counts.acts++;
        if (kind !== 'refused' && !row.isNull(act.id)) {
          const driver = row.isNull(act.driver) ? undefined : row.integer(act.driver);
          this.state.admitted(row.text(act.type), driver, row.milliseconds(act.createdAt));
        }
        break;
      case 'outcome':
        this.counts.outcomes++;
        if (!row.isNull(act.id)) this.state.ended(row.text(act.type), row.text(act.status));
        break;
      case 'review':
        this.counts.reviews++;
        if (!row.isNull(act.reviewSeq) && row.integer(act.reviewSeq) === seq) this.counts.reviewed++;
    }
  }

  #fault(row: BinaryRow, seq: number, kind: string): Fault | undefined {
    if (seq !== this.seq + 1) return fault('entries before it are missing', `number ${this.seq + 1}`, `number ${seq}`);
    const digest = row.hex(entry.digest);
    const hash = this.#link.hash(seq, digest);
    const own = row.hex(entry.hash);
    if (hash !== own) return fault('its hash does not follow from the entry before it', short(hash), short(own));
    return this.#contentFault(row, seq, kind, digest);
  }

  /** Whether the entry and its row are as they were written, be it chained to others or not. */
  #contentFault(row: BinaryRow, seq: number, kind: string, digest: string): Fault | undefined {
    switch (kind) {
      case 'intended':
      case 'refused':
      case 'dry_run':
        return this.#entryFault(row, false) ?? this.#birthFault(row, seq, kind, digest);
      case 'outcome':
        return this.#entryFault(row, false) ?? outcomeFault(row, seq, digest);
      case 'review':
        return this.#entryFault(row, true) ?? reviewFault(row, seq, digest);
      default: {
        if (!row.isNull(entry.review))
          return fault('the entry was edited', 'no review', `review ${row.digits(entry.review)}`);
        const own = digestOf([
          text(row, entry.kind),
          integer(row, entry.action),
          json(row, entry.detail),
          time(row, entry.at),
        ]);
        return differs('the entry was edited', own, digest);
      }
    }
  }

  #entryFault(row: BinaryRow, ofReview: boolean): Fault | undefined {
    if (!row.isNull(entry.detail) || row.isNull(entry.review) === ofReview) return fault('the entry was edited');
    return row.isNull(act.id) ? fault('the action is missing') : undefined;
  }

  #birthFault(row: BinaryRow, seq: number, kind: string, digest: string): Fault | undefined {
    // In a digest, JSON's null looks like none at all.
    if (!row.isNull(act.refusal) && row.json(act.refusal) === 'null') {
      return fault('the action was edited', 'no refusal', 'null as its refusal');
    }
    if (row.integer(act.seq) !== seq || row.integer(act.company) !== this.companyId) {
      return fault(
        'the action names another entry',
        `${seq} of company ${this.companyId}`,
        `${row.digits(act.seq)} of company ${row.digits(act.company)}`,
      );
    }
    if (!row.same(act.createdAt, entry.at))
      return fault('the action was edited', instant(row, entry.at), `created_at ${instant(row, act.createdAt)}`);
    const own = digestOf([
      `"${kind}"`,
      integer(row, act.id),
      integer(row, act.company),
      integer(row, act.seq),
      integer(row, act.booking),
      integer(row, act.driver),
      text(row, act.type),
      text(row, act.description),
      json(row, act.data),
      hex(row, act.confidence),
      hex(row, act.improvement),
      text(row, act.trigger),
      text(row, act.key),
      uuid(row, act.attempt),
      text(row, act.approvedBy),
      time(row, act.createdAt),
      time(row, act.actBy),
      kind === 'refused' ? json(row, act.refusal) : 'null',
    ]);
    const edited = differs('the action was edited', own, digest);
    if (edited !== undefined) return edited;
    if (row.isNull(act.outcomeSeq)) {
      const status = row.text(act.status);
      if (status !== kind) return fault('the outcome was edited', `status ${kind}`, status);
      if (!row.isNull(act.success) || !row.isNull(act.ms)) return fault('the outcome was edited', 'none');
      if (row.isNull(act.refusal) !== (status !== 'refused'))
        return fault('the outcome was edited', `status ${kind}`, 'its refusal');
      if (nullable(row, act.error) !== messageOf(row)) {
        return fault('the outcome was edited', messageOf(row), nullable(row, act.error));
      }
    }
    if (row.isNull(act.reviewSeq)) {
      if (
        row.boolean(act.reviewed) ||
        !row.isNull(act.reviewedAt) ||
        !row.isNull(act.reviewedBy) ||
        !row.isNull(act.notes)
      ) {
        return fault('the review was edited', 'none', nullable(row, act.reviewedBy));
      }
      if (row.isNull(act.outcomeSeq)) return updatedFault(row);
    }
    return undefined;
  }
}

function outcomeFault(row: BinaryRow, seq: number, digest: string): Fault | undefined {
  if (row.isNull(act.outcomeSeq) || row.integer(act.outcomeSeq) !== seq) {
    return fault(
      'the outcome was edited',
      `entry ${seq}`,
      row.isNull(act.outcomeSeq) ? null : row.digits(act.outcomeSeq),
    );
  }
  const own = digestOf([
    '"outcome"',
    integer(row, act.id),
    integer(row, act.company),
    integer(row, act.outcomeSeq),
    text(row, act.status),
    flag(row, act.success),
    text(row, act.error),
    hex(row, act.ms),
    json(row, act.refusal),
    time(row, entry.at),
  ]);
  return differs('the outcome was edited', own, digest) ?? (seq > reviewSeq(row) ? updatedFault(row) : undefined);
}

function reviewFault(row: BinaryRow, seq: number, digest: string): Fault | undefined {
  if (row.isNull(review.id)) return fault('a review is missing');
  if (row.digits(review.action) !== row.digits(entry.action) || !row.same(review.at, entry.at)) {
    return fault('a review was edited');
  }
  const own = digestOf([
    '"review"',
    integer(row, review.id),
    integer(row, review.action),
    text(row, review.reviewer),
    text(row, review.notes),
    time(row, review.at),
  ]);
  const edited = differs('a review was edited', own, digest);
  if (edited !== undefined) return edited;
  // A later review's own entry says whether the action shows that one as it was.
  if (reviewSeq(row) < seq) return fault('the review was edited', `entry ${seq}`, `entry ${reviewSeq(row)}`);
  if (reviewSeq(row) > seq) return undefined;
  if (
    !row.boolean(act.reviewed) ||
    !row.same(act.reviewedAt, review.at) ||
    nullable(row, act.reviewedBy) !== nullable(row, review.reviewer) ||
    nullable(row, act.notes) !== nullable(row, review.notes)
  ) {
    return fault('the review was edited', nullable(row, review.reviewer), nullable(row, act.reviewedBy));
  }
  const outcome = row.isNull(act.outcomeSeq) ? 0 : row.integer(act.outcomeSeq);
  return seq > outcome ? updatedFault(row) : undefined;
}

function reviewSeq(row: BinaryRow): number {
  return row.isNull(act.reviewSeq) ? 0 : row.integer(act.reviewSeq);
}

function nullable(row: BinaryRow, k: number): string | null {
  return row.isNull(k) ? null : row.text(k);
}

/** What a refusal says, as `refusal ->> 'message'` gives it. */
function messageOf(row: BinaryRow): string | null {
  if (row.isNull(act.refusal)) return null;
  const { message } = JSON.parse(row.json(act.refusal)) as { message?: unknown };
  return typeof message === 'string' ? message : null;
}

function differs(what: string, own: string, digest: string): Fault | undefined {
  return own === digest ? undefined : fault(what, `digest ${short(digest)}`, `digest ${short(own)}`);
}

/** An action was last changed when its last entry was made. */
function updatedFault(row: BinaryRow): Fault | undefined {
  if (row.same(act.updatedAt, entry.at)) return undefined;
  return fault('the action was edited', instant(row, entry.at), `updated_at ${instant(row, act.updatedAt)}`);
}

function instant(row: BinaryRow, k: number): string {
  const date = new Date(row.milliseconds(k));
  return Number.isNaN(date.getTime()) ? 'no time' : date.toISOString();
}
