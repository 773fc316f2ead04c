// What a route is: method, path, who may, what it takes, what it does. The server and the OpenAPI document are both made
// from these.

import type { Caller, Role } from './auth.js';
import { ServeError } from './errors.js';
import { compile, refuse, show } from '../advise/schema.js';
import type { Props, Rule } from '../advise/rules.js';
import type { Fault } from '../advise/schema.js';

/** Of the header Idempotency-Key. */
export const KEY: RegExp = /^[\w.:-]{1,100}$/;

export interface RouteContext {
  readonly caller: Caller;
  readonly params: Readonly<Record<string, string>>;
  /** Values of the types that the route's `query` says. */
  readonly query: Readonly<Record<string, unknown>>;
  readonly body: unknown;
  /** Of the header Idempotency-Key. */
  readonly idempotencyKey: string | null;
  /** The caller's company, or for an admin of all the one of the query `company_id`, if given. */
  readonly companyId: number | undefined;
  /** The same where one is needed. @throws ServeError `ERR_REQUEST` */
  company(): number;
  /** How a question for another thread came: whose it is, and whether he is still there. */
  readonly way: { readonly signal: AbortSignal; readonly by: string };
}

export interface Route {
  readonly method: 'GET' | 'POST' | 'PUT';
  /** With `:name` for parameters. */
  readonly path: string;
  /** Who may; the caller needs no token if empty. */
  readonly roles: readonly Role[];
  readonly summary: string;
  readonly tag: string;
  readonly params?: Props;
  readonly query?: Props;
  readonly body?: Props;
  /** Bytes; default 64 KiB. */
  readonly bodyLimit?: number;
  /** What a body looks like, where `body` checks less than it shows. */
  readonly documented?: Props;
  /** What it answers. */
  readonly answer: Props;
  /** It takes a header Idempotency-Key. */
  readonly idempotent?: boolean;
  readonly handle: (context: RouteContext) => unknown;
}

/** @returns a function that checks a body as far as the route says @throws ServeError */
export function bodyChecker(props: Props | undefined): (body: unknown) => void {
  if (props === undefined) return () => undefined;
  const check = compile(props);
  return (body) => refuse(check(body));
}

/** @returns a function that turns a query's or path's words into values @throws ServeError */
export function wordsReader(props: Props = {}): (words: Readonly<Record<string, unknown>>) => Record<string, unknown> {
  const check = compile(props);
  return (words) => {
    // From entries, so that even a name such as __proto__ is looked at.
    const entries = Object.entries(words).map(([name, word]) => {
      if (typeof word !== 'string') refuse({ path: name, message: `is ${show(word)}: give it once` });
      return [name, Object.hasOwn(props, name) ? valueOf(props[name], word as string) : word] as const;
    });
    const values: Record<string, unknown> = Object.fromEntries(entries);
    const fault: Fault | null = check(values);
    refuse(fault);
    return values;
  };
}

function valueOf(rule: Rule, word: string): unknown {
  // What does not look like its type stays a word, and is refused as one.
  if (rule.type === 'number' && /^-?\d{1,16}(\.\d{1,9})?$/.test(word)) return Number(word);
  if (rule.type === 'boolean' && /^(true|false)$/.test(word)) return word === 'true';
  return word;
}

export function requireRole({ role }: Caller, allowed: readonly Role[]): void {
  if (!allowed.includes(role)) {
    throw new ServeError('ERR_FORBIDDEN', `the role ${role} may not do this: it takes ${allowed.join(' or ')}`);
  }
}
