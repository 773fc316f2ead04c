// A plugin that says no early when there is too much: of all, of one caller, of one connection.

import type { FastifyPluginCallback, FastifyRequest } from 'fastify';
import fastifyPlugin from 'fastify-plugin';
import { nameOf } from './authentication.js';
import type { Load } from './load.js';

export interface LoadSheddingOptions {
  readonly load: Load;
}

/** Counts requests as they come, and once more when they are whole and begin to be worked on. @throws Overloaded */
export const loadShedding: FastifyPluginCallback<LoadSheddingOptions> = fastifyPlugin(
  (app, { load }: LoadSheddingOptions, done: () => void) => {
    app.addHook('onRequest', async (request, reply) => {
      if (isCounted(request)) load.arrive(request.raw, reply.raw);
      return Promise.resolve();
    });
    // The whole request has come, and who asks is known.
    app.addHook('preValidation', async (request, reply) => {
      if (isCounted(request)) load.work(request.raw, reply.raw, nameOf(request));
      return Promise.resolve();
    });
    done();
  },
);

/** The dashboard's own files. */
export function isFile({ method, url }: FastifyRequest): boolean {
  return method === 'GET' && /^\/(page|lib)\//.test(url);
}

/** What counts as load: all but what watches over the service, and the dashboard's files. */
function isCounted(request: FastifyRequest): boolean {
  return request.routeOptions.config.open !== true && !request.is404 && !isFile(request);
}

declare module 'fastify' {
  interface FastifyContextConfig {
    /** No token, no count of load: for who watches over the service. */
    readonly open?: boolean;
  }
}
