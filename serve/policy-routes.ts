// Routes of the policies that are served.

import type { Policies } from '../advise/index.js';
import { ServeError } from './errors.js';
import { policiesProps, policyProps } from './other-schemas.js';
import { everyone } from './route-rules.js';
import { answering } from './routes.js';
import type { Route } from './routes.js';

/** Routes that list and describe policies, under /v1. */
export function policyRoutes(policies: Policies): Route[] {
  return [
    answering(policiesProps)({
      method: 'GET',
      path: '/v1/policies',
      tag: 'policies',
      roles: everyone,
      summary: 'Policies that a request can name, the default first',
      handle: () => ({ policies: policies.all.map(({ name, kind, hash }) => ({ name, kind, hash })) }),
    }),
    answering(policyProps)({
      method: 'GET',
      path: '/v1/policies/:name',
      tag: 'policies',
      roles: everyone,
      summary: 'One policy: its hash, what it was trained on, and how it was evaluated',
      params: { name: { type: 'string', min: 1, max: 64 } },
      handle: ({ params }) => {
        const found = policies.all.find(({ name }) => name === params.name);
        if (found === undefined) {
          const served = policies.all.map(({ name }) => name).join(', ');
          throw new ServeError('ERR_NOT_FOUND', `policy "${params.name}" is not served: expected one of ${served}`);
        }
        const { name, kind, hash, training, base } = found;
        return { name, kind, hash, scenario: base.scenario, training };
      },
    }),
  ];
}
