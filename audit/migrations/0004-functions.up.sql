-- The only ways in which the application writes. They run with the owner's rights; the application's role has none of its
-- own on the tables but to read them.

-- The moment that goes on record.
create function audit_now() returns timestamptz language sql volatile as $$
select date_trunc('milliseconds', clock_timestamp())
$$;

-- Locks the head of a chain. In every function heads come before acts and breakers, and lower companies before higher
-- ones, so that nobody waits in a circle.
create function audit_lock_head(p_company bigint) returns audit_head language plpgsql as $$
declare
  head audit_head;
begin
  select * into head from audit_head where company_id = p_company for update;
  if not found then
    raise exception 'company % is not known', p_company using errcode = 'FS404';
  end if;
  return head;
end $$;

-- Folds a chain over new entries: the hash after each, starting from the head's.
create function audit_chain_step(state bytea, head bytea, seq bigint, digest bytea) returns bytea language plpgsql immutable as $$
begin
  return audit_chain(coalesce(state, head), seq, digest);
end $$;
create aggregate audit_chain_over(head bytea, seq bigint, digest bytea) (sfunc = audit_chain_step, stype = bytea);

-- Permission and intent in one round trip: for each intent, in their order, takes a token from every one of its buckets or from
-- none, and puts the act on record as `intended`, or the refusal. Must be committed before anything is done.
--
-- Takes many intents at once because a statement costs more than its work (a decision alone 0.6 ms, sixteen together 0.1 ms
-- each). Decisions of a company are serial by their nature: an advisory lock hands over from one to the next with a
-- single wake-up, where a queue on a row takes several.
--
-- p_intents: array of objects with the fields named below; `n` is the answer's number, keys of one call differ.
create function autonomy_intend(p_intents jsonb)
returns table (n integer, id bigint, status action_status, replayed boolean, refusal jsonb, same boolean)
language plpgsql security definer set search_path = public, pg_temp
-- A call names a few rows among many, which the planner cannot know: left alone it reads whole tables, and plans anew each time.
set enable_seqscan = off set enable_hashjoin = off set enable_mergejoin = off set plan_cache_mode = force_generic_plan as $$
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
  b_taken integer[];
  v_bucket integer;
  v_period interval;
  v_retry timestamptz;
  v_full integer;
  v_full_until timestamptz;
  -- The verdicts, by `n`.
  r_n integer[] := '{}';
  r_status action_status[] := '{}';
  r_refusal jsonb[] := '{}';
begin
  -- The switch of all companies waits for intents under way, and later intents wait for it: once it says stopped, nothing
  -- follows. Then each company's turn, in the order of their numbers, so that nobody waits in a circle.
  perform pg_advisory_xact_lock_shared(7021, 0);
  perform pg_advisory_xact_lock(7022, hash) from (
    select distinct hashint8(company) as hash from jsonb_to_recordset(p_intents) as i (company bigint) order by 1) as turns;

  -- After the locks: waiting for them must not be taken for time in which buckets fill.
  v_now := audit_now();

  -- A driver's own buckets begin as copies of the company's `driver` ones.
  if jsonb_path_exists(p_intents, '$[*].driver ? (@ != null)') then
    insert into token_bucket (company_id, scope, per, kind, capacity, tokens)
    select distinct b.company_id, 'driver/' || i.driver, b.per, b.kind, b.capacity, b.capacity::double precision
    from jsonb_to_recordset(p_intents) as i (company bigint, driver bigint)
    join driver d on d.company_id = i.company and d.id = i.driver
    join token_bucket b on b.company_id = i.company and b.scope = 'driver'
    on conflict do nothing;
  end if;

  -- All buckets that any of the intents needs, locked in key order, and what each holds now.
  select array_agg(company_id), array_agg(scope), array_agg(per), array_agg(kind), array_agg(capacity), array_agg(available),
    array_agg(0)
  into b_company, b_scope, b_per, b_kind, b_capacity, b_available, b_taken
  from (
    select company_id, scope, per, kind, capacity, case kind
      when 'bucket' then least(capacity, tokens + greatest(0, extract(epoch from v_now - refilled_at)::double precision)
        * capacity / case per when 'hour' then 3600 else 86400 end)
      else capacity - (
        select count(*) from window_admission w where w.company_id = t.company_id and w.scope = t.scope and w.per = t.per
          and w.at > v_now - case per when 'hour' then interval '1 hour' else interval '24 hours' end)
      end as available
    from token_bucket t
    where (company_id, scope) in (
      select company, unnest(array['all', type, 'driver/' || driver])
      from jsonb_to_recordset(p_intents) as i (company bigint, type text, driver bigint))
    order by company_id, scope, per for update
  ) as locked;
  perform from audit_head
  where company_id in (select company from jsonb_to_recordset(p_intents) as i (company bigint))
  order by company_id for update;

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
    from jsonb_to_recordset(p_intents) as i (n integer, company bigint, type action_type, key text, booking bigint,
      driver bigint, data jsonb, delay double precision, "approvedBy" text, "dryRun" boolean)
    cross join autonomy_all as everybody
    left join autonomy a on a.company_id = i.company
    left join breaker on breaker.company_id = i.company and breaker.action_type = i.type
    left join autonomous_action known
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

    v_refusal := case
      when v_intent.stopped_all then
        jsonb_build_object('reason', 'kill_switch_all', 'message', 'the kill switch of all companies is on')
      when v_intent.stopped then
        jsonb_build_object('reason', 'kill_switch', 'message', 'the kill switch of this company is on')
      when v_intent.mode = 'MANUAL' then
        jsonb_build_object('reason', 'mode', 'message', 'mode MANUAL: software does not act')
      when v_intent.type_stopped_at is not null then jsonb_build_object('reason', 'breaker',
        'message', format('%s is stopped after failures in a row, until it is reset', v_intent.type))
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
            when b_kind[v_bucket] = 'bucket' then v_now + v_period * ((1 - b_available[v_bucket]) / b_capacity[v_bucket])
            when b_taken[v_bucket] >= b_capacity[v_bucket] then v_now + v_period
            else (select w.at + v_period from window_admission w
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
      end if;
    end if;
    r_n := r_n || v_intent.n;
    r_status := r_status || case
      when v_refusal is not null then 'refused'::action_status
      when v_intent.dry_run or v_intent."dryRun" then 'dry_run'
      else 'intended'
    end;
    r_refusal := r_refusal || coalesce(v_refusal, 'null'::jsonb);
  end loop;

  update token_bucket t set
    tokens = case t.kind when 'bucket' then available else t.tokens end, refilled_at = v_now, taken = t.taken + b.taken
  from unnest(b_company, b_scope, b_per, b_available, b_taken) as b (company_id, scope, per, available, taken)
  where t.company_id = b.company_id and t.scope = b.scope and t.per = b.per and b.taken > 0;
  if 'window' = any(b_kind) then
    delete from window_admission w
    using unnest(b_company, b_scope, b_per, b_kind) as b (company_id, scope, per, kind)
    where w.company_id = b.company_id and w.scope = b.scope and w.per = b.per
      and w.at <= v_now - case w.per when 'hour' then interval '1 hour' else interval '24 hours' end;
    insert into window_admission (company_id, scope, per, at)
    select company_id, scope, per, v_now
    from unnest(b_company, b_scope, b_per, b_kind, b_taken) as b (company_id, scope, per, kind, taken), generate_series(1, taken)
    where kind = 'window';
  end if;

  return query
  with verdict as (
    select n, status, nullif(refusal, 'null'::jsonb) as refusal
    from unnest(r_n, r_status, r_refusal) as v (n, status, refusal)
  ), act as (
    insert into autonomous_action (
      company_id, booking_id, driver_id, action_type, action_description, action_data, error_message, confidence_score,
      expected_improvement_minutes, trigger_source, created_at, updated_at, status, idempotency_key, attempt, approved_by,
      act_by, refusal, seq)
    select
      i.company, i.booking, i.driver, i.type, i.description, i.data, verdict.refusal ->> 'message', i.confidence,
      i.improvement, i.trigger, v_now, v_now, verdict.status, i.key, i.attempt, i."approvedBy",
      v_now + make_interval(secs => i."actSeconds"), verdict.refusal,
      h.seq + row_number() over (partition by i.company order by i.n)
    from jsonb_to_recordset(p_intents) as i (n integer, company bigint, type action_type, key text, attempt uuid,
      description text, booking bigint, driver bigint, data jsonb, confidence double precision,
      improvement double precision, trigger text, "approvedBy" text, "actSeconds" double precision)
    join verdict on verdict.n = i.n
    join audit_head h on h.company_id = i.company
    order by i.company, i.n
    returning *
  ), entry as (
    select company_id, seq, id, kind, created_at, digest,
      audit_chain_over(head, seq, digest) over (partition by company_id order by seq) as hash
    from (
      select act.company_id, act.seq, act.id, act.created_at, kind, h.hash as head, audit_birth_digest(kind, act) as digest
      from act join audit_head h on h.company_id = act.company_id,
        lateral (select act.status::text::ledger_kind as kind offset 0) as k
      offset 0
    ) as born
  ), ledger as (
    insert into audit_ledger (company_id, seq, kind, action_id, at, digest, hash)
    select company_id, seq, kind, id, created_at, digest, hash from entry
  ), head as (
    update audit_head h set seq = last.seq, hash = last.hash
    from (select distinct on (company_id) company_id, seq, hash from entry order by company_id, seq desc) as last
    where h.company_id = last.company_id
  )
  select i.n, act.id, act.status, false, act.refusal, true
  from act join jsonb_to_recordset(p_intents) as i (n integer, company bigint, attempt uuid)
    on act.company_id = i.company and act.attempt = i.attempt;
end $$;

-- Puts the outcome of an intent on record. One that comes twice is the same; one that comes after the sweeper's `unknown`
-- is kept beside it in the ledger.
create function autonomy_outcome(
  p_id bigint, p_status action_status, p_execution_ms double precision, p_error text, p_refusal jsonb
) returns action_status language plpgsql security definer set search_path = public, pg_temp as $$
declare
  v_company bigint;
  v_action autonomous_action;
  v_head audit_head;
  v_now timestamptz;
  v_failures integer;
  v_limit integer;
begin
  if p_status not in ('succeeded', 'failed', 'unknown', 'refused') then
    raise exception 'outcome is "%": one of succeeded, failed, unknown, refused', p_status using errcode = 'FS400';
  end if;
  select company_id into v_company from autonomous_action where id = p_id;
  if not found then
    raise exception 'action % is not known', p_id using errcode = 'FS404';
  end if;
  v_head := audit_lock_head(v_company);
  select * into v_action from autonomous_action where id = p_id for update;
  if v_action.status <> 'intended' then
    if v_action.status = 'unknown' and p_status in ('succeeded', 'failed') then
      v_now := audit_now();
      declare
        v_detail jsonb := jsonb_strip_nulls(jsonb_build_object(
          'status', p_status, 'executionTimeMs', p_execution_ms, 'error', p_error));
      begin
        perform audit_append(v_head, 'late_outcome', p_id, null, v_now, v_detail,
          audit_detail_digest('late_outcome', p_id, v_detail, v_now));
      end;
    end if;
    return v_action.status;
  end if;

  if p_status = 'succeeded' then
    update breaker set failures = 0
    where company_id = v_action.company_id and action_type = v_action.action_type and failures > 0 and stopped_at is null;
  elsif p_status in ('failed', 'unknown') then
    insert into breaker as b (company_id, action_type, failures) values (v_action.company_id, v_action.action_type, 1)
    on conflict (company_id, action_type) do update set failures = b.failures + 1 returning failures into v_failures;
    select breaker_failures into v_limit from autonomy where company_id = v_action.company_id;
  end if;

  v_now := audit_now();
  update autonomous_action set
    status = p_status,
    success = case p_status when 'succeeded' then true when 'failed' then false end,
    execution_time_ms = p_execution_ms,
    error_message = left(p_error, 2000),
    refusal = case p_status when 'refused' then p_refusal end,
    outcome_seq = v_head.seq + 1,
    updated_at = v_now
  where id = p_id returning * into v_action;
  perform audit_append(v_head, 'outcome', p_id, null, v_now, null, audit_outcome_digest(v_action, v_now));

  if v_failures >= v_limit and v_limit > 0 then
    update breaker set stopped_at = v_now
    where company_id = v_action.company_id and action_type = v_action.action_type and stopped_at is null;
    if found then
      perform audit_note(v_action.company_id, 'breaker', jsonb_build_object(
        'actionType', v_action.action_type, 'stopped', true, 'failures', v_failures, 'by', 'breaker'));
    end if;
  end if;
  return p_status;
end $$;

-- Many at once, company after company, so that nobody waits in a circle. p_outcomes: objects with id, status, ms, error.
create function autonomy_outcomes(p_outcomes jsonb) returns void
language plpgsql security definer set search_path = public, pg_temp as $$
declare
  v_outcome record;
begin
  for v_outcome in
    select o.* from jsonb_to_recordset(p_outcomes) as o (id bigint, status action_status, ms double precision, error text)
    left join autonomous_action a using (id) order by a.company_id, id
  loop
    perform autonomy_outcome(v_outcome.id, v_outcome.status, v_outcome.ms, v_outcome.error, null);
  end loop;
end $$;

-- An entry that has no row of its own: what was changed, and by whom.
create function audit_note(p_company bigint, p_kind ledger_kind, p_detail jsonb) returns void language plpgsql as $$
declare
  v_head audit_head := audit_lock_head(p_company);
  v_now timestamptz := audit_now();
begin
  perform audit_append(v_head, p_kind, null, null, v_now, p_detail, audit_detail_digest(p_kind, null, p_detail, v_now));
end $$;

-- Intents whose outcome is overdue become `unknown`; gives them, each to one sweeper only.
create function autonomy_sweep(p_grace_seconds double precision)
returns table (id bigint, company_id bigint, action_type action_type, act_by timestamptz)
language plpgsql security definer set search_path = public, pg_temp as $$
#variable_conflict use_column
declare
  v_row record;
begin
  for v_row in
    select a.id, a.company_id, a.action_type, a.act_by from autonomous_action a
    where a.status = 'intended' and a.act_by < clock_timestamp() - make_interval(secs => p_grace_seconds)
    order by a.company_id, a.id limit 200
  loop
    perform audit_lock_head(v_row.company_id);
    if exists (select from autonomous_action a where a.id = v_row.id and a.status = 'intended') then
      perform autonomy_outcome(v_row.id, 'unknown', null, 'no outcome on record in time: whether it happened is not known', null);
      return query select v_row.id, v_row.company_id, v_row.action_type, v_row.act_by;
    end if;
  end loop;
end $$;

-- Intents whose acknowledgement came too late: it is certain that nothing was done. p_intents: objects with company, key
-- and attempt.
create function autonomy_abandon(p_intents jsonb, p_refusal jsonb) returns void
language plpgsql security definer set search_path = public, pg_temp as $$
declare
  v_id bigint;
begin
  for v_id in
    select a.id from jsonb_to_recordset(p_intents) as i (company bigint, key text, attempt uuid)
    join autonomous_action a on a.company_id = i.company and a.idempotency_key = i.key and a.attempt = i.attempt
    where a.status = 'intended' order by a.company_id, a.id
  loop
    perform autonomy_outcome(v_id, 'refused', null, p_refusal ->> 'message', p_refusal);
  end loop;
end $$;

-- What may be changed of a company's settings; `p_changes` holds columns of `autonomy`. Gives the settings before and after.
create function autonomy_configure(p_company bigint, p_changes jsonb, p_by text) returns autonomy
language plpgsql security definer set search_path = public, pg_temp as $$
declare
  v_before autonomy;
  v_after autonomy;
begin
  perform pg_advisory_xact_lock(7022, hashint8(p_company));
  select * into v_before from autonomy where company_id = p_company for update;
  if not found then
    raise exception 'company % is not known', p_company using errcode = 'FS404';
  end if;
  v_after := jsonb_populate_record(v_before, p_changes - 'company_id');
  update autonomy set
    mode = v_after.mode, auto_assign = v_after.auto_assign, auto_reassign = v_after.auto_reassign,
    auto_notify_customer = v_after.auto_notify_customer, auto_adjust_time = v_after.auto_adjust_time,
    auto_reoptimize = v_after.auto_reoptimize, adjust_time_max_minutes = v_after.adjust_time_max_minutes,
    dry_run = v_after.dry_run, stopped = v_after.stopped, breaker_failures = v_after.breaker_failures
  where company_id = p_company;
  if v_after is distinct from v_before then
    perform audit_note(p_company, case when v_after.stopped <> v_before.stopped then 'switch' else 'settings' end::ledger_kind,
      jsonb_build_object('by', p_by, 'before', to_jsonb(v_before) - 'company_id', 'after', to_jsonb(v_after) - 'company_id'));
  end if;
  return v_after;
end $$;

-- The kill switch of all companies.
create function autonomy_stop_all(p_stopped boolean, p_by text) returns boolean
language plpgsql security definer set search_path = public, pg_temp as $$
begin
  perform pg_advisory_xact_lock(7021, 0);
  update autonomy_all set stopped = p_stopped where stopped <> p_stopped;
  if found then
    perform audit_note(0, 'switch', jsonb_build_object('by', p_by, 'stopped', p_stopped));
    return true;
  end if;
  return false;
end $$;

-- One limit of a company: a new capacity or kind, or none at all (p_capacity null; only a driver's may be absent).
-- A larger bucket gets the difference at once, a smaller one keeps at most its new capacity.
create function autonomy_limit(p_company bigint, p_scope text, p_per text, p_kind text, p_capacity integer, p_by text)
returns void language plpgsql security definer set search_path = public, pg_temp as $$
declare
  v_now timestamptz;
  v_before jsonb;
begin
  if p_scope not in ('all', 'driver', 'assign', 'reassign', 'notify_customer', 'adjust_time', 'redistribute', 'reoptimize') then
    raise exception 'limit scope is "%": all, driver, or an action type', p_scope using errcode = 'FS400';
  end if;
  perform pg_advisory_xact_lock(7022, hashint8(p_company));
  perform from token_bucket where company_id = p_company
    and (scope = p_scope or (p_scope = 'driver' and scope like 'driver/%')) order by scope, per for update;
  perform from company where id = p_company;
  if not found then
    raise exception 'company % is not known', p_company using errcode = 'FS404';
  end if;
  v_now := audit_now();
  select jsonb_build_object('kind', kind, 'capacity', capacity) into v_before
  from token_bucket where company_id = p_company and scope = p_scope and per = p_per;
  if p_capacity is null then
    if p_scope <> 'driver' then
      raise exception 'limit %/% cannot be removed: give it a capacity', p_scope, p_per using errcode = 'FS400';
    end if;
    delete from token_bucket where company_id = p_company and per = p_per and (scope = 'driver' or scope like 'driver/%');
  else
    insert into token_bucket (company_id, scope, per, kind, capacity, tokens)
    values (p_company, p_scope, p_per, p_kind, p_capacity, p_capacity) on conflict do nothing;
    -- A window starts with what the last period admitted.
    insert into window_admission (company_id, scope, per, at)
    select b.company_id, b.scope, b.per, a.created_at
    from token_bucket b join autonomous_action a on a.company_id = b.company_id
      and (b.scope = 'all' or b.scope = a.action_type::text or b.scope = 'driver/' || a.driver_id)
      and a.created_at > v_now - case b.per when 'hour' then interval '1 hour' else interval '24 hours' end
      and (a.status <> 'refused' or a.outcome_seq is not null)
    where b.company_id = p_company and b.per = p_per and b.kind = 'bucket' and p_kind = 'window'
      and (b.scope = p_scope or (p_scope = 'driver' and b.scope like 'driver/%'));
    delete from window_admission w using token_bucket b
    where p_kind = 'bucket' and b.kind = 'window' and b.company_id = p_company and b.per = p_per
      and (b.scope = p_scope or (p_scope = 'driver' and b.scope like 'driver/%'))
      and w.company_id = b.company_id and w.scope = b.scope and w.per = b.per;
    update token_bucket set
      kind = p_kind,
      tokens = least(p_capacity, greatest(0, p_capacity - capacity) + least(capacity,
        tokens + greatest(0, extract(epoch from v_now - refilled_at))::double precision
          * capacity / case per when 'hour' then 3600.0 else 86400.0 end)),
      refilled_at = v_now,
      capacity = p_capacity
    where company_id = p_company and per = p_per and (scope = p_scope or (p_scope = 'driver' and scope like 'driver/%'));
  end if;
  perform audit_note(p_company, 'limit', jsonb_build_object('by', p_by, 'bucket', p_scope || '/' || p_per, 'before', v_before,
    'after', case when p_capacity is not null then jsonb_build_object('kind', p_kind, 'capacity', p_capacity) end));
end $$;

-- Lets a stopped type act again.
create function autonomy_reset_breaker(p_company bigint, p_type action_type, p_by text) returns boolean
language plpgsql security definer set search_path = public, pg_temp as $$
begin
  perform audit_lock_head(p_company);
  update breaker set failures = 0, stopped_at = null
  where company_id = p_company and action_type = p_type and stopped_at is not null;
  if found then
    perform audit_note(p_company, 'breaker', jsonb_build_object('actionType', p_type, 'stopped', false, 'by', p_by));
    return true;
  end if;
  return false;
end $$;

-- A person has looked at an act. Earlier reviews are kept.
create function autonomy_review(p_id bigint, p_reviewer text, p_notes text) returns autonomous_action
language plpgsql security definer set search_path = public, pg_temp as $$
declare
  v_company bigint;
  v_action autonomous_action;
  v_review action_review;
  v_head audit_head;
  v_now timestamptz;
begin
  select company_id into v_company from autonomous_action where id = p_id;
  if not found then
    raise exception 'action % is not known', p_id using errcode = 'FS404';
  end if;
  v_head := audit_lock_head(v_company);
  v_now := audit_now();
  insert into action_review (action_id, reviewer, notes, at) values (p_id, p_reviewer, p_notes, v_now) returning * into v_review;
  update autonomous_action set
    reviewed_by_admin = true, reviewed_at = v_now, reviewed_by = p_reviewer, admin_notes = p_notes,
    review_seq = v_head.seq + 1, updated_at = v_now
  where id = p_id returning * into v_action;
  perform audit_append(v_head, 'review', p_id, v_review.id, v_now, null, audit_review_digest(v_review));
  return v_action;
end $$;

-- Rights: the application reads, and writes through the functions above alone. Functions are everybody's by default.
revoke all on function autonomy_intend, autonomy_outcome, autonomy_outcomes, autonomy_sweep, autonomy_abandon, autonomy_configure,
  autonomy_stop_all, autonomy_limit, autonomy_reset_breaker, autonomy_review,
  audit_time, audit_birth_digest, audit_outcome_digest, audit_review_digest, audit_detail_digest, audit_chain,
  audit_append, audit_guard_action, audit_guard_append_only, company_opens_chain, company_gets_limits,
  default_limits, audit_now, audit_lock_head, audit_note,
  audit_check_action, audit_chain_step, audit_chain_over(bytea, bigint, bytea) from public;
grant usage on schema public to fleetstep_app;
grant select on company, driver, booking, autonomous_action, action_review, audit_ledger, audit_head, autonomy, autonomy_all,
  breaker, token_bucket, window_admission to fleetstep_app;
grant execute on function autonomy_intend, autonomy_outcome, autonomy_outcomes, autonomy_sweep, autonomy_abandon, autonomy_configure,
  autonomy_stop_all, autonomy_limit, autonomy_reset_breaker, autonomy_review,
  audit_time, audit_birth_digest, audit_outcome_digest, audit_review_digest, audit_detail_digest, audit_chain to fleetstep_app;
