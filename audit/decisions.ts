// What was recommended and what became of it. Rows are added many to a statement, as the recorder's are; none is changed.

import { databaseError } from './database.js';
import type { Connection, Database } from './database.js';
import { DeadlineBatcher, RenewableConnection } from './deadline-batcher.js';
import { AuditError } from './errors.js';
import { SilenceWatch } from './silence.js';

/** A decision as it is put on record. */
export interface DecisionRow {
  /** UUID, ascending in time. */
  readonly id: string;
  readonly companyId: number;
  readonly requestedBy: string;
  /** At most one decision of a company has it. */
  readonly idempotencyKey: string | null;
  readonly mode: string;
  readonly policy: string;
  readonly policyHash: string;
  readonly stateHash: string;
  readonly fallback: string | null;
  readonly assigned: number;
  readonly waiting: number;
  readonly unassigned: number;
  readonly request: Uint8Array;
  readonly answer: Uint8Array;
}

/** What became of a decision: a word of a person on one shipment, or the actions of `auto`. */
export interface DecisionEvent {
  readonly kind: 'outcome' | 'acts';
  readonly by: string;
  readonly detail: unknown;
  readonly at: Date;
}

/** Without its bytes. */
export interface DecisionSummary extends Omit<DecisionRow, 'request' | 'answer'> {
  readonly createdAt: Date;
}

/** A decision with what became of it. */
export interface DecisionDetail extends DecisionRow {
  readonly createdAt: Date;
  /** Oldest first. */
  readonly events: readonly DecisionEvent[];
}

/** How long recording may take. */
export interface DecisionLogOptions {
  /** Milliseconds within which the database must have taken a decision. Default 500. */
  readonly deadlineMs?: number;
}

/** Decisions of more bytes take seconds to write; they go a way of their own, in which others need not wait. */
const LARGE = 512 * 1024;
const LARGE_DEADLINE_MS = 10_000;

/** Puts decisions on record, many to a statement. Close it when done. */
export class DecisionLog {
  readonly #connection: RenewableConnection;
  readonly #rows: DeadlineBatcher<DecisionRow, true>;
  readonly #silence: SilenceWatch;
  readonly #largeConnection: RenewableConnection;
  readonly #largeRows: DeadlineBatcher<DecisionRow, true>;
  readonly #largeSilence: SilenceWatch;

  constructor(database: Database, { deadlineMs = 500 }: DecisionLogOptions = {}) {
    this.#connection = new RenewableConnection(database, 2, deadlineMs);
    this.#rows = new DeadlineBatcher(this.#connection, { deadlineMs, inFlight: 1 }, insertAll);
    this.#silence = new SilenceWatch(database, this.#connection, deadlineMs);
    const large = Math.max(deadlineMs, LARGE_DEADLINE_MS);
    this.#largeConnection = new RenewableConnection(database, 1, large);
    const one = { deadlineMs: large, inFlight: 1, maxBatch: 1 };
    this.#largeRows = new DeadlineBatcher(this.#largeConnection, one, insertAll);
    this.#largeSilence = new SilenceWatch(database, this.#largeConnection, large);
  }

  /**
   * Puts a decision on record.
   * @throws AuditError `ERR_DATABASE` or `ERR_DEADLINE`: it may have been recorded all the same; `ERR_NOT_FOUND` for a company
   *   that is not known; `ERR_IDEMPOTENCY` if its key has been used
   */
  async record(row: DecisionRow): Promise<void> {
    try {
      const isLarge = row.request.length + row.answer.length > LARGE;
      const [rows, silence] = isLarge ? [this.#largeRows, this.#largeSilence] : [this.#rows, this.#silence];
      await rows.request(row, (end) => silence.missed(end));
    } catch (error) {
      throw databaseError(error);
    }
  }

  /** Ends its connections, after at most 5 seconds. */
  async close(): Promise<void> {
    await Promise.all([
      this.#silence.close(),
      this.#largeSilence.close(),
      this.#connection.end(5),
      this.#largeConnection.end(5),
    ]);
  }
}

async function insertAll(sql: Connection, rows: readonly DecisionRow[]): Promise<true[]> {
  const bytes: Uint8Array[] = [];
  // The database counts bytes from 1.
  let endAt = 1;
  const text = JSON.stringify(
    rows.map(({ request, answer, ...row }) => {
      const requestAt = endAt;
      const answerAt = requestAt + request.length;
      endAt = answerAt + answer.length;
      bytes.push(request, answer);
      return { ...row, requestAt, answerAt, endAt };
    }),
  );
  // Parsed once, as json: jsonb would be built first and taken apart again.
  await sql`select decision_record(${text}::text::json, ${Buffer.concat(bytes).toString('base64')})`;
  return rows.map(() => true);
}

/**
 * One decision with what became of it.
 * @param companyId if given, a decision of another company is not found
 * @throws AuditError `ERR_NOT_FOUND`
 */
export async function readDecision(connection: Connection, id: string, companyId?: number): Promise<DecisionDetail> {
  try {
    const [row] = await connection<[DecisionDetail] | []>`
      select ${summaryColumns(connection)}, request, answer
      from decision where id = ${id} ${companyId === undefined ? connection`` : connection`and company_id = ${companyId}`}`;
    if (row === undefined) throw new AuditError('ERR_NOT_FOUND', `decision ${id} is not known`);
    const events = await connection<DecisionEvent[]>`
      select kind, by, detail, at from decision_event where decision_id = ${id} order by id`;
    return { ...row, events: [...events] };
  } catch (error) {
    throw databaseError(error);
  }
}

/** The decision that was made under a key, if there is one. */
export async function findDecision(
  connection: Connection,
  companyId: number,
  idempotencyKey: string,
): Promise<DecisionDetail | null> {
  try {
    const [found] = await connection<[{ id: string }] | []>`
      select id from decision where company_id = ${companyId} and idempotency_key = ${idempotencyKey}`;
    return found === undefined ? null : await readDecision(connection, found.id, companyId);
  } catch (error) {
    throw databaseError(error);
  }
}

/**
 * When a decision was put on record, by the clock of the database.
 * @throws AuditError `ERR_NOT_FOUND`
 */
export async function recordedAt(connection: Connection, id: string): Promise<Date> {
  try {
    const [row] = await connection<[{ at: Date }] | []>`select created_at as at from decision where id = ${id}`;
    if (row === undefined) throw new AuditError('ERR_NOT_FOUND', `decision ${id} is not known`);
    return row.at;
  } catch (error) {
    throw databaseError(error);
  }
}

/**
 * Decisions, newest first.
 * @param request.before id of the last one of the page before
 */
export async function listDecisions(
  connection: Connection,
  request: { readonly companyId?: number | undefined; readonly limit: number; readonly before?: string | undefined },
): Promise<DecisionSummary[]> {
  const { companyId, limit, before } = request;
  try {
    return await connection<DecisionSummary[]>`
      select ${summaryColumns(connection)} from decision where true
        ${companyId === undefined ? connection`` : connection`and company_id = ${companyId}`}
        ${before === undefined ? connection`` : connection`and id < ${before}`}
      order by id desc limit ${limit}`;
  } catch (error) {
    throw databaseError(error);
  }
}

function summaryColumns(connection: Connection): ReturnType<Connection> {
  return connection`
    id, company_id as "companyId", created_at as "createdAt", requested_by as "requestedBy",
    idempotency_key as "idempotencyKey", mode, policy,
    policy_hash as "policyHash", state_hash as "stateHash", fallback, assigned, waiting, unassigned`;
}

/**
 * Adds to what became of a decision.
 * @throws AuditError `ERR_NOT_FOUND`
 */
export async function addDecisionEvent(
  connection: Connection,
  decision: { readonly id: string; readonly companyId: number },
  event: Omit<DecisionEvent, 'at'>,
): Promise<void> {
  try {
    await connection`
      select decision_note(${decision.id}, ${decision.companyId}, ${event.kind}, ${event.by},
        ${connection.json(event.detail as Parameters<Connection['json']>[0])})`;
  } catch (error) {
    throw databaseError(error);
  }
}
