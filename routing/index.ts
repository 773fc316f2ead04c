// Plans of routes for vehicles with pickups, deliveries, loads and breaks.

export { NOWHERE, Nodes } from './problem.js';
export type {
  BreakSpec,
  JobSpec,
  RoutingProblem,
  ShipmentSpec,
  StopSpec,
  TaskSpec,
  Travel,
  VehicleSpec,
  Window,
} from './problem.js';
export type { Step } from './schedule.js';
export { ImpossibleRoute, solve } from './solver.js';
export type { RoutingPlan, SearchOptions } from './solver.js';
