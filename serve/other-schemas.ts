// Schemas of all other answers, and of bodies: each shape is written once. Its type, the check of requests, the OpenAPI document and
// the page's types follow from it. Only schemas and constants are imported, so that the page can use the types.

import type { analysisProps } from '../advise/analysis.js';
import { constraints } from '../advise/answer.js';
import type { RecommendRequest } from '../advise/request.js';
import {
  anything,
  date,
  flag,
  id,
  list,
  nullable,
  number,
  object,
  oneOf,
  optional,
  text,
  whole,
} from '../advise/rules.js';
import type { ObjectOf, Rule, Unchecked } from '../advise/rules.js';
import {
  actionStatuses,
  actionTypes,
  limitKinds,
  limitScopes,
  modes,
  periods,
  statisticsPeriods,
} from '../audit/vocabulary.js';
import { act, actedAnswerProps, refusal } from './act-schema.js';

const answer = object(actedAnswerProps);
const request: Unchecked<RecommendRequest> & { readonly description: string } = {
  type: 'any',
  description: 'As it was sent',
};

const decision = {
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
/** Schema of the answer of `GET /v1/decisions`. */
export const decisionsProps = { decisions: list(object(decision)) };
/** A page of decisions, newest first. */
export type Decisions = ObjectOf<typeof decisionsProps>;
/** Schema of the answer of `GET /v1/decisions/:id`. */
export const decisionProps = {
  ...decision,
  events: list(
    object({
      kind: oneOf(['outcome', 'acts']),
      by: text,
      detail: anything('Of an outcome its members; of actions a list of what happened to each assignment'),
      at: date,
    }),
  ),
  request,
  answer,
};
/** A decision with its request, its answer and what happened since. */
export type Decision = ObjectOf<typeof decisionProps>;
/** Schema of the answer of `GET /v1/decisions/:id/replay`. */
export const replayProps = { same: flag, sha256: text, answer };
/** A decision computed again: `same` if the answers are equal, with the SHA-256 of the new one. */
export type Replayed = ObjectOf<typeof replayProps>;

/** What a person can do with a recommendation. */
export const outcomes = ['accepted', 'overridden'] as const;
/** Schema of the body of `POST /v1/decisions/:id/outcome`. */
export const outcomeBody = {
  shipment: id,
  outcome: oneOf(outcomes),
  vehicle: optional(id, 'The vehicle that drives it instead'),
  reason: optional({ type: 'string', max: 1000 }, 'Required if overridden; no personal data'),
} as const;
/** What a person did with the recommendation for one shipment. */
export type Outcome = ObjectOf<typeof outcomeBody>;

const told = {
  shipment: id,
  outcome: oneOf(outcomes),
  vehicle: optional(id),
  reason: optional(text),
  breaks: optional(
    list(oneOf([...constraints, 'unknown'])),
    'Constraints that the other vehicle breaks; absent if none',
  ),
  recommended: nullable(id, 'The vehicle that was recommended; null if none was'),
  by: text,
};
/** An outcome on record. */
export type ToldOutcome = ObjectOf<typeof told>;
/** Schema of the answer of `POST /v1/decisions/:id/outcome`. */
export const outcomeProps = {
  decision_id: text,
  ...told,
  act: optional(act, 'If accepting it approved an action: what happened to that'),
};
/** An outcome as it was recorded. */
export type RecordedOutcome = ObjectOf<typeof outcomeProps>;

/** Schema of the answer of `GET /v1/live`. */
export const liveProps = {
  last: nullable(
    object({
      request,
      answer,
      at: date,
      outcomes: list(object(told), 'Outcomes since, the latest of each shipment'),
    }),
  ),
};
/** The latest request of a company; null before the first. */
export type Live = ObjectOf<typeof liveProps>;

/** A plan's figures beside the policy's own, and candidates if they were requested: the answer of `POST /v1/analyze`. */
export type Analyzed = ObjectOf<typeof analysisProps>;

const policy = { name: text, kind: oneOf(['rule', 'network']), hash: text };
/** Schema of the answer of `GET /v1/policies`. */
export const policiesProps = { policies: list(object(policy)) };
/** Schema of the answer of `GET /v1/policies/:name`. */
export const policyProps = {
  ...policy,
  scenario: anything('The scenario that it was trained on or plays in, as in a scenario’s file'),
  training: anything(
    'Steps, seconds, configuration and evaluation of a network, and its model card if it comes with the package; null for a rule',
  ),
};
/** Schema of the answer of `GET /v1/companies`. */
export const companiesProps = { companies: list(object({ id: whole, name: text })) };
/** Companies, sorted by id. */
export type Companies = ObjectOf<typeof companiesProps>;

const run = {
  name: text,
  changed_at: date,
  scenario: nullable(text),
  total_steps: nullable(whole),
  finished: flag,
};
/** Schema of the answer of `GET /v1/runs`. */
export const runsProps = { runs: list(object(run)) };
/** Training runs, newest first. */
export type Runs = ObjectOf<typeof runsProps>;
/** Schema of the answer of `GET /v1/runs/:name`. */
export const runProps = {
  ...run,
  config: anything('Content of its config.json'),
  metrics: list(anything('A line of its metrics.jsonl')),
  evaluation: anything('Content of its evaluation.json; null until the run is finished'),
};
/** A training run with the content of its files. */
export type Run = ObjectOf<typeof runProps>;

const action = {
  id: whole,
  company_id: whole,
  booking_id: nullable(whole),
  driver_id: nullable(whole),
  action_type: oneOf(actionTypes),
  action_description: text,
  action_data: anything('The details of what was to be done'),
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
  status: oneOf(actionStatuses),
  idempotency_key: text,
  approved_by: nullable(text),
  act_by: date,
  refusal: nullable(refusal),
  reviewed_by: nullable(text),
};
/** Schema of the answer of `GET /api/admin/autonomous-actions`. */
export const actionsProps = {
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
/** A page of autonomous actions, newest first. */
export type Actions = ObjectOf<typeof actionsProps>;
/** Schema of the answers of `GET /api/admin/autonomous-actions/:id` and of its review. */
export const actionProps = {
  action: object({
    ...action,
    review_count: whole,
    reviews: list(object({ reviewer: text, notes: nullable(text), at: date }), 'The latest 100, oldest first'),
    entries: list(
      object({ seq: whole, kind: text, at: date, hash: text, detail: anything('Content of the entry') }),
      'Its entries in the ledger, oldest first',
    ),
  }),
};
/** An autonomous action with its history. */
export type Action = ObjectOf<typeof actionProps>;
/** Schema of the body of a review. */
export const reviewBody = {
  notes: optional({ type: 'string', max: 1000, nullable: true }, 'No personal data'),
} as const;
/** A review. */
export type Review = ObjectOf<typeof reviewBody>;

const figures = {
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
/** Schema of the answer of `GET /api/admin/autonomous-actions/stats`. */
export const statisticsProps = {
  period: oneOf(statisticsPeriods),
  from: date,
  to: date,
  totals: object(figures),
  by_type: list(object({ ...figures, action_type: oneOf(actionTypes) })),
  by_company: list(object({ ...figures, company_id: whole })),
  series: list(object({ ...figures, from: date })),
};
/** Statistics of autonomous actions. */
export type ActionStatistics = ObjectOf<typeof statisticsProps>;

const gauge = object({
  scope: text,
  per: oneOf(periods),
  kind: oneOf(limitKinds),
  capacity: whole,
  left: whole,
  taken: whole,
});
/** Schema of the answers of `GET` and `PUT /api/admin/autonomy/limits`. */
export const limitsProps = { limits: list(gauge) };
/** Schema of the body of `PUT /api/admin/autonomy/limits`. */
export const limitsBody = {
  limits: {
    type: 'array',
    min: 1,
    max: 50,
    items: object({
      scope: oneOf(limitScopes),
      per: oneOf(periods),
      kind: optional(oneOf(limitKinds)),
      capacity: { type: 'number', integer: true, min: 0, max: 1_000_000, nullable: true },
    }),
  },
} as const;
/** Changes of limits. */
export type LimitChanges = ObjectOf<typeof limitsBody>;

/** Schema of the body of `PUT /api/admin/autonomy`. */
export const settingsBody = {
  mode: optional(
    oneOf(modes),
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
  own_approval: optional(flag, 'Whether an account may approve the actions that it has requested; default false'),
} as const;
/** Changes of settings. */
export type SettingsChange = ObjectOf<typeof settingsBody>;
/** Schema of the answers of `GET` and `PUT /api/admin/autonomy`. */
export const controlsProps = {
  company_id: whole,
  company: text,
  settings: object({
    mode: oneOf(modes),
    auto_assign: flag,
    auto_reassign: flag,
    auto_notify_customer: flag,
    auto_adjust_time: flag,
    auto_reoptimize: flag,
    adjust_time_max_minutes: number(),
    dry_run: flag,
    stopped: flag,
    breaker_failures: whole,
    own_approval: flag,
  }),
  stopped_all: flag,
  limits: list(gauge),
  broken: list(
    object({ action_type: oneOf(actionTypes), failures: whole, stopped_at: date }),
    'Action types that failures have stopped',
  ),
  connector: object({ name: text, dry_run: flag }),
};
/** A company's controls of autonomous actions. */
export type CompanyControls = ObjectOf<typeof controlsProps>;

/** Schema of the body of `POST /api/admin/autonomy/kill-switch`. */
export const killSwitchBody = {
  stopped: flag,
  all: optional(flag, 'All companies; only for an admin of all companies'),
};
/** A use of the kill switch. */
export type KillSwitchUse = ObjectOf<typeof killSwitchBody>;
/** Schema of the answer of the kill switch: for one company with its other controls, if they can be read in time. */
export const killSwitchProps = {
  ...eachOptional(controlsProps),
  stopped: flag,
  confirmed: {
    ...flag,
    description: 'Always true: without a confirmation in time the answer is 503 and ERR_UNCONFIRMED',
  },
} as const;

/** Schema of the body of `POST /api/admin/autonomy/breaker/reset`. */
export const resetBody = { action_type: oneOf(actionTypes) };
/** A reset of a breaker. */
export type BreakerReset = ObjectOf<typeof resetBody>;
/** Schema of the answer of `POST /api/admin/autonomy/breaker/reset`. */
export const resetProps = { reset: flag };

/** The same members, each of which may be absent. */
function eachOptional<P extends Readonly<Record<string, Rule>>>(
  props: P,
): { readonly [K in keyof P]: P[K] & { readonly optional: true } } {
  return Object.fromEntries(Object.entries(props).map(([name, rule]) => [name, optional(rule)])) as {
    readonly [K in keyof P]: P[K] & { readonly optional: true };
  };
}
