// Checks of what callers pass in: the first fault, with its field, its value and what is expected.

import { inspect } from 'node:util';
import FastestValidator from 'fastest-validator';
import type { ValidationError, ValidationSchema } from 'fastest-validator';
import { AuditError } from './errors.js';

// The package's types describe its ES module, Node gets its CommonJS one.
const validator = new (FastestValidator as unknown as typeof FastestValidator.default)({ haltOnFirstError: true });

export function compileFields(schema: ValidationSchema): (value: unknown) => unknown {
  return validator.compile(schema) as (value: unknown) => unknown;
}

/** As it was given: JSON would show NaN as null, and throws for a bigint or an object that holds itself. */
function shown(value: unknown): string {
  return typeof value === 'string' ? JSON.stringify(value) : inspect(value, { depth: 2, breakLength: Infinity });
}

/** @throws AuditError `ERR_FIELD` naming field, value and what is expected */
export function refuseFaults(what: string, result: unknown): void {
  if (result === true) return;
  const [{ field, actual, message = 'is not allowed' }] = result as ValidationError[];
  const text = shown(actual);
  throw new AuditError(
    'ERR_FIELD',
    `${what} field "${field}" is ${text.length > 80 ? `${text.slice(0, 77)}...` : text}: ${message}`,
  );
}
