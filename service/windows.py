"""Windows in Postgres, under the names that they have in Redis (reliability.md B8)."""

from collections.abc import Sequence
from dataclasses import dataclass

from service.db import Executor, Queries

_sql = Queries("windows")


@dataclass(frozen=True, slots=True)
class Counted:
    """Calls that stand in the window, without this one; microseconds until the oldest leaves."""

    before: int
    wait: int


async def count(conn: Executor, names: Sequence[str], limits: Sequence[int], seconds: Sequence[int]) -> list[int]:
    """Count a call in every window or in none; two numbers a window, as limits.lua answers."""
    found = await _sql.all(conn, "count_call", Counted, names=list(names), limits=list(limits), seconds=list(seconds))
    return [number for row in found for number in (row.before, row.wait)]


async def find(conn: Executor, names: Sequence[str], seconds: Sequence[int]) -> list[Counted]:
    """What stands in each, one a name; nothing is counted."""
    return await _sql.all(conn, "find_windows", Counted, names=list(names), seconds=list(seconds))


async def forget(conn: Executor, names: Sequence[str]) -> int:
    """How many there were."""
    return await _sql.run(conn, "forget_windows", names=list(names))
