// The HTTP server: the routes on Fastify, and one plugin for each concern of a public service. Requests are rejected as early as
// possible (token, role, size, load). Logs contain no bodies, tokens or addresses.

import rateLimit from '@fastify/rate-limit';
import Fastify, { LogController } from 'fastify';
import type { FastifyInstance } from 'fastify';
import { addRoute } from './add-route.js';
import { apiRoutes } from './api.js';
import type { KeyRing } from './auth.js';
import { authentication, nameOf } from './authentication.js';
import { LARGE_BODY, SMALL_BODY } from './body-limits.js';
import { errorHandler } from './error-handler.js';
import { Load } from './load.js';
import { isFile, loadShedding } from './load-shedding.js';
import { metersOf, metrics } from './metrics.js';
import { openApi } from './openapi.js';
import { addPage } from './page.js';
import { readiness } from './readiness.js';
import type { Service } from './service.js';

/** Options of `createServer`. */
export interface ServerOptions {
  /** Computes and records answers; the server does not close it. */
  readonly service: Service;
  /** Verifies tokens. */
  readonly keys: KeyRing;
  /** Folder of training runs; it may be missing. */
  readonly runs: string;
  /** Version of the package. */
  readonly version: string;
  /** Requests in flight; more are rejected with 503, and of one account more than three quarters of it. Default 128. */
  readonly maxInFlight?: number;
  /** Milliseconds for the head of a request to arrive; default 10,000. */
  readonly headersTimeoutMs?: number;
  /** Milliseconds for the whole request to arrive; default 30,000. */
  readonly requestTimeoutMs?: number;
  /** Requests of one account per minute; more are rejected with 429. Default 120,000. */
  readonly perMinute?: number;
  /** Template of a tile server for the dashboard's map; default null: a plain map. */
  readonly tiles?: string | null;
  /** Copyright notice of the tiles; default empty. */
  readonly attribution?: string;
  /** Least level of the log, JSON lines on stderr; default info. */
  readonly logLevel?: 'silent' | 'error' | 'warn' | 'info' | 'debug';
}

/** Milliseconds between two checks for requests that arrive too slowly. */
const LOOK_EVERY_MS = 500;

const securityHeaders = {
  'x-content-type-options': 'nosniff',
  'referrer-policy': 'no-referrer',
  'x-frame-options': 'DENY',
  'cache-control': 'no-store',
};

/** Creates the server; `listen` starts it, `close` drains it. @throws ServeError `ERR_SERVICE` if an option is not valid */
export async function createServer(options: ServerOptions): Promise<FastifyInstance> {
  const { service, keys, version, maxInFlight = 128, perMinute = 120_000, logLevel = 'info' } = options;
  const { headersTimeoutMs = 10_000, requestTimeoutMs = 30_000 } = options;
  const app = Fastify({
    logger: logLevel === 'silent' ? false : { level: logLevel, stream: process.stderr, base: null },
    // Fastify's own request lines contain addresses.
    logController: new LogController({ disableRequestLogging: true }),
    bodyLimit: SMALL_BODY,
    requestTimeout: requestTimeoutMs,
    connectionTimeout: 60_000,
    keepAliveTimeout: 72_000,
    routerOptions: { maxParamLength: 200 },
    onProtoPoisoning: 'error',
    onConstructorPoisoning: 'error',
    return503OnClosing: true,
    forceCloseConnections: 'idle',
    http: { headersTimeout: headersTimeoutMs, connectionsCheckingInterval: LOOK_EVERY_MS },
  });
  const meters = metersOf();
  const load = new Load({ maxInFlight, maxBytes: 2 * LARGE_BODY });
  const routes = apiRoutes({ service, runs: options.runs });

  app.addHook('onRequest', async (_, reply) => {
    void reply.headers(securityHeaders);
    return Promise.resolve();
  });
  // In the order in which a request passes them.
  await app.register(errorHandler, { routes, onShed: () => meters.shed.inc() });
  await app.register(loadShedding, { load });
  await app.register(authentication, { keys });
  await app.register(rateLimit, {
    max: perMinute,
    timeWindow: 60_000,
    hook: 'preHandler',
    keyGenerator: nameOf,
    allowList: (request) => request.routeOptions.config.open === true || isFile(request),
    errorResponseBuilder: (_, { ttl }) =>
      Object.assign(new Error(`too many requests of this account: retry after ${Math.ceil(ttl / 1000)} s`), {
        statusCode: 429,
      }),
  });
  await app.register(readiness, { pool: service.pool, load, version });
  await app.register(metrics, { meters, load });

  for (const route of routes) addRoute(app, route, load);
  const document = JSON.stringify(openApi(routes, version));
  app.get('/openapi.json', { config: { open: true } }, (_, reply) => reply.type('application/json').send(document));
  await addPage(app, options.tiles ?? null, options.attribution ?? '', (example) => service.example(example));
  return app;
}
