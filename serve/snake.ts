// Names of members in answers: snake_case, as in requests and in the record.

/** The same value with member names in snake_case, at all depths; dates stay. Not for maps whose keys a caller chose. */
export function snake(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(snake);
  if (typeof value !== 'object' || value === null || value instanceof Date) return value;
  return Object.fromEntries(Object.entries(value).map(([name, member]) => [snakeName(name), snake(member)]));
}

/** `autoAssign` as `auto_assign`. */
export function snakeName(name: string): string {
  return name.replace(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`);
}
