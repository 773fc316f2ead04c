// Routes of a company's controls of autonomous actions: mode, rules, limits, kill switch and breaker.

import {
  actionTypes,
  configure,
  limitKinds,
  limitScopes,
  modes,
  periods,
  readControls,
  resetBreaker,
  setLimits,
} from '../audit/index.js';
import type { ActionType, LimitChange, Settings } from '../audit/index.js';
import type { Props } from '../advise/rules.js';
import { ServeError } from './errors.js';
import { controlsProps, killSwitchProps, limitsProps, resetProps } from './other-schemas.js';
import { admins, company, flag, optional } from './route-rules.js';
import type { Route } from './routes.js';
import type { Service } from './service.js';
import { snake, snakeName } from './snake.js';

/** Milliseconds within which the kill switch is answered, the other controls included. */
const SWITCH_MS = 1900;

const settingRules: Props = {
  mode: optional(
    { type: 'enum', values: modes },
    'MANUAL: no autonomous actions; SEMI_AUTO: actions that a person approved; FULLY_AUTO: actions that the rules allow',
  ),
  auto_assign: optional(flag, 'Rule of FULLY_AUTO, like the next four: whether this type of action is allowed'),
  auto_reassign: optional(flag),
  auto_notify_customer: optional(flag),
  auto_adjust_time: optional(flag),
  auto_reoptimize: optional(flag),
  adjust_time_max_minutes: optional(
    { type: 'number', min: 0, max: 1440 },
    'Longest delay of an adjust_time action, in minutes; longer ones are refused',
  ),
  dry_run: optional(flag, 'Actions are decided and recorded, but not carried out'),
  breaker_failures: optional(
    { type: 'number', integer: true, min: 0, max: 1000 },
    'Failures in a row after which an action type is stopped; 0: never',
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
/** Settings by their names in a request. */
const settingOf = Object.fromEntries(settings.map((name) => [snakeName(name), name]));

/** Routes that read and change the controls of a company, under /api/admin. */
export function autonomyRoutes(service: Service): Route[] {
  const { pool, killSwitch } = service;
  const controlsOf = async (companyId: number): Promise<unknown> =>
    snake({ ...(await pool.ask((sql) => readControls(sql, companyId))), connector: service.connector });
  return [
    {
      method: 'GET',
      path: '/api/admin/autonomy',
      answer: controlsProps,
      tag: 'administration',
      roles: admins,
      summary: 'A company’s mode, rules, limits and what remains of them',
      query: company,
      handle: (c) => controlsOf(c.company()),
    },
    {
      method: 'PUT',
      path: '/api/admin/autonomy',
      answer: controlsProps,
      tag: 'administration',
      roles: admins,
      summary: 'Change mode and rules; absent members keep their value. The change is recorded',
      query: company,
      body: settingRules,
      handle: async (c) => {
        const changes = Object.entries(c.body as object).map(([name, value]) => [settingOf[name], value as unknown]);
        // Idempotent, so it may be retried.
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
      summary: 'Limits, and what remains of them',
      query: company,
      handle: async (c) => ({ limits: (await pool.ask((sql) => readControls(sql, c.company()))).limits }),
    },
    {
      method: 'PUT',
      path: '/api/admin/autonomy/limits',
      answer: limitsProps,
      tag: 'administration',
      roles: admins,
      summary: 'Change limits, all or none of them. The change is recorded',
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
        'Stop or resume all actions of a company, or of all companies. The change is recorded. Answered within 2 s, with 503 and ERR_UNCONFIRMED if the database has not confirmed it',
      query: company,
      body: { stopped: flag, all: optional(flag, 'All companies; only for an admin of all companies') },
      handle: async (c) => {
        const askedAt = performance.now();
        const { stopped, all = false } = c.body as { stopped: boolean; all?: boolean };
        const by = c.caller.subject;
        if (all) {
          if (c.caller.companyId !== null) {
            throw new ServeError(
              'ERR_FORBIDDEN',
              'stopping or resuming all companies needs a token of an admin of all companies',
            );
          }
          await killSwitch.turn('all', stopped, by);
          return { stopped, confirmed: true, stopped_all: stopped };
        }
        const companyId = c.company();
        await killSwitch.turn(companyId, stopped, by);
        // The switch has taken effect, whether the other controls can be read in time or not.
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
      summary: 'Resume an action type that failures have stopped. The change is recorded',
      query: company,
      body: { action_type: { type: 'enum', values: actionTypes } },
      handle: async (c) => {
        const { action_type: type } = c.body as { action_type: ActionType };
        return { reset: await pool.once((sql) => resetBreaker(sql, c.company(), type, c.caller.subject)) };
      },
    },
  ];
}
