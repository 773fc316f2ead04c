// A person's plan, pair by pair, and what the rules make of it. Seconds on the request's clock, metres.

import { constraints } from './answer.js';
import { id, list, nullable, number, object, oneOf, optional, seconds, text, whole } from './rules.js';
import type { ObjectOf, TypeOf } from './rules.js';

const planned = object({ vehicle: id, shipment: id });
/** One assignment of a plan, by the ids of the request. */
export type PlannedPair = TypeOf<typeof planned>;

const analyzed = object({
  ...planned.props,
  breaks: list(
    oneOf([...constraints, 'unknown']),
    'Constraints that it breaks: it is left out of the rest. `unknown`: the request does not leave this shipment open, ' +
      'or the plan has it twice',
  ),
  pickup_eta: nullable(seconds('On the request’s clock; null where it breaks a constraint')),
  lateness: nullable(number('Seconds')),
  approach_distance: nullable(number('Metres')),
  score: nullable(number()),
});
/** A pair of a plan with its figures; these are null where it breaks a constraint. */
export type AnalyzedPair = TypeOf<typeof analyzed>;

const totals = object(
  {
    assigned: whole,
    score: number(),
    lateness: number('Seconds'),
    late: { ...whole, description: 'Number of late pickups' },
    approach_distance: number('Metres of empty driving'),
    left_open: { ...whole, description: 'Shipments that could be served at the start and are not in the plan' },
  },
  'Sums over the pairs that break nothing',
);
/** Sums over the pairs of a plan that break nothing. */
export type PlanTotals = TypeOf<typeof totals>;

/** Schema of a plan: at most 500 pairs, in the order of deciding. */
export const planRule = { ...list(planned, 'In the order of deciding'), max: 500 };

const policy = object({ name: text, totals }, 'The policy’s own plan for the same state');
const analysis = { plan: list(analyzed), totals, policy };
/** A person’s plan beside the policy’s own. */
export type Analysis = ObjectOf<typeof analysis>;

/** Schema of the answer of `POST /v1/analyze`: an `Analysis`, and the candidates that were asked for. */
export const analysisProps = {
  ...analysis,
  candidates: optional(list(analyzed, 'Of `candidates_for`: each vehicle, as if it were given that one alone')),
};
