-- concurrently
-- Orders and filters of lists of users, and the counts of their totals.
create index concurrently if not exists users_by_name on users (project_id, name, id);
create index concurrently if not exists users_by_email on users (project_id, coalesce(email, ''), id);
create index concurrently if not exists users_by_status on users (project_id, status, created_at, id);
create index concurrently if not exists users_verified on users (project_id, created_at, id) where email_verified;
create index concurrently if not exists users_unverified on users (project_id, created_at, id)
    where not email_verified;
create index concurrently if not exists users_labels on users using gin (labels) where labels <> '{}';
