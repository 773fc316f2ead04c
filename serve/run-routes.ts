// Routes of training runs.

import { optional } from '../advise/rules.js';
import { runProps, runsProps } from './other-schemas.js';
import { company, everyone } from './route-rules.js';
import { answering } from './routes.js';
import type { Route } from './routes.js';
import { RunsReader } from './runs.js';
import { snake } from './snake.js';

/** Routes that list and read training runs, under /v1. @param folder of training runs */
export function runRoutes(folder: string): Route[] {
  const reader = new RunsReader(folder);
  return [
    answering(runsProps)({
      method: 'GET',
      path: '/v1/runs',
      tag: 'runs',
      roles: everyone,
      summary: 'Training runs, newest first: those on the company’s own data, and those on synthetic or public data',
      query: company,
      handle: async (c) => ({ runs: snake(await reader.list(c.companyId)) }),
    }),
    answering(runProps)({
      method: 'GET',
      path: '/v1/runs/:name',
      tag: 'runs',
      roles: everyone,
      summary: 'A run’s configuration, metrics and evaluation',
      params: { name: { type: 'string', min: 1, max: 200 } },
      query: {
        ...company,
        after: optional({ type: 'number', integer: true, min: 0, max: 1e9 }, 'Only metrics of later iterations'),
      },
      handle: async ({ params, query, companyId }) => {
        const { summary, ...files } = await reader.read(params.name, query.after ?? -1, companyId);
        return { ...snake(summary), ...files };
      },
    }),
  ];
}
