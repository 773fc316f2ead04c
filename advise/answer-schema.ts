// The shape of a recommendation for the OpenAPI document; a test holds real answers to it.

import { constraints, fallbackReasons } from './answer.js';
import { requestModes } from './request.js';
import { flag, id, list, nullable, number, object, seconds, text, whole } from './rules.js';
import type { Props, Rule } from './schema.js';

const estimate = (description: string): Rule =>
  object({ mean: number(), low: number(), high: number() }, { description });

const whatIf = object(
  {
    candidates: list(
      object({
        vehicle: { ...nullable(id), description: 'Null: wait' },
        late: estimate('Chance that a pickup promised from now on is late'),
        minutes_late: estimate('Their sum'),
        lost: estimate('Shipments whose window ends before anybody was sent'),
        advantage: estimate('Score, less that of what is recommended'),
      }),
    ),
    futures: number('In how many futures each was played'),
    seconds_ahead: number(),
    new_demand: { ...flag, description: 'Whether new shipments come up in them' },
  },
  { nullable: true, optional: true, description: 'With `explain`; null where time was up' },
);

/** Schema of an `Answer`, member by member. */
export const answerProps: Props = {
  as_of: seconds('As asked'),
  mode: { type: 'enum', values: requestModes },
  assignments: list(
    object({
      rank: seconds('From 1, in the order of deciding'),
      shipment: id,
      vehicle: id,
      pickup_eta: seconds('On the request’s clock'),
      delivery_eta: seconds('Service included'),
      lateness: seconds('Seconds after the window’s end'),
      approach_distance: seconds('Empty metres'),
      approach_duration: seconds('Seconds'),
      score: number('What it would be paid under the world’s rules'),
      confidence: nullable(number('Probability that a network gave it; null for a rule')),
      reasons: list(text),
      alternatives: list(
        object({
          vehicle: id,
          pickup_eta: seconds('On the request’s clock'),
          lateness: seconds('Seconds after the window’s end'),
          approach_distance: seconds('Empty metres'),
          score: number(),
          extra_wait: seconds('Later at the pickup than the recommended vehicle'),
          extra_lateness: seconds('More lateness'),
          extra_distance: seconds('More empty metres'),
        }),
      ),
      nearest: { ...nullable(id), description: 'The vehicle that the nearest rule would have sent now' },
      hungarian: { ...nullable(id), description: 'The same of the Hungarian method' },
      what_if: whatIf,
    }),
  ),
  waiting: list(
    object({
      shipment: id,
      reason: text,
      revisit_at: seconds('When to ask again'),
      latest_safe: nullable(
        seconds('Until then a vehicle, as planned now, still is in time; null where nothing was planned yet'),
      ),
    }),
  ),
  unassigned: list(
    object({
      shipment: id,
      reasons: list(
        object({
          relaxed: list({ type: 'enum', values: [...constraints, 'others'] }, 'What stands in the way, together'),
          vehicles: list(id, 'Who could take it without just that'),
          message: text,
        }),
      ),
    }),
  ),
  locked: list(
    object({
      shipment: id,
      vehicle: id,
      pickup_eta: seconds('On the request’s clock'),
      delivery_eta: seconds('Service included'),
      lateness: seconds('Seconds after the window’s end'),
      breaks: list({ type: 'enum', values: constraints }, 'What the promise does not keep to; it stands all the same'),
    }),
  ),
  violations: list(object({ shipment: nullable(id), path: text, message: text }), 'What is wrong in single shipments'),
  provenance: object({
    decision_id: text,
    version: text,
    policy: text,
    policy_hash: text,
    world_hash: text,
    state_hash: text,
    fallback: nullable(object({ policy: text, reason: { type: 'enum', values: fallbackReasons } })),
    out_of_distribution: list(text),
    futures: list(number()),
    decision_futures: list(whole, 'In how many futures the policy lookahead tried out each of its decisions'),
    turns: number('Of the planner’s search; 0 if it did not search'),
    recorded: flag,
  }),
};
