// The words of the record: types and statuses of actions, modes, limits and periods. Constants only, without imports, so that a
// browser's program can use their types.

/** What an action can be. */
export const actionTypes = [
  'assign',
  'reassign',
  'notify_customer',
  'adjust_time',
  'redistribute',
  'reoptimize',
] as const;
/** One of `actionTypes`. */
export type ActionType = (typeof actionTypes)[number];

/** States of an action on record. */
export const actionStatuses = ['intended', 'succeeded', 'failed', 'refused', 'unknown', 'dry_run'] as const;
/** One of `actionStatuses`. */
export type ActionStatus = (typeof actionStatuses)[number];

/** What software may do: MANUAL nothing, SEMI_AUTO what a person approved, FULLY_AUTO what the rules allow. */
export const modes = ['MANUAL', 'SEMI_AUTO', 'FULLY_AUTO'] as const;
/** One of `modes`. */
export type Mode = (typeof modes)[number];

/** What a limit counts: all actions, those of one type, or those of each driver. */
export const limitScopes = ['all', ...actionTypes, 'driver'] as const;
/** One of `limitScopes`. */
export type LimitScope = (typeof limitScopes)[number];
/** Periods of limits. */
export const periods = ['hour', 'day'] as const;
/** One of `periods`. */
export type Period = (typeof periods)[number];
/** `bucket` refills evenly; `window` counts the actions of the latest period. */
export const limitKinds = ['bucket', 'window'] as const;
/** One of `limitKinds`. */
export type LimitKind = (typeof limitKinds)[number];

/** Periods of statistics. */
export const statisticsPeriods = ['hour', 'day', 'week', 'month'] as const;
/** One of `statisticsPeriods`. */
export type StatisticsPeriod = (typeof statisticsPeriods)[number];
