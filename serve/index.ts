// The service's public names. Of what an option or a result is made of, the types are here too; those of other rooms are exported by
// these: `Recommender`, `Answer` and `RecommendRequest` by advise, `Database`, `DeadlinePool` and `Recorder` by audit.

export type { ActResult, AnswerWithActs } from './act-schema.js';
export type { Acting, ActsOptions } from './acts.js';
export { algorithms, addKey, KeyRing, roles } from './auth.js';
export type { Algorithm, Caller, Role } from './auth.js';
export { WebhookConnector, dryRunConnector } from './connector.js';
export type { Connector, Delivery, WebhookOptions } from './connector.js';
export { Background } from './background.js';
export type { Way } from './background.js';
export { debug } from './debug.js';
export { ServeError } from './errors.js';
export type { ServeErrorCode } from './errors.js';
export { KillSwitch } from './kill-switch.js';
export type {
  Action,
  ActionStatistics,
  Actions,
  Analyzed,
  BreakerReset,
  Companies,
  CompanyControls,
  Decision,
  Decisions,
  KillSwitchUse,
  LimitChanges,
  Live,
  Outcome,
  RecordedOutcome,
  Replayed,
  Review,
  Run,
  Runs,
  SettingsChange,
  ToldOutcome,
} from './other-schemas.js';
export type { Sent } from './routes.js';
// createServer is in server.js: Fastify takes longer to load than all the rest, and most commands do not need it.
export type { ServerOptions } from './server.js';
export { Service } from './service.js';
export type { Asking, LastAsked, ServiceOptions } from './service.js';
