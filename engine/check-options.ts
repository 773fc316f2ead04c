// Checks at the edge: whole numbers, choices, and names of options. Each error says what was found and what would be right.

import { EngineError } from './errors.js';

/** @throws EngineError `ERR_OPTION` unless `value` is a whole number within [min, max] */
export function wholeNumber(name: string, value: unknown, min: number, max: number = Number.MAX_SAFE_INTEGER): void {
  if (Number.isSafeInteger(value) && (value as number) >= min && (value as number) <= max) return;
  const bound = max === Number.MAX_SAFE_INTEGER ? `of at least ${min}` : `from ${min} to ${max}`;
  throw new EngineError('ERR_OPTION', `${name} is ${shown(value)}: it must be a whole number ${bound}`);
}

/** @throws EngineError `ERR_OPTION` unless `value` is one of `allowed` */
export function oneOf(name: string, value: unknown, allowed: readonly string[]): void {
  if (typeof value === 'string' && allowed.includes(value)) return;
  throw new EngineError('ERR_OPTION', `${name} is ${shown(value)}: choose one of ${allowed.join(', ')}`);
}

/**
 * @param where what `value` is, as a path or a call
 * @param how   how it is given rightly
 * @throws EngineError `ERR_OPTION` unless `value` is an object with no members but `known`; names the nearest known one
 */
export function knownMembers(where: string, value: unknown, known: readonly string[], how = 'an object'): void {
  if (typeof value !== 'object' || value === null || Array.isArray(value) || ArrayBuffer.isView(value)) {
    throw new EngineError('ERR_OPTION', `${where} is ${shown(value)}: expected ${how}`);
  }
  for (const name of Object.keys(value)) {
    if (known.includes(name)) continue;
    const near = nearest(name, known);
    throw new EngineError(
      'ERR_OPTION',
      `${where} has an unknown member "${name}"${near === null ? '' : `: did you mean "${near}"?`} (known are ${known.join(', ')})`,
    );
  }
}

/** The one of `known` that `name` is most probably meant to be: the same letters, or few edits away; else null. */
export function nearest(name: string, known: readonly string[]): string | null {
  const letters = (text: string): string => text.toLowerCase().replace(/[^a-z0-9]/g, '');
  const meant = letters(name);
  let best: string | null = null;
  // More than a third of the letters wrong is another word.
  let least = Math.floor(meant.length / 3) + 1;
  for (const candidate of known) {
    const edits = distance(meant, letters(candidate));
    if (edits < least) {
      least = edits;
      best = candidate;
    }
  }
  return best;
}

/** Insertions, deletions and substitutions between two words (Levenshtein 1966). */
function distance(a: string, b: string): number {
  let row = Array.from({ length: b.length + 1 }, (_, k) => k);
  for (let i = 1; i <= a.length; i++) {
    const next = [i];
    for (let j = 1; j <= b.length; j++) {
      next.push(Math.min(row[j] + 1, next[j - 1] + 1, row[j - 1] + (a[i - 1] === b[j - 1] ? 0 : 1)));
    }
    row = next;
  }
  return row[b.length];
}

/** A value in an error: short, and never a whole structure. */
export function shown(value: unknown): string {
  if (value === undefined) return 'missing';
  if (value === null) return 'null';
  if (typeof value === 'string') return JSON.stringify(value.length > 40 ? `${value.slice(0, 40)}...` : value);
  if (typeof value === 'number' || typeof value === 'boolean' || typeof value === 'bigint') return String(value);
  const kind = kindOf(value);
  return `${/^[AEIO]/.test(kind) ? 'an' : 'a'} ${kind}`;
}

/** Name of the kind of an object, of whatever realm: `Int32Array`, `Array`, `Object`, ... */
export function kindOf(value: unknown): string {
  return Object.prototype.toString.call(value).slice(8, -1);
}
