-- Operators list users oldest first, a page at a time.
create index users_by_age on users (project_id, created_at, id);
