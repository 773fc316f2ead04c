// Schemas of actions in answers: each shape is written once, and its type follows from it. Only schemas are imported, so that the
// page can use the types.

import { answerProps } from '../advise/answer.js';
import { date, id, list, nullable, object, oneOf, optional, text, whole } from '../advise/rules.js';
import type { ObjectOf, TypeOf } from '../advise/rules.js';

/** Schema of the refusal of an action. */
export const refusal = {
  type: 'object',
  description: 'Why the action was refused; of a limit also which one, what is left, and when one is free again',
  props: {
    reason: text,
    message: text,
    bucket: optional(text),
    left: optional(whole),
    retry_at: optional(date),
  },
} as const;

/** Schema of an `ActResult`. */
export const act = object({
  shipment: id,
  vehicle: id,
  status: oneOf(['succeeded', 'dry_run', 'refused', 'failed', 'unknown']),
  action_id: nullable(whole),
  message: optional(text),
  refusal: optional(refusal),
});
/** What happened to one assignment in mode `auto`. */
export type ActResult = TypeOf<typeof act>;

/** Schema of the answer of `POST /v1/recommend`. */
export const actedAnswerProps = {
  ...answerProps,
  acts: optional(list(act), 'In mode auto: what happened to each assignment'),
};
/** A recommendation, in mode `auto` with its actions. */
export type AnswerWithActs = ObjectOf<typeof actedAnswerProps>;
