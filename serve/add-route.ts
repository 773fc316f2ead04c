// From a route to Fastify: the one place where HTTP's words become a route's context.

import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import type { Caller } from './auth.js';
import { callerOf, nameOf } from './authentication.js';
import { SMALL_BODY } from './body-limits.js';
import { ServeError } from './errors.js';
import type { Load } from './load.js';
import { KEY, bodyChecker, wordsReader } from './routes.js';
import type { Route, RouteContext } from './routes.js';

/** Adds a route: what it takes is checked, what it answers is written as JSON. */
export function addRoute(app: FastifyInstance, route: Route, load: Load): void {
  const { method, roles, handle, bodyLimit = SMALL_BODY } = route;
  const checkBody = bodyChecker(route.body);
  const readQuery = wordsReader(route.query);
  const readParams = wordsReader(route.params);
  app.route({
    method,
    url: route.path,
    bodyLimit,
    config: { roles },
    // Who asks is known, and the body is still to come.
    onRequest: async (request, reply) => {
      load.receive(request.raw, reply.raw, nameOf(request), bodyLimit);
      return Promise.resolve();
    },
    handler: async (request, reply) => {
      const caller = callerOf(request);
      const params = readParams(request.params as Record<string, unknown>);
      const query = readQuery(request.query as Record<string, unknown>);
      checkBody(request.body);
      const companyId = companyOf(caller, query['company_id'] as number | undefined);
      const context: RouteContext = {
        caller,
        params,
        query,
        body: request.body,
        idempotencyKey: keyOf(request),
        companyId,
        company: () => {
          if (companyId !== undefined) return companyId;
          throw new ServeError('ERR_REQUEST', 'company_id is missing: your token is for all companies, say which one', {
            path: 'company_id',
          });
        },
        get way() {
          return { signal: goneOf(reply), by: nameOf(request) };
        },
      };
      const text = JSON.stringify(await handle(context));
      return reply.type('application/json; charset=utf-8').send(text);
    },
  });
}

/** Aborts when the client has gone before he was answered. */
function goneOf({ raw }: FastifyReply): AbortSignal {
  const gone = new AbortController();
  raw.once('close', () => {
    if (!raw.writableFinished) gone.abort();
  });
  if (raw.closed) gone.abort();
  return gone.signal;
}

function keyOf({ headers }: FastifyRequest): string | null {
  const key = headers['idempotency-key'];
  if (key === undefined) return null;
  if (typeof key === 'string' && KEY.test(key)) return key;
  throw new ServeError('ERR_REQUEST', 'the header Idempotency-Key must be up to 100 letters, digits and . : _ -', {
    path: 'Idempotency-Key',
  });
}

/** A caller of one company sees that one; naming another finds nothing there. */
function companyOf(caller: Caller, asked: number | undefined): number | undefined {
  if (caller.companyId === null) return asked;
  if (asked !== undefined && asked !== caller.companyId) {
    throw new ServeError('ERR_NOT_FOUND', `company ${asked} is not known`);
  }
  return caller.companyId;
}
