-- Functions that depend on nobody's settings, and call nobody else's functions. Each was made by an earlier migration and is
-- replaced here, with what it sets itself:
--
-- - `search_path = pg_catalog, pg_temp`, and every table, type and function of ours by its full name: whoever may create in
--   `public` could else plant an overload that is called with the owner's rights, or that makes a forged row look sound. The
--   few SQL functions that PostgreSQL inlines set nothing, as that would forbid it: each name in them is a full one,
--   operators and casts as well.
-- - `jit = off`: with the server's default of on, the intent function alone was compiled for 450 ms and more, in each call.
-- - planner switches and digits of numbers as the texts and times below need them.

-- What `audit prune` leaves in place of entries that are gone: how many, from when to when, and the last one's hash.
alter type ledger_kind add value if not exists 'pruned';
drop trigger decision_append_only on decision;
drop trigger decision_event_append_only on decision_event;
create trigger decision_append_only before update or truncate on decision
  for each statement execute function audit_guard_append_only();
create trigger decision_event_append_only before update or truncate on decision_event
  for each statement execute function audit_guard_append_only();
create trigger guard_delete before delete on decision for each row execute function audit_guard_append_only();
create trigger guard_delete before delete on decision_event for each row execute function audit_guard_append_only();

-- So much of what was taken a smaller capacity hides: a bucket that grows again does not get it back.
alter table token_bucket add column withheld double precision not null default 0;
alter table token_bucket add column withheld_at timestamptz;

create or replace function audit_check_action() returns trigger language plpgsql set search_path = pg_catalog, pg_temp as $$
declare
  fault text := case
    when length(new.action_description) not between 1 and 500 then 'action_description must have 1 to 500 characters'
    when jsonb_typeof(new.action_data) <> 'object' then 'action_data must be an object'
    when length(new.error_message) > 2000 then 'error_message must have at most 2000 characters'
    when not (new.execution_time_ms >= 0 and new.execution_time_ms < 'infinity') then 'execution_time_ms must be finite and not negative'
    when not (new.confidence_score between 0 and 1) then 'confidence_score must be within 0 and 1'
    when not (new.expected_improvement_minutes > '-infinity' and new.expected_improvement_minutes < 'infinity')
      then 'expected_improvement_minutes must be finite'
    when length(new.trigger_source) not between 1 and 100 then 'trigger_source must have 1 to 100 characters'
    when length(new.admin_notes) > 1000 then 'admin_notes must have at most 1000 characters'
    when length(new.idempotency_key) not between 1 and 200 then 'idempotency_key must have 1 to 200 characters'
    when length(new.approved_by) not between 1 and 200 then 'approved_by must have 1 to 200 characters'
    when length(new.reviewed_by) not between 1 and 200 then 'reviewed_by must have 1 to 200 characters'
    when new.success is distinct from case new.status when 'succeeded' then true when 'failed' then false end
      then 'success must be true for succeeded, false for failed, and else null'
    when (new.status = 'refused') <> (new.refusal is not null) then 'refusal belongs to refused, and to nothing else'
    when new.reviewed_by_admin <> (new.reviewed_at is not null) or new.reviewed_by_admin <> (new.reviewed_by is not null)
      then 'a review has a time and a reviewer'
  end;
begin
  if fault is not null then
    raise exception 'autonomous_action: %', fault using errcode = 'check_violation';
  end if;
  return new;
end $$;

create or replace function audit_time(t timestamptz) returns bigint language sql stable as $$
select (extract(epoch from t) operator(pg_catalog.*) 1000)::pg_catalog.int8
$$;

create or replace function audit_birth_digest(kind ledger_kind, a autonomous_action) returns bytea language sql stable as $$
select pg_catalog.sha256(pg_catalog.convert_to(pg_catalog.jsonb_build_array(
  kind, a.id, a.company_id, a.seq, a.booking_id, a.driver_id, a.action_type, a.action_description, a.action_data,
  pg_catalog.encode(pg_catalog.float8send(a.confidence_score), 'hex'::pg_catalog.text),
  pg_catalog.encode(pg_catalog.float8send(a.expected_improvement_minutes), 'hex'::pg_catalog.text),
  a.trigger_source, a.idempotency_key, a.attempt, a.approved_by, public.audit_time(a.created_at), public.audit_time(a.act_by),
  case when kind operator(pg_catalog.=) 'refused'::public.ledger_kind then a.refusal end)::pg_catalog.text, 'UTF8'::pg_catalog.name))
$$;

create or replace function audit_outcome_digest(a autonomous_action, at timestamptz) returns bytea language sql stable as $$
select pg_catalog.sha256(pg_catalog.convert_to(pg_catalog.jsonb_build_array(
  'outcome'::pg_catalog.text, a.id, a.company_id, a.outcome_seq, a.status, a.success, a.error_message,
  pg_catalog.encode(pg_catalog.float8send(a.execution_time_ms), 'hex'::pg_catalog.text), a.refusal,
  public.audit_time(at))::pg_catalog.text, 'UTF8'::pg_catalog.name))
$$;

create or replace function audit_review_digest(r action_review) returns bytea language sql stable as $$
select pg_catalog.sha256(pg_catalog.convert_to(pg_catalog.jsonb_build_array(
  'review'::pg_catalog.text, r.id, r.action_id, r.reviewer, r.notes, public.audit_time(r.at))::pg_catalog.text,
  'UTF8'::pg_catalog.name))
$$;

create or replace function audit_detail_digest(kind ledger_kind, action_id bigint, detail jsonb, at timestamptz) returns bytea language sql stable as $$
select pg_catalog.sha256(pg_catalog.convert_to(pg_catalog.jsonb_build_array(
  kind, action_id, detail, public.audit_time(at))::pg_catalog.text, 'UTF8'::pg_catalog.name))
$$;

create or replace function audit_chain(previous bytea, seq bigint, digest bytea) returns bytea language sql immutable as $$
select pg_catalog.sha256(previous operator(pg_catalog.||) pg_catalog.int8send(seq) operator(pg_catalog.||) digest)
$$;

-- Adds an entry to a company's chain. The caller has locked the head and passes it on.
create or replace function audit_append(
  head audit_head, p_kind ledger_kind, p_action bigint, p_review bigint, p_at timestamptz, p_detail jsonb, p_digest bytea
) returns void language plpgsql set search_path = pg_catalog, pg_temp as $$
begin
  insert into public.audit_ledger (company_id, seq, kind, action_id, review_id, at, detail, digest, hash)
  values (head.company_id, head.seq + 1, p_kind, p_action, p_review, p_at, p_detail, p_digest,
    public.audit_chain(head.hash, head.seq + 1, p_digest));
  update public.audit_head set seq = head.seq + 1, hash = public.audit_chain(head.hash, head.seq + 1, p_digest)
  where company_id = head.company_id;
end $$;

-- Guards: nobody edits or deletes, not even the owner, unless he removes the guard, which `audit verify` sees.
create or replace function audit_guard_action() returns trigger language plpgsql set search_path = pg_catalog, pg_temp as $$
declare
  same public.autonomous_action := new;
begin
  -- One outcome, and reviews: put those columns back, and nothing else may differ.
  if old.status = 'intended' and new.status in ('succeeded', 'failed', 'refused', 'unknown') and new.outcome_seq is not null then
    same.status := old.status;
    same.success := old.success;
    same.error_message := old.error_message;
    same.execution_time_ms := old.execution_time_ms;
    same.refusal := old.refusal;
    same.outcome_seq := old.outcome_seq;
  elsif new.review_seq > coalesce(old.review_seq, 0) then
    same.reviewed_by_admin := old.reviewed_by_admin;
    same.reviewed_at := old.reviewed_at;
    same.reviewed_by := old.reviewed_by;
    same.admin_notes := old.admin_notes;
    same.review_seq := old.review_seq;
  end if;
  same.updated_at := old.updated_at;
  if same is distinct from old then
    raise exception 'autonomous_action % is on record: only its one outcome and its reviews may be added', old.id
      using errcode = 'FS403';
  end if;
  return new;
end $$;

-- Only `audit prune` deletes: it names the company in its transaction, and leaves an entry that stands for what is gone. Who
-- deletes otherwise, or leaves none, shows in `audit verify`, as the entries before the first one are then missing.
create or replace function audit_guard_append_only() returns trigger language plpgsql set search_path = pg_catalog, pg_temp as $$
declare
  v_company bigint;
begin
  if tg_op = 'DELETE' and tg_level = 'ROW'
    and tg_table_name in ('autonomous_action', 'audit_ledger', 'action_review', 'decision', 'decision_event') then
    if tg_table_name = 'action_review' then
      select company_id into v_company from public.autonomous_action where id = old.action_id;
    else
      v_company := old.company_id;
    end if;
    if current_setting('fleetstep.prune', true) = v_company::text then
      return old;
    end if;
  end if;
  raise exception '% is append-only: % is not allowed', tg_table_name, lower(tg_op) using errcode = 'FS403';
end $$;

create or replace function company_opens_chain() returns trigger language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
begin
  insert into public.audit_head (company_id) values (new.id);
  return new;
end $$;

create or replace function default_limits(p_company bigint) returns void language sql set search_path = pg_catalog, pg_temp as $$
  insert into public.autonomy (company_id) values (p_company);
  insert into public.token_bucket (company_id, scope, per, capacity, tokens)
  select p_company, scope, per, capacity, capacity
  from (values
    ('all', 50, 500), ('assign', 30, 200), ('reassign', 10, 50), ('notify_customer', 30, 200), ('adjust_time', 20, 100),
    ('redistribute', 5, 20), ('reoptimize', 10, 100)) as limits (scope, hourly, daily),
    lateral (values ('hour', hourly), ('day', daily)) as periods (per, capacity);
$$;

create or replace function company_gets_limits() returns trigger language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
begin
  perform public.default_limits(new.id);
  return new;
end $$;

create or replace function audit_now() returns timestamptz language sql volatile as $$
select pg_catalog.date_trunc('milliseconds'::pg_catalog.text, pg_catalog.clock_timestamp())
$$;

-- Locks the head of a chain. In every function heads come before acts and breakers, and lower companies before higher
-- ones, so that nobody waits in a circle.
create or replace function audit_lock_head(p_company bigint) returns audit_head language plpgsql set search_path = pg_catalog, pg_temp as $$
declare
  head public.audit_head;
begin
  select * into head from public.audit_head where company_id = p_company for update;
  if not found then
    raise exception 'company % is not known', p_company using errcode = 'FS404';
  end if;
  return head;
end $$;

create or replace function audit_chain_step(state bytea, head bytea, seq bigint, digest bytea) returns bytea language plpgsql immutable as $$
begin
  return public.audit_chain(coalesce(state, head), seq, digest);
end $$;

-- A driver's own buckets begin as copies of the company's `driver` ones, less what the last period admitted: a limit that is taken
-- away and set again fills nothing.
create function audit_open_driver_buckets(p_company bigint, p_driver bigint, p_now timestamptz) returns void
language plpgsql set search_path = pg_catalog, pg_temp as $$
begin
  perform from public.driver where company_id = p_company and id = p_driver;
  if not found then
    return;
  end if;
  with made as (
    insert into public.token_bucket (company_id, scope, per, kind, capacity, tokens, withheld, withheld_at, refilled_at)
    select company_id, 'driver/' || p_driver, per, kind, capacity, greatest(0, capacity - used), greatest(0, used - capacity), p_now, p_now
    from (
      select b.*, (
        select count(*) from public.autonomous_action a
        where a.company_id = p_company and a.driver_id = p_driver and (a.status <> 'refused' or a.outcome_seq is not null)
          and a.created_at > p_now - case b.per when 'hour' then interval '1 hour' else interval '24 hours' end) as used
      from public.token_bucket b where b.company_id = p_company and b.scope = 'driver'
    ) as b
    on conflict do nothing
    returning company_id, scope, per, kind
  )
  insert into public.window_admission (company_id, scope, per, at)
  select made.company_id, made.scope, made.per, a.created_at
  from made join public.autonomous_action a on a.company_id = p_company and a.driver_id = p_driver
    and (a.status <> 'refused' or a.outcome_seq is not null)
    and a.created_at > p_now - case made.per when 'hour' then interval '1 hour' else interval '24 hours' end
  where made.kind = 'window';
end $$;

-- Permission and intent in one round trip: for each intent, in their order, takes a token from every one of its buckets or from
-- none, and puts the act on record as `intended`, or the refusal. Must be committed before anything is done.
--
-- Takes many intents at once because a statement costs more than its work (a decision alone 0.6 ms, sixteen together 0.1 ms
-- each). Decisions of a company are serial by their nature: each waits for the company's head. No advisory locks, as every
-- login of the server may take those, and hold up whom it likes.
--
-- p_intents: array of objects with the fields named below; `n` is the answer's number, keys of one call differ.
create or replace function autonomy_intend(p_intents jsonb)
returns table (n integer, id bigint, status action_status, replayed boolean, refusal jsonb, same boolean)
language plpgsql security definer set search_path = pg_catalog, pg_temp
-- A call names a few rows among many, which the planner cannot know: left alone it reads whole tables, and plans anew each time.
set enable_seqscan = off set enable_hashjoin = off set enable_mergejoin = off set plan_cache_mode = force_generic_plan
set enable_indexscan = on set enable_indexonlyscan = on set enable_nestloop = on set enable_sort = on
set join_collapse_limit = 8 set from_collapse_limit = 8 set jit = off set extra_float_digits = 1 as $$
#variable_conflict use_column
declare
  v_intent record;
  v_now timestamptz;
  v_refusal jsonb;
  -- The buckets in hand, by number.
  b_company bigint[];
  b_scope text[];
  b_per text[];
  b_kind text[];
  b_capacity integer[];
  b_available double precision[];
  -- Until when it has been refilled, which a clock that steps back does not take back.
  b_last timestamptz[];
  b_taken integer[];
  v_bucket integer;
  v_period interval;
  v_retry timestamptz;
  v_full integer;
  v_full_until timestamptz;
  -- Who else has assigned the booking; and what is assigned by this call, as company/booking.
  v_rival text;
  v_assigned text[] := '{}';
  -- The verdicts, by `n`.
  r_n integer[] := '{}';
  r_status public.action_status[] := '{}';
  r_refusal jsonb[] := '{}';
begin
  -- The switch of all companies waits for intents under way, and later intents wait for it: once it says stopped, nothing
  -- follows. Then each company's turn, in the order of their numbers, so that nobody waits in a circle.
  lock table public.autonomy_all in row share mode;
  perform from public.audit_head
  where company_id in (select company from jsonb_to_recordset(p_intents) as i (company bigint))
  order by company_id for update;

  -- After the locks: waiting for them must not be taken for time in which buckets fill.
  v_now := public.audit_now();

  -- A driver's own buckets begin as copies of the company's `driver` ones.
  if jsonb_path_exists(p_intents, '$[*].driver ? (@ != null)') then
    perform public.audit_open_driver_buckets(i.company, i.driver, v_now)
    from (
      select distinct company, driver from jsonb_to_recordset(p_intents) as i (company bigint, driver bigint)
      where driver is not null) as i
    where exists (
      select from public.token_bucket b where b.company_id = i.company and b.scope = 'driver' and not exists (
        select from public.token_bucket o where o.company_id = i.company and o.scope = 'driver/' || i.driver and o.per = b.per));
  end if;

  -- All buckets that any of the intents needs, locked in key order, and what each holds now.
  select array_agg(company_id), array_agg(scope), array_agg(per), array_agg(kind), array_agg(capacity), array_agg(available),
    array_agg(refilled_at), array_agg(0)
  into b_company, b_scope, b_per, b_kind, b_capacity, b_available, b_last, b_taken
  from (
    select company_id, scope, per, kind, capacity, greatest(refilled_at, v_now) as refilled_at, case kind
      when 'bucket' then least(capacity, tokens + greatest(0, extract(epoch from v_now - refilled_at)::double precision)
        * capacity / case per when 'hour' then 3600 else 86400 end)
      else capacity - (
        select count(*) from public.window_admission w where w.company_id = t.company_id and w.scope = t.scope and w.per = t.per
          and w.at > v_now - case per when 'hour' then interval '1 hour' else interval '24 hours' end)
      end as available
    from public.token_bucket t
    where (company_id, scope) in (
      select company, unnest(array['all', type, 'driver/' || driver])
      from jsonb_to_recordset(p_intents) as i (company bigint, type text, driver bigint))
    order by company_id, scope, per for update
  ) as locked;

  for v_intent in
    select i.*, a.mode, a.stopped, a.dry_run, a.adjust_time_max_minutes, everybody.stopped as stopped_all,
      a.company_id is null as unknown_company, breaker.stopped_at as type_stopped_at, known.id as known_id,
      known.status as known_status, known.refusal as known_refusal,
      (known.action_type, known.booking_id, known.driver_id, known.action_data)
        is not distinct from (i.type, i.booking, i.driver, i.data) as known_same,
      case i.type
        when 'assign' then a.auto_assign
        when 'reassign' then a.auto_reassign
        when 'notify_customer' then a.auto_notify_customer
        when 'adjust_time' then a.auto_adjust_time
        when 'reoptimize' then a.auto_reoptimize
        else false
      end as rule,
      (select array_agg(k order by k) from generate_subscripts(b_company, 1) as k
        where b_company[k] = i.company and b_scope[k] in ('all', i.type::text, 'driver/' || i.driver)) as buckets
    from jsonb_to_recordset(p_intents) as i (n integer, company bigint, type public.action_type, key text, booking bigint,
      driver bigint, data jsonb, delay double precision, "approvedBy" text, "dryRun" boolean, "unlessAssignedSince" timestamptz)
    cross join public.autonomy_all as everybody
    left join public.autonomy a on a.company_id = i.company
    left join public.breaker on breaker.company_id = i.company and breaker.action_type = i.type
    left join public.autonomous_action known
      on known.company_id = i.company and known.idempotency_key = i.key and known.status <> 'refused'
    order by i.n
  loop
    if v_intent.unknown_company then
      raise exception 'company % is not known', v_intent.company using errcode = 'FS404';
    end if;
    if v_intent.known_id is not null then
      n := v_intent.n;
      id := v_intent.known_id;
      status := v_intent.known_status;
      replayed := true;
      refusal := v_intent.known_refusal;
      same := v_intent.known_same;
      return next;
      continue;
    end if;

    -- Of two who decided on the same state, one assigns.
    v_rival := null;
    if v_intent."unlessAssignedSince" is not null and v_intent.booking is not null and v_intent.type in ('assign', 'reassign') then
      if v_intent.company || '/' || v_intent.booking = any(v_assigned) then
        v_rival := 'in this moment';
      else
        select 'by action ' || min(a.id) into v_rival from public.autonomous_action a
        where a.company_id = v_intent.company and a.booking_id = v_intent.booking and a.action_type in ('assign', 'reassign')
          and a.status not in ('refused', 'failed') and a.created_at >= v_intent."unlessAssignedSince";
      end if;
    end if;

    v_refusal := case
      when v_intent.stopped_all then
        jsonb_build_object('reason', 'kill_switch_all', 'message', 'the kill switch of all companies is on')
      when v_intent.stopped then
        jsonb_build_object('reason', 'kill_switch', 'message', 'the kill switch of this company is on')
      when v_intent.mode = 'MANUAL' then
        jsonb_build_object('reason', 'mode', 'message', 'mode MANUAL: software does not act')
      when v_intent.type_stopped_at is not null then jsonb_build_object('reason', 'breaker',
        'message', format('%s is stopped after failures in a row, until it is reset', v_intent.type))
      when v_rival is not null then jsonb_build_object('reason', 'assigned',
        'message', format('booking %s has been assigned since, %s', v_intent.booking, v_rival))
      when v_intent."approvedBy" is not null then null
      when v_intent.mode = 'SEMI_AUTO' then
        jsonb_build_object('reason', 'approval', 'message', 'mode SEMI_AUTO: a person must approve (approvedBy)')
      when v_intent.type = 'redistribute' then jsonb_build_object('reason', 'approval',
        'message', 'redistribute is never done without a person''s approval (approvedBy)')
      when not v_intent.rule then
        jsonb_build_object('reason', 'rule', 'message', format('the rule for %s is off', v_intent.type))
      when v_intent.type = 'adjust_time' and v_intent.delay is null then
        jsonb_build_object('reason', 'delay', 'message', 'adjust_time needs delayMinutes')
      when v_intent.type = 'adjust_time' and abs(v_intent.delay) > v_intent.adjust_time_max_minutes then
        jsonb_build_object('reason', 'delay', 'message',
          format('a delay of %s minutes is beyond %s', v_intent.delay, v_intent.adjust_time_max_minutes))
    end;

    if v_refusal is null then
      -- Of the buckets that hold no token, the one that takes longest to hold one again is what is reported.
      v_full := null;
      foreach v_bucket in array v_intent.buckets loop
        if b_available[v_bucket] < 1 then
          v_period := case b_per[v_bucket] when 'hour' then interval '1 hour' else interval '24 hours' end;
          v_retry := case
            when b_capacity[v_bucket] = 0 then 'infinity'
            when b_kind[v_bucket] = 'bucket' then b_last[v_bucket] + v_period * ((1 - b_available[v_bucket]) / b_capacity[v_bucket])
            when b_taken[v_bucket] >= b_capacity[v_bucket] then v_now + v_period
            else (select w.at + v_period from public.window_admission w
              where w.company_id = b_company[v_bucket] and w.scope = b_scope[v_bucket] and w.per = b_per[v_bucket]
              order by w.at desc offset b_capacity[v_bucket] - b_taken[v_bucket] - 1 limit 1)
          end;
          if v_full is null or v_retry > v_full_until then
            v_full := v_bucket;
            v_full_until := v_retry;
          end if;
        end if;
      end loop;
      if v_full is not null then
        v_refusal := jsonb_strip_nulls(jsonb_build_object(
          'reason', 'limit', 'bucket', b_scope[v_full] || '/' || b_per[v_full], 'left', floor(b_available[v_full]),
          'message', format('limit %s/%s (%s) is reached', b_scope[v_full], b_per[v_full], b_capacity[v_full]),
          'retryAt', case when v_full_until < 'infinity' then
            to_char(v_full_until at time zone 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.MS"Z"') end));
      else
        foreach v_bucket in array v_intent.buckets loop
          b_available[v_bucket] := b_available[v_bucket] - 1;
          b_taken[v_bucket] := b_taken[v_bucket] + 1;
        end loop;
        if v_intent.booking is not null and v_intent.type in ('assign', 'reassign') then
          v_assigned := v_assigned || (v_intent.company || '/' || v_intent.booking);
        end if;
      end if;
    end if;
    r_n := r_n || v_intent.n;
    r_status := r_status || case
      when v_refusal is not null then 'refused'::public.action_status
      when v_intent.dry_run or v_intent."dryRun" then 'dry_run'
      else 'intended'
    end;
    r_refusal := r_refusal || coalesce(v_refusal, 'null'::jsonb);
  end loop;

  update public.token_bucket t set
    tokens = case t.kind when 'bucket' then available else t.tokens end, refilled_at = b.last, taken = t.taken + b.taken
  from unnest(b_company, b_scope, b_per, b_available, b_last, b_taken) as b (company_id, scope, per, available, last, taken)
  where t.company_id = b.company_id and t.scope = b.scope and t.per = b.per and b.taken > 0;
  if 'window' = any(b_kind) then
    delete from public.window_admission w
    using unnest(b_company, b_scope, b_per, b_kind) as b (company_id, scope, per, kind)
    where w.company_id = b.company_id and w.scope = b.scope and w.per = b.per
      and w.at <= v_now - case w.per when 'hour' then interval '1 hour' else interval '24 hours' end;
    -- At the latest moment that the company's limits have seen: what a clock that stepped back admits still counts when it
    -- is right again.
    insert into public.window_admission (company_id, scope, per, at)
    select company_id, scope, per, last
    from (
      select company_id, scope, per, kind, taken, max(own_last) over (partition by company_id) as last
      from unnest(b_company, b_scope, b_per, b_kind, b_last, b_taken) as b (company_id, scope, per, kind, own_last, taken)
    ) as b, generate_series(1, taken)
    where kind = 'window';
  end if;

  return query
  with verdict as (
    select n, status, nullif(refusal, 'null'::jsonb) as refusal
    from unnest(r_n, r_status, r_refusal) as v (n, status, refusal)
  ), act as (
    insert into public.autonomous_action (
      company_id, booking_id, driver_id, action_type, action_description, action_data, error_message, confidence_score,
      expected_improvement_minutes, trigger_source, created_at, updated_at, status, idempotency_key, attempt, approved_by,
      act_by, refusal, seq)
    select
      i.company, i.booking, i.driver, i.type, i.description, i.data, verdict.refusal ->> 'message', i.confidence,
      i.improvement, i.trigger, v_now, v_now, verdict.status, i.key, i.attempt, i."approvedBy",
      v_now + make_interval(secs => i."actSeconds"), verdict.refusal,
      h.seq + row_number() over (partition by i.company order by i.n)
    from jsonb_to_recordset(p_intents) as i (n integer, company bigint, type public.action_type, key text, attempt uuid,
      description text, booking bigint, driver bigint, data jsonb, confidence double precision,
      improvement double precision, trigger text, "approvedBy" text, "actSeconds" double precision)
    join verdict on verdict.n = i.n
    join public.audit_head h on h.company_id = i.company
    order by i.company, i.n
    returning *
  ), entry as (
    select company_id, seq, id, kind, created_at, digest,
      public.audit_chain_over(head, seq, digest) over (partition by company_id order by seq) as hash
    from (
      select act.company_id, act.seq, act.id, act.created_at, kind, h.hash as head, public.audit_birth_digest(kind, act) as digest
      from act join public.audit_head h on h.company_id = act.company_id,
        lateral (select act.status::text::public.ledger_kind as kind offset 0) as k
      offset 0
    ) as born
  ), ledger as (
    insert into public.audit_ledger (company_id, seq, kind, action_id, at, digest, hash)
    select company_id, seq, kind, id, created_at, digest, hash from entry
  ), head as (
    update public.audit_head h set seq = last.seq, hash = last.hash
    from (select distinct on (company_id) company_id, seq, hash from entry order by company_id, seq desc) as last
    where h.company_id = last.company_id
  )
  select i.n, act.id, act.status, false, act.refusal, true
  from act join jsonb_to_recordset(p_intents) as i (n integer, company bigint, attempt uuid)
    on act.company_id = i.company and act.attempt = i.attempt;
end $$;

-- Puts the outcome of an intent on record. One that comes twice is the same; one that comes after the sweeper's `unknown`
-- is kept beside it in the ledger.
create or replace function autonomy_outcome(
  p_id bigint, p_status action_status, p_execution_ms double precision, p_error text, p_refusal jsonb
) returns action_status language plpgsql security definer set search_path = pg_catalog, pg_temp set jit = off set extra_float_digits = 1
set enable_indexscan = on set enable_nestloop = on as $$
declare
  v_company bigint;
  v_action public.autonomous_action;
  v_head public.audit_head;
  v_now timestamptz;
  v_failures integer;
  v_limit integer;
begin
  if p_status not in ('succeeded', 'failed', 'unknown', 'refused') then
    raise exception 'outcome is "%": one of succeeded, failed, unknown, refused', p_status using errcode = 'FS400';
  end if;
  select company_id into v_company from public.autonomous_action where id = p_id;
  if not found then
    raise exception 'action % is not known', p_id using errcode = 'FS404';
  end if;
  v_head := public.audit_lock_head(v_company);
  select * into v_action from public.autonomous_action where id = p_id for update;
  if not found then
    raise exception 'action % is not known', p_id using errcode = 'FS404';
  end if;
  if v_action.status <> 'intended' then
    if v_action.status = 'unknown' and p_status in ('succeeded', 'failed') then
      v_now := public.audit_now();
      declare
        v_detail jsonb := jsonb_strip_nulls(jsonb_build_object(
          'status', p_status, 'executionTimeMs', p_execution_ms, 'error', p_error));
      begin
        perform public.audit_append(v_head, 'late_outcome', p_id, null, v_now, v_detail,
          public.audit_detail_digest('late_outcome', p_id, v_detail, v_now));
      end;
    end if;
    return v_action.status;
  end if;

  if p_status = 'succeeded' then
    update public.breaker set failures = 0
    where company_id = v_action.company_id and action_type = v_action.action_type and failures > 0 and stopped_at is null;
  elsif p_status in ('failed', 'unknown') then
    insert into public.breaker as b (company_id, action_type, failures) values (v_action.company_id, v_action.action_type, 1)
    on conflict (company_id, action_type) do update set failures = b.failures + 1 returning failures into v_failures;
    select breaker_failures into v_limit from public.autonomy where company_id = v_action.company_id;
  end if;

  v_now := public.audit_now();
  update public.autonomous_action set
    status = p_status,
    success = case p_status when 'succeeded' then true when 'failed' then false end,
    execution_time_ms = p_execution_ms,
    error_message = left(p_error, 2000),
    refusal = case p_status when 'refused' then p_refusal end,
    outcome_seq = v_head.seq + 1,
    updated_at = v_now
  where id = p_id returning * into v_action;
  perform public.audit_append(v_head, 'outcome', p_id, null, v_now, null, public.audit_outcome_digest(v_action, v_now));

  if v_failures >= v_limit and v_limit > 0 then
    update public.breaker set stopped_at = v_now
    where company_id = v_action.company_id and action_type = v_action.action_type and stopped_at is null;
    if found then
      perform public.audit_note(v_action.company_id, 'breaker', jsonb_build_object(
        'actionType', v_action.action_type, 'stopped', true, 'failures', v_failures, 'by', 'breaker'));
    end if;
  end if;
  return p_status;
end $$;

-- Many at once, company after company, so that nobody waits in a circle. p_outcomes: objects with id, status, ms, error.
create or replace function autonomy_outcomes(p_outcomes jsonb) returns void
language plpgsql security definer set search_path = pg_catalog, pg_temp set jit = off set extra_float_digits = 1
set enable_indexscan = on set enable_nestloop = on as $$
declare
  v_outcome record;
begin
  for v_outcome in
    select o.* from jsonb_to_recordset(p_outcomes) as o (id bigint, status public.action_status, ms double precision, error text)
    left join public.autonomous_action a using (id) order by a.company_id, id
  loop
    perform public.autonomy_outcome(v_outcome.id, v_outcome.status, v_outcome.ms, v_outcome.error, null);
  end loop;
end $$;

-- An entry that has no row of its own: what was changed, and by whom.
create or replace function audit_note(p_company bigint, p_kind ledger_kind, p_detail jsonb) returns void language plpgsql set search_path = pg_catalog, pg_temp as $$
declare
  v_head public.audit_head := public.audit_lock_head(p_company);
  v_now timestamptz := public.audit_now();
begin
  perform public.audit_append(v_head, p_kind, null, null, v_now, p_detail, public.audit_detail_digest(p_kind, null, p_detail, v_now));
end $$;

-- Intents whose outcome is overdue become `unknown`; gives them, each to one sweeper only.
create or replace function autonomy_sweep(p_grace_seconds double precision)
returns table (id bigint, company_id bigint, action_type action_type, act_by timestamptz)
language plpgsql security definer set search_path = pg_catalog, pg_temp set jit = off set extra_float_digits = 1
set enable_indexscan = on set enable_nestloop = on as $$
#variable_conflict use_column
declare
  v_row record;
begin
  for v_row in
    select a.id, a.company_id, a.action_type, a.act_by from public.autonomous_action a
    where a.status = 'intended' and a.act_by < clock_timestamp() - make_interval(secs => p_grace_seconds)
    order by a.company_id, a.id limit 200
  loop
    perform public.audit_lock_head(v_row.company_id);
    if exists (select from public.autonomous_action a where a.id = v_row.id and a.status = 'intended') then
      perform public.autonomy_outcome(v_row.id, 'unknown', null, 'no outcome on record in time: whether it happened is not known', null);
      return query select v_row.id, v_row.company_id, v_row.action_type, v_row.act_by;
    end if;
  end loop;
end $$;

-- Intents whose acknowledgement came too late: it is certain that nothing was done. p_intents: objects with company, key
-- and attempt.
create or replace function autonomy_abandon(p_intents jsonb, p_refusal jsonb) returns void
language plpgsql security definer set search_path = pg_catalog, pg_temp set jit = off set extra_float_digits = 1
set enable_indexscan = on set enable_nestloop = on as $$
declare
  v_id bigint;
begin
  for v_id in
    select a.id from jsonb_to_recordset(p_intents) as i (company bigint, key text, attempt uuid)
    join public.autonomous_action a on a.company_id = i.company and a.idempotency_key = i.key and a.attempt = i.attempt
    where a.status = 'intended' order by a.company_id, a.id
  loop
    perform public.autonomy_outcome(v_id, 'refused', null, p_refusal ->> 'message', p_refusal);
  end loop;
end $$;

-- What may be changed of a company's settings; `p_changes` holds columns of `autonomy`. Gives the settings before and after.
create or replace function autonomy_configure(p_company bigint, p_changes jsonb, p_by text) returns autonomy
language plpgsql security definer set search_path = pg_catalog, pg_temp set jit = off set extra_float_digits = 1
set enable_indexscan = on set enable_nestloop = on as $$
declare
  v_before public.autonomy;
  v_after public.autonomy;
begin
  perform public.audit_lock_head(p_company);
  select * into v_before from public.autonomy where company_id = p_company for update;
  if not found then
    raise exception 'company % is not known', p_company using errcode = 'FS404';
  end if;
  v_after := jsonb_populate_record(v_before, p_changes - 'company_id');
  update public.autonomy set
    mode = v_after.mode, auto_assign = v_after.auto_assign, auto_reassign = v_after.auto_reassign,
    auto_notify_customer = v_after.auto_notify_customer, auto_adjust_time = v_after.auto_adjust_time,
    auto_reoptimize = v_after.auto_reoptimize, adjust_time_max_minutes = v_after.adjust_time_max_minutes,
    dry_run = v_after.dry_run, stopped = v_after.stopped, breaker_failures = v_after.breaker_failures
  where company_id = p_company;
  if v_after is distinct from v_before then
    perform public.audit_note(p_company, case when v_after.stopped <> v_before.stopped then 'switch' else 'settings' end::public.ledger_kind,
      jsonb_build_object('by', p_by, 'before', to_jsonb(v_before) - 'company_id', 'after', to_jsonb(v_after) - 'company_id'));
  end if;
  return v_after;
end $$;

-- The kill switch of all companies.
create or replace function autonomy_stop_all(p_stopped boolean, p_by text) returns boolean
language plpgsql security definer set search_path = pg_catalog, pg_temp set jit = off set extra_float_digits = 1
set enable_indexscan = on set enable_nestloop = on as $$
begin
  -- Waits for intents under way, and later ones wait for it.
  lock table public.autonomy_all in exclusive mode;
  update public.autonomy_all set stopped = p_stopped where stopped <> p_stopped;
  if found then
    perform public.audit_note(0, 'switch', jsonb_build_object('by', p_by, 'stopped', p_stopped));
    return true;
  end if;
  return false;
end $$;

-- One limit of a company: a new capacity or kind (p_kind null: as it was), or none at all (p_capacity null; only a driver's may
-- be absent). What was taken stays taken: a larger bucket gets the difference at once, a smaller one keeps at most its new
-- capacity, and what it had to hide by that is withheld when it grows again, so that no change fills a bucket. What is withheld
-- is forgotten evenly, over one period.
create or replace function autonomy_limit(p_company bigint, p_scope text, p_per text, p_kind text, p_capacity integer, p_by text)
returns void language plpgsql security definer set search_path = pg_catalog, pg_temp set jit = off set extra_float_digits = 1
set enable_indexscan = on set enable_nestloop = on as $$
declare
  v_now timestamptz;
  v_before jsonb;
  v_kind text;
  v_seconds double precision := case p_per when 'hour' then 3600 when 'day' then 86400 end;
begin
  if p_scope not in ('all', 'driver', 'assign', 'reassign', 'notify_customer', 'adjust_time', 'redistribute', 'reoptimize') then
    raise exception 'limit scope is "%": all, driver, or an action type', p_scope using errcode = 'FS400';
  end if;
  if v_seconds is null then
    raise exception 'limit per is "%": hour or day', p_per using errcode = 'FS400';
  end if;
  if p_kind not in ('bucket', 'window') then
    raise exception 'limit kind is "%": bucket or window', p_kind using errcode = 'FS400';
  end if;
  if p_capacity not between 0 and 1000000 then
    raise exception 'limit capacity is %: 0 to 1000000', p_capacity using errcode = 'FS400';
  end if;
  perform from public.company where id = p_company;
  if not found then
    raise exception 'company % is not known', p_company using errcode = 'FS404';
  end if;
  perform public.audit_lock_head(p_company);
  perform from public.token_bucket where company_id = p_company
    and (scope = p_scope or (p_scope = 'driver' and scope like 'driver/%')) order by scope, per for update;
  v_now := public.audit_now();
  select jsonb_build_object('kind', kind, 'capacity', capacity), kind into v_before, v_kind
  from public.token_bucket where company_id = p_company and scope = p_scope and per = p_per;
  if p_capacity is null then
    if p_scope <> 'driver' then
      raise exception 'limit %/% cannot be removed: give it a capacity', p_scope, p_per using errcode = 'FS400';
    end if;
    delete from public.token_bucket where company_id = p_company and per = p_per and (scope = 'driver' or scope like 'driver/%');
  else
    v_kind := coalesce(p_kind, v_kind, 'bucket');
    insert into public.token_bucket (company_id, scope, per, kind, capacity, tokens)
    values (p_company, p_scope, p_per, v_kind, p_capacity, p_capacity) on conflict do nothing;
    -- A window starts with what the last period admitted.
    insert into public.window_admission (company_id, scope, per, at)
    select b.company_id, b.scope, b.per, a.created_at
    from public.token_bucket b join public.autonomous_action a on a.company_id = b.company_id
      and (b.scope = 'all' or b.scope = a.action_type::text or b.scope = 'driver/' || a.driver_id)
      and a.created_at > v_now - make_interval(secs => v_seconds)
      and (a.status <> 'refused' or a.outcome_seq is not null)
    where b.company_id = p_company and b.per = p_per and b.kind = 'bucket' and v_kind = 'window'
      and (b.scope = p_scope or (p_scope = 'driver' and b.scope like 'driver/%'));
    with bucket as (
      select company_id, scope, per, kind, capacity, greatest(refilled_at, v_now) as last, case kind
          when 'bucket' then least(capacity, tokens
            + greatest(0, extract(epoch from v_now - refilled_at))::double precision * capacity / v_seconds)
          else capacity - (
            select count(*) from public.window_admission w where w.company_id = b.company_id and w.scope = b.scope
              and w.per = b.per and w.at > v_now - make_interval(secs => v_seconds))
        end as remaining,
        withheld * greatest(0, 1 - greatest(0, extract(epoch from v_now - withheld_at))::double precision / v_seconds) as withheld
      from public.token_bucket b
      where company_id = p_company and per = p_per and (scope = p_scope or (p_scope = 'driver' and scope like 'driver/%'))
    ), counted as (
      select *, capacity - remaining + withheld as used from bucket
    ), changed as (
      select *, greatest(0, least(p_capacity, greatest(remaining, p_capacity - used))) as tokens from counted
    )
    update public.token_bucket t set
      kind = v_kind,
      capacity = p_capacity,
      tokens = changed.tokens,
      withheld = case v_kind when 'bucket' then greatest(0, used - (p_capacity - changed.tokens)) else 0 end,
      withheld_at = last,
      refilled_at = last
    from changed where t.company_id = changed.company_id and t.scope = changed.scope and t.per = changed.per;
    delete from public.window_admission
    where v_kind = 'bucket' and company_id = p_company and per = p_per
      and (scope = p_scope or (p_scope = 'driver' and scope like 'driver/%'));
  end if;
  perform public.audit_note(p_company, 'limit', jsonb_build_object('by', p_by, 'bucket', p_scope || '/' || p_per, 'before', v_before,
    'after', case when p_capacity is not null then jsonb_build_object('kind', v_kind, 'capacity', p_capacity) end));
end $$;

-- Lets a stopped type act again.
create or replace function autonomy_reset_breaker(p_company bigint, p_type action_type, p_by text) returns boolean
language plpgsql security definer set search_path = pg_catalog, pg_temp set jit = off set extra_float_digits = 1
set enable_indexscan = on set enable_nestloop = on as $$
begin
  perform public.audit_lock_head(p_company);
  update public.breaker set failures = 0, stopped_at = null
  where company_id = p_company and action_type = p_type and stopped_at is not null;
  if found then
    perform public.audit_note(p_company, 'breaker', jsonb_build_object('actionType', p_type, 'stopped', false, 'by', p_by));
    return true;
  end if;
  return false;
end $$;

-- A person has looked at an act. Earlier reviews are kept.
create or replace function autonomy_review(p_id bigint, p_reviewer text, p_notes text) returns autonomous_action
language plpgsql security definer set search_path = pg_catalog, pg_temp set jit = off set extra_float_digits = 1
set enable_indexscan = on set enable_nestloop = on as $$
declare
  v_company bigint;
  v_action public.autonomous_action;
  v_review public.action_review;
  v_head public.audit_head;
  v_now timestamptz;
begin
  select company_id into v_company from public.autonomous_action where id = p_id;
  if not found then
    raise exception 'action % is not known', p_id using errcode = 'FS404';
  end if;
  v_head := public.audit_lock_head(v_company);
  v_now := public.audit_now();
  insert into public.action_review (action_id, reviewer, notes, at) values (p_id, p_reviewer, p_notes, v_now) returning * into v_review;
  update public.autonomous_action set
    reviewed_by_admin = true, reviewed_at = v_now, reviewed_by = p_reviewer, admin_notes = p_notes,
    review_seq = v_head.seq + 1, updated_at = v_now
  where id = p_id returning * into v_action;
  perform public.audit_append(v_head, 'review', p_id, v_review.id, v_now, null, public.audit_review_digest(v_review));
  return v_action;
end $$;

-- Adds decisions, many at once.
create or replace function decision_record(p_decisions json) returns void
language sql security definer set search_path = pg_catalog, pg_temp set jit = off set extra_float_digits = 1
set enable_indexscan = on set enable_nestloop = on as $$
insert into public.decision (id, company_id, requested_by, idempotency_key, mode, policy, policy_hash, state_hash, fallback, assigned, waiting,
  unassigned, request, answer)
select id, "companyId", "requestedBy", "idempotencyKey", mode, policy, "policyHash", "stateHash", fallback, assigned, waiting, unassigned,
  decode(request, 'base64'), decode(answer, 'base64')
from json_to_recordset(p_decisions) as d (
  id uuid, "companyId" bigint, "requestedBy" text, "idempotencyKey" text, mode text, policy text, "policyHash" text, "stateHash" text, fallback text,
  assigned integer, waiting integer, unassigned integer, request text, answer text)
$$;

-- Adds to what became of a decision.
create or replace function decision_note(p_decision uuid, p_company bigint, p_kind text, p_by text, p_detail jsonb) returns void
language plpgsql security definer set search_path = pg_catalog, pg_temp set jit = off set extra_float_digits = 1
set enable_indexscan = on set enable_nestloop = on as $$
begin
  perform from public.decision where id = p_decision and company_id = p_company;
  if not found then
    raise exception 'decision % is not known', p_decision using errcode = 'FS404';
  end if;
  insert into public.decision_event (decision_id, company_id, kind, by, detail)
  values (p_decision, p_company, p_kind, p_by, p_detail);
end $$;

revoke all on function audit_open_driver_buckets from public;
