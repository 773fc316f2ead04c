// Routes of a company's controls of autonomous actions: mode, rules, limits, kill switch and breaker.

import { configure, readControls, resetBreaker, setLimits } from '../audit/index.js';
import type { Settings } from '../audit/index.js';
import { ServeError } from './errors.js';
import {
  controlsProps,
  killSwitchBody,
  killSwitchProps,
  limitsBody,
  limitsProps,
  resetBody,
  resetProps,
  settingsBody,
} from './other-schemas.js';
import type { CompanyControls } from './other-schemas.js';
import { admins, company } from './route-rules.js';
import { answering } from './routes.js';
import type { Route, Sent } from './routes.js';
import type { Service } from './service.js';
import { snake, snakeName } from './snake.js';

/** Milliseconds within which the kill switch is answered, the other controls included. */
const SWITCH_MS = 1900;

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
/** Settings by their names in a request. */
const settingOf = Object.fromEntries(settings.map((name) => [snakeName(name), name]));

/** Routes that read and change the controls of a company, under /api/admin. */
export function autonomyRoutes(service: Service): Route[] {
  const { pool, killSwitch } = service;
  const controlsOf = async (companyId: number): Promise<Sent<CompanyControls>> =>
    snake({ ...(await pool.ask((sql) => readControls(sql, companyId))), connector: service.connector });
  return [
    answering(controlsProps)({
      method: 'GET',
      path: '/api/admin/autonomy',
      tag: 'administration',
      roles: admins,
      summary: 'A company’s mode, rules, limits and what remains of them',
      query: company,
      handle: (c) => controlsOf(c.company()),
    }),
    answering(controlsProps)({
      method: 'PUT',
      path: '/api/admin/autonomy',
      tag: 'administration',
      roles: admins,
      summary: 'Change mode and rules; absent members keep their value. The change is recorded',
      query: company,
      body: settingsBody,
      handle: async (c) => {
        const changes = Object.entries(c.body).map(([name, value]) => [settingOf[name], value]);
        // Idempotent, so it may be retried.
        await pool.ask((sql) =>
          configure(sql, c.company(), Object.fromEntries(changes) as Partial<Settings>, c.caller.subject),
        );
        return controlsOf(c.company());
      },
    }),
    answering(limitsProps)({
      method: 'GET',
      path: '/api/admin/autonomy/limits',
      tag: 'administration',
      roles: admins,
      summary: 'Limits, and what remains of them',
      query: company,
      handle: async (c) => ({ limits: (await pool.ask((sql) => readControls(sql, c.company()))).limits }),
    }),
    answering(limitsProps)({
      method: 'PUT',
      path: '/api/admin/autonomy/limits',
      tag: 'administration',
      roles: admins,
      summary: 'Change limits, all or none of them. The change is recorded',
      query: company,
      body: limitsBody,
      handle: async (c) => {
        await pool.once((sql) => setLimits(sql, c.company(), c.body.limits, c.caller.subject));
        return { limits: (await pool.ask((sql) => readControls(sql, c.company()))).limits };
      },
    }),
    answering(killSwitchProps)({
      method: 'POST',
      path: '/api/admin/autonomy/kill-switch',
      tag: 'administration',
      roles: admins,
      summary:
        'Stop or resume all actions of a company, or of all companies. The change is recorded. Answered within 2 s, with 503 and ERR_UNCONFIRMED if the database has not confirmed it',
      query: company,
      body: killSwitchBody,
      handle: async (c) => {
        const askedAt = performance.now();
        const { stopped, all = false } = c.body;
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
            (found) => snake({ ...found, connector: service.connector }),
            () => ({ company_id: companyId }),
          );
        return { ...controls, stopped, confirmed: true };
      },
    }),
    answering(resetProps)({
      method: 'POST',
      path: '/api/admin/autonomy/breaker/reset',
      tag: 'administration',
      roles: admins,
      summary: 'Resume an action type that failures have stopped. The change is recorded',
      query: company,
      body: resetBody,
      handle: async (c) => {
        const { action_type: type } = c.body;
        return { reset: await pool.once((sql) => resetBreaker(sql, c.company(), type, c.caller.subject)) };
      },
    }),
  ];
}
