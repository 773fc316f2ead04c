// The answer: which list each shipment is in, and why. Each shape is written once, as a schema; its type and the OpenAPI
// document follow from it. Times are on the request's clock, in seconds; distances in metres.

import { requestModes } from './request.js';
import { flag, id, list, nullable, number, object, oneOf, optional, seconds, text, whole } from './rules.js';
import type { ObjectOf, TypeOf } from './rules.js';

/** A number of the answer, with four decimals. */
export function round(value: number): number {
  return Math.round(value * 1e4) / 1e4;
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

const alternative = object({
  vehicle: id,
  pickup_eta: seconds('On the request’s clock'),
  lateness: seconds('Seconds after the window’s end'),
  approach_distance: seconds('Empty metres'),
  score: number('The reward of this assignment under the world’s rules'),
  extra_wait: seconds('Seconds later at the pickup than the recommended vehicle'),
  extra_lateness: seconds('Seconds more lateness'),
  extra_distance: seconds('More empty metres'),
});
/** A vehicle that could take the shipment instead. */
export type Alternative = TypeOf<typeof alternative>;

const estimate = object({ mean: number(), low: number(), high: number() });
const whatIf = object({
  vehicle: nullable(id, 'Null: wait'),
  late: { ...estimate, description: 'Chance that a pickup promised from now on is late' },
  minutes_late: { ...estimate, description: 'Minutes of lateness, summed over the pickups promised from now on' },
  lost: { ...estimate, description: 'Shipments whose window ends before a vehicle is assigned' },
  advantage: { ...estimate, description: 'Score, less that of the recommendation' },
});
/** What follows from a candidate in simulated futures, up to the end of the look-ahead: means with 95% intervals. */
export type WhatIf = TypeOf<typeof whatIf>;

const explanation = object({
  candidates: list(whatIf),
  futures: number('Number of futures that each candidate was played in; the same futures for all'),
  seconds_ahead: number('How far ahead the futures were played'),
  new_demand: { ...flag, description: 'Whether new shipments appear in the futures, as in the scenario' },
});
/** The candidates of one assignment, compared in the same simulated futures. */
export type Explanation = TypeOf<typeof explanation>;

const assignment = object({
  rank: seconds('From 1, in the order of deciding'),
  shipment: id,
  vehicle: id,
  pickup_eta: seconds('On the request’s clock'),
  delivery_eta: seconds('Service included'),
  lateness: seconds('Seconds after the window’s end'),
  approach_distance: seconds('Empty metres'),
  approach_duration: seconds('Seconds of empty driving'),
  score: number('The reward of this assignment under the world’s rules'),
  confidence: nullable(number('Probability that the network gave to this assignment; null for a rule')),
  reasons: list(text),
  alternatives: list(alternative),
  nearest: nullable(id, 'The vehicle that the nearest rule would assign now'),
  hungarian: nullable(id, 'The vehicle that the Hungarian method would assign now'),
  what_if: optional(nullable(explanation), 'With `explain`; null where time was up'),
});
/** A shipment that a vehicle is to take now. */
export type Assignment = TypeOf<typeof assignment>;

const waiting = object({
  shipment: id,
  reason: text,
  revisit_at: seconds('When to ask again'),
  latest_safe: nullable(
    seconds('Until then a vehicle, as planned now, is still in time; null where nothing was planned yet'),
  ),
});
/** A shipment that is left open for now. */
export type Waiting = TypeOf<typeof waiting>;

const unassignedReason = object({
  relaxed: list(
    oneOf([...constraints, 'others']),
    'Constraints that prevent it together: without them, and with all others, a vehicle could take it',
  ),
  vehicles: list(id, 'Vehicles that could take it then'),
  message: text,
});
/** A smallest set of constraints that keeps some vehicles from a shipment. */
export type UnassignedReason = TypeOf<typeof unassignedReason>;

const unassigned = object({ shipment: id, reasons: list(unassignedReason) });
/** A shipment that no vehicle can take any more. */
export type Unassigned = TypeOf<typeof unassigned>;

const locked = object({
  shipment: id,
  vehicle: id,
  pickup_eta: seconds('On the request’s clock'),
  delivery_eta: seconds('Service included'),
  lateness: seconds('Seconds after the window’s end'),
  breaks: list(oneOf(constraints), 'Constraints that the promise breaks; the promise stands all the same'),
});
/** A shipment promised before, as its vehicle will drive it. */
export type Locked = TypeOf<typeof locked>;

const violation = object({
  shipment: nullable(id, 'Its id, where it has one'),
  path: { ...text, description: 'Such as `shipments[3].pickup.location`' },
  message: text,
});
/** What is wrong with one shipment of the request; the others are answered. */
export type Violation = TypeOf<typeof violation>;

const provenance = object({
  decision_id: text,
  version: text,
  policy: text,
  policy_hash: { ...text, description: 'SHA-256 of the network’s weights, or of the rule’s name and version' },
  world_hash: { ...text, description: 'SHA-256 of the scenario: its traffic, rewards, hours and demand' },
  state_hash: { ...text, description: 'SHA-256 of the request as it was understood' },
  fallback: nullable(
    object({ policy: text, reason: oneOf(fallbackReasons) }),
    'The policy that decided instead, and why; null if the policy itself decided',
  ),
  out_of_distribution: list(text, 'How the request differs from what the policy was trained on'),
  futures: list(
    number(),
    'The number of futures for each assignment that was explained in time; needed to compute the same answer again',
  ),
  decision_futures: list(whole, 'The number of futures in which the policy lookahead tried each of its decisions'),
  turns: number('Turns of the planner’s search that time allowed; 0 if it did not search'),
  recorded: { ...flag, description: 'False where the database could not be reached' },
});
/** Who decided on what, with all that is needed to compute the same answer again. */
export type Provenance = TypeOf<typeof provenance>;

/** Schema of an `Answer`, member by member. */
export const answerProps = {
  as_of: seconds('As in the request'),
  mode: oneOf(requestModes),
  assignments: list(assignment),
  waiting: list(waiting),
  unassigned: list(unassigned),
  locked: list(locked),
  violations: list(violation, 'Faults of single shipments'),
  notices: optional(list(text), 'What of the request had no effect'),
  provenance,
};
/** A recommendation: what is to become of each shipment of the request. */
export type Answer = ObjectOf<typeof answerProps>;
