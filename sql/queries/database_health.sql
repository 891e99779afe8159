-- name: get_server_state() -> ServerState
-- The server itself: works before any migration.
select current_setting('server_version_num')::int / 10000 as release,
       extract(epoch from clock_timestamp())::float8 as clock,
       to_regclass('schema_migrations') is not null as has_ledger;

-- name: newest_migration()
select coalesce(max(version), 0) from schema_migrations;

-- name: get_database_health() -> DatabaseHealth
-- The clock comes last, so that the time of the queries before it is no part of the difference.
select pg_is_in_recovery() or current_setting('default_transaction_read_only')::boolean as read_only,
    coalesce((select max(version) from schema_migrations), 0) as version,
    extract(epoch from clock_timestamp())::float8 as clock;

-- name: read_clock()
-- Seconds since 1970.
select extract(epoch from clock_timestamp())::float8;

-- name: list_dropped_settings(names, settings) -> DroppedSetting*
-- Of those that the session has asked for; times are in milliseconds.
select format('alter role %I set %I = %L', current_user, name, wanted.setting) as remedy
  from unnest(:names::text[], :settings::text[]) with ordinality as wanted (name, setting, place)
  join pg_settings using (name)
 where pg_settings.setting <> wanted.setting
 order by place;

-- name: list_closed_tables() -> ClosedTable*
-- Tables with which this role may not do all that the API does; partitions are reached by way of their table.
select c.relname::text as name
  from pg_class c
 where c.relnamespace = (select relnamespace from pg_class where oid = 'schema_migrations'::regclass)
   and c.relkind in ('r', 'p') and not c.relispartition and c.relname <> 'schema_migrations'
   and not (has_table_privilege(c.oid, 'select') and has_table_privilege(c.oid, 'insert')
       and has_table_privilege(c.oid, 'update') and has_table_privilege(c.oid, 'delete'))
 order by c.relname;

-- name: get_engine_version()
-- By itself: an engine that is no Postgres may know nothing else of what is asked here.
select version();

-- name: list_engine_marks() -> EngineMark*
-- Extensions, and what settings of extensions begin with.
select extname::text as mark from pg_extension
union select split_part(name, '.', 1) from pg_settings where name like '%.%'
union select 'aurora' from pg_proc where proname = 'aurora_version'
union select 'dsql' where to_regclass('sys.iam_pg_role_mappings') is not null;
