// What several groups of routes share: roles, and rules of query parameters.

import { optional } from '../advise/rules.js';
import type { Rule } from '../advise/rules.js';
import type { Role } from './auth.js';

/** Every role. */
export const everyone: readonly Role[] = ['admin', 'dispatcher', 'viewer'];
/** Roles that may request recommendations and record outcomes. */
export const dispatchers: readonly Role[] = ['admin', 'dispatcher'];
/** Roles that may see autonomous actions and change their controls. */
export const admins: readonly Role[] = ['admin'];

/** A decision's id: a UUID in lower case. */
export const uuid = {
  type: 'string',
  pattern: /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/,
} as const satisfies Rule;
/** An id of the record, or a page number: whole, from 1. */
export const number = {
  type: 'number',
  integer: true,
  min: 1,
  max: Number.MAX_SAFE_INTEGER,
} as const satisfies Rule;
/** The query parameter of every route that belongs to a company. */
export const company = {
  company_id: optional(number, 'Which company; only an admin of all companies may choose'),
};
