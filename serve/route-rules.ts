// Words that several groups of routes have in common: who may, and members of queries.

import type { Role } from './auth.js';
import type { Props, Rule } from '../advise/rules.js';

/** Whoever has a token. */
export const everyone: readonly Role[] = ['admin', 'dispatcher', 'viewer'];
/** Who may ask for recommendations, and accept them. */
export const dispatchers: readonly Role[] = ['admin', 'dispatcher'];
/** Who may see and change what is done without a person. */
export const admins: readonly Role[] = ['admin'];

/** A decision's id. */
export const uuid: Rule = { type: 'string', pattern: /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/ };
/** An id of the record, or a page: whole, from 1. */
export const number: Rule = { type: 'number', integer: true, min: 1, max: Number.MAX_SAFE_INTEGER };
/** True or false. */
export const flag: Rule = { type: 'boolean' };
/** The same rule for a member that may be absent. */
export const optional = (rule: Rule, description?: string): Rule =>
  description === undefined ? { ...rule, optional: true } : { ...rule, optional: true, description };
/** The query of all that belongs to a company. */
export const company: Props = { company_id: optional(number, 'For an admin of all companies: which one') };
