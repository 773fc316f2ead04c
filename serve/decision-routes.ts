// Routes of decisions on record, and of a company's latest one.

import { decisionProps, decisionsProps, liveProps, outcomeProps, replayProps } from './other-schemas.js';
import { company, dispatchers, everyone, optional, uuid } from './route-rules.js';
import type { Route } from './routes.js';
import { outcomes } from './service.js';
import type { Outcome, Service } from './service.js';

/** Routes that read decisions, compute them again, and record their outcome, under /v1. */
export function decisionRoutes(service: Service): Route[] {
  return [
    {
      method: 'GET',
      path: '/v1/decisions',
      answer: decisionsProps,
      tag: 'decisions',
      roles: everyone,
      summary: 'Decisions, newest first',
      query: {
        ...company,
        limit: optional({ type: 'number', integer: true, min: 1, max: 200 }, 'Default 50'),
        before: optional(uuid, 'Last id of the previous page'),
      },
      handle: async (c) => {
        const { limit = 50, before } = c.query as { limit?: number; before?: string };
        return { decisions: await service.decisions(c.companyId, limit, before) };
      },
    },
    {
      method: 'GET',
      path: '/v1/decisions/:id',
      answer: decisionProps,
      tag: 'decisions',
      roles: everyone,
      summary: 'One decision: request, answer, and what happened since',
      params: { id: uuid },
      query: company,
      handle: (c) => service.decision(c.params['id'], c.companyId),
    },
    {
      method: 'GET',
      path: '/v1/decisions/:id/replay',
      answer: replayProps,
      tag: 'decisions',
      roles: everyone,
      summary: 'Compute a decision again from the stored request, and compare the answers',
      params: { id: uuid },
      query: company,
      handle: (c) => service.replay(c.params['id'], c.companyId, c.way),
    },
    {
      method: 'POST',
      path: '/v1/decisions/:id/outcome',
      answer: outcomeProps,
      tag: 'decisions',
      roles: dispatchers,
      summary: 'Record that a recommendation was accepted, or overridden and why',
      params: { id: uuid },
      query: company,
      body: {
        shipment: { type: 'id' },
        outcome: { type: 'enum', values: outcomes },
        vehicle: optional({ type: 'id' }, 'The vehicle that drives it instead'),
        reason: optional({ type: 'string', max: 1000 }, 'Required if overridden; no personal data'),
      },
      handle: (c) => service.outcome(c.params['id'], c.body as Outcome, c.caller, c.companyId, c.way),
    },
    {
      method: 'GET',
      path: '/v1/live',
      answer: liveProps,
      tag: 'recommendations',
      roles: everyone,
      summary: 'The latest request, its answer and its outcomes',
      query: company,
      handle: (c) => ({ last: service.last(c.company()) }),
    },
  ];
}
