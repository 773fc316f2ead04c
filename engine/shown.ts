// How a value that somebody gave looks in a message.

/** A value as errors show it: short, and for an object only its kind. */
export function shown(value: unknown): string {
  if (value === undefined) return 'missing';
  if (value === null) return 'null';
  if (typeof value === 'string') return JSON.stringify(value.length > 40 ? `${value.slice(0, 40)}...` : value);
  if (typeof value === 'number' || typeof value === 'boolean' || typeof value === 'bigint') return String(value);
  if (typeof value === 'function') return 'a function';
  const kind = kindOf(value);
  return `${/^[AEIO]/.test(kind) ? 'an' : 'a'} ${kind}`;
}

/** As `shown`, but lists and objects as JSON, cut short after `most` characters. */
export function shownJson(value: unknown, most = 60): string {
  if (typeof value !== 'object' || value === null) return shown(value);
  const text = JSON.stringify(value);
  return text.length > most ? `${text.slice(0, most - 3)}...` : text;
}

/** Name of the kind of an object, of whatever realm: `Int32Array`, `Array`, `Object`, ... */
export function kindOf(value: unknown): string {
  return Object.prototype.toString.call(value).slice(8, -1);
}
