// The shapes of all answers but recommendations, for the OpenAPI document; a test holds real answers to them.

import { actionStatuses, actionTypes, limitKinds, modes, periods, statisticsPeriods } from '../audit/index.js';
import { constraints } from '../advise/index.js';
import { anything, date, flag, id, list, nullable, number, object, text, whole } from '../advise/rules.js';
import type { Props, Rule } from '../advise/rules.js';
import { actProps, actedAnswerProps, refusal } from './act-schema.js';
import { outcomes } from './service.js';

const answer = object(actedAnswerProps);

const decision: Props = {
  id: text,
  company_id: whole,
  created_at: date,
  requested_by: text,
  idempotency_key: nullable(text),
  mode: text,
  policy: text,
  policy_hash: text,
  state_hash: text,
  fallback: nullable(text),
  assigned: whole,
  waiting: whole,
  unassigned: whole,
};
export const decisionsProps: Props = { decisions: list(object(decision)) };
export const decisionProps: Props = {
  ...decision,
  events: list(
    object({
      kind: { type: 'enum', values: ['outcome', 'acts'] },
      by: text,
      detail: anything('Of an outcome what was said, of acts a list of what became of them'),
      at: date,
    }),
  ),
  request: anything('As it was asked'),
  answer,
};
export const replayProps: Props = { same: flag, sha256: text, answer };
const told: Props = {
  shipment: id,
  outcome: { type: 'enum', values: outcomes },
  vehicle: { ...id, optional: true },
  reason: { ...text, optional: true },
  breaks: {
    ...list({ type: 'enum', values: [...constraints, 'unknown'] }, 'What the other vehicle breaks; absent if nothing'),
    optional: true,
  },
  recommended: nullable(id),
  by: text,
};
export const outcomeProps: Props = {
  decision_id: text,
  ...told,
  act: { ...object(actProps), optional: true, description: 'Where accepting was the approval of an act' },
};
export const liveProps: Props = {
  last: nullable(
    object({
      request: anything('As it was asked'),
      answer,
      at: date,
      outcomes: list(object(told), 'What people made of it since, the last word on each shipment'),
    }),
  ),
};

const policy: Props = { name: text, kind: { type: 'enum', values: ['rule', 'network'] }, hash: text };
export const policiesProps: Props = { policies: list(object(policy)) };
export const policyProps: Props = {
  ...policy,
  scenario: anything('What it was trained on, or plays in; as in a scenario’s file'),
  training: anything('Steps, seconds, configuration and evaluation table of a network; null for a rule'),
};
export const companiesProps: Props = { companies: list(object({ id: whole, name: text })) };

const run: Props = {
  name: text,
  changed_at: date,
  scenario: nullable(text),
  total_steps: nullable(whole),
  finished: flag,
};
export const runsProps: Props = { runs: list(object(run)) };
export const runProps: Props = {
  ...run,
  config: anything('As in its folder'),
  metrics: list(anything('As in its folder')),
  evaluation: anything('As in its folder; null until it is finished'),
};

const action: Props = {
  id: whole,
  company_id: whole,
  booking_id: nullable(whole),
  driver_id: nullable(whole),
  action_type: { type: 'enum', values: actionTypes },
  action_description: text,
  action_data: anything('What exactly was to be done'),
  success: nullable(flag),
  error_message: nullable(text),
  execution_time_ms: nullable(number()),
  confidence_score: nullable(number()),
  expected_improvement_minutes: nullable(number()),
  trigger_source: text,
  reviewed_by_admin: flag,
  reviewed_at: nullable(date),
  admin_notes: nullable(text),
  created_at: date,
  updated_at: date,
  status: { type: 'enum', values: actionStatuses },
  idempotency_key: text,
  approved_by: nullable(text),
  act_by: date,
  refusal: nullable(refusal),
  reviewed_by: nullable(text),
};
export const actionsProps: Props = {
  actions: list(object(action)),
  pagination: object({
    page: nullable(whole),
    per_page: whole,
    total: nullable(whole),
    total_is_exact: nullable(flag),
    pages: nullable(whole),
    next: nullable(text),
  }),
};
export const actionProps: Props = {
  action: object({
    ...action,
    review_count: whole,
    reviews: list(object({ reviewer: text, notes: nullable(text), at: date }), 'The last 100, oldest first'),
    entries: list(
      object({ seq: whole, kind: text, at: date, hash: text, detail: anything('What the ledger says') }),
      'In the ledger, oldest first',
    ),
  }),
};

const figures: Props = {
  total: whole,
  succeeded: whole,
  failed: whole,
  refused: whole,
  unknown: whole,
  intended: whole,
  dry_run: whole,
  reviewed: whole,
  success_rate: nullable(number()),
  mean_execution_ms: nullable(number()),
  p95_execution_ms: nullable(number()),
};
export const statisticsProps: Props = {
  period: { type: 'enum', values: statisticsPeriods },
  from: date,
  to: date,
  totals: object(figures),
  by_type: list(object({ ...figures, action_type: { type: 'enum', values: actionTypes } })),
  by_company: list(object({ ...figures, company_id: whole })),
  series: list(object({ ...figures, from: date })),
};

const gauge: Rule = object({
  scope: text,
  per: { type: 'enum', values: periods },
  kind: { type: 'enum', values: limitKinds },
  capacity: whole,
  left: whole,
  taken: whole,
});
export const limitsProps: Props = { limits: list(gauge) };
export const controlsProps: Props = {
  company_id: whole,
  company: text,
  settings: object({
    mode: { type: 'enum', values: modes },
    auto_assign: flag,
    auto_reassign: flag,
    auto_notify_customer: flag,
    auto_adjust_time: flag,
    auto_reoptimize: flag,
    adjust_time_max_minutes: number(),
    dry_run: flag,
    stopped: flag,
    breaker_failures: whole,
  }),
  stopped_all: flag,
  limits: list(gauge),
  broken: list(
    object({ action_type: { type: 'enum', values: actionTypes }, failures: whole, stopped_at: date }),
    'Action types that failures have stopped',
  ),
  connector: object({ name: text, dry_run: flag }),
};
/** Of one company its controls, too, if they can be read in time. */
export const killSwitchProps: Props = {
  ...Object.fromEntries(Object.entries(controlsProps).map(([name, rule]) => [name, { ...rule, optional: true }])),
  stopped: flag,
  confirmed: {
    ...flag,
    description: 'Always true: what is not confirmed in time is answered with 503 and ERR_UNCONFIRMED',
  },
};
export const resetProps: Props = { reset: flag };
