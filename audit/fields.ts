// Checks of what callers pass in: the first fault, with its field, its value and what is expected.

import { inspect } from 'node:util';
import FastestValidator from 'fastest-validator';
import type { ValidationError, ValidationSchema } from 'fastest-validator';
import { AuditError } from './errors.js';

// The package's types describe its ES module, Node gets its CommonJS one.
const validator = new (FastestValidator as unknown as typeof FastestValidator.default)({ haltOnFirstError: true });

/** A check of a schema of fastest-validator: gives true, or the first fault for `refuseFaults`. */
export function compileFields(schema: ValidationSchema): (value: unknown) => unknown {
  return validator.compile(schema) as (value: unknown) => unknown;
}

/** An id, or none. */
export const id: {
  readonly type: 'number';
  readonly integer: true;
  readonly min: 1;
  readonly max: number;
  readonly optional: true;
} = { type: 'number', integer: true, min: 1, max: Number.MAX_SAFE_INTEGER, optional: true };

/** Yes, no, or none. */
export const flag = { type: 'boolean', optional: true } as const;

/** A text of `min` to `max` characters that PostgreSQL can store: no NUL, and no half of a surrogate pair. */
export const text = (max: number, min = 1): { type: 'string'; min: number; max: number; pattern: RegExp } => ({
  type: 'string',
  min,
  max,
  pattern: /^[^\0\p{Surrogate}]*$/u,
});

/** As it was given: JSON would show NaN as null, and throws for a bigint or an object that holds itself. */
export function shown(value: unknown): string {
  return typeof value === 'string' ? JSON.stringify(value) : inspect(value, { depth: 2, breakLength: Infinity });
}

/** @throws AuditError `ERR_FIELD` naming field, value and what is expected */
export function refuseFaults(what: string, result: unknown): void {
  if (result === true) return;
  const [{ field, actual, message = 'is not allowed' }] = result as ValidationError[];
  const value = shown(actual);
  throw new AuditError(
    'ERR_FIELD',
    `${what} field "${field}" is ${value.length > 80 ? `${value.slice(0, 77)}...` : value}: ${message}`,
  );
}
