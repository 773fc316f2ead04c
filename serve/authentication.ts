// The plugin of authentication and authorisation: verifies the token of the header Authorization, and that its role may use the
// route.

import type { FastifyPluginCallback, FastifyRequest } from 'fastify';
import fastifyPlugin from 'fastify-plugin';
import type { Caller, KeyRing, Role } from './auth.js';
import { ServeError } from './errors.js';
import { requireRole } from './routes.js';

/** Kept beside the request, where nothing from the network can change it. */
const callers = new WeakMap<FastifyRequest, Caller>();

/** The caller of a request. @throws ServeError `ERR_UNAUTHENTICATED` on a route without roles */
export function callerOf(request: FastifyRequest): Caller {
  const caller = callers.get(request);
  if (caller === undefined) throw new ServeError('ERR_UNAUTHENTICATED', 'this address takes no token');
  return caller;
}

/** The account that a request counts for in limits of load: `company/subject`, the same for all its tokens. */
export function nameOf(request: FastifyRequest): string {
  const caller = callers.get(request);
  return `${String(caller?.companyId)}/${String(caller?.subject)}`;
}

/** Options of the plugin `authentication`. */
export interface AuthenticationOptions {
  /** Verifies tokens. */
  readonly keys: KeyRing;
}

/**
 * Refuses callers that may not use a route with `roles` in its config, before the body is read.
 * @throws ServeError `ERR_UNAUTHENTICATED`, `ERR_FORBIDDEN`, from its hook
 */
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
      missing ? 'the token is missing: send the header "Authorization: Bearer <token>"' : 'the token is not valid',
    );
  }
  return found[1];
}

declare module 'fastify' {
  interface FastifyContextConfig {
    /** Roles that may use the route; without them, no token is needed. */
    readonly roles?: readonly Role[];
  }
}
