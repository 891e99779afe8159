-- concurrently
create index concurrently if not exists users_to_end on users (project_id, created_at)
    where not kept and not email_verified and phone_verified_at is null;
