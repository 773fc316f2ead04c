// What software wants to do, and the check that it is well formed.

import type { ValidationSchema } from 'fastest-validator';
import { AuditError } from './errors.js';
import { compileFields, id, refuseFaults, text } from './fields.js';
import { timeOf } from './times.js';
import { actionTypes } from './vocabulary.js';
import type { ActionType } from './vocabulary.js';

/** No personal data: name bookings and drivers by id, and people not at all. */
export interface Intent {
  readonly companyId: number;
  readonly actionType: ActionType;
  /** For people, 1 to 500 characters. */
  readonly description: string;
  readonly bookingId?: number | undefined;
  readonly driverId?: number | undefined;
  /** What exactly will be done; plain JSON: objects, arrays, texts, finite numbers, true, false and null. */
  readonly data?: Readonly<Record<string, unknown>> | undefined;
  /** 0..1 */
  readonly confidenceScore?: number | undefined;
  readonly expectedImprovementMinutes?: number | undefined;
  /** What made the software act: a policy, a schedule, an event. */
  readonly triggerSource: string;
  /** For `adjust_time`: by how many minutes; the sign does not matter to the rule. */
  readonly delayMinutes?: number | undefined;
  /** The person who approved it. */
  readonly approvedBy?: string | undefined;
  /** Whoever tries again passes the same key: under one key nothing is done twice. Default: a new one. */
  readonly idempotencyKey?: string | undefined;
  /**
   * For `assign` and `reassign`: refuse if an action under another key has assigned the booking at or after this moment. The
   * statement that admits the action decides, so that of two who decided on the same state one acts.
   */
  readonly unlessAssignedSince?: Date | undefined;
  /** Decide and record, but do nothing. */
  readonly dryRun?: boolean | undefined;
}

const schema: ValidationSchema = {
  $$strict: true,
  companyId: { ...id, optional: false },
  actionType: { type: 'enum', values: [...actionTypes] },
  description: text(500),
  bookingId: id,
  driverId: id,
  data: { type: 'object', optional: true },
  confidenceScore: { type: 'number', min: 0, max: 1, optional: true },
  expectedImprovementMinutes: { type: 'number', optional: true },
  triggerSource: text(100),
  delayMinutes: { type: 'number', optional: true },
  approvedBy: { ...text(200), optional: true },
  idempotencyKey: { ...text(200), optional: true },
  unlessAssignedSince: { type: 'date', optional: true },
  dryRun: { type: 'boolean', optional: true },
};
const check = compileFields(schema);

/** @throws AuditError `ERR_FIELD` naming field, value and what is expected */
export function checkIntent(intent: Intent): void {
  refuseFaults('intent', check(intent));
  if (intent.unlessAssignedSince !== undefined) timeOf('unlessAssignedSince', intent.unlessAssignedSince);
  if (intent.data !== undefined) checkPlain('data', intent.data, 0);
}

/** Deeper than anybody means it; a value that holds itself is infinitely deep. */
const DEEPEST = 100;

/**
 * Only what comes back from the record as it went in: JSON would silently make null of NaN, {} of a Map, nothing of a function,
 * and a bigint would throw.
 */
function checkPlain(path: string, value: unknown, depth: number): void {
  const refuse = (shown: string, why: string): never => {
    throw new AuditError('ERR_FIELD', `intent field "${path}" is ${shown}: ${why}`);
  };
  switch (typeof value) {
    case 'string':
      if (/\0/.test(value)) refuse('a text with a NUL character', 'which PostgreSQL cannot store');
      if (/\p{Surrogate}/u.test(value)) refuse('a text with half a surrogate pair', 'which is no Unicode text');
      return;
    case 'number':
      if (!Number.isFinite(value)) refuse(String(value), 'JSON has finite numbers only; give null, or leave it out');
      return;
    case 'boolean':
      return;
    case 'bigint':
      refuse(`${value}n`, 'JSON has no such integers; give a number, or its digits as a text');
      return;
    case 'object':
      break;
    default:
      refuse(`a ${typeof value}`, 'which JSON cannot hold; leave it out');
  }
  if (value === null) return;
  if (depth >= DEEPEST) refuse('too deep', `at most ${DEEPEST} levels, and no value within itself`);
  if (Array.isArray(value)) {
    // By index: holes are undefined, and JSON would make null of them.
    for (let k = 0; k < value.length; k++) checkPlain(`${path}[${k}]`, value[k], depth + 1);
    return;
  }
  const prototype: unknown = Object.getPrototypeOf(value);
  if (prototype !== null && Object.getPrototypeOf(prototype) !== null) {
    refuse(`a ${(value as object).constructor.name}`, 'only plain objects and arrays; give a text or numbers');
  }
  for (const [name, item] of Object.entries(value as object)) {
    if (/[\0\p{Surrogate}]/u.test(name))
      refuse(`with the name ${JSON.stringify(name)}`, 'which PostgreSQL cannot store');
    // An optional field that is not given.
    if (item !== undefined) checkPlain(`${path}.${name}`, item, depth + 1);
  }
}
