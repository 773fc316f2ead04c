-- The record: one row an act, and a ledger that chains everything that happens to it.

create type action_type as enum ('assign', 'reassign', 'notify_customer', 'adjust_time', 'redistribute', 'reoptimize');
create type action_status as enum ('intended', 'succeeded', 'failed', 'refused', 'unknown', 'dry_run');
create type ledger_kind as enum (
  'intended', 'refused', 'dry_run', 'outcome', 'late_outcome', 'review', 'settings', 'limit', 'switch', 'breaker');

-- One entry for each thing that happened: an act's intent, its outcome, a review, a change of limits. Entries of a company
-- are numbered without gaps, and each one's hash covers its predecessor's. Chain 0 belongs to the whole installation.
create table audit_ledger (
  company_id bigint not null,
  seq bigint not null,
  kind ledger_kind not null,
  action_id bigint,
  review_id bigint,
  at timestamptz(3) not null,
  -- What happened, for entries that have no row of their own.
  detail jsonb,
  -- SHA-256 of the content, and of the previous hash, the number and the content's digest.
  digest bytea not null,
  hash bytea not null,
  primary key (company_id, seq)
);

-- What came after an act's intent; the intent itself is found by its number.
create index audit_ledger_action on audit_ledger (action_id) where kind in ('outcome', 'late_outcome', 'review');

-- Where each chain ends. Locked by whoever appends.
create table audit_head (
  company_id bigint primary key,
  seq bigint not null default 0,
  hash bytea not null default sha256('fleetstep')
) with (fillfactor = 25, autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 500);

-- Values are checked by types and by the trigger `check_values`: as CHECK constraints, which PostgreSQL prepares anew for
-- every statement, the same checks took two thirds of an insert's time (119 us against 43 us).
create table autonomous_action (
  id bigint generated always as identity primary key,
  company_id bigint not null references company,
  booking_id bigint,
  driver_id bigint,
  action_type action_type not null,
  action_description text not null,
  action_data jsonb not null default '{}',
  -- Null until the act has ended, and for one that never began.
  success boolean,
  error_message text,
  execution_time_ms double precision,
  confidence_score double precision,
  expected_improvement_minutes double precision,
  trigger_source text not null,
  reviewed_by_admin boolean not null default false,
  reviewed_at timestamptz(3),
  admin_notes text,
  created_at timestamptz(3) not null,
  updated_at timestamptz(3) not null,

  -- Beyond the original's eighteen: how far the act has come.
  status action_status not null,
  -- A second try under the same key never acts again.
  idempotency_key text not null,
  -- Which try it was, so that a caller who got no answer closes his own intent and nobody else's.
  attempt uuid not null,
  -- The person who approved it, where the mode asks for one.
  approved_by text,
  -- By when the outcome must be on record; after that the sweeper says `unknown`.
  act_by timestamptz(3) not null,
  -- Why it was refused.
  refusal jsonb,
  -- Who reviewed it last.
  reviewed_by text,
  -- Its entries in the company's ledger.
  seq bigint not null,
  outcome_seq bigint,
  review_seq bigint,

  -- Composite, so that another company's booking or driver cannot be named.
  foreign key (company_id, booking_id) references booking (company_id, id),
  foreign key (company_id, driver_id) references driver (company_id, id)
);

create function audit_check_action() returns trigger language plpgsql as $$
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
create trigger check_values before insert or update on autonomous_action for each row execute function audit_check_action();

-- The original's eight, the primary key counted. Lists are ordered by (created_at, id): rows of one millisecond are few. What is
-- included lets a list filter, skip and count within the index: a thousand rows cost a tenth of a millisecond there, and
-- several in the table.
create index autonomous_action_company on autonomous_action (company_id);
create index autonomous_action_booking on autonomous_action (booking_id);
create index autonomous_action_driver on autonomous_action (driver_id);
create index autonomous_action_type on autonomous_action (action_type);
create index autonomous_action_created on autonomous_action (created_at) include (id, status, reviewed_by_admin);
create index autonomous_action_company_created_success on autonomous_action (company_id, created_at, success)
  include (id, action_type, status, reviewed_by_admin);
create index autonomous_action_type_created on autonomous_action (action_type, created_at) include (id, status, reviewed_by_admin);
-- And ours. No monthly partitions: they would cost the uniqueness of `id` and of the idempotency key over time, nothing is ever
-- deleted that they would make cheap, and new rows land on the right-hand edge of every index, so 10^8 rows insert
-- like 10^6. No BRIN on created_at either: the B-tree that the original asks for serves every range that it would.
create unique index autonomous_action_key on autonomous_action (company_id, idempotency_key) where status <> 'refused';
create index autonomous_action_pending on autonomous_action (act_by) where status = 'intended';
-- Rarer rows that a list may ask for; walking back through all others to find them would take seconds.
create index autonomous_action_status_created on autonomous_action (status, created_at) include (id, reviewed_by_admin)
  where status <> 'succeeded';
create index autonomous_action_company_failed on autonomous_action (company_id, created_at) include (id) where status = 'failed';
create index autonomous_action_reviewed on autonomous_action (created_at) include (id, status) where reviewed_by_admin;
create index autonomous_action_company_reviewed on autonomous_action (company_id, created_at) include (id, status)
  where reviewed_by_admin;
create index autonomous_action_company_type_created on autonomous_action (company_id, action_type, created_at)
  include (id, status, reviewed_by_admin);
-- An index alone answers only for pages that were vacuumed since their last change: soon, not after a fifth of the table.
alter table autonomous_action set (autovacuum_vacuum_scale_factor = 0.01, autovacuum_vacuum_insert_scale_factor = 0.01);

-- Every review, so that a second one hides nothing.
create table action_review (
  id bigint generated always as identity primary key,
  action_id bigint not null references autonomous_action,
  reviewer text not null check (length(reviewer) between 1 and 200),
  notes text check (length(notes) <= 1000),
  at timestamptz(3) not null
);
create index action_review_action on action_review (action_id);

-- What digests cover. Times are whole milliseconds and numbers their own bytes, so that no session setting changes a text.
-- `stable`, as what they call is: PostgreSQL would not inline a stricter promise, which made them two and a half times as slow.
create function audit_time(t timestamptz) returns bigint language sql stable as $$
select (extract(epoch from t) * 1000)::bigint
$$;

create function audit_birth_digest(kind ledger_kind, a autonomous_action) returns bytea language sql stable as $$
select sha256(convert_to(jsonb_build_array(
  kind, a.id, a.company_id, a.seq, a.booking_id, a.driver_id, a.action_type, a.action_description, a.action_data,
  encode(float8send(a.confidence_score), 'hex'), encode(float8send(a.expected_improvement_minutes), 'hex'),
  a.trigger_source, a.idempotency_key, a.attempt, a.approved_by, audit_time(a.created_at), audit_time(a.act_by),
  case kind when 'refused' then a.refusal end)::text, 'UTF8'))
$$;

create function audit_outcome_digest(a autonomous_action, at timestamptz) returns bytea language sql stable as $$
select sha256(convert_to(jsonb_build_array(
  'outcome', a.id, a.company_id, a.outcome_seq, a.status, a.success, a.error_message,
  encode(float8send(a.execution_time_ms), 'hex'), a.refusal, audit_time(at))::text, 'UTF8'))
$$;

create function audit_review_digest(r action_review) returns bytea language sql stable as $$
select sha256(convert_to(jsonb_build_array(
  'review', r.id, r.action_id, r.reviewer, r.notes, audit_time(r.at))::text, 'UTF8'))
$$;

create function audit_detail_digest(kind ledger_kind, action_id bigint, detail jsonb, at timestamptz) returns bytea language sql stable as $$
select sha256(convert_to(jsonb_build_array(kind, action_id, detail, audit_time(at))::text, 'UTF8'))
$$;

create function audit_chain(previous bytea, seq bigint, digest bytea) returns bytea language sql immutable as $$
select sha256(previous || int8send(seq) || digest)
$$;

-- Adds an entry to a company's chain. The caller has locked the head and passes it on.
create function audit_append(
  head audit_head, p_kind ledger_kind, p_action bigint, p_review bigint, p_at timestamptz, p_detail jsonb, p_digest bytea
) returns void language plpgsql as $$
begin
  insert into audit_ledger (company_id, seq, kind, action_id, review_id, at, detail, digest, hash)
  values (head.company_id, head.seq + 1, p_kind, p_action, p_review, p_at, p_detail, p_digest,
    audit_chain(head.hash, head.seq + 1, p_digest));
  update audit_head set seq = head.seq + 1, hash = audit_chain(head.hash, head.seq + 1, p_digest)
  where company_id = head.company_id;
end $$;

-- Guards: nobody edits or deletes, not even the owner, unless he removes the guard, which `audit verify` sees.
create function audit_guard_action() returns trigger language plpgsql as $$
declare
  same autonomous_action := new;
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

create function audit_guard_append_only() returns trigger language plpgsql as $$
begin
  raise exception '% is append-only: % is not allowed', tg_table_name, lower(tg_op) using errcode = 'FS403';
end $$;

create trigger guard_update before update on autonomous_action for each row execute function audit_guard_action();
create trigger guard_delete before delete on autonomous_action for each row execute function audit_guard_append_only();
create trigger guard_truncate before truncate on autonomous_action for each statement execute function audit_guard_append_only();
create trigger guard_change before update or delete on audit_ledger for each row execute function audit_guard_append_only();
create trigger guard_truncate before truncate on audit_ledger for each statement execute function audit_guard_append_only();
create trigger guard_change before update or delete on action_review for each row execute function audit_guard_append_only();
create trigger guard_truncate before truncate on action_review for each statement execute function audit_guard_append_only();
create trigger guard_delete before delete on audit_head for each row execute function audit_guard_append_only();
create trigger guard_truncate before truncate on audit_head for each statement execute function audit_guard_append_only();

insert into audit_head (company_id) values (0);
insert into audit_head (company_id) select id from company;
create function company_opens_chain() returns trigger language plpgsql security definer set search_path = public, pg_temp as $$
begin
  insert into audit_head (company_id) values (new.id);
  return new;
end $$;
create trigger opens_chain after insert on company for each row execute function company_opens_chain();
