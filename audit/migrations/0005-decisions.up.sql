-- What the service recommended, to whom it was recommended, and what people made of it. Insert-only for the application.

create table decision (
  id uuid primary key,
  company_id bigint not null references company,
  created_at timestamptz(3) not null default clock_timestamp(),
  requested_by text not null,
  -- Of whoever asks again after an answer that got lost.
  idempotency_key text,
  mode text not null,
  policy text not null,
  policy_hash text not null,
  state_hash text not null,
  fallback text,
  assigned integer not null,
  waiting integer not null,
  unassigned integer not null,
  -- What was asked, as it was understood: MessagePack; and what was answered: the same, deflated.
  request bytea not null,
  answer bytea not null
);
-- They are packed already: compressing them again would cost more time than the rest of an insert.
alter table decision alter column request set storage external, alter column answer set storage external;
-- A decision of usual size stays in its row, one write instead of five.
alter table decision set (toast_tuple_target = 8160);
create index decision_company on decision (company_id, id);
create unique index decision_key on decision (company_id, idempotency_key) where idempotency_key is not null;

create table decision_event (
  id bigint generated always as identity primary key,
  decision_id uuid not null references decision,
  company_id bigint not null,
  kind text not null check (kind in ('outcome', 'acts')),
  -- Who, and what: an outcome of one shipment, or what became of the acts of `auto`.
  by text not null,
  detail jsonb not null,
  at timestamptz(3) not null default clock_timestamp()
);
create index decision_event_decision on decision_event (decision_id, id);

-- Nobody edits or deletes, as with the record; old decisions go by whole months, when an owner has taken the guard away.
create trigger decision_append_only before update or delete or truncate on decision
  for each statement execute function audit_guard_append_only();
create trigger decision_event_append_only before update or delete or truncate on decision_event
  for each statement execute function audit_guard_append_only();

-- Adds decisions, many at once.
create function decision_record(p_decisions json) returns void
language sql security definer set search_path = public, pg_temp as $$
insert into decision (id, company_id, requested_by, idempotency_key, mode, policy, policy_hash, state_hash, fallback, assigned, waiting,
  unassigned, request, answer)
select id, "companyId", "requestedBy", "idempotencyKey", mode, policy, "policyHash", "stateHash", fallback, assigned, waiting, unassigned,
  decode(request, 'base64'), decode(answer, 'base64')
from json_to_recordset(p_decisions) as d (
  id uuid, "companyId" bigint, "requestedBy" text, "idempotencyKey" text, mode text, policy text, "policyHash" text, "stateHash" text, fallback text,
  assigned integer, waiting integer, unassigned integer, request text, answer text)
$$;

-- Adds to what became of a decision.
create function decision_note(p_decision uuid, p_company bigint, p_kind text, p_by text, p_detail jsonb) returns void
language plpgsql security definer set search_path = public, pg_temp as $$
begin
  perform from decision where id = p_decision and company_id = p_company;
  if not found then
    raise exception 'decision % is not known', p_decision using errcode = 'FS404';
  end if;
  insert into decision_event (decision_id, company_id, kind, by, detail)
  values (p_decision, p_company, p_kind, p_by, p_detail);
end $$;

revoke all on function decision_record, decision_note from public;
grant execute on function decision_record, decision_note to fleetstep_app;
grant select on decision, decision_event to fleetstep_app;
