-- Whether whoever asked for an action may approve it: a setting of the company, off until somebody turns it on.

alter table public.autonomy add column own_approval boolean not null default false;

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
    dry_run = v_after.dry_run, stopped = v_after.stopped, breaker_failures = v_after.breaker_failures,
    own_approval = v_after.own_approval
  where company_id = p_company;
  if v_after is distinct from v_before then
    perform public.audit_note(p_company, case when v_after.stopped <> v_before.stopped then 'switch' else 'settings' end::public.ledger_kind,
      jsonb_build_object('by', p_by, 'before', to_jsonb(v_before) - 'company_id', 'after', to_jsonb(v_after) - 'company_id'));
  end if;
  return v_after;
end $$;

-- So that the setting is bound from now on in companies whose settings nobody changes any more.
do $$
declare
  v_own record;
begin
  for v_own in select company_id, to_jsonb(a) - 'company_id' as settings from public.autonomy a order by company_id loop
    perform public.audit_note(v_own.company_id, 'settings', jsonb_build_object(
      'by', 'migration 0008', 'before', v_own.settings - 'own_approval', 'after', v_own.settings));
  end loop;
end $$;
