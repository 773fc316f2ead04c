// Reading the record: pages, one action with its history, statistics, export.

import type { ValidationSchema } from 'fastest-validator';
import type { PendingQuery, Row } from 'postgres';
import type { Connection } from './connection.js';
import { databaseError, pinned } from './database.js';
import { AuditError } from './errors.js';
import type { Refusal } from './errors.js';
import { compileFields, flag, id, refuseFaults, text } from './fields.js';
import { isStorable, timeOf } from './times.js';
import { actionStatuses, actionTypes, statisticsPeriods } from './vocabulary.js';
import type { ActionStatus, ActionType, StatisticsPeriod } from './vocabulary.js';

/** One action on record. Names are the table's. */
export interface ActionRow {
  readonly id: number;
  readonly company_id: number;
  readonly booking_id: number | null;
  readonly driver_id: number | null;
  readonly action_type: ActionType;
  readonly action_description: string;
  readonly action_data: Readonly<Record<string, unknown>>;
  /** Null until it has ended, and for one that never began. */
  readonly success: boolean | null;
  readonly error_message: string | null;
  readonly execution_time_ms: number | null;
  readonly confidence_score: number | null;
  readonly expected_improvement_minutes: number | null;
  readonly trigger_source: string;
  readonly reviewed_by_admin: boolean;
  readonly reviewed_at: Date | null;
  readonly admin_notes: string | null;
  readonly created_at: Date;
  readonly updated_at: Date;
  readonly status: ActionStatus;
  readonly idempotency_key: string;
  readonly approved_by: string | null;
  readonly act_by: Date;
  readonly refusal: Refusal | null;
  readonly reviewed_by: string | null;
}

/** Which actions: those that meet everything that is given. */
export interface ActionFilter {
  readonly companyId?: number | undefined;
  readonly actionType?: ActionType | undefined;
  readonly status?: ActionStatus | undefined;
  readonly success?: boolean | undefined;
  readonly reviewed?: boolean | undefined;
  readonly bookingId?: number | undefined;
  readonly driverId?: number | undefined;
  /** ISO 8601 with a zone, or a day (its midnight in UTC), or a Date; `from` inclusive, `to` exclusive. */
  readonly from?: Date | string | undefined;
  readonly to?: Date | string | undefined;
}

/** Which page of which actions. */
export interface PageRequest extends ActionFilter {
  /** Rows, 1 to 200; default 50. */
  readonly perPage?: number | undefined;
  /** From 1. Reaches the first 2,000 rows; beyond, go on with `cursor`. */
  readonly page?: number | undefined;
  /** `next` of the page before: exact however deep, and however many rows are added meanwhile. */
  readonly cursor?: string | undefined;
}

/** One page of a list. */
export interface ActionPage {
  /** Newest first. */
  readonly actions: readonly ActionRow[];
  /** Cursor of the next page; null on the last. */
  readonly next: string | null;
  /** Rows that the filter finds, counted up to 2,000; absent with a cursor. */
  readonly total?: number;
  /** False if there are more than `total`. */
  readonly totalIsExact?: boolean;
}

/** Skipping rows costs time for each, so pages by number stop here. */
const REACH = 2000;

/** Columns of an action on record, in the order of exports. */
export const actionColumns: readonly (keyof ActionRow)[] = [
  'id',
  'company_id',
  'booking_id',
  'driver_id',
  'action_type',
  'action_description',
  'action_data',
  'success',
  'error_message',
  'execution_time_ms',
  'confidence_score',
  'expected_improvement_minutes',
  'trigger_source',
  'reviewed_by_admin',
  'reviewed_at',
  'admin_notes',
  'created_at',
  'updated_at',
  'status',
  'idempotency_key',
  'approved_by',
  'act_by',
  'refusal',
  'reviewed_by',
];

const filterFields: ValidationSchema = {
  $$strict: true,
  companyId: id,
  actionType: { type: 'enum', values: [...actionTypes], optional: true },
  status: { type: 'enum', values: [...actionStatuses], optional: true },
  success: flag,
  reviewed: flag,
  bookingId: id,
  driverId: id,
  from: { type: 'any', optional: true },
  to: { type: 'any', optional: true },
};
const checkFilter = compileFields(filterFields);
const checkPage = compileFields({
  ...filterFields,
  perPage: { type: 'number', integer: true, min: 1, max: 200, optional: true },
  page: { type: 'number', integer: true, min: 1, optional: true },
  cursor: { type: 'string', optional: true },
});

/**
 * One page of actions, newest first.
 * @throws AuditError `ERR_FIELD` naming field and value
 */
export async function listActions(connection: Connection, request: PageRequest): Promise<ActionPage> {
  refuseFaults('list', checkPage(request));
  const { perPage = 50, page, cursor, ...filter } = request;
  if (page !== undefined && cursor !== undefined) {
    throw new AuditError('ERR_FIELD', 'list fields "page" and "cursor" go not together: give one');
  }
  const offset = ((page ?? 1) - 1) * perPage;
  if (offset + perPage > REACH) {
    throw new AuditError(
      'ERR_FIELD',
      `list field "page" is ${String(page)}: pages by number reach ${REACH} rows, go on with the "next" cursor of a page`,
    );
  }
  const where = whereOf(connection, filter);
  const after = cursor === undefined ? connection`` : afterCursor(connection, cursor);
  try {
    // One more than asked for tells whether there is a next page. Keys first, from an index alone; then the rows.
    const page = connection`
      select ${connection(actionColumns as string[])} from public.autonomous_action
      join (
        select id as found from public.autonomous_action where ${where} ${after}
        order by created_at desc, id desc limit ${perPage + 1} offset ${offset}
      ) as keys on found = id`;
    if (cursor !== undefined) {
      return pageOf(await connection`${page} order by created_at desc, id desc`.values(), perPage);
    }
    // Its total comes in the same statement; a page without rows is one row of nulls.
    const rows = await connection`
      select page.*, total from (
        select count(*) as total from (select from public.autonomous_action where ${where} limit ${REACH + 1}) as counted
      ) as counts left join (${page}) as page on true
      order by created_at desc, id desc`.values();
    const total = Number(rows[0]?.[actionColumns.length]);
    const found = rows[0]?.[0] === null ? [] : rows;
    return { ...pageOf(found, perPage), total: Math.min(total, REACH), totalIsExact: total <= REACH };
  } catch (error) {
    throw databaseError(error);
  }
}

function pageOf(rows: readonly (readonly unknown[])[], perPage: number): { actions: ActionRow[]; next: string | null } {
  const actions = rows.slice(0, perPage).map(actionOf);
  const last = actions.at(-1);
  return { actions, next: rows.length > perPage && last !== undefined ? cursorOf(last) : null };
}

/** A copy of a whole object, as one that grows by thirty names is moved ten times: that was two thirds of a list's garbage. */
function actionOf(values: readonly unknown[]): ActionRow {
  const row: Record<string, unknown> = { ...blankAction };
  for (let k = 0; k < actionColumns.length; k++) row[actionColumns[k]] = values[k];
  return row as unknown as ActionRow;
}
const blankAction = Object.fromEntries(actionColumns.map((name) => [name, null]));

function whereOf(connection: Connection, filter: ActionFilter): PendingQuery<Row[]> {
  const { companyId, actionType, status, success, reviewed, bookingId, driverId } = filter;
  const from = filter.from === undefined ? undefined : timeOf('from', filter.from);
  const to = filter.to === undefined ? undefined : timeOf('to', filter.to);
  if (from !== undefined && to !== undefined && from >= to) {
    throw new AuditError(
      'ERR_FIELD',
      `field "to" is ${to.toISOString()}: it must be after "from", ${from.toISOString()}`,
    );
  }
  const none = connection``;
  return connection`true
    ${companyId === undefined ? none : connection`and company_id = ${companyId}`}
    ${actionType === undefined ? none : connection`and action_type = ${actionType}`}
    ${status === undefined ? none : connection`and status = ${status}`}
    ${success === undefined ? none : connection`and status = ${success ? 'succeeded' : 'failed'}`}
    ${reviewed === undefined ? none : reviewed ? connection`and reviewed_by_admin` : connection`and not reviewed_by_admin`}
    ${bookingId === undefined ? none : connection`and booking_id = ${bookingId}`}
    ${driverId === undefined ? none : connection`and driver_id = ${driverId}`}
    ${from === undefined ? none : connection`and created_at >= ${from}`}
    ${to === undefined ? none : connection`and created_at < ${to}`}`;
}

function cursorOf({ created_at, id }: ActionRow): string {
  return Buffer.from(`${created_at.getTime()}.${id}`).toString('base64url');
}

function afterCursor(connection: Connection, cursor: string): PendingQuery<Row[]> {
  const found = /^(\d{1,15})\.(\d{1,15})$/.exec(Buffer.from(cursor, 'base64url').toString());
  if (found === null || !isStorable(new Date(Number(found[1])))) {
    throw new AuditError(
      'ERR_FIELD',
      `list field "cursor" is ${JSON.stringify(cursor)}: expected the "next" of a page`,
    );
  }
  const at = new Date(Number(found[1]));
  // The first condition is implied by the second; it lets an index on the time alone begin there.
  return connection`and created_at <= ${at} and (created_at, id) < (${at}, ${Number(found[2])})`;
}

/** One action with its reviews and its entries. */
export interface ActionDetail extends ActionRow {
  /** How many there are. */
  readonly review_count: number;
  /** The last 100 reviews, oldest first. */
  readonly reviews: readonly { readonly reviewer: string; readonly notes: string | null; readonly at: Date }[];
  /** Its entries in the ledger, oldest first; of those for reviews the last 100. */
  readonly entries: readonly {
    readonly seq: number;
    readonly kind: string;
    readonly at: Date;
    readonly hash: string;
    readonly detail: unknown;
  }[];
}

const SHOWN = 100;

/**
 * One action with its history.
 * @param companyId if given, an action of another company is not found
 * @throws AuditError `ERR_NOT_FOUND`
 */
export async function readAction(connection: Connection, actionId: number, companyId?: number): Promise<ActionDetail> {
  try {
    const [row] = await connection<[ActionRow] | []>`
      select ${connection(actionColumns as string[])} from public.autonomous_action
      where id = ${actionId} ${companyId === undefined ? connection`` : connection`and company_id = ${companyId}`}`;
    if (row === undefined) throw new AuditError('ERR_NOT_FOUND', `action ${actionId} is not known`);
    // Anybody may review again and again: what is answered stays within bounds.
    const reviews = await connection<(ActionDetail['reviews'][number] & { total: number })[]>`
      select reviewer, notes, at, count(*) over () as total
      from public.action_review where action_id = ${actionId} order by id desc limit ${SHOWN}`;
    const entries = await connection<ActionDetail['entries'][number][]>`
      with act as (select company_id, seq as first from public.autonomous_action where id = ${actionId})
      (select seq, kind, at, encode(hash, 'hex') as hash, detail
        from act join public.audit_ledger using (company_id) where seq = first)
      union all
      (select seq, kind, at, encode(hash, 'hex'), detail
        from public.audit_ledger where action_id = ${actionId} and kind in ('outcome', 'late_outcome'))
      union all
      (select seq, kind, at, encode(hash, 'hex'), detail
        from public.audit_ledger where action_id = ${actionId} and kind = 'review' order by seq desc limit ${SHOWN})
      order by seq`;
    return {
      ...row,
      review_count: reviews[0]?.total ?? 0,
      reviews: reviews.map(({ reviewer, notes, at }) => ({ reviewer, notes, at })).reverse(),
      entries: [...entries],
    };
  } catch (error) {
    throw databaseError(error);
  }
}

/** The action that was let through under a key, if there is one. */
export async function findAction(
  connection: Connection,
  companyId: number,
  idempotencyKey: string,
): Promise<ActionRow | null> {
  try {
    const [row] = await connection<[ActionRow] | []>`
      select ${connection(actionColumns as string[])} from public.autonomous_action
      where company_id = ${companyId} and idempotency_key = ${idempotencyKey} and status <> 'refused'`;
    return row ?? null;
  } catch (error) {
    throw databaseError(error);
  }
}

const checkReview = compileFields({
  $$strict: true,
  reviewer: text(200),
  notes: { ...text(1000, 0), nullable: true, optional: true },
});

/**
 * Puts a review on record; earlier ones are kept.
 * @throws AuditError `ERR_NOT_FOUND`, `ERR_FIELD`
 */
export async function reviewAction(
  connection: Connection,
  actionId: number,
  review: { readonly reviewer: string; readonly notes?: string | null | undefined },
  companyId?: number,
): Promise<ActionDetail> {
  refuseFaults('review', checkReview(review));
  await readAction(connection, actionId, companyId);
  try {
    await connection`select from public.autonomy_review(${actionId}, ${review.reviewer}, ${review.notes ?? null})`;
  } catch (error) {
    throw databaseError(error);
  }
  return readAction(connection, actionId, companyId);
}

/** How many actions of which end, and how long they took. */
export interface Figures {
  /** Actions asked for: all of the following. */
  readonly total: number;
  readonly succeeded: number;
  readonly failed: number;
  readonly refused: number;
  readonly unknown: number;
  readonly intended: number;
  readonly dryRun: number;
  readonly reviewed: number;
  /** succeeded / (succeeded + failed + unknown); null if there are none. */
  readonly successRate: number | null;
  /** Milliseconds, over actions that have ended; null if there are none. */
  readonly meanExecutionMs: number | null;
  readonly p95ExecutionMs: number | null;
}

/** Figures of one span, in total and in parts. */
export interface Statistics {
  readonly period: StatisticsPeriod;
  readonly from: Date;
  readonly to: Date;
  readonly totals: Figures;
  readonly byType: readonly (Figures & { readonly actionType: ActionType })[];
  readonly byCompany: readonly (Figures & { readonly companyId: number })[];
  /** Figures of each stretch of the period, oldest first: 5 minutes of an hour, hours of a day, days of a week or a month. */
  readonly series: readonly (Figures & { readonly from: Date })[];
}

const stretches: Readonly<Record<StatisticsPeriod, { readonly length: string; readonly stretch: string }>> = {
  hour: { length: '1 hour', stretch: '5 minutes' },
  day: { length: '24 hours', stretch: '1 hour' },
  week: { length: '7 days', stretch: '1 day' },
  month: { length: '30 days', stretch: '1 day' },
};

/**
 * Figures of the hour, day, week or month (30 days) that ends at `to`, by default now.
 * @throws AuditError `ERR_FIELD`
 */
export async function statistics(
  connection: Connection,
  request: {
    readonly period: StatisticsPeriod;
    readonly companyId?: number | undefined;
    readonly to?: Date | string | undefined;
  },
): Promise<Statistics> {
  const { period, companyId } = request;
  if (!Object.hasOwn(stretches, period)) {
    throw new AuditError(
      'ERR_FIELD',
      `field "period" is ${JSON.stringify(period)}: one of ${statisticsPeriods.join(', ')}`,
    );
  }
  refuseFaults('statistics', checkFilter({ ...(companyId === undefined ? {} : { companyId }) }));
  const to = request.to === undefined ? new Date() : timeOf('to', request.to);
  const { length, stretch } = stretches[period];
  try {
    const rows = await connection<
      (Figures & { grouping: number; actionType: ActionType; companyId: number; from: Date; start: Date })[]
    >`
      with act as (
        select action_type, company_id, status, reviewed_by_admin, execution_time_ms,
          date_bin(${stretch}::interval, created_at, ${to}::timestamptz - ${length}::interval) as stretch
        from public.autonomous_action
        where created_at >= ${to}::timestamptz - ${length}::interval and created_at < ${to}
          ${companyId === undefined ? connection`` : connection`and company_id = ${companyId}`}
      )
      select grouping(action_type, company_id, stretch) as grouping, action_type as "actionType",
        company_id as "companyId", stretch as from, ${to}::timestamptz - ${length}::interval as start,
        count(*) as total,
        count(*) filter (where status = 'succeeded') as succeeded,
        count(*) filter (where status = 'failed') as failed,
        count(*) filter (where status = 'refused') as refused,
        count(*) filter (where status = 'unknown') as unknown,
        count(*) filter (where status = 'intended') as intended,
        count(*) filter (where status = 'dry_run') as "dryRun",
        count(*) filter (where reviewed_by_admin) as reviewed,
        count(*) filter (where status = 'succeeded')::double precision
          / nullif(count(*) filter (where status in ('succeeded', 'failed', 'unknown')), 0) as "successRate",
        avg(execution_time_ms) as "meanExecutionMs",
        percentile_cont(0.95) within group (order by execution_time_ms) as "p95ExecutionMs"
      from act group by grouping sets ((), (action_type), (company_id), (stretch))
      order by 1, action_type, company_id, stretch`;
    const pick = <T extends object>(grouping: number, extra: (row: (typeof rows)[number]) => T): (Figures & T)[] =>
      rows.filter((row) => row.grouping === grouping).map((row) => ({ ...extra(row), ...figuresOf(row) }));
    const [totals] = rows.filter((row) => row.grouping === 7);
    return {
      period,
      from: totals.start,
      to,
      totals: figuresOf(totals),
      byType: pick(3, ({ actionType }) => ({ actionType })),
      byCompany: pick(5, (row) => ({ companyId: row.companyId })),
      series: pick(6, ({ from }) => ({ from })),
    };
  } catch (error) {
    throw databaseError(error);
  }
}

function figuresOf(row: Figures): Figures {
  const { total, succeeded, failed, refused, unknown, intended, dryRun, reviewed } = row;
  const { successRate, meanExecutionMs, p95ExecutionMs } = row;
  return {
    total,
    succeeded,
    failed,
    refused,
    unknown,
    intended,
    dryRun,
    reviewed,
    successRate,
    meanExecutionMs,
    p95ExecutionMs,
  };
}

/**
 * All actions that the filter finds, oldest first, a portion at a time: memory does not grow with the record.
 * @throws AuditError `ERR_FIELD`
 */
export async function* exportActions(connection: Connection, filter: ActionFilter = {}): AsyncGenerator<ActionRow[]> {
  refuseFaults('export', checkFilter(filter));
  const where = whereOf(connection, filter);
  try {
    await pinned(connection);
    const rows = connection<ActionRow[]>`
      select ${connection(actionColumns as string[])} from public.autonomous_action where ${where} order by created_at, id`;
    for await (const portion of rows.cursor(1000)) yield portion;
  } catch (error) {
    throw databaseError(error);
  }
}
