-- Binds to the ledger what it did not yet speak of: decisions and what became of them, and how settings, limits and breakers
-- stand where no change has been recorded yet.

alter type ledger_kind add value if not exists 'decisions';

-- Where each company's decisions and events stand: numbered together without gaps, each one's hash over the one before. A
-- decision costs no entry of the ledger: each hour that had some costs one, written by the first decision that comes after it.
create table decision_head (
  company_id bigint primary key,
  seq bigint not null default 0,
  hash bytea not null default sha256('fleetstep'),
  -- Up to which number the ledger has it, and the hour of what came after.
  sealed bigint not null default 0,
  hour timestamptz(3)
) with (fillfactor = 25, autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 500);
insert into decision_head (company_id) select id from company;
create trigger guard_delete before delete on decision_head for each row execute function audit_guard_append_only();
create trigger guard_truncate before truncate on decision_head for each statement execute function audit_guard_append_only();

-- Null for rows from before this migration.
alter table decision add column seq bigint;
alter table decision_event add column seq bigint;
create unique index decision_seq on decision (company_id, seq);
create unique index decision_event_seq on decision_event (company_id, seq);

create function decision_digest(d decision) returns bytea language sql stable as $$
select pg_catalog.sha256(pg_catalog.convert_to(pg_catalog.jsonb_build_array(
  'decision'::pg_catalog.text, d.id, d.company_id, d.seq, public.audit_time(d.created_at), d.requested_by, d.idempotency_key, d.mode,
  d.policy, d.policy_hash, d.state_hash, d.fallback, d.assigned, d.waiting, d.unassigned,
  pg_catalog.encode(pg_catalog.sha256(d.request), 'hex'::pg_catalog.text),
  pg_catalog.encode(pg_catalog.sha256(d.answer), 'hex'::pg_catalog.text))::pg_catalog.text, 'UTF8'::pg_catalog.name))
$$;

create function decision_event_digest(e decision_event) returns bytea language sql stable as $$
select pg_catalog.sha256(pg_catalog.convert_to(pg_catalog.jsonb_build_array(
  'event'::pg_catalog.text, e.id, e.decision_id, e.company_id, e.seq, e.kind, e.by, e.detail, public.audit_time(e.at))::pg_catalog.text,
  'UTF8'::pg_catalog.name))
$$;

-- Puts on the ledger what it has not yet of a company's decisions. The caller has locked their head and passes it on.
create function decision_seal(p_head decision_head) returns decision_head
language plpgsql set search_path = pg_catalog, pg_temp as $$
begin
  perform public.audit_note(p_head.company_id, 'decisions', jsonb_build_object(
    'hour', to_char(p_head.hour at time zone 'UTC', 'YYYY-MM-DD"T"HH24:MI"Z"'),
    'from', p_head.sealed + 1, 'through', p_head.seq, 'hash', encode(p_head.hash, 'hex')));
  p_head.sealed := p_head.seq;
  p_head.hour := null;
  update public.decision_head set sealed = p_head.sealed, hour = null where company_id = p_head.company_id;
  return p_head;
end $$;

-- Locks where a company's decisions stand, for one more. Heads of decisions come before heads of chains, and lower companies before
-- higher ones, so that nobody waits in a circle.
create function decision_lock_head(p_company bigint) returns decision_head
language plpgsql set search_path = pg_catalog, pg_temp as $$
declare
  v_head public.decision_head;
begin
  select * into v_head from public.decision_head where company_id = p_company for update;
  if not found then
    raise exception 'company % is not known', p_company using errcode = 'FS404';
  end if;
  -- Also where the clock was set back.
  if v_head.seq > v_head.sealed and v_head.hour <> date_trunc('hour', clock_timestamp(), 'UTC') then
    return public.decision_seal(v_head);
  end if;
  return v_head;
end $$;

-- Before signed heads are exported: so that they speak of every decision until now, those of the hour under way included.
create function audit_seal_decisions() returns void
language plpgsql security definer set search_path = pg_catalog, pg_temp set jit = off as $$
declare
  v_head public.decision_head;
begin
  for v_head in select * from public.decision_head where seq > sealed order by company_id for update loop
    perform public.decision_seal(v_head);
  end loop;
end $$;

-- Adds decisions, many at once. Bytes come apart from the rest: as strings of the JSON they would cost a third of the statement.
--
-- p_bytes: base64 of all requests and answers, one after the other. A decision's request is from `requestAt` on (the first byte is
-- 1), its answer from `answerAt` on, up to before `endAt`.
drop function decision_record(json);
create function decision_record(p_decisions json, p_bytes text) returns void
language plpgsql security definer set search_path = pg_catalog, pg_temp set jit = off as $$
declare
  v_bytes bytea := decode(p_bytes, 'base64');
  v_given record;
  v_head public.decision_head;
  v_created_at timestamptz;
begin
  for v_given in
    select d.* from json_to_recordset(p_decisions) as d (
      id uuid, "companyId" bigint, "requestedBy" text, "idempotencyKey" text, mode text, policy text, "policyHash" text,
      "stateHash" text, fallback text, assigned integer, waiting integer, unassigned integer,
      "requestAt" integer, "answerAt" integer, "endAt" integer)
    order by "companyId"
  loop
    if v_head.company_id is distinct from v_given."companyId" then
      if v_head.company_id is not null then
        update public.decision_head set seq = v_head.seq, hash = v_head.hash, hour = v_head.hour where company_id = v_head.company_id;
      end if;
      -- Mostly there is nothing to seal.
      select * into v_head from public.decision_head
      where company_id = v_given."companyId" and (seq = sealed or hour = date_trunc('hour', clock_timestamp(), 'UTC')) for update;
      if not found then
        v_head := public.decision_lock_head(v_given."companyId");
      end if;
    end if;
    v_head.seq := v_head.seq + 1;
    insert into public.decision (id, company_id, seq, requested_by, idempotency_key, mode, policy, policy_hash, state_hash, fallback,
      assigned, waiting, unassigned, request, answer)
    values (v_given.id, v_given."companyId", v_head.seq, v_given."requestedBy", v_given."idempotencyKey", v_given.mode,
      v_given.policy, v_given."policyHash", v_given."stateHash", v_given.fallback, v_given.assigned, v_given.waiting,
      v_given.unassigned,
      substring(v_bytes from v_given."requestAt" for v_given."answerAt" - v_given."requestAt"),
      substring(v_bytes from v_given."answerAt" for v_given."endAt" - v_given."answerAt"))
    returning created_at, public.audit_chain(v_head.hash, seq, public.decision_digest(decision))
    into v_created_at, v_head.hash;
    v_head.hour := coalesce(v_head.hour, date_trunc('hour', v_created_at, 'UTC'));
  end loop;
  update public.decision_head set seq = v_head.seq, hash = v_head.hash, hour = v_head.hour where company_id = v_head.company_id;
end $$;

create or replace function decision_note(p_decision uuid, p_company bigint, p_kind text, p_by text, p_detail jsonb) returns void
language plpgsql security definer set search_path = pg_catalog, pg_temp set jit = off as $$
declare
  v_row public.decision_event;
  v_head public.decision_head;
begin
  perform from public.decision where id = p_decision and company_id = p_company;
  if not found then
    raise exception 'decision % is not known', p_decision using errcode = 'FS404';
  end if;
  v_head := public.decision_lock_head(p_company);
  insert into public.decision_event (decision_id, company_id, seq, kind, by, detail)
  values (p_decision, p_company, v_head.seq + 1, p_kind, p_by, p_detail) returning * into v_row;
  update public.decision_head set
    seq = v_row.seq,
    hash = public.audit_chain(v_head.hash, v_row.seq, public.decision_event_digest(v_row)),
    hour = coalesce(v_head.hour, date_trunc('hour', v_row.at, 'UTC'))
  where company_id = p_company;
end $$;

-- How a company stands: what it may do alone, its limits (drivers' own buckets are as `driver`), its breakers.
create function audit_state(p_company bigint) returns jsonb
language sql stable set search_path = pg_catalog, pg_temp set extra_float_digits = 1 as $$
select jsonb_build_object(
  'settings', (select to_jsonb(a) - 'company_id' from public.autonomy a where a.company_id = p_company),
  'limits', (select coalesce(jsonb_object_agg(scope || '/' || per, jsonb_build_object('kind', kind, 'capacity', capacity)), '{}')
    from public.token_bucket where company_id = p_company and scope not like 'driver/%'),
  'breakers', (select coalesce(jsonb_object_agg(action_type,
    jsonb_build_object('failures', failures, 'stopped', stopped_at is not null)), '{}')
    from public.breaker where company_id = p_company))
$$;

-- After `gets_limits` and `opens_chain`, as triggers run in the order of their names. Chain 0 learns of every company and how it
-- begins, so that one that is deleted with all that is its own is missed there.
create function company_states_settings() returns trigger
language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
begin
  insert into public.decision_head (company_id) values (new.id);
  perform public.audit_note(0, 'settings', jsonb_build_object('origin', session_user, 'company', new.id,
    'state', public.audit_state(new.id)));
  return new;
end $$;
create trigger states_settings after insert on company for each row execute function company_states_settings();

-- What is there already, as it is now. Decisions so far, in the order of their ids, and then their events, make one hash.
do $$
declare
  v_company bigint;
begin
  perform public.audit_note(0, 'settings', jsonb_build_object('origin', 'migration 0007', 'state', jsonb_build_object(
    'stoppedAll', (select stopped from public.autonomy_all),
    'companies', (select coalesce(jsonb_agg(id order by id), '[]') from public.company),
    'owner', current_user)));
  for v_company in select id from public.company order by id loop
    perform public.audit_note(v_company, 'settings', jsonb_build_object('origin', 'migration 0007', 'state',
      public.audit_state(v_company) || (
        select jsonb_build_object('decisions', jsonb_build_object('rows', count(*), 'hash', encode(
          coalesce(public.audit_chain_over(sha256('fleetstep'), n, digest order by n), sha256('fleetstep')), 'hex')))
        from (
          select row_number() over (order by part, decision, event) as n, digest from (
            select 0 as part, d.id as decision, 0::bigint as event, public.decision_digest(d) as digest
            from public.decision d where d.company_id = v_company
            union all
            select 1, null, e.id, public.decision_event_digest(e)
            from public.decision_event e where e.company_id = v_company
          ) as digested
        ) as ordered)));
  end loop;
end $$;

revoke all on function decision_record, decision_digest, decision_event_digest, decision_seal, decision_lock_head, audit_seal_decisions, audit_state,
  company_states_settings from public;
grant execute on function decision_record, audit_seal_decisions to fleetstep_app;
grant select on decision_head to fleetstep_app;
