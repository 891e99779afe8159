-- name: try_lock_migrations(number)
-- Held until the connection closes, so that of several starting processes one migrates at a time.
select pg_try_advisory_lock(:number);

-- name: drop_of_invalid_index(name)
-- The statement that drops what a `create index concurrently` that failed has left behind.
select format('drop index concurrently %s', indexrelid::regclass)
from pg_index where indexrelid = to_regclass(:name) and not indisvalid;

-- name: create_migrations_table()
create table if not exists schema_migrations (
    version     int primary key,
    name        text not null,
    checksum    text not null,
    applied_at  timestamptz not null default now()
);

-- name: applied_migrations() -> Applied*
select version, checksum from schema_migrations order by version;

-- name: bound_lock_wait()
-- A migration that can't get its lock gives up instead of queueing every query behind itself: before those do, after
-- 1.25 s, and after autovacuum has made way, which takes a second (deadlock_timeout).
set local lock_timeout = '1100ms';

-- name: record_migration(version, name, checksum)
insert into schema_migrations (version, name, checksum) values (:version, :name, :checksum);
