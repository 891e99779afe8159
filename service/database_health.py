"""The state of Postgres, for operators and readiness, and its clock, by which everything expires."""

import time
from dataclasses import dataclass

from service.database_engine import Engine, identify
from service.db import SESSION, Executor, Queries

_sql = Queries("database_health")


@dataclass(frozen=True, slots=True)
class ServerState:
    """State of the server: `clock` in seconds since 1970; without a ledger nothing was ever migrated."""

    release: int
    clock: float
    has_ledger: bool


@dataclass(frozen=True, slots=True)
class DatabaseHealth:
    """State of the schema: `version` is the newest migration's; `clock` is in seconds since 1970."""

    read_only: bool
    version: int
    clock: float


@dataclass(frozen=True, slots=True)
class DroppedSetting:
    """A setting of the session that a pooler has dropped; `remedy` is the statement that gives it to the role."""

    remedy: str


@dataclass(frozen=True, slots=True)
class ClosedTable:
    """A table whose rows this role may not all read and change."""

    name: str


@dataclass(frozen=True, slots=True)
class EngineMark:
    """Sign of an engine other than plain Postgres: an extension, or what the names of its settings begin with."""

    mark: str


async def read_clock(conn: Executor) -> float:
    """Return Postgres's time in seconds since 1970."""
    return float(await _sql.value(conn, "read_clock"))


class Clock:
    """Postgres's time without a query: the last value, plus the time since then by the monotonic clock."""

    def __init__(self) -> None:
        self._start: float | None = None

    def now(self) -> float:
        """Return seconds since 1970; this machine's own time before the first `set`."""
        return time.time() if self._start is None else self._start + time.monotonic()

    def set(self, postgres_time: float, *, sent_at: float) -> None:
        """Set Postgres's time, taken for that of the middle between `sent_at`, of the monotonic clock, and now."""
        self._start = postgres_time - (sent_at + time.monotonic()) / 2

    @property
    def offset(self) -> float:
        """Return the seconds that Postgres is ahead of this machine."""
        return self.now() - time.time()


async def find_engine(conn: Executor) -> Engine:
    """Find out which engine answers; one that is refused is asked for nothing but its version."""
    version = await _sql.value(conn, "get_engine_version")
    engine = identify(version)
    if engine.fault:
        return engine
    return identify(version, {each.mark for each in await _sql.all(conn, "list_engine_marks", EngineMark)})


async def find_server_state(conn: Executor) -> ServerState | None:
    return await _sql.one(conn, "get_server_state", ServerState)


async def find_dropped_settings(conn: Executor) -> list[str]:
    """List the statements that give this role what a pooler has dropped of the session's settings."""
    found = await _sql.all(
        conn, "list_dropped_settings", DroppedSetting, names=[*SESSION], settings=[*SESSION.values()]
    )
    return [each.remedy for each in found]


async def find_closed_tables(conn: Executor) -> list[str]:
    """List the tables whose rows this role may not all read and change; the schema must be there."""
    return [each.name for each in await _sql.all(conn, "list_closed_tables", ClosedTable)]


async def newest_migration(conn: Executor) -> int:
    """Return the version of the schema; 0 for none."""
    return int(await _sql.value(conn, "newest_migration"))


async def check(conn: Executor, clock: Clock) -> DatabaseHealth:
    """Read the state of the schema and set the clock. Raises the error that keeps Postgres from answering."""
    sent_at = time.monotonic()
    findings = await _sql.one(conn, "get_database_health", DatabaseHealth)
    assert findings is not None  # noqa: S101 - a select without `from` has a row
    clock.set(findings.clock, sent_at=sent_at)
    return findings
