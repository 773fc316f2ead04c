// What software wants to do, and the check that it is well formed.

import type { ValidationSchema } from 'fastest-validator';
import { AuditError } from './errors.js';
import { compileFields, refuseFaults } from './fields.js';

export const actionTypes = [
  'assign',
  'reassign',
  'notify_customer',
  'adjust_time',
  'redistribute',
  'reoptimize',
] as const;
export type ActionType = (typeof actionTypes)[number];

/** No personal data: name bookings and drivers by id, and people not at all. */
export interface Intent {
  readonly companyId: number;
  readonly actionType: ActionType;
  /** For people, 1 to 500 characters. */
  readonly description: string;
  readonly bookingId?: number | undefined;
  readonly driverId?: number | undefined;
  /** What exactly will be done; plain JSON. */
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
  /** Decide and record, but do nothing. */
  readonly dryRun?: boolean | undefined;
}

const id = { type: 'number', integer: true, min: 1, max: Number.MAX_SAFE_INTEGER, optional: true } as const;
const text = (max: number): { type: 'string'; min: number; max: number; pattern: RegExp } => ({
  type: 'string',
  min: 1,
  max,
  // PostgreSQL stores no NUL.
  pattern: /^[^\0]*$/,
});
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
  dryRun: { type: 'boolean', optional: true },
};
const check = compileFields(schema);

/** @throws AuditError `ERR_FIELD` naming field, value and what is expected */
export function checkIntent(intent: Intent): void {
  refuseFaults('intent', check(intent));
  // NUL can hide in any string of the data.
  if (intent.data !== undefined && JSON.stringify(intent.data).includes('\\u0000')) {
    throw new AuditError('ERR_FIELD', 'intent field "data" holds a NUL character, which PostgreSQL cannot store');
  }
}
