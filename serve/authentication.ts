// A plugin that finds out who asks: the token of the header Authorization, and whether its role may use the route.

import type { FastifyPluginCallback, FastifyRequest } from 'fastify';
import fastifyPlugin from 'fastify-plugin';
import type { Caller, KeyRing, Role } from './auth.js';
import { ServeError } from './errors.js';
import { requireRole } from './routes.js';

/** Kept beside the request, so that nothing that comes over the wire can reach it. */
const callers = new WeakMap<FastifyRequest, Caller>();

/** Who asked, on a route that takes a token. */
export function callerOf(request: FastifyRequest): Caller {
  return callers.get(request)!;
}

/** Whom a request counts for: an account of a company, whichever of its tokens is used. */
export function nameOf(request: FastifyRequest): string {
  const caller = callers.get(request);
  return `${String(caller?.companyId)}/${String(caller?.subject)}`;
}

export interface AuthenticationOptions {
  readonly keys: KeyRing;
}

/** Refuses who may not use a route with `roles` in its config. Before the body is read: who has no business here sends no megabytes. */
export const authentication: FastifyPluginCallback<AuthenticationOptions> = fastifyPlugin(
  (app, { keys }: AuthenticationOptions, done: () => void) => {
    app.addHook('onRequest', async (request) => {
      const { roles } = request.routeOptions.config;
      if (roles === undefined) return;
      const caller = await keys.callerOf(bearer(request));
      requireRole(caller, roles);
      callers.set(request, caller);
    });
    done();
  },
);

function bearer({ headers }: FastifyRequest): string {
  const found = /^Bearer ([\w-]+\.[\w-]+\.[\w-]+)$/i.exec(headers.authorization ?? '');
  if (found === null) {
    const missing = headers.authorization === undefined;
    throw new ServeError(
      'ERR_UNAUTHENTICATED',
      missing ? 'a token is missing: send "Authorization: Bearer ..."' : 'the token is not valid',
    );
  }
  return found[1];
}

declare module 'fastify' {
  interface FastifyContextConfig {
    /** Who may; without them, no token is asked for. */
    readonly roles?: readonly Role[];
  }
}
