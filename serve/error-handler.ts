// The plugin that answers errors: a status, a code and a message for each, without internals of the service.

import type { FastifyPluginCallback, FastifyReply, FastifyRequest } from 'fastify';
import fastifyPlugin from 'fastify-plugin';
import { AdviseError } from '../advise/index.js';
import type { AdviseErrorCode, FieldFault } from '../advise/index.js';
import { AuditError } from '../audit/index.js';
import type { AuditErrorCode } from '../audit/index.js';
import { LARGE_BODY } from './body-limits.js';
import { debug } from './debug.js';
import { ServeError } from './errors.js';
import type { ServeErrorCode } from './errors.js';
import { Overloaded, mebibytes } from './load.js';
import type { Route } from './routes.js';

/** HTTP status of each of our codes. Any other error is a fault of the service: 500, without its message. */
const statusOf: Readonly<Record<AdviseErrorCode | ServeErrorCode | AuditErrorCode, number>> = {
  ERR_REQUEST: 400,
  ERR_UNAUTHENTICATED: 401,
  ERR_FORBIDDEN: 403,
  ERR_NOT_FOUND: 404,
  ERR_CONFLICT: 409,
  ERR_UNRECORDED: 503,
  ERR_BUSY: 503,
  ERR_UNCONFIRMED: 503,
  // The client has disconnected; the status is for the log.
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

interface Problem {
  readonly status: number;
  readonly code: string;
  readonly message: string;
  readonly path?: string;
  readonly faults?: readonly FieldFault[];
}

/** Options of the plugin `errorHandler`. */
export interface ErrorHandlerOptions {
  /** All routes: an address that exists with another method is answered with 405. */
  readonly routes: readonly Route[];
  /** Called for each request that was shed. */
  readonly onShed: () => void;
}

/** Answers errors, unknown addresses (404) and methods that an address does not take (405). */
export const errorHandler: FastifyPluginCallback<ErrorHandlerOptions> = fastifyPlugin(
  (app, { routes, onShed }: ErrorHandlerOptions, done: () => void) => {
    app.setErrorHandler((error, request, reply) => {
      if (isShed(error)) {
        onShed();
        debug('shed %s %s: %s', request.method, request.routeOptions.url, error.message);
      }
      return answerError(error, request, reply);
    });
    const addresses = routes.map(({ path, method }) => ({
      pattern: new RegExp(`^${path.replace(/:\w+/g, '[^/]+')}$`),
      method,
    }));
    app.setNotFoundHandler(({ method, url }, reply) => {
      const [path] = url.split('?');
      const others = addresses.filter(({ pattern }) => pattern.test(path)).map((one) => one.method);
      if (others.length === 0) {
        return send(reply, { status: 404, code: 'ERR_NOT_FOUND', message: 'no such address: see /openapi.json' });
      }
      const allowed = others.join(', ');
      void reply.header('allow', allowed);
      return send(reply, {
        status: 405,
        code: 'ERR_REQUEST',
        message: `this address does not take ${method}: use ${allowed}`,
      });
    });
    done();
  },
);

/** Whether a request was rejected because of load; that is no fault of the service. */
function isShed(error: unknown): error is Error {
  return error instanceof Overloaded || (error instanceof ServeError && error.code === 'ERR_BUSY');
}

function answerError(error: unknown, request: FastifyRequest, reply: FastifyReply): FastifyReply {
  const problem = problemOf(error, request);
  if (problem.status === 401) void reply.header('www-authenticate', 'Bearer');
  if (problem.status === 503 && !reply.hasHeader('retry-after')) void reply.header('retry-after', '1');
  if (problem.status >= 500 && !(error instanceof Overloaded)) {
    // The log gets stack and cause; neither contains values of the request.
    const { name, code, stack, cause } = error as Error & { code?: unknown };
    request.log.error({ name, code, stack, cause: (cause as Error | undefined)?.message }, 'failed');
  }
  return send(reply, problem);
}

/** Codes of 503 whose message is for the caller; that of another one may contain what the database says about itself. */
const ours: readonly string[] = ['ERR_UNRECORDED', 'ERR_BUSY', 'ERR_UNCONFIRMED'];

function problemOf(error: unknown, request: FastifyRequest): Problem {
  if (error instanceof Overloaded) {
    const message = `overloaded, ${error.message}: retry after 1 s`;
    return { status: 503, code: 'ERR_OVERLOADED', message };
  }
  if (error instanceof AdviseError || error instanceof ServeError || error instanceof AuditError) {
    const status = statusOf[error.code];
    const path = error instanceof AuditError ? undefined : error.path;
    const faults = error instanceof AdviseError ? error.faults : undefined;
    if (status < 500 || ours.includes(error.code)) {
      const where = { ...(path === undefined ? {} : { path }), ...(faults === undefined ? {} : { faults }) };
      return { status, code: error.code, message: error.message, ...where };
    }
    if (status !== 503)
      return { status, code: error.code, message: 'the service cannot do this; the cause is in its log' };
    debug('%s %s: %s %s', request.method, request.routeOptions.url, error.code, error.message);
    const message =
      error.code === 'ERR_DEADLINE' && request.method !== 'GET'
        ? 'the database did not answer in time: the change may or may not have been made; check before you retry'
        : 'the database cannot be reached: retry after 1 s';
    return { status, code: error.code, message };
  }
  const { statusCode, code, message } = error as { statusCode?: number; code?: string; message: string };
  if (statusCode !== undefined && statusCode >= 400 && statusCode < 500) {
    // Fastify's own errors: a body that is not JSON, too large or of another type, or too many requests.
    const own = messageOf(code, message, request);
    return { status: statusCode, code: statusCode === 429 ? 'ERR_RATE' : 'ERR_REQUEST', message: own };
  }
  return { status: 500, code: 'ERR_INTERNAL', message: 'internal error; the cause is in the service’s log' };
}

/** Our message for one of Fastify's errors. */
function messageOf(code: string | undefined, message: string, { routeOptions }: FastifyRequest): string {
  switch (code) {
    case 'FST_ERR_CTP_INVALID_MEDIA_TYPE':
      return 'the body must be JSON: send content-type application/json';
    case 'FST_ERR_CTP_BODY_TOO_LARGE': {
      const { bodyLimit } = routeOptions;
      const remedy =
        bodyLimit === LARGE_BODY
          ? 'a table of 1,200 places with durations and distances fits; send fewer places, fewer tables by time, or whole numbers'
          : 'send less in one request';
      return `the body is too large: the limit of this address is ${mebibytes(bodyLimit)}; ${remedy}`;
    }
    case 'FST_ERR_CTP_EMPTY_JSON_BODY':
      return 'the body is empty: expected a JSON object';
    case 'FST_ERR_CTP_INVALID_JSON_BODY':
      return 'the body is not valid JSON';
    default:
      return message;
  }
}

function send(reply: FastifyReply, { status, ...error }: Problem): FastifyReply {
  return reply.code(status).type('application/json; charset=utf-8').send(JSON.stringify({ error }));
}
