-- name: condition() -> ServerState
-- Of the server itself: this answers before anything is migrated.
select current_setting('server_version_num')::int / 10000 as release,
       extract(epoch from clock_timestamp())::float8 as clock,
       to_regclass('schema_migrations') is not null as has_ledger;

-- name: newest_migration()
select coalesce(max(version), 0) from schema_migrations;

-- name: examine_database() -> DatabaseHealth
-- The clock stands last: what is looked up before it is no part of the way back.
select pg_is_in_recovery() or current_setting('default_transaction_read_only')::boolean as read_only,
    coalesce((select max(version) from schema_migrations), 0) as version,
    extract(epoch from clock_timestamp())::float8 as clock;
