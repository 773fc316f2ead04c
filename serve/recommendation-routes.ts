// Routes that answer a live state, or score somebody's plan for it.

import { analysisProps, documentedRequest, planRule, requestProps } from '../advise/index.js';
import type { Rule } from '../advise/rules.js';
import { actedAnswerProps } from './act-schema.js';
import { LARGE_BODY } from './body-limits.js';
import { company, dispatchers } from './route-rules.js';
import type { Route } from './routes.js';
import type { Service } from './service.js';

const candidatesFor: Rule = {
  type: 'id',
  optional: true,
  description: 'A shipment: each vehicle is looked at for it, too, as if it were given that one alone',
};

/** Recommending and analysing, under /v1. */
export function recommendationRoutes(service: Service): Route[] {
  return [
    {
      method: 'POST',
      path: '/v1/recommend',
      tag: 'recommendations',
      roles: dispatchers,
      summary:
        'Ranked assignments for a live state, each with its reasons; with a header Idempotency-Key, asking again gives the same and does nothing twice',
      query: company,
      // `checkRequest` checks it.
      documented: documentedRequest,
      answer: actedAnswerProps,
      idempotent: true,
      bodyLimit: LARGE_BODY,
      handle: (c) =>
        service.recommend(c.body, {
          caller: c.caller,
          companyId: c.company(),
          key: c.idempotencyKey,
          signal: c.way.signal,
        }),
    },
    {
      method: 'POST',
      path: '/v1/analyze',
      answer: analysisProps,
      tag: 'recommendations',
      roles: dispatchers,
      summary: 'Score a person’s plan beside the policy’s, and who could take a shipment; nothing is recorded',
      query: company,
      body: { ...requestProps, plan: planRule, candidates_for: candidatesFor },
      documented: { ...documentedRequest, plan: planRule, candidates_for: candidatesFor },
      bodyLimit: LARGE_BODY,
      handle: (c) => service.analyze(c.body, c.way),
    },
  ];
}
