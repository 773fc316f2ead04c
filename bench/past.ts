// Actions that happened long ago, for questions about a long record: by the very statements that every action goes through,
// on a clock that stands still in the past. For databases that are thrown away: whoever owns the record can do that to it,
// and nobody else.

import type { ActionType, Connection } from '../audit/index.js';
import { functionsOf, shippedMigrations } from '../audit/migrate.js';

/** One action, with what came of it. */
export interface PastAction {
  readonly companyId: number;
  readonly actionType: ActionType;
  readonly at: Date;
  /** `refused`: for want of approval. */
  readonly status: 'succeeded' | 'failed' | 'unknown' | 'refused';
  /** How long it took, in milliseconds; default 0. */
  readonly ms?: number;
  readonly description?: string;
  readonly bookingId?: number | undefined;
  readonly driverId?: number | undefined;
  readonly data?: Readonly<Record<string, unknown>>;
}

/** The server's functions of the record tell the time by this one alone. */
const CLOCK = 'audit_now';

/**
 * Puts actions on record, in the order of their times, those of one millisecond in one statement. Limits must let them through.
 * The companies are in mode SEMI_AUTO meanwhile, and without a breaker.
 * @param owner a connection of the owner, or of a superuser
 */
export async function recordPast(owner: Connection, actions: readonly PastAction[]): Promise<void> {
  if (actions.length === 0) return;
  const shipped = shippedMigrations().flatMap(({ up }) => [...functionsOf(up)]);
  const clock = new Map(shipped).get(CLOCK)!.replace(/^create function/, 'create or replace function');
  await owner.begin(async (tx) => {
    await tx.unsafe(`
      create or replace function public.${CLOCK}() returns timestamptz language sql volatile as $$
      select pg_catalog.current_setting('fleetstep.past'::pg_catalog.text)::pg_catalog.timestamptz $$`);
    await tx.unsafe(RECORD);
    const rows = actions.map(({ at, ...action }, n) => ({ n, at: at.toISOString(), ...action }));
    await tx`select pg_temp.record_past(${tx.json(rows as Parameters<typeof tx.json>[0])})`;
    await tx.unsafe(clock);
  });
}

const RECORD = `
  create or replace function pg_temp.record_past(p_actions jsonb) returns void language plpgsql as $$
  declare
    v_first timestamptz;
    v_last timestamptz;
    v_before jsonb;
    v_moment record;
    v_action record;
  begin
    create temporary table past_action on commit drop as
      select * from jsonb_to_recordset(p_actions) as a (n integer, at timestamptz, "companyId" bigint, "actionType" text, status text,
        ms double precision, description text, "bookingId" bigint, "driverId" bigint, data jsonb);
    select min(at), max(at) into v_first, v_last from past_action;
    perform set_config('fleetstep.past', v_first::text, true);
    select jsonb_object_agg(company_id, jsonb_build_object('mode', mode, 'breaker_failures', breaker_failures)) into v_before
    from public.autonomy where company_id in (select "companyId" from past_action);
    perform public.autonomy_configure(key::bigint, '{"mode": "SEMI_AUTO", "breaker_failures": 0}', 'past') from jsonb_each(v_before);
    for v_moment in
      select at, jsonb_agg(jsonb_build_object('n', n, 'company', "companyId", 'type', "actionType", 'key', gen_random_uuid(),
        'attempt', gen_random_uuid(), 'description', coalesce(description, 'past'), 'booking', "bookingId", 'driver', "driverId",
        'data', coalesce(data, '{}'), 'confidence', 0.8, 'trigger', 'past', 'dryRun', false, 'actSeconds', 35,
        'approvedBy', case when status <> 'refused' then 'past' end) order by n) as intents
      from past_action group by at order by at
    loop
      perform set_config('fleetstep.past', v_moment.at::text, true);
      for v_action in
        select i.id, i.status as verdict, p.status, coalesce(p.ms, 0) as ms
        from public.autonomy_intend(v_moment.intents) i join past_action p using (n) order by i.id
      loop
        if (v_action.verdict = 'refused') <> (v_action.status = 'refused') then
          raise exception 'a past action that should be % is %', v_action.status, v_action.verdict;
        end if;
        continue when v_action.verdict = 'refused';
        perform set_config('fleetstep.past', (v_moment.at + make_interval(secs => v_action.ms / 1000))::timestamptz(3)::text, true);
        perform public.autonomy_outcome(v_action.id, v_action.status::public.action_status, v_action.ms,
          case v_action.status when 'succeeded' then null else 'past' end, null);
      end loop;
    end loop;
    perform set_config('fleetstep.past', v_last::text, true);
    perform public.autonomy_configure(key::bigint, value, 'past') from jsonb_each(v_before);
    drop table past_action;
  end $$`;
