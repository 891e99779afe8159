"""The whole schema after all migrations, from Postgres's catalogue; `python -m testkit.schema` writes sql/schema.sql.

pg_dump is no part of the embedded Postgres. Partitions are left out: which there are depends on the month.
"""

import asyncio
import tempfile
from pathlib import Path

from devstack import servers
from service.db import SQL, Connection, connect
from service.store import migrations

FILE = SQL / "schema.sql"
_HEAD = """\
-- The whole schema after all migrations, for reading. Made by `python -m testkit.schema`; a test keeps it true.
-- To change the schema write a migration. The monthly partitions of a table are made while the service runs.
"""
_TABLES = """
select c.oid, c.relname as name, c.relpersistence = 'u' as unlogged, pg_get_partkeydef(c.oid) as partitioned,
    array_to_string(c.reloptions, ', ') as options
from pg_class c
where c.relnamespace = 'public'::regnamespace and c.relkind in ('r', 'p') and not c.relispartition order by c.relname
"""
_COLUMNS = """
select a.attname as name, format_type(a.atttypid, a.atttypmod) as type, a.attnotnull as required,
    a.attgenerated <> '' as generated, a.attidentity::text as identity, pg_get_expr(d.adbin, d.adrelid) as value
from pg_attribute a left join pg_attrdef d on d.adrelid = a.attrelid and d.adnum = a.attnum
where a.attrelid = $1 and a.attnum > 0 and not a.attisdropped order by a.attnum
"""
_CONSTRAINTS = """
select conname as name, pg_get_constraintdef(oid) as definition
from pg_constraint where conrelid = $1 and contype <> 'n' order by position(contype::text in 'pufc'), conname
"""
_INDEXES = """
select pg_get_indexdef(i.indexrelid) as definition from pg_index i join pg_class c on c.oid = i.indexrelid
where i.indrelid = $1 and not exists (select from pg_constraint where conindid = i.indexrelid and conrelid = $1)
order by c.relname
"""
_FUNCTIONS = """
select pg_get_functiondef(p.oid) as definition from pg_proc p
where p.pronamespace = 'public'::regnamespace order by p.proname, pg_get_function_identity_arguments(p.oid)
"""
_TRIGGERS = """
select pg_get_triggerdef(oid) as definition from pg_trigger
where tgrelid = $1 and not tgisinternal order by tgname
"""
# Kinds of objects that this module can't write yet; an identity column's sequence is the column's own.
_OTHERS = """
select c.relname from pg_class c
where c.relnamespace = 'public'::regnamespace and c.relkind not in ('r', 'p', 'i', 'I', 't')
    and not exists (select from pg_depend where objid = c.oid and deptype = 'i')
union all select t.typname from pg_type t
where t.typnamespace = 'public'::regnamespace and t.typtype in ('e', 'd', 'r') order by 1
"""


async def schema(connection: Connection) -> str:
    """Return the statements that make the schema, sorted by name. LookupError: an unknown kind of object."""
    if others := [row[0] for row in await connection.fetch(_OTHERS)]:
        raise LookupError(f"views, sequences or types that are not written yet: {others}")
    tables = [await _table(connection, row) for row in await connection.fetch(_TABLES)]
    functions = [f"{row['definition'].rstrip()};\n" for row in await connection.fetch(_FUNCTIONS)]
    return "\n".join([_HEAD, *tables, *functions])


async def _table(connection: Connection, table: dict[str, str]) -> str:
    """Write a table with its indexes and triggers."""
    lines = [_column(row) for row in await connection.fetch(_COLUMNS, table["oid"])]
    lines += [
        f"constraint {row['name']} {row['definition']}" for row in await connection.fetch(_CONSTRAINTS, table["oid"])
    ]
    kind = "unlogged table" if table["unlogged"] else "table"
    end = f") PARTITION BY {table['partitioned']}" if table["partitioned"] else ")"
    end += f" WITH ({table['options']})" if table["options"] else ""
    body = ",\n".join(f"    {line}" for line in lines)
    after = [row["definition"] for ask in (_INDEXES, _TRIGGERS) for row in await connection.fetch(ask, table["oid"])]
    return f"create {kind} {table['name']} (\n{body}\n{end};\n" + "".join(f"{line};\n" for line in after)


def _column(row: dict[str, str]) -> str:
    words = [row["name"], row["type"]]
    if row["identity"]:
        words.append(f"generated {'always' if row['identity'] == 'a' else 'by default'} as identity")
    elif row["value"]:
        words.append(f"generated always as ({row['value']}) stored" if row["generated"] else f"default {row['value']}")
    return " ".join([*words, "not null"] if row["required"] else words)


async def _write(url: str) -> None:
    await migrations.migrate(url)
    connection = await connect(url)
    try:
        FILE.write_text(await schema(connection))
    finally:
        await connection.close()


def main() -> None:
    with tempfile.TemporaryDirectory(prefix="accounts-schema-") as folder:
        server = servers.start_postgres(Path(folder), throwaway=True)
        try:
            asyncio.run(_write(server.url))
        finally:
            server.stop()


if __name__ == "__main__":
    main()
