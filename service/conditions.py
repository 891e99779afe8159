"""In what condition Postgres is: asked by an operator before anybody is served."""

from dataclasses import dataclass

from service.db import Executor, Queries

_sql = Queries("conditions")


@dataclass(frozen=True, slots=True)
class Condition:
    """`clock` in seconds since 1970; without a ledger nothing was ever migrated."""

    release: int
    clock: float
    has_ledger: bool


async def find(conn: Executor) -> Condition | None:
    return await _sql.one(conn, "condition", Condition)


async def newest_migration(conn: Executor) -> int:
    """The version that the schema has; 0 for none."""
    return int(await _sql.value(conn, "newest_migration"))
