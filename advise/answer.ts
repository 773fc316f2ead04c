// The answer: what each booking's lot is, and why. Times are on the request's clock, in seconds; distances in metres.

import type { Estimate } from '../policy/index.js';
import type { RequestMode } from './request.js';
import type { Id } from './schema.js';

/** Four decimals are more than anybody reads. */
export function round(value: number): number {
  return Math.round(value * 1e4) / 1e4;
}

/** A vehicle that could take the shipment instead. */
export interface Alternative {
  readonly vehicle: Id;
  readonly pickup_eta: number;
  /** Seconds after the window's end. */
  readonly lateness: number;
  readonly approach_distance: number;
  /** What it would be paid under the world's rules. */
  readonly score: number;
  /** Against the recommended vehicle: seconds later at the pickup, seconds more lateness, more empty metres. */
  readonly extra_wait: number;
  readonly extra_lateness: number;
  readonly extra_distance: number;
}

/** What follows from a candidate in simulated futures, up to the look-ahead's end: means with 95% intervals. */
export interface WhatIf {
  /** Null: wait. */
  readonly vehicle: Id | null;
  /** Chance that a pickup promised from now on is late. */
  readonly late: Estimate;
  readonly minutes_late: Estimate;
  /** Shipments whose window ends before anybody was sent. */
  readonly lost: Estimate;
  /** Score, less that of what is recommended. */
  readonly advantage: Estimate;
}

/** The candidates of one assignment, compared in the same simulated futures. */
export interface Explanation {
  readonly candidates: readonly WhatIf[];
  /** Futures that each candidate was played in: the same for all. */
  readonly futures: number;
  readonly seconds_ahead: number;
  /** Whether new demand comes up in them, as in the scenario; else only what is known is played on. */
  readonly new_demand: boolean;
}

/** A shipment that a vehicle is to take now. Times in seconds on the request’s clock, distances in metres. */
export interface Assignment {
  /** From 1: the order in which they were decided. */
  readonly rank: number;
  readonly shipment: Id;
  readonly vehicle: Id;
  readonly pickup_eta: number;
  readonly delivery_eta: number;
  readonly lateness: number;
  readonly approach_distance: number;
  readonly approach_duration: number;
  readonly score: number;
  /** Probability that the network gave it among all it could do; null for a rule. */
  readonly confidence: number | null;
  readonly reasons: readonly string[];
  readonly alternatives: readonly Alternative[];
  /** The vehicle that the nearest rule, and the Hungarian method, would have given it now. */
  readonly nearest: Id | null;
  readonly hungarian: Id | null;
  readonly what_if?: Explanation | null;
}

/** A shipment that is left open for now. */
export interface Waiting {
  readonly shipment: Id;
  readonly reason: string;
  /** When to ask again. */
  readonly revisit_at: number;
  /** Until then some vehicle, as planned now, still is in time; null where nothing was planned yet. */
  readonly latest_safe: number | null;
}

/** What an assignment can break, by its stable name. */
export const constraints = [
  'skills',
  'capacity',
  'route',
  'window',
  'delivery_window',
  'shift',
  'queue',
  'status',
] as const;
/** One of `constraints`. */
export type Constraint = (typeof constraints)[number];

/** A smallest set of constraints that keeps some vehicles from a shipment. */
export interface UnassignedReason {
  /** Constraints that stand in the way together: without them, and with all others, a vehicle could take it. */
  readonly relaxed: readonly (Constraint | 'others')[];
  /** Vehicles that could then. */
  readonly vehicles: readonly Id[];
  readonly message: string;
}

/** A shipment that no vehicle can take any more. */
export interface Unassigned {
  readonly shipment: Id;
  readonly reasons: readonly UnassignedReason[];
}

/** What is wrong with one shipment of the request; the others are answered. */
export interface Violation {
  /** Id, where it has one. */
  readonly shipment: Id | null;
  /** `shipments[3].pickup.location` */
  readonly path: string;
  readonly message: string;
}

/** A shipment promised before, as its vehicle will drive it. */
export interface Locked {
  readonly shipment: Id;
  readonly vehicle: Id;
  readonly pickup_eta: number;
  readonly delivery_eta: number;
  readonly lateness: number;
  /** What the promise does not keep to: it stands all the same. */
  readonly breaks: readonly Constraint[];
}

/** Why another policy than the asked one decided. */
export const fallbackReasons = [
  /** It did not decide in time. */
  'deadline',
  /** The request is unlike what it was trained on. */
  'out_of_distribution',
  /** It left out a shipment that can be served, for a less important one. */
  'objective',
  /** A policy of somebody's own threw, wrote an illegal action, or did not return. */
  'failed',
] as const;

/** Who decided on what, with all that is needed to compute the same answer again. */
export interface Provenance {
  readonly decision_id: string;
  readonly version: string;
  readonly policy: string;
  /** SHA-256 of what decides: a network's weights, or the rule's name and version. */
  readonly policy_hash: string;
  /** SHA-256 of the scenario that it was played in: its traffic, rewards, hours and demand. */
  readonly world_hash: string;
  /** SHA-256 of the request as it was understood. */
  readonly state_hash: string;
  /** Who decided instead, and why; null if the policy itself did. */
  readonly fallback: { readonly policy: string; readonly reason: (typeof fallbackReasons)[number] } | null;
  /** In what the request is unlike what the policy was trained on. */
  readonly out_of_distribution: readonly string[];
  /** How many assignments time allowed to explain, and in how many futures each; needed to compute the same again. */
  readonly futures: readonly number[];
  /** Of the policy `lookahead`: in how many futures each of its decisions was tried out; needed likewise. */
  readonly decision_futures: readonly number[];
  /** Turns of the planner's search that time allowed, 0 if it did not search; needed to compute the same again. */
  readonly turns: number;
  /** False where the database was gone. */
  readonly recorded: boolean;
}

/** A recommendation: what is to become of each shipment of the request. */
export interface Answer {
  readonly as_of: number;
  readonly mode: RequestMode;
  readonly assignments: readonly Assignment[];
  readonly waiting: readonly Waiting[];
  readonly unassigned: readonly Unassigned[];
  readonly locked: readonly Locked[];
  readonly violations: readonly Violation[];
  readonly provenance: Provenance;
}
