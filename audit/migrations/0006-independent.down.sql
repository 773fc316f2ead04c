-- The functions that it replaced come back with the migrator.
drop function audit_open_driver_buckets;
alter table token_bucket drop column withheld, drop column withheld_at;
