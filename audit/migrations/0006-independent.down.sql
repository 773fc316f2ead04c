-- The functions that it replaced come back with the migrator. The kind `pruned` stays: a value cannot be taken from a type.
drop function audit_open_driver_buckets;
alter table token_bucket drop column withheld, drop column withheld_at;
drop trigger decision_append_only on decision;
drop trigger decision_event_append_only on decision_event;
drop trigger guard_delete on decision;
drop trigger guard_delete on decision_event;
create trigger decision_append_only before update or delete or truncate on decision
  for each statement execute function audit_guard_append_only();
create trigger decision_event_append_only before update or delete or truncate on decision_event
  for each statement execute function audit_guard_append_only();
