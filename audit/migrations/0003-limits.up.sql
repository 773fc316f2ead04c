-- What software may do alone: settings, switches and buckets of each company.

create table autonomy (
  company_id bigint primary key references company,
  mode text not null default 'MANUAL' check (mode in ('MANUAL', 'SEMI_AUTO', 'FULLY_AUTO')),
  -- The rules of FULLY_AUTO: which types act without being asked. `redistribute` never does.
  auto_assign boolean not null default false,
  auto_reassign boolean not null default false,
  auto_notify_customer boolean not null default false,
  auto_adjust_time boolean not null default false,
  auto_reoptimize boolean not null default false,
  -- The longest delay that adjust_time may decide alone, in minutes.
  adjust_time_max_minutes double precision not null default 30 check (adjust_time_max_minutes between 0 and 1440),
  dry_run boolean not null default false,
  stopped boolean not null default false,
  -- So many failures in a row stop a type; 0: never.
  breaker_failures integer not null default 5 check (breaker_failures between 0 and 1000)
);

create table autonomy_all (
  id boolean primary key default true check (id),
  stopped boolean not null default false
);
insert into autonomy_all default values;

create table breaker (
  company_id bigint not null references company,
  action_type action_type not null,
  failures integer not null default 0,
  stopped_at timestamptz(3),
  primary key (company_id, action_type)
);

-- One row a bucket. `bucket`: refills evenly, so that a full one admits up to twice its capacity within its first
-- period. `window`: never more than `capacity` within any span of one period.
create table token_bucket (
  company_id bigint not null references company,
  -- 'all', an action type, 'driver' (what a driver's own start with) or 'driver/<id>'.
  scope text collate "C" not null,
  per text collate "C" not null check (per in ('hour', 'day')),
  kind text not null default 'bucket' check (kind in ('bucket', 'window')),
  capacity integer not null check (capacity between 0 and 1000000),
  tokens double precision not null,
  refilled_at timestamptz not null default clock_timestamp(),
  -- Tokens ever taken.
  taken bigint not null default 0,
  primary key (company_id, scope, per)
) with (fillfactor = 25, autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 500);

-- When a `window` limit's admissions happened; older ones than its period are dropped as it is used.
create table window_admission (
  company_id bigint not null,
  scope text collate "C" not null,
  per text collate "C" not null,
  at timestamptz not null,
  foreign key (company_id, scope, per) references token_bucket on delete cascade
);
create index window_admission_at on window_admission (company_id, scope, per, at);

create function default_limits(p_company bigint) returns void language sql as $$
  insert into autonomy (company_id) values (p_company);
  insert into token_bucket (company_id, scope, per, capacity, tokens)
  select p_company, scope, per, capacity, capacity
  from (values
    ('all', 50, 500), ('assign', 30, 200), ('reassign', 10, 50), ('notify_customer', 30, 200), ('adjust_time', 20, 100),
    ('redistribute', 5, 20), ('reoptimize', 10, 100)) as limits (scope, hourly, daily),
    lateral (values ('hour', hourly), ('day', daily)) as periods (per, capacity);
$$;
select default_limits(id) from company;

create function company_gets_limits() returns trigger language plpgsql security definer set search_path = public, pg_temp as $$
begin
  perform default_limits(new.id);
  return new;
end $$;
create trigger gets_limits after insert on company for each row execute function company_gets_limits();
