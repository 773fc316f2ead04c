// The routes: recommendations and decisions under /v1, and the administration of autonomous actions under /api/admin, with
// the paths and parameters of the system that this one re-founds.

import {
  AuditError,
  actionStatuses,
  actionTypes,
  configure,
  limitKinds,
  limitScopes,
  listActions,
  listCompanies,
  modes,
  periods,
  readAction,
  readControls,
  resetBreaker,
  reviewAction,
  setLimits,
  statistics,
  statisticsPeriods,
} from '../audit/index.js';
import type { ActionFilter, ActionRow, ActionType, LimitChange, Settings, StatisticsPeriod } from '../audit/index.js';
import { answerProps } from './answer-schema.js';
import { ServeError, badField } from './errors.js';
import {
  actionProps,
  actionsProps,
  analysisProps,
  companiesProps,
  controlsProps,
  decisionProps,
  decisionsProps,
  killSwitchProps,
  limitsProps,
  liveProps,
  outcomeProps,
  policiesProps,
  policyProps,
  replayProps,
  resetProps,
  runProps,
  runsProps,
  statisticsProps,
} from './other-schemas.js';
import { documentedRequest, requestProps } from './request.js';
import type { Route, RouteContext } from './routes.js';
import { RunsReader } from './runs.js';
import { show } from './schema.js';
import type { Props, Rule } from './schema.js';
import { outcomes } from './service.js';
import type { Outcome, Service } from './service.js';
import { snake, snakeName } from './snake.js';

export interface ApiOptions {
  readonly service: Service;
  /** Folder of training runs. */
  readonly runs: string;
}

const everyone = ['admin', 'dispatcher', 'viewer'] as const;
const dispatchers = ['admin', 'dispatcher'] as const;
const admins = ['admin'] as const;

const uuid: Rule = { type: 'string', pattern: /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/ };
const number: Rule = { type: 'number', integer: true, min: 1, max: Number.MAX_SAFE_INTEGER };
const flag: Rule = { type: 'boolean' };
const time: Rule = { type: 'string', max: 40, description: 'ISO 8601' };
const optional = (rule: Rule, description?: string): Rule =>
  description === undefined ? { ...rule, optional: true } : { ...rule, optional: true, description };
const company: Props = { company_id: optional(number, 'For an admin of all companies: which one') };

/** Within which the switch is answered, and what is shown beside it read. */
const SWITCH_MS = 1900;
/**
 * Bytes of a request with the largest table that is documented, and room for the rest: 200 vehicles and 500 shipments need up to
 * 200 + 2 x 500 places, whose durations and distances, from 0 to 1,000,000 and now and then with a decimal, take up to 9 and
 * a comma each. The rest, 700 vehicles and shipments, is about one mebibyte.
 */
export const LARGE_BODY: number = 32 * 1024 * 1024;

export function apiRoutes({ service, runs }: ApiOptions): Route[] {
  const reader = new RunsReader(runs);
  const { pool } = service;
  const { policies } = service.recommender;
  return [
    {
      method: 'POST',
      path: '/v1/recommend',
      tag: 'recommendations',
      roles: dispatchers,
      summary:
        'Ranked assignments for a live state, each with its reasons; with a header Idempotency-Key, asking again gives the same and does nothing twice',
      query: company,
      // `checkRequest` checks it.
      documented: documentedRequest,
      answer: answerProps,
      idempotent: true,
      bodyLimit: LARGE_BODY,
      handle: (c) =>
        service.recommend(c.body, {
          caller: c.caller,
          companyId: c.company(),
          key: c.idempotencyKey,
          signal: c.way.signal,
        }),
    },
    {
      method: 'POST',
      path: '/v1/analyze',
      answer: analysisProps,
      tag: 'recommendations',
      roles: dispatchers,
      summary: 'Score a person’s plan beside the policy’s, and who could take a shipment; nothing is recorded',
      query: company,
      body: { ...requestProps, plan, candidates_for: candidatesFor },
      documented: { ...documentedRequest, plan, candidates_for: candidatesFor },
      bodyLimit: LARGE_BODY,
      handle: (c) => service.analyze(c.body, c.way),
    },
    {
      method: 'GET',
      path: '/v1/decisions',
      answer: decisionsProps,
      tag: 'decisions',
      roles: everyone,
      summary: 'Decisions, newest first',
      query: {
        ...company,
        limit: optional({ type: 'number', integer: true, min: 1, max: 200 }, 'Default 50'),
        before: optional(uuid, 'The last id of the page before'),
      },
      handle: async (c) => {
        const { limit = 50, before } = c.query as { limit?: number; before?: string };
        return { decisions: await service.decisions(c.companyId, limit, before) };
      },
    },
    {
      method: 'GET',
      path: '/v1/decisions/:id',
      answer: decisionProps,
      tag: 'decisions',
      roles: everyone,
      summary: 'One decision: what was asked, what was answered, and what became of it',
      params: { id: uuid },
      query: company,
      handle: (c) => service.decision(c.params['id'], c.companyId),
    },
    {
      method: 'GET',
      path: '/v1/decisions/:id/replay',
      answer: replayProps,
      tag: 'decisions',
      roles: everyone,
      summary: 'Compute a decision again from the stored request, and compare',
      params: { id: uuid },
      query: company,
      handle: (c) => service.replay(c.params['id'], c.companyId, c.way),
    },
    {
      method: 'POST',
      path: '/v1/decisions/:id/outcome',
      answer: outcomeProps,
      tag: 'decisions',
      roles: dispatchers,
      summary: 'Say that a recommendation was accepted, or overridden and why',
      params: { id: uuid },
      query: company,
      body: {
        shipment: { type: 'id' },
        outcome: { type: 'enum', values: outcomes },
        vehicle: optional({ type: 'id' }, 'Who drives it instead'),
        reason: optional({ type: 'string', max: 1000 }, 'Needed if overridden; no personal data'),
      },
      handle: (c) => service.outcome(c.params['id'], c.body as Outcome, c.caller, c.companyId, c.way),
    },
    {
      method: 'GET',
      path: '/v1/live',
      answer: liveProps,
      tag: 'recommendations',
      roles: everyone,
      summary: 'The last request, its answer, and what people made of it',
      query: company,
      handle: (c) => ({ last: service.last(c.company()) }),
    },
    {
      method: 'GET',
      path: '/v1/policies',
      answer: policiesProps,
      tag: 'policies',
      roles: everyone,
      summary: 'Who can be asked, the default first',
      handle: () => ({ policies: policies.all.map(({ name, kind, hash }) => ({ name, kind, hash })) }),
    },
    {
      method: 'GET',
      path: '/v1/policies/:name',
      answer: policyProps,
      tag: 'policies',
      roles: everyone,
      summary: 'A policy’s card: what it was trained on, how it was evaluated, its hash',
      params: { name: { type: 'string', min: 1, max: 64 } },
      handle: ({ params }) => {
        const found = policies.all.find(({ name }) => name === params['name']);
        if (found === undefined) throw new ServeError('ERR_NOT_FOUND', `policy "${params['name']}" is not known`);
        const { name, kind, hash, training, base } = found;
        return { name, kind, hash, scenario: base.scenario, training };
      },
    },
    {
      method: 'GET',
      path: '/v1/runs',
      answer: runsProps,
      tag: 'runs',
      roles: everyone,
      summary: 'Training runs in the runs folder, newest first: the company’s own, and those on nobody’s data',
      query: company,
      handle: async (c) => ({ runs: snake(await reader.list(c.companyId)) }),
    },
    {
      method: 'GET',
      path: '/v1/runs/:name',
      answer: runProps,
      tag: 'runs',
      roles: everyone,
      summary: 'A run’s configuration, metrics and evaluation',
      params: { name: { type: 'string', min: 1, max: 200 } },
      query: {
        ...company,
        after: optional({ type: 'number', integer: true, min: 0, max: 1e9 }, 'Only later iterations'),
      },
      handle: async ({ params, query, companyId }) => {
        const after = (query['after'] as number | undefined) ?? -1;
        const { summary, ...files } = await reader.read(params['name'], after, companyId);
        return { ...(snake(summary) as object), ...files };
      },
    },
    {
      method: 'GET',
      path: '/v1/companies',
      answer: companiesProps,
      tag: 'companies',
      roles: everyone,
      summary: 'The companies that the caller may look at: up to 1,000, by their ids',
      query: company,
      handle: async (c) => ({ companies: await pool.ask((sql) => listCompanies(sql, c.companyId)) }),
    },
    ...adminRoutes(service),
  ];
}

const plan: Rule = {
  type: 'array',
  max: 500,
  items: { type: 'object', strict: true, props: { vehicle: { type: 'id' }, shipment: { type: 'id' } } },
  description: 'In the order of deciding',
};

const candidatesFor: Rule = {
  type: 'id',
  optional: true,
  description: 'A shipment: each vehicle is looked at for it, too, as if it were given that one alone',
};

const ADMIN = '/api/admin/autonomous-actions';

const settingRules: Props = {
  mode: optional(
    { type: 'enum', values: modes },
    'MANUAL: software does nothing; SEMI_AUTO: what a person approved; FULLY_AUTO: what the rules allow',
  ),
  auto_assign: optional(flag, 'Rule of FULLY_AUTO, as are the next four'),
  auto_reassign: optional(flag),
  auto_notify_customer: optional(flag),
  auto_adjust_time: optional(flag),
  auto_reoptimize: optional(flag),
  adjust_time_max_minutes: optional({ type: 'number', min: 0, max: 1440 }, 'The longest delay that is decided alone'),
  dry_run: optional(flag, 'Decide and record, but do nothing'),
  breaker_failures: optional(
    { type: 'number', integer: true, min: 0, max: 1000 },
    'So many failures in a row stop an action type; 0: never',
  ),
};
const settings: readonly (keyof Settings)[] = [
  'mode',
  'autoAssign',
  'autoReassign',
  'autoNotifyCustomer',
  'autoAdjustTime',
  'autoReoptimize',
  'adjustTimeMaxMinutes',
  'dryRun',
  'breakerFailures',
];
/** By the name in a request. */
const settingOf = Object.fromEntries(settings.map((name) => [snakeName(name), name]));

function adminRoutes(service: Service): Route[] {
  const { pool, killSwitch } = service;
  const controlsOf = async (companyId: number): Promise<unknown> =>
    snake({ ...(await pool.ask((sql) => readControls(sql, companyId))), connector: service.connector });
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
        page: optional(number, 'From 1; beyond 2,000 rows go on with cursor'),
        per_page: optional({ type: 'number', integer: true, min: 1, max: 200 }, 'Default 50'),
        cursor: optional({ type: 'string', max: 100 }, '`next` of the page before'),
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
      summary: 'Figures of the last hour, day, week or month',
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
      summary: 'Put a review on record; earlier ones are kept',
      params: { id: number },
      query: company,
      body: { notes: optional({ type: 'string', max: 1000, nullable: true }, 'No personal data') },
      handle: async (c) => {
        const { notes } = c.body as { notes?: string | null };
        const review = { reviewer: c.caller.subject, notes: notes ?? null };
        return { action: shown(await pool.once((sql) => reviewAction(sql, idOf(c), review, c.companyId))) };
      },
    },
    {
      method: 'GET',
      path: '/api/admin/autonomy',
      answer: controlsProps,
      tag: 'administration',
      roles: admins,
      summary: 'A company’s mode, rules, limits and what is left of them',
      query: company,
      handle: (c) => controlsOf(c.company()),
    },
    {
      method: 'PUT',
      path: '/api/admin/autonomy',
      answer: controlsProps,
      tag: 'administration',
      roles: admins,
      summary: 'Change mode and rules; what is absent stays. On record',
      query: company,
      body: settingRules,
      handle: async (c) => {
        const changes = Object.entries(c.body as object).map(([name, value]) => [settingOf[name], value as unknown]);
        // Done twice, it changes nothing the second time.
        await pool.ask((sql) =>
          configure(sql, c.company(), Object.fromEntries(changes) as Partial<Settings>, c.caller.subject),
        );
        return controlsOf(c.company());
      },
    },
    {
      method: 'GET',
      path: '/api/admin/autonomy/limits',
      answer: limitsProps,
      tag: 'administration',
      roles: admins,
      summary: 'Limits, and what is left of them',
      query: company,
      handle: async (c) => ({ limits: (await pool.ask((sql) => readControls(sql, c.company()))).limits }),
    },
    {
      method: 'PUT',
      path: '/api/admin/autonomy/limits',
      answer: limitsProps,
      tag: 'administration',
      roles: admins,
      summary: 'Change limits, all or none. On record',
      query: company,
      body: {
        limits: {
          type: 'array',
          min: 1,
          max: 50,
          items: {
            type: 'object',
            strict: true,
            props: {
              scope: { type: 'enum', values: limitScopes },
              per: { type: 'enum', values: periods },
              kind: optional({ type: 'enum', values: limitKinds }),
              capacity: { type: 'number', integer: true, min: 0, max: 1_000_000, nullable: true },
            },
          },
        },
      },
      handle: async (c) => {
        const { limits } = c.body as { limits: LimitChange[] };
        await pool.once((sql) => setLimits(sql, c.company(), limits, c.caller.subject));
        return { limits: (await pool.ask((sql) => readControls(sql, c.company()))).limits };
      },
    },
    {
      method: 'POST',
      path: '/api/admin/autonomy/kill-switch',
      answer: killSwitchProps,
      tag: 'administration',
      roles: admins,
      summary:
        'Stop all acts of a company, or of all of them, or let them go on, on record; answered within 2 s, with 503 and ERR_UNCONFIRMED if the database has not confirmed it',
      query: company,
      body: { stopped: flag, all: optional(flag, 'All companies: only an admin of all') },
      handle: async (c) => {
        const askedAt = performance.now();
        const { stopped, all = false } = c.body as { stopped: boolean; all?: boolean };
        const by = c.caller.subject;
        if (all) {
          if (c.caller.companyId !== null) {
            throw new ServeError('ERR_FORBIDDEN', 'the switch of all companies takes an admin of all companies');
          }
          await killSwitch.turn('all', stopped, by);
          return { stopped, confirmed: true, stopped_all: stopped };
        }
        const companyId = c.company();
        await killSwitch.turn(companyId, stopped, by);
        // It has taken effect, whether what else there is can be read in time or not.
        const left = Math.max(100, SWITCH_MS - (performance.now() - askedAt));
        const controls = await pool
          .ask((sql) => readControls(sql, companyId), left)
          .then(
            (found) => snake({ ...found, connector: service.connector }) as object,
            () => ({ company_id: companyId }),
          );
        return { ...controls, stopped, confirmed: true };
      },
    },
    {
      method: 'POST',
      path: '/api/admin/autonomy/breaker/reset',
      answer: resetProps,
      tag: 'administration',
      roles: admins,
      summary: 'Let an action type act again that failures have stopped. On record',
      query: company,
      body: { action_type: { type: 'enum', values: actionTypes } },
      handle: async (c) => {
        const { action_type: type } = c.body as { action_type: ActionType };
        return { reset: await pool.once((sql) => resetBreaker(sql, c.company(), type, c.caller.subject)) };
      },
    },
  ];
}

function idOf({ params }: RouteContext): number {
  const id = Number(params['id']);
  if (!Number.isSafeInteger(id)) throw new AuditError('ERR_NOT_FOUND', `action ${params['id']} is not known`);
  return id;
}

/** Rows have the table's names already, but for a refusal. */
function shown(row: ActionRow): object {
  return row.refusal === null ? row : { ...row, refusal: snake(row.refusal) };
}

/** @throws ServeError `ERR_REQUEST` */
function datesOf({
  date_from: from,
  date_to: to,
}: Readonly<Record<string, unknown>>): Pick<ActionFilter, 'from' | 'to'> {
  for (const [name, value] of Object.entries({ date_from: from, date_to: to })) {
    if (value !== undefined && Number.isNaN(Date.parse(value as string))) {
      throw badField(name, `is ${show(value)}: expected a time in ISO 8601, such as 2026-01-31T08:00:00Z`);
    }
  }
  if (from !== undefined && to !== undefined && Date.parse(from as string) >= Date.parse(to as string)) {
    throw badField('date_to', `is ${show(to)}: expected a time after date_from, ${show(from)}`);
  }
  return { from: from as string | undefined, to: to as string | undefined };
}

/** Without members that are undefined: the record's checks are strict about names. */
function defined<T extends object>(object: T): T {
  return Object.fromEntries(Object.entries(object).filter(([, value]) => value !== undefined)) as T;
}
