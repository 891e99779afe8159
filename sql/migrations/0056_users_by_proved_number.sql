-- concurrently
-- Filters of lists of users, as those of verified addresses; which users have a proved number may go with their age.
create index concurrently if not exists users_phone_verified on users (project_id, created_at, id)
    where phone_verified_at is not null;
create index concurrently if not exists users_phone_unverified on users (project_id, created_at, id)
    where phone_verified_at is null;
