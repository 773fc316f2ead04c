// Acting on record: limits, the record itself, and its proof.

export type { Connection } from './connection.js';
export { allowsOwnApproval, configure, readControls, resetBreaker, setLimits, stopAll } from './controls.js';
export type { Controls, Gauge, LimitChange, Settings } from './controls.js';
export {
  APP_ROLE,
  OWNER_ROLE,
  checkWay,
  connect,
  databaseError,
  databaseOptionsFrom,
  openDatabase,
  settled,
} from './database.js';
export type { ConnectionOptions, Database, DatabaseOptions } from './database.js';
export { DeadlinePool } from './deadline-pool.js';
export type { DeadlinePoolOptions } from './deadline-pool.js';
export { DecisionLog, addDecisionEvent, findDecision, listDecisions, readDecision, recordedAt } from './decisions.js';
export type { DecisionDetail, DecisionEvent, DecisionLogOptions, DecisionRow, DecisionSummary } from './decisions.js';
export { insertDemo } from './demo.js';
export type { DemoBooking, DemoCompany } from './demo.js';
export { AuditError } from './errors.js';
export type { AuditErrorCode, Refusal } from './errors.js';
export type { Finding } from './findings.js';
export { firstCompany, listCompanies, readBookings, readFleet } from './fleet.js';
export type { BookingRow, FleetRow } from './fleet.js';
export { exportHeads, readHeads, signingKey } from './heads.js';
export type { SignedHead } from './heads.js';
export type { Intent } from './intent.js';
export { isStopped, turnSwitch } from './kill-switch.js';
export type { SwitchScope } from './kill-switch.js';
export { migrate, migrationStates, rollback, schemaCreators } from './migrate.js';
export type { Migration, MigrationState } from './migrate.js';
export { prune } from './prune.js';
export type { PruneOptions, Pruned } from './prune.js';
export {
  actionColumns,
  exportActions,
  findAction,
  listActions,
  readAction,
  reviewAction,
  statistics,
} from './queries.js';
export type { ActionDetail, ActionFilter, ActionPage, ActionRow, Figures, PageRequest, Statistics } from './queries.js';
export { Recorder } from './recorder.js';
export type { Act, ActContext, RecorderOptions } from './recorder.js';
export { Sweeper, sweep } from './sweeper.js';
export type { Orphan, SweeperOptions } from './sweeper.js';
export { timeOf } from './times.js';
export { verify, verifyWithin } from './verify.js';
export type { VerifyOptions, VerifyResult } from './verify.js';
export {
  actionStatuses,
  actionTypes,
  limitKinds,
  limitScopes,
  modes,
  periods,
  statisticsPeriods,
} from './vocabulary.js';
export type { ActionStatus, ActionType, LimitKind, LimitScope, Mode, Period, StatisticsPeriod } from './vocabulary.js';
