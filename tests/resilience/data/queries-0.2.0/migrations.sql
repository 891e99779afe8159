-- name: lock_migrations(number)
-- Held until the connection closes: five that start at once go one after the other.
select pg_advisory_lock(:number);

-- name: make_ledger()
create table if not exists schema_migrations (
    version     int primary key,
    name        text not null,
    checksum    text not null,
    applied_at  timestamptz not null default now()
);

-- name: applied_migrations() -> Applied*
select version, checksum from schema_migrations order by version;

-- name: bound_lock_wait()
-- A migration that can't get its lock gives up instead of queueing every query behind itself.
set local lock_timeout = '5s';

-- name: record_migration(version, name, checksum)
insert into schema_migrations (version, name, checksum) values (:version, :name, :checksum);
