"""The security log: events with device and country, in monthly partitions."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from types import MappingProxyType
from typing import Any
from uuid import UUID

from service.db import Connection, Executor, Queries
from service.store import log_chain
from service.store.log_chain import End, Key
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
class Filed:
    """Outcome of filing: whether the chain ended as expected, and how many rows are new."""

    moved: bool
    rows: int


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


async def write(
    conn: Connection, entries: Sequence[tuple[Entry, Any]], ends: Mapping[Key, End] = MappingProxyType({})
) -> dict[Key, End]:
    """File entries with their devices as the next links of their chains; return the ends, to be known next time.

    `ends` are those that were there when the caller last looked: where they still are, nothing has to be asked.
    """
    chains: dict[Key, list[dict[str, Any]]] = {}
    for entry, device in sorted(entries, key=lambda each: (each[0].at, each[0].id)):
        row = _fields(entry) | _fields(device)
        chains.setdefault(log_chain.key_of(row), []).append(row)
    # In one order, so that two workers never wait for each other.
    return {key: await _write(conn, key, chains[key], ends.get(key)) for key in sorted(chains)}


async def _write(conn: Connection, key: Key, rows: list[dict[str, Any]], end: End | None) -> End:
    end = end or await log_chain.lock(conn, key)
    while True:
        new = log_chain.link(end, rows)
        at = rows[-1]["at"] if rows else None
        facts = {"former": end.stored, "number": new.number, "hash": new.hash, "at": at, "rows": rows}
        found = await _sql.one(conn, "write_security_log", Filed, project_id=key[0], month=key[1], **facts)
        assert found is not None  # noqa: S101 - a select of two values always has a row
        if not found.moved:  # another worker has filed meanwhile
            end = await log_chain.lock(conn, key)
        elif found.rows < len(rows):  # the others stood before
            rows = await log_chain.withdraw(conn, key, rows, end)
            end = replace(end, stored=new.stored)
        else:
            return new


def _fields(row: Any) -> dict[str, Any]:
    """Return a flat dataclass as a dict; `asdict`, which copies deeply, takes ten times as long."""
    return {name: getattr(row, name) for name in row.__slots__}


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


async def get_partitions(conn: Executor) -> LogPartitions:
    found = await _sql.one(conn, "get_log_partitions", LogPartitions, most=_DEFAULT_ROWS)
    assert found is not None  # noqa: S101 - a select of two values always has a row
    return found
