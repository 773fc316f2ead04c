// Names of members in answers: with underscores, as requests and the record have them.

/** Our own objects, at all depths; dates stay as they are. Not for what a caller has named: maps by profile or by policy. */
export function snake(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(snake);
  if (typeof value !== 'object' || value === null || value instanceof Date) return value;
  return Object.fromEntries(Object.entries(value).map(([name, member]) => [snakeName(name), snake(member)]));
}

export function snakeName(name: string): string {
  return name.replace(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`);
}
