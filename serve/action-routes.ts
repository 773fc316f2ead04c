// Routes of autonomous actions: the record of what was done, its statistics and its reviews.

import { badField } from '../advise/index.js';
import { show } from '../advise/schema.js';
import type { Rule } from '../advise/rules.js';
import {
  AuditError,
  actionStatuses,
  actionTypes,
  listActions,
  readAction,
  reviewAction,
  statistics,
  statisticsPeriods,
  timeOf,
} from '../audit/index.js';
import type { ActionFilter, ActionRow, StatisticsPeriod } from '../audit/index.js';
import { ServeError } from './errors.js';
import { actionProps, actionsProps, statisticsProps } from './other-schemas.js';
import { admins, company, flag, number, optional } from './route-rules.js';
import type { Route, RouteContext } from './routes.js';
import type { Service } from './service.js';
import { snake } from './snake.js';

const ADMIN = '/api/admin/autonomous-actions';
const time: Rule = { type: 'string', max: 40, description: 'ISO 8601' };

/** Routes that list, count, read and review actions, under /api/admin. */
export function actionRoutes({ pool }: Service): Route[] {
  return [
    {
      method: 'GET',
      path: ADMIN,
      answer: actionsProps,
      tag: 'administration',
      roles: admins,
      summary: 'Autonomous actions, newest first',
      query: {
        ...company,
        page: optional(number, 'From 1; beyond 2,000 rows use cursor'),
        per_page: optional({ type: 'number', integer: true, min: 1, max: 200 }, 'Default 50'),
        cursor: optional({ type: 'string', max: 100 }, '`next` of the previous page'),
        action_type: optional({ type: 'enum', values: actionTypes }),
        status: optional({ type: 'enum', values: actionStatuses }),
        success: optional(flag),
        reviewed: optional(flag),
        booking_id: optional(number),
        driver_id: optional(number),
        date_from: optional(time),
        date_to: optional(time),
      },
      handle: async (c) => {
        const q = c.query as Record<string, never>;
        const filter: ActionFilter = {
          companyId: c.companyId,
          actionType: q['action_type'],
          status: q['status'],
          success: q['success'],
          reviewed: q['reviewed'],
          bookingId: q['booking_id'],
          driverId: q['driver_id'],
          ...datesOf(c.query),
        };
        const page = { page: q['page'], perPage: q['per_page'], cursor: q['cursor'] };
        const found = await pool.ask((sql) => listActions(sql, defined({ ...filter, ...page })));
        const { actions, next, total, totalIsExact } = found;
        const perPage = (q['per_page'] as number | undefined) ?? 50;
        return {
          actions: actions.map(shown),
          pagination: {
            page: (q['page'] as number | undefined) ?? (q['cursor'] === undefined ? 1 : null),
            per_page: perPage,
            total: total ?? null,
            total_is_exact: totalIsExact ?? null,
            pages: total === undefined ? null : Math.ceil(total / perPage),
            next,
          },
        };
      },
    },
    {
      method: 'GET',
      path: `${ADMIN}/stats`,
      answer: statisticsProps,
      tag: 'administration',
      roles: admins,
      summary: 'Statistics of the last hour, day, week or month',
      query: { ...company, period: optional({ type: 'enum', values: statisticsPeriods }, 'Default day') },
      handle: (c) =>
        pool
          .ask((sql) =>
            statistics(
              sql,
              defined({ period: (c.query['period'] as StatisticsPeriod | undefined) ?? 'day', companyId: c.companyId }),
            ),
          )
          .then(snake),
    },
    {
      method: 'GET',
      path: `${ADMIN}/:id`,
      answer: actionProps,
      tag: 'administration',
      roles: admins,
      summary: 'One action with its reviews and its entries in the ledger',
      params: { id: number },
      query: company,
      handle: async (c) => ({ action: shown(await pool.ask((sql) => readAction(sql, idOf(c), c.companyId))) }),
    },
    {
      method: 'POST',
      path: `${ADMIN}/:id/review`,
      answer: actionProps,
      tag: 'administration',
      roles: admins,
      summary: 'Record a review; earlier reviews are kept',
      params: { id: number },
      query: company,
      body: { notes: optional({ type: 'string', max: 1000, nullable: true }, 'No personal data') },
      handle: async (c) => {
        const { notes } = c.body as { notes?: string | null };
        const review = { reviewer: c.caller.subject, notes: notes ?? null };
        return { action: shown(await pool.once((sql) => reviewAction(sql, idOf(c), review, c.companyId))) };
      },
    },
  ];
}

function idOf({ params }: RouteContext): number {
  const id = Number(params['id']);
  if (!Number.isSafeInteger(id)) throw new AuditError('ERR_NOT_FOUND', `action ${params['id']} does not exist`);
  return id;
}

/** Rows have snake_case names already; only a refusal has not. */
function shown(row: ActionRow): object {
  return row.refusal === null ? row : { ...row, refusal: snake(row.refusal) };
}

/** The query's period. @throws ServeError, AdviseError `ERR_REQUEST` */
function datesOf({
  date_from: from,
  date_to: to,
}: Readonly<Record<string, unknown>>): Pick<ActionFilter, 'from' | 'to'> {
  for (const [name, value] of Object.entries({ date_from: from, date_to: to })) {
    if (value === undefined) continue;
    try {
      timeOf(name, value as string);
    } catch (cause) {
      // The record's message, with the path that every fault of a request has.
      throw new ServeError('ERR_REQUEST', (cause as Error).message, { cause, path: name });
    }
  }
  if (
    from !== undefined &&
    to !== undefined &&
    timeOf('date_from', from as string) >= timeOf('date_to', to as string)
  ) {
    throw badField('date_to', `is ${show(to)}: expected a time after date_from, ${show(from)}`);
  }
  return { from: from as string | undefined, to: to as string | undefined };
}

/** Without members that are undefined: the record refuses them. */
function defined<T extends object>(object: T): T {
  return Object.fromEntries(Object.entries(object).filter(([, value]) => value !== undefined)) as T;
}
