// Names of members in answers: snake_case, as in requests and in the record.

/** `autoAssign` as `auto_assign`, in types. */
export type SnakeName<N> = N extends `${infer Letter}${infer Rest}`
  ? Letter extends Lowercase<Letter>
    ? `${Letter}${SnakeName<Rest>}`
    : `_${Lowercase<Letter>}${SnakeName<Rest>}`
  : N;

/** The type of `snake` of a value. */
export type Snake<T> = T extends Date
  ? T
  : T extends readonly (infer Item)[]
    ? readonly Snake<Item>[]
    : T extends object
      ? { readonly [K in keyof T as SnakeName<K>]: Snake<T[K]> }
      : T;

/** The same value with member names in snake_case, at all depths; dates stay. Not for maps whose keys a caller chose. */
export function snake<T>(value: T): Snake<T> {
  return renamed(value) as Snake<T>;
}

function renamed(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(renamed);
  if (typeof value !== 'object' || value === null || value instanceof Date) return value;
  return Object.fromEntries(Object.entries(value).map(([name, member]) => [snakeName(name), renamed(member)]));
}

/** `autoAssign` as `auto_assign`. */
export function snakeName(name: string): string {
  return name.replace(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`);
}
