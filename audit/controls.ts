// What an admin sets: mode, rules, switches, limits. Every change is in the company's ledger with who made it.

import type { ValidationSchema } from 'fastest-validator';
import type { Connection } from './connection.js';
import { databaseError } from './database.js';
import { AuditError } from './errors.js';
import { compileFields, flag, refuseFaults } from './fields.js';
import { limitKinds, limitScopes, modes, periods } from './vocabulary.js';
import type { ActionType, LimitKind, LimitScope, Mode, Period } from './vocabulary.js';

/** What a company lets software do. `configure` changes it; the defaults are those of a new company: MANUAL, and everything off. */
export interface Settings {
  readonly mode: Mode;
  /** The rules of FULLY_AUTO, by action type; `redistribute` has none, it never acts alone. */
  readonly autoAssign: boolean;
  readonly autoReassign: boolean;
  readonly autoNotifyCustomer: boolean;
  readonly autoAdjustTime: boolean;
  readonly autoReoptimize: boolean;
  /** The longest delay, in minutes, that `adjust_time` decides alone; default 30. */
  readonly adjustTimeMaxMinutes: number;
  /** Decide and record, but do nothing. */
  readonly dryRun: boolean;
  /** The company's kill switch. */
  readonly stopped: boolean;
  /** So many failures in a row stop an action type; 0: never. */
  readonly breakerFailures: number;
  /** Whoever asked for an action may approve it himself; default false: somebody else must. */
  readonly ownApproval: boolean;
}

/** One limit as it is to be. */
export interface LimitChange {
  readonly scope: LimitScope;
  readonly per: Period;
  /**
   * `bucket` refills evenly, and may admit up to twice its capacity within its first period; `window` never exceeds it.
   * Default: as it is, and `bucket` for one that is new.
   */
  readonly kind?: LimitKind | undefined;
  /** Actions per period; what was taken stays taken. null takes a driver limit away. */
  readonly capacity: number | null;
}

/** A limit with what is left of it. */
export interface Gauge {
  /** `all`, an action type, `driver` (what each driver starts with), or `driver/<id>`. */
  readonly scope: string;
  readonly per: Period;
  readonly kind: LimitKind;
  readonly capacity: number;
  /** Whole actions that it would admit now. */
  readonly left: number;
  /** Actions that it has admitted in all. */
  readonly taken: number;
}

/** All that decides what software may do in a company, as `readControls` gives it. */
export interface Controls {
  readonly companyId: number;
  readonly company: string;
  readonly settings: Settings;
  /** The kill switch of all companies. */
  readonly stoppedAll: boolean;
  readonly limits: readonly Gauge[];
  /** Action types that failures have stopped. */
  readonly broken: readonly { readonly actionType: ActionType; readonly failures: number; readonly stoppedAt: Date }[];
}

const columns: Readonly<Record<keyof Settings, string>> = {
  mode: 'mode',
  autoAssign: 'auto_assign',
  autoReassign: 'auto_reassign',
  autoNotifyCustomer: 'auto_notify_customer',
  autoAdjustTime: 'auto_adjust_time',
  autoReoptimize: 'auto_reoptimize',
  adjustTimeMaxMinutes: 'adjust_time_max_minutes',
  dryRun: 'dry_run',
  stopped: 'stopped',
  breakerFailures: 'breaker_failures',
  ownApproval: 'own_approval',
};

const settingsSchema: ValidationSchema = {
  $$strict: true,
  mode: { type: 'enum', values: [...modes], optional: true },
  autoAssign: flag,
  autoReassign: flag,
  autoNotifyCustomer: flag,
  autoAdjustTime: flag,
  autoReoptimize: flag,
  adjustTimeMaxMinutes: { type: 'number', min: 0, max: 1440, optional: true },
  dryRun: flag,
  stopped: flag,
  breakerFailures: { type: 'number', integer: true, min: 0, max: 1000, optional: true },
  ownApproval: flag,
};
const limitSchema: ValidationSchema = {
  $$strict: true,
  scope: { type: 'enum', values: [...limitScopes] },
  per: { type: 'enum', values: [...periods] },
  kind: { type: 'enum', values: [...limitKinds], optional: true },
  capacity: { type: 'number', integer: true, min: 0, max: 1_000_000, nullable: true },
};
const checkSettings = compileFields(settingsSchema);
const checkLimit = compileFields(limitSchema);

/**
 * A company's settings, limits and what is left of them.
 * @throws AuditError `ERR_NOT_FOUND`
 */
export async function readControls(connection: Connection, companyId: number): Promise<Controls> {
  try {
    const [row] = await connection<[Settings & { companyId: number; company: string; stoppedAll: boolean }] | []>`
      select c.id as "companyId", c.name as company, everybody.stopped as "stoppedAll", a.mode,
        a.auto_assign as "autoAssign", a.auto_reassign as "autoReassign",
        a.auto_notify_customer as "autoNotifyCustomer", a.auto_adjust_time as "autoAdjustTime",
        a.auto_reoptimize as "autoReoptimize", a.adjust_time_max_minutes as "adjustTimeMaxMinutes",
        a.dry_run as "dryRun", a.stopped, a.breaker_failures as "breakerFailures", a.own_approval as "ownApproval"
      from public.company c join public.autonomy a on a.company_id = c.id cross join public.autonomy_all as everybody
      where c.id = ${companyId}`;
    if (row === undefined) throw new AuditError('ERR_NOT_FOUND', `company ${companyId} is not known`);
    const limits = await connection<Gauge[]>`
      select scope, per, kind, capacity, taken, greatest(0, floor(case kind
        when 'bucket' then least(capacity, tokens + greatest(0, extract(epoch from clock_timestamp() - refilled_at)::double precision)
          * capacity / case per when 'hour' then 3600 else 86400 end)
        else capacity - (
          select count(*) from public.window_admission w where w.company_id = b.company_id and w.scope = b.scope and w.per = b.per
            and w.at > clock_timestamp() - case per when 'hour' then interval '1 hour' else interval '24 hours' end)
        end))::integer as left
      from public.token_bucket b where company_id = ${companyId}
      order by array_position(string_to_array(${limitScopes.join()}, ','), scope), scope, per desc`;
    const broken = await connection<{ actionType: ActionType; failures: number; stoppedAt: Date }[]>`
      select action_type as "actionType", failures, stopped_at as "stoppedAt"
      from public.breaker where company_id = ${companyId} and stopped_at is not null order by action_type`;
    const { company, stoppedAll, companyId: id, ...settings } = row;
    return { companyId: id, company, settings, stoppedAll, limits: [...limits], broken: [...broken] };
  } catch (error) {
    throw databaseError(error);
  }
}

/**
 * Whether a company's settings let whoever asked for an action approve it himself. False for a company that is not known.
 * @throws AuditError `ERR_DATABASE`, `ERR_NOT_MIGRATED`
 */
export async function allowsOwnApproval(connection: Connection, companyId: number): Promise<boolean> {
  try {
    const [row] = await connection<[{ allowed: boolean }] | []>`
      select own_approval as allowed from public.autonomy where company_id = ${companyId}`;
    return row?.allowed ?? false;
  } catch (error) {
    throw databaseError(error);
  }
}

/**
 * Changes a company's settings; what is absent stays. `stopped` is its kill switch: when this returns, nothing is begun.
 * @param by who changed it
 * @throws AuditError `ERR_FIELD`, `ERR_NOT_FOUND`
 */
export async function configure(
  connection: Connection,
  companyId: number,
  changes: Partial<Settings>,
  by: string,
): Promise<void> {
  refuseFaults('settings', checkSettings(changes));
  const row = Object.fromEntries(
    Object.entries(changes)
      .filter(([, value]) => value !== undefined)
      .map(([name, value]) => [columns[name as keyof Settings], value]),
  );
  try {
    await connection`select public.autonomy_configure(${companyId}, ${connection.json(row)}, ${by})`;
  } catch (error) {
    throw databaseError(error);
  }
}

/**
 * Changes limits of a company; all or none.
 * @throws AuditError `ERR_FIELD`, `ERR_NOT_FOUND`
 */
export async function setLimits(
  connection: Connection,
  companyId: number,
  limits: readonly LimitChange[],
  by: string,
): Promise<void> {
  for (const limit of limits) refuseFaults('limit', checkLimit(limit));
  // In key order, as everybody locks.
  const sorted = [...limits].sort((a, b) => `${a.scope}/${a.per}`.localeCompare(`${b.scope}/${b.per}`, 'en'));
  try {
    await connection.begin(async (tx) => {
      for (const { scope, per, kind = null, capacity } of sorted) {
        await tx`select public.autonomy_limit(${companyId}, ${scope}, ${per}, ${kind}, ${capacity}, ${by})`;
      }
    });
  } catch (error) {
    throw databaseError(error);
  }
}

/** The kill switch of all companies; gives whether it changed. When this returns with `stopped`, nothing follows. */
export async function stopAll(connection: Connection, stopped: boolean, by: string): Promise<boolean> {
  try {
    const [{ changed }] = await connection<
      [{ changed: boolean }]
    >`select public.autonomy_stop_all(${stopped}, ${by}) as changed`;
    return changed;
  } catch (error) {
    throw databaseError(error);
  }
}

/** Lets an action type that failures have stopped act again; gives whether it was stopped. */
export async function resetBreaker(
  connection: Connection,
  companyId: number,
  actionType: ActionType,
  by: string,
): Promise<boolean> {
  try {
    const [{ reset }] = await connection<[{ reset: boolean }]>`
      select public.autonomy_reset_breaker(${companyId}, ${actionType}, ${by}) as reset`;
    return reset;
  } catch (error) {
    throw databaseError(error);
  }
}
