-- The value `decisions` of ledger_kind stays: PostgreSQL takes none back, and entries of it may be on record.
drop trigger states_settings on company;
drop function company_states_settings, audit_state, audit_seal_decisions;

-- Its body comes back with the migrator.
drop function decision_record;
create function decision_record(p_decisions json) returns void language sql as 'select';
revoke all on function decision_record from public;
grant execute on function decision_record to fleetstep_app;

drop function decision_lock_head, decision_seal, decision_digest, decision_event_digest;
drop index decision_seq, decision_event_seq;
alter table decision drop column seq;
alter table decision_event drop column seq;
drop table decision_head;
