// HTTP: the routes on Fastify, with what keeps a public service up. It says no early (token, role, size, load), never more
// than it must, and logs no bodies, no tokens and no addresses.

import rateLimit from '@fastify/rate-limit';
import Fastify, { LogController } from 'fastify';
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import { Counter, Gauge, Histogram, Registry, collectDefaultMetrics } from 'prom-client';
import { AuditError } from '../audit/index.js';
import type { AuditErrorCode } from '../audit/index.js';
import { LARGE_BODY, apiRoutes } from './api.js';
import type { Caller, KeyRing } from './auth.js';
import { ServeError } from './errors.js';
import type { FieldFault, ServeErrorCode } from './errors.js';
import { Load, Overloaded, mebibytes } from './load.js';
import { openApi } from './openapi.js';
import { addPage } from './page.js';
import { KEY, bodyChecker, requireRole, wordsReader } from './routes.js';
import type { Route, RouteContext } from './routes.js';
import type { Service } from './service.js';

export interface ServerOptions {
  readonly service: Service;
  readonly keys: KeyRing;
  /** Folder of training runs. */
  readonly runs: string;
  readonly version: string;
  /** Requests that are worked on at once; more are told to come again, as is one token with three quarters. Default 128. */
  readonly maxInFlight?: number;
  /** Milliseconds within which a request's head must have come; default 10,000. */
  readonly headersTimeoutMs?: number;
  /** Milliseconds within which the whole of it must have come; default 30,000. */
  readonly requestTimeoutMs?: number;
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
/** How often Node looks whether a request takes too long. */
const LOOK_EVERY_MS = 500;
/** For `/ready`. */
const READY_MS = 1500;

/** By our own codes; everything else is our fault, and says nothing about itself. */
const statusOf: Readonly<Record<ServeErrorCode | AuditErrorCode, number>> = {
  ERR_REQUEST: 400,
  ERR_UNAUTHENTICATED: 401,
  ERR_FORBIDDEN: 403,
  ERR_NOT_FOUND: 404,
  ERR_CONFLICT: 409,
  ERR_UNRECORDED: 503,
  ERR_BUSY: 503,
  ERR_UNCONFIRMED: 503,
  // Nobody hears it.
  ERR_ABANDONED: 499,
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
  const { service, keys, version, maxInFlight = 128, perMinute = 120_000, logLevel = 'info' } = options;
  const { headersTimeoutMs = 10_000, requestTimeoutMs = 30_000 } = options;
  const app = Fastify({
    logger: logLevel === 'silent' ? false : { level: logLevel, stream: process.stderr, base: null },
    // Its request lines carry addresses.
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
  let draining = false;

  app.addHook('onRequest', async (request, reply) => {
    void reply.headers(securityHeaders);
    if (!isCounted(request)) return;
    load.arrive(request.raw, reply.raw);
    return Promise.resolve();
  });
  // The whole request has come, and who asks is known.
  app.addHook('preValidation', async (request, reply) => {
    if (isCounted(request)) load.work(request.raw, reply.raw, nameOf(request));
    return Promise.resolve();
  });
  app.addHook('onSend', async (_, reply) => {
    // Whoever keeps his connection would ask on one that ends.
    if (draining) void reply.header('connection', 'close');
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
  meters.inFlight.collect = () => meters.inFlight.set(load.inFlight);
  app.addHook('preClose', async () => {
    draining = true;
    // A connection on which nobody has asked yet is not idle to Node, and would be waited for until it times out.
    const look = setInterval(() => {
      if (load.inFlight > 0) return;
      clearInterval(look);
      app.server.closeAllConnections();
    }, 100);
    return Promise.resolve();
  });

  app.setErrorHandler((error, request, reply) => {
    if (isShed(error)) meters.shed.inc();
    return answerError(error, request, reply);
  });
  await app.register(rateLimit, {
    max: perMinute,
    timeWindow: 60_000,
    hook: 'preHandler',
    keyGenerator: nameOf,
    allowList: (request) => request.routeOptions.config.open === true || isFile(request),
    errorResponseBuilder: (_, { ttl }) =>
      Object.assign(new Error(`too many requests with this token: again in ${Math.ceil(ttl / 1000)} s`), {
        statusCode: 429,
      }),
  });

  const routes = apiRoutes({ service, runs: options.runs });
  for (const route of routes) addRoute(app, route, keys, load);
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
  await addPage(app, options.tiles ?? null, options.attribution ?? '', (example) => service.example(example));
  app.get('/health', { config: { open: true } }, (_, reply) => reply.send({ status: 'ok', version }));
  app.get('/ready', { config: { open: true } }, async (_, reply) => {
    const database = await service.pool
      .ask(async (sql) => sql`select 1`, READY_MS)
      .then(
        () => true,
        () => false,
      );
    const ready = database && !draining;
    if (!ready) void reply.header('retry-after', '1');
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

/** Whom a request counts for: an account of a company, whichever of its tokens is used. */
function nameOf(request: FastifyRequest): string {
  const caller = callers.get(request);
  return `${String(caller?.companyId)}/${String(caller?.subject)}`;
}

/** What counts as load: all but what watches over the service, and the dashboard's files. */
function isCounted(request: FastifyRequest): boolean {
  return request.routeOptions.config.open !== true && !request.is404 && !isFile(request);
}

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

function addRoute(app: FastifyInstance, route: Route, keys: KeyRing, load: Load): void {
  const { method, roles, handle, bodyLimit = SMALL_BODY } = route;
  const checkBody = bodyChecker(route.body);
  const readQuery = wordsReader(route.query);
  const readParams = wordsReader(route.params);
  app.route({
    method,
    url: route.path,
    bodyLimit,
    // Before the body is read: who has no business here sends no megabytes.
    onRequest: async (request, reply) => {
      const caller = await keys.callerOf(bearer(request));
      requireRole(caller, roles);
      callers.set(request, caller);
      load.receive(request.raw, reply.raw, nameOf(request), bodyLimit);
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

function answerError(error: unknown, request: FastifyRequest, reply: FastifyReply): FastifyReply {
  const told = toldOf(error, request);
  if (told.status === 401) void reply.header('www-authenticate', 'Bearer');
  if (told.status === 503 && !reply.hasHeader('retry-after')) void reply.header('retry-after', '1');
  if (told.status >= 500 && !(error instanceof Overloaded)) {
    // The whole story is for the log; values of fields are not in it.
    const { name, code, stack, cause } = error as Error & { code?: unknown };
    request.log.error({ name, code, stack, cause: (cause as Error | undefined)?.message }, 'failed');
  }
  return tell(reply, told);
}

/** Our own words about what is over for the moment. */
const ours: readonly string[] = ['ERR_UNRECORDED', 'ERR_BUSY', 'ERR_UNCONFIRMED'];

function toldOf(error: unknown, request: FastifyRequest): Told {
  if (error instanceof Overloaded) {
    const message = `overloaded, ${error.message}: come again in a second`;
    return { status: 503, code: 'ERR_OVERLOADED', message };
  }
  if (error instanceof ServeError || error instanceof AuditError) {
    const status = statusOf[error.code];
    const { path, faults } = error instanceof ServeError ? error : {};
    if (status < 500 || ours.includes(error.code)) {
      const where = { ...(path === undefined ? {} : { path }), ...(faults === undefined ? {} : { faults }) };
      return { status, code: error.code, message: error.message, ...where };
    }
    // What the database says about itself is nobody's business.
    if (status !== 503) return { status, code: error.code, message: 'the service cannot do this now' };
    const message =
      error.code === 'ERR_DEADLINE' && request.method !== 'GET'
        ? 'the record did not answer in time: whether this was taken is not known, look before you ask again'
        : 'the record cannot be reached now: come again in a second';
    return { status, code: error.code, message };
  }
  const { statusCode, code, message } = error as { statusCode?: number; code?: string; message: string };
  if (statusCode !== undefined && statusCode >= 400 && statusCode < 500) {
    // Fastify's own: a body that is no JSON, too large, of another type; or too many requests.
    const words = own(code, message, request);
    return { status: statusCode, code: statusCode === 429 ? 'ERR_RATE' : 'ERR_REQUEST', message: words };
  }
  return { status: 500, code: 'ERR_INTERNAL', message: 'something went wrong here; it has been logged' };
}

function own(code: string | undefined, message: string, { routeOptions }: FastifyRequest): string {
  switch (code) {
    case 'FST_ERR_CTP_INVALID_MEDIA_TYPE':
      return 'the body must be JSON: send content-type application/json';
    case 'FST_ERR_CTP_BODY_TOO_LARGE': {
      const { bodyLimit } = routeOptions;
      const remedy =
        bodyLimit === LARGE_BODY
          ? 'a table of 1,200 places with durations and distances fits in it: send fewer places, fewer tables by time, or whole numbers'
          : 'send less at once';
      return `the body is too large: up to ${mebibytes(bodyLimit)} are taken here; ${remedy}`;
    }
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
