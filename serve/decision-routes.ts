// Routes of decisions on record, and of a company's latest one.

import { optional } from '../advise/rules.js';
import { decisionProps, decisionsProps, liveProps, outcomeBody, outcomeProps, replayProps } from './other-schemas.js';
import { company, dispatchers, everyone, uuid } from './route-rules.js';
import { answering } from './routes.js';
import type { Route } from './routes.js';
import type { Service } from './service.js';

/** Routes that read decisions, compute them again, and record their outcome, under /v1. */
export function decisionRoutes(service: Service): Route[] {
  return [
    answering(decisionsProps)({
      method: 'GET',
      path: '/v1/decisions',
      tag: 'decisions',
      roles: everyone,
      summary: 'Decisions, newest first',
      query: {
        ...company,
        limit: optional({ type: 'number', integer: true, min: 1, max: 200 }, 'Default 50'),
        before: optional(uuid, 'Last id of the previous page'),
      },
      handle: async (c) => {
        const { limit = 50, before } = c.query;
        return { decisions: await service.decisions(c.companyId, limit, before) };
      },
    }),
    answering(decisionProps)({
      method: 'GET',
      path: '/v1/decisions/:id',
      tag: 'decisions',
      roles: everyone,
      summary: 'One decision: request, answer, and what happened since',
      params: { id: uuid },
      query: company,
      handle: (c) => service.decision(c.params.id, c.companyId),
    }),
    answering(replayProps)({
      method: 'GET',
      path: '/v1/decisions/:id/replay',
      tag: 'decisions',
      roles: everyone,
      summary: 'Compute a decision again from the stored request, and compare the answers',
      params: { id: uuid },
      query: company,
      handle: (c) => service.replay(c.params.id, c.companyId, c.way),
    }),
    answering(outcomeProps)({
      method: 'POST',
      path: '/v1/decisions/:id/outcome',
      tag: 'decisions',
      roles: dispatchers,
      summary: 'Record that a recommendation was accepted, or overridden and why',
      params: { id: uuid },
      query: company,
      body: outcomeBody,
      handle: (c) => service.outcome(c.params.id, c.body, c.caller, c.companyId, c.way),
    }),
    answering(liveProps)({
      method: 'GET',
      path: '/v1/live',
      tag: 'recommendations',
      roles: everyone,
      summary: 'The latest request, its answer and its outcomes',
      query: company,
      handle: (c) => ({ last: service.last(c.company()) }),
    }),
  ];
}
