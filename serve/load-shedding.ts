// The plugin that rejects requests early under too much load: in total, from one account, or on one connection.

import type { FastifyPluginCallback, FastifyRequest } from 'fastify';
import fastifyPlugin from 'fastify-plugin';
import { nameOf } from './authentication.js';
import type { Load } from './load.js';

/** Options of the plugin `loadShedding`. */
export interface LoadSheddingOptions {
  /** Counts and limits. */
  readonly load: Load;
}

/** Counts requests when their head arrives, and again when the body is complete and work begins. @throws Overloaded from its hooks */
export const loadShedding: FastifyPluginCallback<LoadSheddingOptions> = fastifyPlugin(
  (app, { load }: LoadSheddingOptions, done: () => void) => {
    app.addHook('onRequest', async (request, reply) => {
      if (isCounted(request)) load.arrive(request.raw, reply.raw);
      return Promise.resolve();
    });
    // Here the body is complete and the caller is known.
    app.addHook('preValidation', async (request, reply) => {
      if (isCounted(request)) load.work(request.raw, reply.raw, nameOf(request));
      return Promise.resolve();
    });
    done();
  },
);

/** Whether a request is for a file of the dashboard. */
export function isFile({ method, url }: FastifyRequest): boolean {
  return method === 'GET' && /^\/(page|lib)\//.test(url);
}

/** What counts as load: all but routes for monitoring, unknown addresses and the dashboard's files. */
function isCounted(request: FastifyRequest): boolean {
  return request.routeOptions.config.open !== true && !request.is404 && !isFile(request);
}

declare module 'fastify' {
  interface FastifyContextConfig {
    /** Needs no token and does not count as load: for monitoring and the page itself. */
    readonly open?: boolean;
  }
}
