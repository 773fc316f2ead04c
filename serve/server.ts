// HTTP: the routes on Fastify, with what keeps a public service up. It says no early (token, role, size, load), never more
// than it must, and logs no bodies, no tokens and no addresses.

import rateLimit from '@fastify/rate-limit';
import Fastify, { LogController } from 'fastify';
import type { FastifyBaseLogger, FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import { Counter, Gauge, Histogram, Registry, collectDefaultMetrics } from 'prom-client';
import { AuditError } from '../audit/index.js';
import type { AuditErrorCode, Connection } from '../audit/index.js';
import { apiRoutes } from './api.js';
import type { Caller, KeyRing } from './auth.js';
import { ServeError } from './errors.js';
import type { FieldFault, ServeErrorCode } from './errors.js';
import { openApi } from './openapi.js';
import { addPage } from './page.js';
import { KEY, bodyChecker, requireRole, wordsReader } from './routes.js';
import type { Route, RouteContext } from './routes.js';
import type { Service } from './service.js';

export interface ServerOptions {
  readonly service: Service;
  readonly connection: Connection;
  readonly keys: KeyRing;
  /** Folder of training runs. */
  readonly runs: string;
  readonly version: string;
  /** Requests that are worked on at once; more are told to come again. Default 128. */
  readonly maxInFlight?: number;
  /** Requests of one token in a minute; default 120,000. */
  readonly perMinute?: number;
  /** Template of a tile server for the dashboard's map; default null: a plain one. */
  readonly tiles?: string | null;
  /** Whose map that is. */
  readonly attribution?: string;
  /** Lines of JSON on stderr; default info. */
  readonly logLevel?: 'silent' | 'error' | 'warn' | 'info' | 'debug';
}

const SMALL_BODY = 64 * 1024;

/** By our own codes; everything else is our fault, and says nothing about itself. */
const statusOf: Readonly<Record<ServeErrorCode | AuditErrorCode, number>> = {
  ERR_REQUEST: 400,
  ERR_UNAUTHENTICATED: 401,
  ERR_FORBIDDEN: 403,
  ERR_NOT_FOUND: 404,
  ERR_CONFLICT: 409,
  ERR_UNRECORDED: 503,
  ERR_BUSY: 503,
  ERR_SERVICE: 500,
  ERR_DATABASE: 503,
  ERR_DEADLINE: 503,
  ERR_NOT_MIGRATED: 503,
  ERR_FIELD: 400,
  ERR_REFUSED: 409,
  ERR_IDEMPOTENCY: 409,
  ERR_ACT_FAILED: 502,
  ERR_ACT_UNKNOWN: 502,
  ERR_DATA_FOLDER: 500,
  ERR_MIGRATION: 500,
  ERR_HEADS: 500,
};

interface Told {
  readonly status: number;
  readonly code: string;
  readonly message: string;
  readonly path?: string;
  readonly faults?: readonly FieldFault[];
}

/** @throws ServeError `ERR_SERVICE` */
export async function createServer(options: ServerOptions): Promise<FastifyInstance> {
  const { service, connection, keys, version, maxInFlight = 128, perMinute = 120_000, logLevel = 'info' } = options;
  const app = Fastify({
    logger: logLevel === 'silent' ? false : { level: logLevel, stream: process.stderr, base: null },
    // Its request lines carry addresses.
    logController: new LogController({ disableRequestLogging: true }),
    bodyLimit: SMALL_BODY,
    requestTimeout: 30_000,
    connectionTimeout: 60_000,
    keepAliveTimeout: 72_000,
    routerOptions: { maxParamLength: 200 },
    onProtoPoisoning: 'error',
    onConstructorPoisoning: 'error',
    return503OnClosing: true,
    forceCloseConnections: 'idle',
    http: { headersTimeout: 15_000 },
  });
  const meters = metersOf();
  let inFlight = 0;
  let draining = false;
  /** Requests that are worked on, by connection. */
  const open = new WeakMap<object, number>();

  app.addHook('onRequest', async (request, reply) => {
    void reply.headers(securityHeaders);
    if (request.routeOptions.config.open === true || request.is404 || isFile(request)) return;
    if (inFlight >= maxInFlight) throw new Overloaded();
    inFlight++;
    // However it ends: answered, or its client gone. Answers that wait in a connection's line are not closed with it by
    // Node, so that the connection itself counts what it has open.
    const { socket } = request.raw;
    const count = open.get(socket);
    if (count === undefined) {
      socket.once('close', () => {
        inFlight -= open.get(socket) ?? 0;
        open.set(socket, 0);
      });
    }
    open.set(socket, (count ?? 0) + 1);
    reply.raw.once('close', () => {
      const left = open.get(socket) ?? 0;
      if (left === 0) return;
      open.set(socket, left - 1);
      inFlight--;
    });
    return Promise.resolve();
  });
  app.addHook('onResponse', async (request, reply) => {
    // A connection that stays open would keep the service from ending.
    if (draining) request.raw.socket.destroySoon();
    const route = request.routeOptions.url ?? 'unknown';
    const { method } = request;
    const { statusCode: status, elapsedTime: ms } = reply;
    meters.seconds.labels(method, route, String(status)).observe(ms / 1000);
    request.log.info({ method, route, status, ms: Math.round(ms * 100) / 100 }, 'answered');
    return Promise.resolve();
  });
  meters.inFlight.collect = () => meters.inFlight.set(inFlight);
  app.addHook('preClose', async () => {
    draining = true;
    // A connection on which nobody has asked yet is not idle to Node, and would be waited for until it times out.
    const look = setInterval(() => {
      if (inFlight > 0) return;
      clearInterval(look);
      app.server.closeAllConnections();
    }, 100);
    return Promise.resolve();
  });

  app.setErrorHandler((error, request, reply) => {
    if (isShed(error)) meters.shed.inc();
    return answerError(error, request.log, reply);
  });
  await app.register(rateLimit, {
    max: perMinute,
    timeWindow: 60_000,
    hook: 'preHandler',
    keyGenerator: (request) => {
      const caller = callers.get(request);
      return `${String(caller?.companyId)}/${String(caller?.subject)}`;
    },
    allowList: (request) => request.routeOptions.config.open === true || isFile(request),
    errorResponseBuilder: (_, { ttl }) =>
      Object.assign(new Error(`too many requests with this token: again in ${Math.ceil(ttl / 1000)} s`), {
        statusCode: 429,
      }),
  });

  const routes = apiRoutes({ service, connection, runs: options.runs });
  for (const route of routes) addRoute(app, route, keys);
  const addresses = routes.map(({ path, method }) => ({
    pattern: new RegExp(`^${path.replace(/:\w+/g, '[^/]+')}$`),
    method,
  }));
  app.setNotFoundHandler(({ method, url }, reply) => {
    const [path] = url.split('?');
    const others = addresses.filter(({ pattern }) => pattern.test(path)).map((one) => one.method);
    if (others.length === 0) {
      return tell(reply, { status: 404, code: 'ERR_NOT_FOUND', message: 'no such address: see /openapi.json' });
    }
    const allowed = others.join(', ');
    void reply.header('allow', allowed);
    return tell(reply, {
      status: 405,
      code: 'ERR_REQUEST',
      message: `${method} is not for this address: use ${allowed}`,
    });
  });

  const document = JSON.stringify(openApi(routes, version));
  app.get('/openapi.json', { config: { open: true } }, (_, reply) => reply.type('application/json').send(document));
  await addPage(app, options.tiles ?? null, options.attribution ?? '');
  app.get('/health', { config: { open: true } }, (_, reply) => reply.send({ status: 'ok', version }));
  app.get('/ready', { config: { open: true } }, async (_, reply) => {
    const database = await connection`select 1`.then(
      () => true,
      () => false,
    );
    const ready = database && !draining;
    return reply.code(ready ? 200 : 503).send({ ready, database, draining });
  });
  app.get('/metrics', { config: { open: true } }, async (_, reply) =>
    reply.type(meters.registry.contentType).send(await meters.registry.metrics()),
  );
  return app;
}

/** The dashboard's own files. */
function isFile({ method, url }: FastifyRequest): boolean {
  return method === 'GET' && /^\/(page|lib)\//.test(url);
}

/** Who asked; kept beside the request, so that nothing that comes over the wire can reach it. */
const callers = new WeakMap<FastifyRequest, Caller>();

class Overloaded extends Error {}

/** What is too much for now, and no fault. */
function isShed(error: unknown): boolean {
  return error instanceof Overloaded || (error instanceof ServeError && error.code === 'ERR_BUSY');
}

const securityHeaders = {
  'x-content-type-options': 'nosniff',
  'referrer-policy': 'no-referrer',
  'x-frame-options': 'DENY',
  'cache-control': 'no-store',
};

function addRoute(app: FastifyInstance, route: Route, keys: KeyRing): void {
  const { method, roles, handle } = route;
  const checkBody = bodyChecker(route.body);
  const readQuery = wordsReader(route.query);
  const readParams = wordsReader(route.params);
  app.route({
    method,
    url: route.path,
    ...(route.bodyLimit === undefined ? {} : { bodyLimit: route.bodyLimit }),
    // Before the body is read: who has no business here sends no megabytes.
    onRequest: async (request) => {
      const caller = await keys.callerOf(bearer(request));
      requireRole(caller, roles);
      callers.set(request, caller);
    },
    handler: async (request, reply) => {
      const caller = callers.get(request)!;
      const params = readParams(request.params as Record<string, unknown>);
      const query = readQuery(request.query as Record<string, unknown>);
      checkBody(request.body);
      const companyId = companyOf(caller, query['company_id'] as number | undefined);
      const context: RouteContext = {
        caller,
        params: params as Record<string, string>,
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
      };
      const text = JSON.stringify(await handle(context));
      return reply.type('application/json; charset=utf-8').send(text);
    },
  });
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

function answerError(error: unknown, log: FastifyBaseLogger, reply: FastifyReply): FastifyReply {
  const told = toldOf(error);
  if (told.status === 401) void reply.header('www-authenticate', 'Bearer');
  if (told.status === 503 && !reply.hasHeader('retry-after')) void reply.header('retry-after', '1');
  if (told.status >= 500 && !(error instanceof Overloaded)) {
    // The whole story is for the log; values of fields are not in it.
    const { name, code, stack, cause } = error as Error & { code?: unknown };
    log.error({ name, code, stack, cause: (cause as Error | undefined)?.message }, 'failed');
  }
  return tell(reply, told);
}

function toldOf(error: unknown): Told {
  if (error instanceof Overloaded) {
    return { status: 503, code: 'ERR_OVERLOADED', message: 'overloaded: come again in a second' };
  }
  if (error instanceof ServeError || error instanceof AuditError) {
    const status = statusOf[error.code];
    const { path, faults } = error instanceof ServeError ? error : {};
    if (status < 500) {
      const where = { ...(path === undefined ? {} : { path }), ...(faults === undefined ? {} : { faults }) };
      return { status, code: error.code, message: error.message, ...where };
    }
    // What the database says about itself is nobody's business.
    const ours = error.code === 'ERR_UNRECORDED' || error.code === 'ERR_BUSY';
    const message = ours
      ? error.message
      : status === 503
        ? 'the record cannot be reached now: come again in a second'
        : 'the service cannot do this now';
    return { status, code: error.code, message };
  }
  const { statusCode, code, message } = error as { statusCode?: number; code?: string; message: string };
  if (statusCode !== undefined && statusCode >= 400 && statusCode < 500) {
    // Fastify's own: a body that is no JSON, too large, of another type; or too many requests.
    return { status: statusCode, code: statusCode === 429 ? 'ERR_RATE' : 'ERR_REQUEST', message: own(code, message) };
  }
  return { status: 500, code: 'ERR_INTERNAL', message: 'something went wrong here; it has been logged' };
}

function own(code: string | undefined, message: string): string {
  switch (code) {
    case 'FST_ERR_CTP_INVALID_MEDIA_TYPE':
      return 'the body must be JSON: send content-type application/json';
    case 'FST_ERR_CTP_BODY_TOO_LARGE':
      return 'the body is too large';
    case 'FST_ERR_CTP_EMPTY_JSON_BODY':
      return 'the body is empty: expected a JSON object';
    case 'FST_ERR_CTP_INVALID_JSON_BODY':
      return 'the body is no JSON';
    default:
      return message;
  }
}

function tell(reply: FastifyReply, { status, ...error }: Told): FastifyReply {
  return reply.code(status).type('application/json; charset=utf-8').send(JSON.stringify({ error }));
}

interface Meters {
  readonly registry: Registry;
  readonly seconds: Histogram<'method' | 'route' | 'status'>;
  readonly shed: Counter;
  readonly inFlight: Gauge & { collect: () => void };
}

function metersOf(): Meters {
  const registry = new Registry();
  const registers = [registry];
  collectDefaultMetrics({ register: registry });
  return {
    registry,
    seconds: new Histogram({
      name: 'fleetstep_http_request_seconds',
      help: 'Seconds from a request to its answer',
      labelNames: ['method', 'route', 'status'],
      buckets: [0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.25, 1, 5],
      registers,
    }),
    shed: new Counter({
      name: 'fleetstep_http_shed_total',
      help: 'Requests told to come again: overloaded',
      registers,
    }),
    inFlight: new Gauge({
      name: 'fleetstep_http_in_flight',
      help: 'Requests that are worked on',
      registers,
    }) as Gauge & { collect: () => void },
  };
}

declare module 'fastify' {
  interface FastifyContextConfig {
    /** No token, no count of load: for who watches over the service. */
    readonly open?: boolean;
  }
}
