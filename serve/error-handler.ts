// A plugin that tells what went wrong: a status and a code for each error, and words that say nothing about the inside.

import type { FastifyPluginCallback, FastifyReply, FastifyRequest } from 'fastify';
import fastifyPlugin from 'fastify-plugin';
import { AdviseError } from '../advise/index.js';
import type { AdviseErrorCode, FieldFault } from '../advise/index.js';
import { AuditError } from '../audit/index.js';
import type { AuditErrorCode } from '../audit/index.js';
import { LARGE_BODY } from './body-limits.js';
import { ServeError } from './errors.js';
import type { ServeErrorCode } from './errors.js';
import { Overloaded, mebibytes } from './load.js';
import type { Route } from './routes.js';

/** By our own codes; everything else is our fault, and says nothing about itself. */
const statusOf: Readonly<Record<AdviseErrorCode | ServeErrorCode | AuditErrorCode, number>> = {
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

export interface ErrorHandlerOptions {
  /** For addresses that take another method. */
  readonly routes: readonly Route[];
  /** Is told of each request that was too much for now. */
  readonly onShed: () => void;
}

/** Answers errors, and addresses and methods that there are not. */
export const errorHandler: FastifyPluginCallback<ErrorHandlerOptions> = fastifyPlugin(
  (app, { routes, onShed }: ErrorHandlerOptions, done: () => void) => {
    app.setErrorHandler((error, request, reply) => {
      if (isShed(error)) onShed();
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
    done();
  },
);

/** What is too much for now, and no fault. */
function isShed(error: unknown): boolean {
  return error instanceof Overloaded || (error instanceof ServeError && error.code === 'ERR_BUSY');
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
  if (error instanceof AdviseError || error instanceof ServeError || error instanceof AuditError) {
    const status = statusOf[error.code];
    const path = error instanceof AuditError ? undefined : error.path;
    const faults = error instanceof AdviseError ? error.faults : undefined;
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
