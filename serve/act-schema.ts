// The shapes of acts, and of the answer that tells of them: a recommendation over HTTP.

import { answerProps } from '../advise/index.js';
import { date, id, list, nullable, object, text, whole } from '../advise/rules.js';
import type { Props, Rule } from '../advise/rules.js';

/** One of a refusal on record. */
export const refusal: Rule = {
  type: 'object',
  description: 'Why it was not let through; of a limit also which one, what is left, and when one is free again',
  props: {
    reason: text,
    message: text,
    bucket: { ...text, optional: true },
    left: { ...whole, optional: true },
    retry_at: { ...date, optional: true },
  },
};

/** What became of one assignment that was to be acted on. */
export const actProps: Props = {
  shipment: id,
  vehicle: id,
  status: { type: 'enum', values: ['succeeded', 'dry_run', 'refused', 'failed', 'unknown'] },
  action_id: nullable(whole),
  message: { ...text, optional: true },
  refusal: { ...refusal, optional: true },
};

/** The answer of `POST /v1/recommend`. */
export const actedAnswerProps: Props = {
  ...answerProps,
  acts: { ...list(object(actProps), 'In mode auto: what became of each assignment'), optional: true },
};
