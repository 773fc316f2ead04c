// Checks of arguments: whole numbers, choices, and names of options. Each error says what was found and what was expected.

import { EngineError } from './errors.js';
import { nearest } from './nearest-name.js';

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

/** Name of the kind of an object, of whatever realm: `Int32Array`, `Array`, `Object`, ... */
export function kindOf(value: unknown): string {
  return Object.prototype.toString.call(value).slice(8, -1);
}
