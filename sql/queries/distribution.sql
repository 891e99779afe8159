-- name: find_citus()
-- The version of the extension; no row where the database has none.
select extversion from pg_extension where extname = 'citus';

-- name: list_foreign_keys() -> ForeignKey*
-- With the statements that drop each and add it again as it is.
select conrelid::regclass::text as table_name, confrelid::regclass::text as target,
    format('alter table %s drop constraint %I', conrelid::regclass, conname) as drop,
    format('alter table %s add constraint %I %s', conrelid::regclass, conname, pg_get_constraintdef(oid)) as add
from pg_constraint
where contype = 'f' and connamespace = 'public'::regnamespace and conparentid = 0
order by conrelid::regclass::text, conname;
