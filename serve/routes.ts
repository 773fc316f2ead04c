// What a route is: method, path, roles, schemas of request and answer, and handler. The server and the OpenAPI document are both
// made from these.

import { shownJson } from '../engine/index.js';
import type { Caller, Role } from './auth.js';
import { ServeError } from './errors.js';
import { compile, refuse } from '../advise/schema.js';
import type { ObjectOf, Props, Rule } from '../advise/rules.js';
import type { Fault } from '../advise/schema.js';

/** What the header Idempotency-Key must match. */
export const KEY: RegExp = /^[\w.:-]{1,100}$/;

/** A request, as a route's handler sees it; types follow from the schemas of query, path and body. */
export interface RouteContext<Q = unknown, P = unknown, B = unknown> {
  /** Who sent it. */
  readonly caller: Caller;
  /** Parameters of the path, by name. */
  readonly params: P;
  /** Parameters of the query, with the types of the route's `query`. */
  readonly query: Q;
  /** The body, checked against the route's `body`; `unknown` if the route has none. */
  readonly body: B;
  /** The header Idempotency-Key; null if it is absent. */
  readonly idempotencyKey: string | null;
  /** The caller's company; for an admin of all companies the query's `company_id`, undefined if that is absent. */
  readonly companyId: number | undefined;
  /** `companyId`, where a company is required. @throws ServeError `ERR_REQUEST` */
  company(): number;
  /** For a request that may wait for a thread: its account, and a signal that aborts when its client disconnects. */
  readonly way: { readonly signal: AbortSignal; readonly by: string };
}

/** What may be sent for a value of this type: JSON writes a Date as a string. */
export type Sent<T> = T extends string
  ? string extends T
    ? T | Date
    : T
  : T extends readonly (infer Item)[]
    ? readonly Sent<Item>[]
    : T extends object
      ? { readonly [K in keyof T]: Sent<T[K]> }
      : T;

/** Values of the type that a schema says; `unknown` without a schema. */
type Values<P extends Props> = string extends keyof P ? unknown : ObjectOf<P>;

/** A route without its answer's schema, whose handler is checked against the schemas of query, path, body and answer. */
export interface RouteTo<A extends Props, Q extends Props, P extends Props, B extends Props> extends Omit<
  Route,
  'answer' | 'query' | 'params' | 'body' | 'handle'
> {
  readonly query?: Q;
  readonly params?: P;
  readonly body?: B;
  readonly handle: (
    context: RouteContext<Values<Q>, Values<P>, Values<B>>,
  ) => Sent<ObjectOf<A>> | Promise<Sent<ObjectOf<A>>>;
}

/**
 * `answering(schema)(route)` is a route whose answer has that schema: its handler must take what the route's schemas allow, and
 * return what `schema` says. In two calls, so that the compiler knows the answer's type when it looks at the handler.
 */
export function answering<A extends Props>(
  answer: A,
): <Q extends Props = Props, P extends Props = Props, B extends Props = Props>(route: RouteTo<A, Q, P, B>) => Route {
  return (route) => ({ ...route, answer }) as unknown as Route;
}

/** A route. */
export interface Route {
  /** HTTP method. */
  readonly method: 'GET' | 'POST' | 'PUT';
  /** Path, with `:name` for parameters. */
  readonly path: string;
  /** Roles that may use it, at least one. */
  readonly roles: readonly Role[];
  /** One line for the OpenAPI document. */
  readonly summary: string;
  /** Group in the OpenAPI document. */
  readonly tag: string;
  /** Rules of the path's parameters. */
  readonly params?: Props;
  /** Rules of the query's parameters. */
  readonly query?: Props;
  /** Rules of the body's members. */
  readonly body?: Props;
  /** Bytes; default 64 KiB. */
  readonly bodyLimit?: number;
  /** The body in the OpenAPI document, where the handler checks more than `body` does. */
  readonly documented?: Props;
  /** Schema of the answer. */
  readonly answer: Props;
  /** Schema of another form of the answer, for those who ask for it. */
  readonly otherAnswer?: Props;
  /** Whether it takes the header Idempotency-Key. */
  readonly idempotent?: boolean;
  /** Computes the answer, which is sent as JSON. */
  readonly handle: (context: RouteContext) => unknown;
}

/** @returns a function that checks a body against `props`, and throws AdviseError `ERR_REQUEST`; undefined: no check */
export function bodyChecker(props: Props | undefined): (body: unknown) => void {
  if (props === undefined) return () => undefined;
  const check = compile(props);
  return (body) => refuse(check(body));
}

/** @returns a function that turns the texts of a query or path into values of their types, and throws AdviseError `ERR_REQUEST` */
export function wordsReader(props: Props = {}): (words: Readonly<Record<string, unknown>>) => Record<string, unknown> {
  const check = compile(props);
  return (words) => {
    // From entries, so that even a name such as __proto__ is checked.
    const entries = Object.entries(words).map(([name, word]) => {
      if (typeof word !== 'string') {
        refuse({ path: name, message: `is ${shownJson(word)}: give it once` });
        return [name, word] as const;
      }
      return [name, Object.hasOwn(props, name) ? valueOf(props[name], word) : word] as const;
    });
    const values: Record<string, unknown> = Object.fromEntries(entries);
    const fault: Fault | null = check(values);
    refuse(fault);
    return values;
  };
}

function valueOf(rule: Rule, word: string): unknown {
  // A text that does not look like its type stays a text, which the check refuses.
  if (rule.type === 'number' && /^-?\d{1,16}(\.\d{1,9})?$/.test(word)) return Number(word);
  if (rule.type === 'boolean' && /^(true|false)$/.test(word)) return word === 'true';
  return word;
}

/** @throws ServeError `ERR_FORBIDDEN` if the caller's role is not among `allowed` */
export function requireRole({ role }: Caller, allowed: readonly Role[]): void {
  if (!allowed.includes(role)) {
    throw new ServeError('ERR_FORBIDDEN', `the role ${role} may not do this: it needs ${allowed.join(' or ')}`);
  }
}
