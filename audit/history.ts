// A record made after the fact: for the demo and for benchmarks, which need a past. Runs as the owner, on a table of
// acts that have ended; what it writes has entries like any other, and `verify` finds it sound.

/** Columns of the temporary table `history`, which the caller makes within his transaction and fills. */
import type { Connection } from './connection.js';

export async function createHistoryTable(tx: Connection): Promise<void> {
  await tx`
    create temporary table history (
      company_id bigint not null, booking_id bigint, driver_id bigint, action_type action_type not null,
      description text not null, data jsonb not null default '{}', status action_status not null, ms double precision,
      error text, refusal jsonb, confidence double precision, improvement double precision, trigger text not null,
      at timestamptz(3) not null
    ) on commit drop`;
}

/** Puts the acts of `history` on record, in the order of their times, each as if it had happened then. */
export async function appendHistory(tx: Connection): Promise<void> {
  // One after the other, as with every append.
  await tx`select from audit_head where company_id in (select company_id from history) order by company_id for update`;
  await tx`
    with numbered as (
      -- Every act has an entry for its intent, and those that began have one for their outcome.
      select h.*, head.hash as head_hash, h.status in ('succeeded', 'failed', 'unknown') as ended,
        head.seq + count(*) over w + coalesce(sum(case when h.status in ('succeeded', 'failed', 'unknown') then 1 else 0 end)
          over (partition by h.company_id order by h.at, h.ctid rows between unbounded preceding and 1 preceding), 0) as seq
      from history h join audit_head head using (company_id)
      window w as (partition by h.company_id order by h.at, h.ctid rows unbounded preceding)
    ), act as (
      insert into autonomous_action (
        company_id, booking_id, driver_id, action_type, action_description, action_data, success, error_message,
        execution_time_ms, confidence_score, expected_improvement_minutes, trigger_source, created_at, updated_at, status,
        idempotency_key, attempt, act_by, refusal, seq, outcome_seq)
      select company_id, booking_id, driver_id, action_type, description, data,
        case status when 'succeeded' then true when 'failed' then false end,
        case status when 'refused' then refusal ->> 'message' else error end, ms, confidence, improvement, trigger,
        at, at + case when ended then make_interval(secs => coalesce(ms, 0) / 1000) else interval '0' end, status,
        gen_random_uuid()::text, gen_random_uuid(), at + interval '35 seconds', refusal, seq, case when ended then seq + 1 end
      from numbered order by at, company_id, seq
      returning *
    ), content as (
      select company_id, seq, case when outcome_seq is null then status::text else 'intended' end::ledger_kind as kind,
        id as action_id, created_at as at,
        audit_birth_digest(case when outcome_seq is null then status::text else 'intended' end::ledger_kind, act) as digest
      from act
      union all
      select company_id, outcome_seq, 'outcome', id, updated_at, audit_outcome_digest(act, updated_at)
      from act where outcome_seq is not null
    ), entry as (
      select content.*, audit_chain_over(h.hash, content.seq::bigint, digest)
        over (partition by company_id order by content.seq) as hash
      from content join audit_head h using (company_id)
    ), ledger as (
      insert into audit_ledger (company_id, seq, kind, action_id, at, digest, hash)
      select company_id, seq, kind, action_id, at, digest, hash from entry
    )
    update audit_head h set seq = last.seq, hash = last.hash
    from (select distinct on (company_id) company_id, seq, hash from entry order by company_id, seq desc) as last
    where h.company_id = last.company_id`;
  // These acts took nothing of limits and stopped nothing: how everything stands is on record beside them, at the same time.
  await tx`
    select audit_append(head, 'settings', null, null, last.at, stands.detail,
      audit_detail_digest('settings', null, stands.detail, last.at))
    from (select company_id, max(at) as at from history group by company_id order by company_id) as last
    join audit_head head using (company_id),
      lateral (select jsonb_build_object('origin', 'history', 'state', audit_state(company_id)) as detail) as stands`;
}
