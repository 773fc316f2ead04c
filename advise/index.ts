// The public names of advise: a live state in, a recommendation out; no HTTP, no database.

export { analyze } from './analyze.js';
export type { Analysis, PlanTotals } from './analyze.js';
export { answerProps } from './answer-schema.js';
export { constraints, fallbackReasons } from './answer.js';
export type {
  Alternative,
  Answer,
  Assignment,
  Constraint,
  Explanation,
  Locked,
  Provenance,
  Unassigned,
  UnassignedReason,
  Violation,
  Waiting,
  WhatIf,
} from './answer.js';
export type { AnalyzedPair, PlannedPair } from './analyze.js';
export { isSinceMidnight } from './clock.js';
export type { Replay } from './decide.js';
export { AdviseError, badField } from './errors.js';
export type { AdviseErrorCode, FieldFault } from './errors.js';
export { LOOKAHEAD } from './lookahead-policy.js';
export { hashOf, pack, unpack } from './packed.js';
export type { Place } from './places.js';
export { Policies, sha256 } from './policies.js';
export type { Decider, ServedPolicy, TrainedNetwork } from './policies.js';
export { Recommender } from './recommend.js';
export type { Context } from './recommend.js';
export { checkRequest, documentedRequest, requestModes, requestProps } from './request.js';
export type {
  MatrixInput,
  MatrixPeriodInput,
  RecommendRequest,
  RequestMode,
  RequestOptions,
  ShipmentInput,
  StopInput,
  Table,
  VehicleInput,
} from './request.js';
export type { Id } from './schema.js';
export { SimulatedFleet } from './simulated.js';
