// The OpenAPI 3.1 document, generated from the routes: it shows the same schemas that check requests and type answers.

import { KEY } from './routes.js';
import type { Route } from './routes.js';
import { jsonSchema, objectSchema } from '../advise/schema.js';
import type { Props } from '../advise/rules.js';

const problems: Readonly<Record<string, string>> = {
  400: 'A field is not allowed; `error.path` names it',
  401: 'The token is missing, expired or not valid',
  403: 'The token’s role may not do this',
  404: 'It does not exist, or belongs to another company',
  409: 'It conflicts with what has happened since, or with another request',
  413: 'The body is too large',
  429: 'Too many requests of this account; see Retry-After',
  503: 'Overloaded, or the database cannot be reached; see Retry-After',
};

/**
 * The OpenAPI document.
 * @param routes  in the order of the document
 * @param version of the package
 */
export function openApi(routes: readonly Route[], version: string): object {
  const paths: Record<string, Record<string, unknown>> = {};
  for (const route of routes) {
    const path = route.path.replace(/:(\w+)/g, '{$1}');
    paths[path] = { ...paths[path], [route.method.toLowerCase()]: operation(route) };
  }
  return {
    openapi: '3.1.0',
    info: {
      title: 'fleetstep',
      version,
      description: 'Recommendations for vehicle dispatch, and the record of what was done.',
      license: { name: 'MIT', identifier: 'MIT' },
    },
    // Relative to the address of this document.
    servers: [{ url: '/' }],
    paths,
    components: {
      securitySchemes: { token: { type: 'http', scheme: 'bearer', bearerFormat: 'JWT' } },
      schemas: {
        Problem: {
          type: 'object',
          required: ['error'],
          properties: {
            error: {
              type: 'object',
              required: ['code', 'message'],
              properties: {
                code: { type: 'string' },
                message: { type: 'string' },
                path: { type: 'string' },
                faults: {
                  type: 'array',
                  description: 'Each fault, if there are several',
                  items: {
                    type: 'object',
                    required: ['path', 'message'],
                    properties: { path: { type: 'string' }, message: { type: 'string' } },
                  },
                },
              },
            },
          },
        },
      },
    },
  };
}

function operation(route: Route): object {
  const body = route.documented ?? route.body;
  const problem = { 'application/json': { schema: { $ref: '#/components/schemas/Problem' } } };
  const answer =
    route.otherAnswer === undefined
      ? objectSchema(route.answer)
      : { anyOf: [objectSchema(route.answer), objectSchema(route.otherAnswer)] };
  const codes = Object.keys(problems).filter((code) => {
    if (code === '413') return body !== undefined;
    return code !== '404' || route.path.includes(':');
  });
  return {
    operationId: operationId(route),
    summary: route.summary,
    tags: [route.tag],
    security: [{ token: [] }],
    description: `Roles: ${route.roles.join(', ')}.`,
    parameters: [
      ...parameters('path', route.params),
      ...parameters('query', route.query),
      ...(route.idempotent === true ? [idempotencyKey] : []),
    ],
    ...(body === undefined
      ? {}
      : { requestBody: { required: true, content: { 'application/json': { schema: objectSchema(body) } } } }),
    responses: {
      200: { description: 'Done', content: { 'application/json': { schema: answer } } },
      ...Object.fromEntries(codes.map((code) => [code, { description: problems[code], content: problem }])),
    },
  };
}

/** `getDecisionsByIdReplay` for GET /v1/decisions/:id/replay: the method's name in generated clients. */
function operationId({ method, path }: Route): string {
  const words = path
    .replace(/^\/(v1|api)\//, '')
    .replace(/:/g, 'by-')
    .split(/[/-]/);
  return method.toLowerCase() + words.map((word) => word[0].toUpperCase() + word.slice(1)).join('');
}

const idempotencyKey = {
  name: 'Idempotency-Key',
  in: 'header',
  required: false,
  description: 'A retry with the same key and body gets the same answer, and no action is carried out twice',
  schema: { type: 'string', pattern: KEY.source },
};

function parameters(place: 'path' | 'query', props: Props = {}): object[] {
  return Object.entries(props).map(([name, rule]) => ({
    name,
    in: place,
    required: place === 'path' || rule.optional !== true,
    schema: jsonSchema(rule),
  }));
}
