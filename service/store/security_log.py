"""The security log: events with device and country, in monthly partitions."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from service.db import Executor, Queries
from service.store.users import User

_sql = Queries("security_log")
# Rows of the default partition are counted up to here: it should have none.
_DEFAULT_ROWS = 1000


@dataclass(frozen=True, slots=True)
class LogPartitions:
    """Rows that are in no month's partition, and the months to come that have one."""

    default_rows: int
    ahead: int


@dataclass(frozen=True, slots=True)
class Log:
    user_id: str | None
    name: str
    ip: str
    at: datetime
    country_code: str
    os_code: str
    os_name: str
    os_version: str
    client_type: str
    client_code: str
    client_name: str
    client_version: str
    client_engine: str
    client_engine_version: str
    device_name: str
    device_brand: str
    device_model: str


@dataclass(frozen=True, slots=True)
class Entry:
    """A row to file; `device` is a dataclass whose fields are columns of the log."""

    project_id: str
    id: UUID
    user_id: str | None
    name: str
    ip: str
    at: datetime
    country_code: str


async def write(conn: Executor, entries: Sequence[tuple[Entry, Any]]) -> int:
    """File entries with their devices."""
    return await _sql.run(
        conn, "write_security_log", rows=[asdict(entry) | asdict(device) for entry, device in entries]
    )


async def page(
    conn: Executor, owner: User, *, names: list[str] | None, most: int, skipped: int, hidden: Sequence[str] = ()
) -> list[Log]:
    """List entries, newest first; `names` narrows to those events, `hidden` ones are left out."""
    return await _sql.all(
        conn,
        "list_logs",
        Log,
        project_id=owner.project_id,
        user_id=owner.id,
        since=owner.created_at,
        names=names,
        hidden=list(hidden),
        most=most,
        skipped=skipped,
    )


async def count(conn: Executor, owner: User, *, most: int, hidden: Sequence[str] = ()) -> int:
    """Count entries, `most` at most."""
    facts = {"project_id": owner.project_id, "user_id": owner.id, "since": owner.created_at, "hidden": list(hidden)}
    return int(await _sql.value(conn, "count_logs", **facts, most=most))


async def maintain_partitions(conn: Executor, *, months: int) -> int:
    """Create the partitions to come and drop those past their time; return how many changed."""
    return int(await _sql.value(conn, "keep_log_partitions", months=months))


async def look_at_partitions(conn: Executor) -> LogPartitions:
    found = await _sql.one(conn, "get_log_partitions", LogPartitions, most=_DEFAULT_ROWS)
    assert found is not None  # noqa: S101 - a select of two values always has a row
    return found
