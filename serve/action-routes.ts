// Routes of autonomous actions: the record of what was done, its statistics and its reviews.

import { shownJson } from '../engine/index.js';
import { badField } from '../advise/index.js';
import { flag, oneOf, optional } from '../advise/rules.js';
import type { Rule } from '../advise/rules.js';
import {
  actionStatuses,
  actionTypes,
  listActions,
  readAction,
  reviewAction,
  statistics,
  statisticsPeriods,
  timeOf,
} from '../audit/index.js';
import type { ActionDetail, ActionFilter, ActionRow, PageRequest, Refusal } from '../audit/index.js';
import { ServeError } from './errors.js';
import { actionProps, actionsProps, reviewBody, statisticsProps } from './other-schemas.js';
import type { Action } from './other-schemas.js';
import { admins, company, number } from './route-rules.js';
import { answering } from './routes.js';
import type { Route, Sent } from './routes.js';
import type { Service } from './service.js';
import { snake } from './snake.js';
import type { Snake } from './snake.js';

const ADMIN = '/api/admin/autonomous-actions';
const time = { type: 'string', max: 40, description: 'ISO 8601' } as const satisfies Rule;

/** Routes that list, count, read and review actions, under /api/admin. */
export function actionRoutes({ pool }: Service): Route[] {
  return [
    answering(actionsProps)({
      method: 'GET',
      path: ADMIN,
      tag: 'administration',
      roles: admins,
      summary: 'Autonomous actions, newest first',
      query: {
        ...company,
        page: optional(number, 'From 1; beyond 2,000 rows use cursor'),
        per_page: optional({ type: 'number', integer: true, min: 1, max: 200 }, 'Default 50'),
        cursor: optional({ type: 'string', max: 100 }, '`next` of the previous page'),
        action_type: optional(oneOf(actionTypes)),
        status: optional(oneOf(actionStatuses)),
        success: optional(flag),
        reviewed: optional(flag),
        booking_id: optional(number),
        driver_id: optional(number),
        date_from: optional(time),
        date_to: optional(time),
      },
      handle: async ({ query, companyId }) => {
        const { page, per_page: perPage = 50, cursor } = query;
        const request: PageRequest = {
          companyId,
          actionType: query.action_type,
          status: query.status,
          success: query.success,
          reviewed: query.reviewed,
          bookingId: query.booking_id,
          driverId: query.driver_id,
          ...datesOf(query),
          page,
          perPage,
          cursor,
        };
        const found = await pool.ask((sql) => listActions(sql, defined(request)));
        const { actions, next, total, totalIsExact } = found;
        return {
          actions: actions.map((row) => ({ ...row, refusal: shownRefusal(row) })),
          pagination: {
            page: page ?? (cursor === undefined ? 1 : null),
            per_page: perPage,
            total: total ?? null,
            total_is_exact: totalIsExact ?? null,
            pages: total === undefined ? null : Math.ceil(total / perPage),
            next,
          },
        };
      },
    }),
    answering(statisticsProps)({
      method: 'GET',
      path: `${ADMIN}/stats`,
      tag: 'administration',
      roles: admins,
      summary: 'Statistics of the last hour, day, week or month',
      query: { ...company, period: optional(oneOf(statisticsPeriods), 'Default day') },
      handle: async ({ query: { period = 'day' }, companyId }) =>
        snake(await pool.ask((sql) => statistics(sql, defined({ period, companyId })))),
    }),
    answering(actionProps)({
      method: 'GET',
      path: `${ADMIN}/:id`,
      tag: 'administration',
      roles: admins,
      summary: 'One action with its reviews and its entries in the ledger',
      params: { id: number },
      query: company,
      handle: async ({ params, companyId }) => ({
        action: shown(await pool.ask((sql) => readAction(sql, params.id, companyId))),
      }),
    }),
    answering(actionProps)({
      method: 'POST',
      path: `${ADMIN}/:id/review`,
      tag: 'administration',
      roles: admins,
      summary: 'Record a review; earlier reviews are kept',
      params: { id: number },
      query: company,
      body: reviewBody,
      handle: async ({ params, body, caller, companyId }) => {
        const review = { reviewer: caller.subject, notes: body.notes ?? null };
        return { action: shown(await pool.once((sql) => reviewAction(sql, params.id, review, companyId))) };
      },
    }),
  ];
}

/** Rows have snake_case names already; only a refusal has not. */
function shownRefusal({ refusal }: ActionRow): Snake<Refusal> | null {
  return refusal === null ? null : snake(refusal);
}

function shown(action: ActionDetail): Sent<Action['action']> {
  return { ...action, refusal: shownRefusal(action) };
}

/** The query's period. @throws ServeError, AdviseError `ERR_REQUEST` */
function datesOf({
  date_from: from,
  date_to: to,
}: {
  readonly date_from?: string;
  readonly date_to?: string;
}): Pick<ActionFilter, 'from' | 'to'> {
  for (const [name, value] of Object.entries({ date_from: from, date_to: to })) {
    if (value === undefined) continue;
    try {
      timeOf(name, value);
    } catch (cause) {
      // The record's message, with the path that every fault of a request has.
      throw new ServeError('ERR_REQUEST', (cause as Error).message, { cause, path: name });
    }
  }
  if (from !== undefined && to !== undefined && timeOf('date_from', from) >= timeOf('date_to', to)) {
    throw badField('date_to', `is ${shownJson(to)}: expected a time after date_from, ${shownJson(from)}`);
  }
  return { from, to };
}

/** Without members that are undefined: the record refuses them. */
function defined<T extends object>(object: T): T {
  return Object.fromEntries(Object.entries(object).filter(([, value]) => value !== undefined)) as T;
}
