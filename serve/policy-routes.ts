// Routes of the policies that can be asked.

import type { Policies } from '../advise/index.js';
import { ServeError } from './errors.js';
import { policiesProps, policyProps } from './other-schemas.js';
import { everyone } from './route-rules.js';
import type { Route } from './routes.js';

/** Policies and their cards, under /v1. */
export function policyRoutes(policies: Policies): Route[] {
  return [
    {
      method: 'GET',
      path: '/v1/policies',
      answer: policiesProps,
      tag: 'policies',
      roles: everyone,
      summary: 'Who can be asked, the default first',
      handle: () => ({ policies: policies.all.map(({ name, kind, hash }) => ({ name, kind, hash })) }),
    },
    {
      method: 'GET',
      path: '/v1/policies/:name',
      answer: policyProps,
      tag: 'policies',
      roles: everyone,
      summary: 'A policy’s card: what it was trained on, how it was evaluated, its hash',
      params: { name: { type: 'string', min: 1, max: 64 } },
      handle: ({ params }) => {
        const found = policies.all.find(({ name }) => name === params['name']);
        if (found === undefined) throw new ServeError('ERR_NOT_FOUND', `policy "${params['name']}" is not known`);
        const { name, kind, hash, training, base } = found;
        return { name, kind, hash, scenario: base.scenario, training };
      },
    },
  ];
}
