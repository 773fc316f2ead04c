// The rules of which schemas are made, and the type that a rule stands for: a field is written once, in its schema, and
// `TypeOf` derives the TypeScript type from it. Types and plain objects only, so that a browser's program can use them.

/** A number, or a short word: how other systems name their vehicles and shipments. */
export type Id = number | string;

/** The part of fastest-validator's rules that is used here, with a `description` for the OpenAPI document. */
export type Rule = {
  /** The member may be absent. */
  readonly optional?: boolean;
  /** The value may be null. */
  readonly nullable?: boolean;
  readonly description?: string;
} & (
  | { readonly type: 'number'; readonly integer?: boolean; readonly min?: number; readonly max?: number }
  | { readonly type: 'string'; readonly min?: number; readonly max?: number; readonly pattern?: RegExp }
  | { readonly type: 'boolean' }
  | { readonly type: 'any' }
  | { readonly type: 'enum'; readonly values: readonly string[] }
  | { readonly type: 'array'; readonly items: Rule; readonly min?: number; readonly max?: number }
  | { readonly type: 'tuple'; readonly items: readonly Rule[] }
  | { readonly type: 'id' }
  | { readonly type: 'object'; readonly strict?: boolean; readonly props: Props }
  | { readonly type: 'record'; readonly key: Rule; readonly value: Rule }
);

/** The members of an object, by their names. */
export type Props = Readonly<Record<string, Rule>>;

/** Only in types: what an `any` holds where its rule does not say so. Nothing has this member at run time. */
declare const holds: unique symbol;

/** A rule that checks nothing, for a value whose type is known otherwise. */
export interface Unchecked<T> {
  /** As of a `Rule`. */
  readonly type: 'any';
  /** Never there: it only carries the type. */
  readonly [holds]?: T;
}

/** The type of the values that a rule allows; `unknown` where the rule itself is not known in detail. */
export type TypeOf<R> = R extends { readonly nullable: true } ? Bare<R> | null : Bare<R>;

/** The type of an object with these members. */
export type ObjectOf<P> = string extends keyof P
  ? Readonly<Record<string, unknown>>
  : Flat<
      { readonly [K in keyof P as IsOptional<P[K]> extends true ? never : K]: TypeOf<P[K]> } & {
        readonly [K in keyof P as IsOptional<P[K]> extends true ? K : never]?: TypeOf<P[K]>;
      }
    >;

type IsOptional<R> = R extends { readonly optional: true } ? true : false;
/** One object in place of an intersection: what an editor shows is then readable. */
type Flat<T> = { [K in keyof T]: T[K] };

// `Rule` itself would go on for ever, as its items are rules.
type Bare<R> = Rule extends R
  ? unknown
  : R extends Unchecked<infer T>
    ? T
    : R extends { readonly type: 'number' }
      ? number
      : R extends { readonly type: 'string' }
        ? string
        : R extends { readonly type: 'boolean' }
          ? boolean
          : R extends { readonly type: 'id' }
            ? Id
            : R extends { readonly type: 'enum'; readonly values: readonly (infer V)[] }
              ? V
              : R extends { readonly type: 'array'; readonly items: infer I }
                ? readonly TypeOf<I>[]
                : R extends { readonly type: 'tuple'; readonly items: infer I }
                  ? { readonly [K in keyof I]: TypeOf<I[K]> }
                  : R extends { readonly type: 'object'; readonly props: infer P }
                    ? ObjectOf<P>
                    : R extends { readonly type: 'record'; readonly value: infer V }
                      ? Readonly<Record<string, TypeOf<V>>>
                      : unknown;

/** A number or a short word. */
export const id = { type: 'id' } as const satisfies Rule;
/** Any string. */
export const text = { type: 'string' } as const satisfies Rule;
/** True or false. */
export const flag = { type: 'boolean' } as const satisfies Rule;
/** A whole number. */
export const whole = { type: 'number', integer: true } as const satisfies Rule;
/** A point in time in words. */
export const date = { type: 'string', description: 'ISO 8601' } as const satisfies Rule;

/** Any number. */
export function number(description?: string): { readonly type: 'number'; readonly description?: string } {
  return { type: 'number', ...describedAs(description) };
}

/** A whole number, as times (seconds) and distances (metres) are. */
export function seconds(description: string): {
  readonly type: 'number';
  readonly integer: true;
  readonly description: string;
} {
  return { type: 'number', integer: true, description };
}

/** One of these words. */
export function oneOf<const V extends readonly string[]>(
  values: V,
  description?: string,
): { readonly type: 'enum'; readonly values: V; readonly description?: string } {
  return { type: 'enum', values, ...describedAs(description) };
}

/** A list of such items. */
export function list<const R extends Rule>(
  items: R,
  description?: string,
): { readonly type: 'array'; readonly items: R; readonly description?: string } {
  return { type: 'array', items, ...describedAs(description) };
}

/** An object of exactly these members. */
export function object<const P extends Props>(
  props: P,
  description?: string,
): { readonly type: 'object'; readonly strict: true; readonly props: P; readonly description?: string } {
  return { type: 'object', strict: true, props, ...describedAs(description) };
}

/** The same, or null. */
export function nullable<const R extends Rule>(rule: R, description?: string): R & { readonly nullable: true } {
  return { ...rule, nullable: true, ...describedAs(description) };
}

/** The same, for a member that may be absent. */
export function optional<const R extends Rule>(rule: R, description?: string): R & { readonly optional: true } {
  return { ...rule, optional: true, ...describedAs(description) };
}

/** Anything at all, null too: what another file, or another check, says. */
export function anything<T = unknown>(
  description?: string,
): Unchecked<T> & { readonly nullable: true; readonly description?: string } {
  return { type: 'any', nullable: true, ...describedAs(description) };
}

function describedAs(description: string | undefined): { readonly description?: string } {
  return description === undefined ? {} : { description };
}
