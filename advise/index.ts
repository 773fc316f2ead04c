// The public names of advise: a live state in, a recommendation out; no HTTP, no database.

export { analysisProps, planRule } from './analysis.js';
export type { Analysis, AnalyzedPair, PlannedPair, PlanTotals } from './analysis.js';
export { analyze } from './analyze.js';
export { answerProps, constraints, fallbackReasons } from './answer.js';
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
export { checkRequest } from './check-request.js';
export { isSinceMidnight } from './clock.js';
export type { Decider } from './decider.js';
export type { Replay } from './decision.js';
export { AdviseError, badField } from './errors.js';
export type { AdviseErrorCode, FieldFault } from './errors.js';
export { LOOKAHEAD } from './lookahead-policy.js';
export { hashOf, pack, unpack } from './packed.js';
export type { Place } from './places.js';
export { Policies, sha256 } from './policies.js';
export type { ServedPolicy, TrainedNetwork } from './policies.js';
export { Recommender } from './recommend.js';
export type { Context } from './recommend.js';
export { documentedRequest, requestModes, requestProps } from './request.js';
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
export type { Id, ObjectOf, Props, Rule, TypeOf } from './rules.js';
export { SimulatedFleet } from './simulated.js';
export { planVroom, wantsVroom } from './vroom.js';
export { vroomAnswerProps, vroomProps } from './vroom-request.js';
export type { VroomAnswer, VroomRequest } from './vroom-request.js';
