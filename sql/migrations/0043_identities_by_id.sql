-- concurrently
-- A server removes an identity by its id alone.
create index concurrently if not exists identities_by_id on identities (project_id, id);
