"""Spread the tables over the nodes of Citus, by project (docs/scale.md)."""

import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass

from service.db import SQL, Connection, Executor, Queries, connect

_sql = Queries("distribution")
PLAN = SQL / "distribute.sql"
_CALL = re.compile(r"select create_\w+_table\('(\w+)'.*?\)(?=;)")
# Without it, Citus refuses to work on several shards of several tables in one transaction.
_SEQUENTIAL = "set local citus.multi_shard_modify_mode = 'sequential'"
# Not among the queries, which are all prepared against plain Postgres by a test.
_SPREAD = "select logicalrelid::regclass::text from pg_dist_partition"


@dataclass(frozen=True, slots=True)
class ForeignKey:
    """A foreign key, and the statements that drop it and add it again."""

    table_name: str
    target: str
    drop: str
    add: str


async def plan(conn: Executor) -> list[str]:
    """List the statements for all tables that are not spread yet, in their order; none where all are.

    Citus spreads no table that has foreign keys to or from others: they are dropped first, and added again.
    """
    done: set[str] = set()
    if await _sql.value(conn, "find_citus") is not None:
        done = {row[0] for row in await conn.fetch(_SPREAD)}
    calls = {call[1]: call[0] for call in _CALL.finditer(PLAN.read_text()) if call[1] not in done}
    keys = [
        key for key in await _sql.all(conn, "list_foreign_keys", ForeignKey) if {key.table_name, key.target} & {*calls}
    ]
    return [*(key.drop for key in keys), *calls.values(), *(key.add for key in keys)]


@asynccontextmanager
async def _session(url: str) -> AsyncIterator[Connection]:
    connection = await connect(url)
    try:
        yield connection
    finally:
        await connection.close(timeout=5)


async def has_citus(url: str) -> bool:
    async with _session(url) as connection:
        return await _sql.value(connection, "find_citus") is not None


async def distribute(url: str) -> list[str]:
    """Run the plan, in one transaction, and return it."""
    async with _session(url) as connection, connection.transaction():
        statements = await plan(connection)
        await connection.execute(_SEQUENTIAL)
        for statement in statements:
            await connection.execute(statement)
        return statements


async def rehearse(url: str) -> list[str]:
    """Return the plan and change nothing; works without Citus."""
    async with _session(url) as connection:
        return await plan(connection)
