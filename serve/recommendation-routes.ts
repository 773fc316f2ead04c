// Routes that recommend assignments for a live state, or score a plan for it.

import {
  analysisProps,
  documentedRequest,
  planRule,
  requestProps,
  vroomAnswerProps,
  vroomProps,
  wantsVroom,
} from '../advise/index.js';
import { id, optional } from '../advise/rules.js';
import { actedAnswerProps } from './act-schema.js';
import { LARGE_BODY } from './body-limits.js';
import { company, dispatchers } from './route-rules.js';
import { answering } from './routes.js';
import type { Route } from './routes.js';
import type { Service } from './service.js';

const candidatesFor = optional(
  id,
  'A shipment: the answer also has each vehicle’s figures for it, as if the vehicle were given that one alone',
);

/** Routes that recommend and analyse, under /v1. */
export function recommendationRoutes(service: Service): Route[] {
  return [
    {
      method: 'POST',
      path: '/v1/recommend',
      tag: 'recommendations',
      roles: dispatchers,
      summary:
        'Ranked assignments for a live state, each with its reasons. With a header Idempotency-Key, a retry gets the same answer and no action is carried out twice. With `options.format` "vroom" the request and the answer are those of POST /v1/vroom',
      answer: actedAnswerProps,
      otherAnswer: vroomAnswerProps,
      query: company,
      // `checkRequest` checks it.
      documented: documentedRequest,
      idempotent: true,
      bodyLimit: LARGE_BODY,
      handle: (c) => {
        const companyId = c.company();
        if (wantsVroom(c.body)) return service.background.routes(c.body, c.way);
        return service.recommend(c.body, {
          caller: c.caller,
          companyId,
          key: c.idempotencyKey,
          signal: c.way.signal,
        });
      },
    },
    answering(analysisProps)({
      method: 'POST',
      path: '/v1/analyze',
      tag: 'recommendations',
      roles: dispatchers,
      summary: 'Scores of a plan beside the policy’s own, and candidates for a shipment. Nothing is recorded',
      query: company,
      body: { ...requestProps, plan: planRule, candidates_for: candidatesFor },
      documented: { ...documentedRequest, plan: planRule, candidates_for: candidatesFor },
      bodyLimit: LARGE_BODY,
      handle: (c) => service.analyze(c.body, c.way),
    }),
    answering(vroomAnswerProps)({
      method: 'POST',
      path: '/v1/vroom',
      tag: 'recommendations',
      roles: dispatchers,
      summary: 'Routes for a request in VROOM’s own form, answered in that form. Nothing is recorded',
      query: company,
      // `planVroom` checks it.
      documented: vroomProps,
      bodyLimit: LARGE_BODY,
      handle: (c) => service.background.routes(c.body as object, c.way),
    }),
  ];
}
