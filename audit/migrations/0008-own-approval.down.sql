-- The function that it replaced comes back with the migrator.
alter table public.autonomy drop column own_approval;
