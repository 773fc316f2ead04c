// Routes of what may be done without a person: mode, rules, limits, the switch and the breaker.

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
import type { Props } from '../advise/schema.js';
import { ServeError } from './errors.js';
import { controlsProps, killSwitchProps, limitsProps, resetProps } from './other-schemas.js';
import { admins, company, flag, optional } from './route-rules.js';
import type { Route } from './routes.js';
import type { Service } from './service.js';
import { snake, snakeName } from './snake.js';

/** Within which the switch is answered, and what is shown beside it read. */
const SWITCH_MS = 1900;

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
  own_approval: optional(flag, 'Whoever asked for an act may approve it himself; at first nobody may'),
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
  'ownApproval',
];
/** By the name in a request. */
const settingOf = Object.fromEntries(settings.map((name) => [snakeName(name), name]));

/** Reading and changing the controls of a company, under /api/admin. */
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
