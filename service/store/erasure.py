"""Erasure of a person's traces, kind by kind, in batches that hold their locks for a moment only.

Each batch is one statement, and none needs another: interrupted, it goes on when it is called again.
"""

from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from types import MappingProxyType
from typing import Any
from uuid import UUID

from service.db import Executor, Queries
from service.store import log_chain

_sql = Queries("erasure")
# Rows that one statement looks at.
_WINDOW = 5000


@dataclass(frozen=True, slots=True)
class Person:
    """User of a project, who may be gone, with the addresses and numbers whose mails and SMS are the person's."""

    project_id: str
    user_id: str
    recipients: tuple[str, ...]

    @property
    def of_user(self) -> dict[str, Any]:
        return {"project_id": self.project_id, "user_id": self.user_id}

    @property
    def of_recipients(self) -> dict[str, Any]:
        return self.of_user | {"recipients": list(self.recipients)}


@dataclass(frozen=True, slots=True)
class OwnRows:
    """Rows that are deleted with the user's."""

    users: int
    sessions: int
    identities: int
    passkeys: int
    authenticators: int
    targets: int


@dataclass(frozen=True, slots=True)
class Seen:
    """Row that a scan has looked at."""

    id: UUID
    names_person: bool


@dataclass(frozen=True, slots=True)
class SeenByText:
    """Row whose id is a text; that of a test account is its address."""

    id: str
    names_person: bool


@dataclass(frozen=True, slots=True)
class SeenInFeed:
    id: int
    names_person: bool


@dataclass(frozen=True, slots=True)
class SeenDelivery:
    endpoint_id: str
    number: int
    names_person: bool

    @property
    def id(self) -> tuple[str, int]:
        return self.endpoint_id, self.number


@dataclass(frozen=True, slots=True)
class SeenInLog:
    id: UUID
    names_person: bool
    at: datetime


@dataclass(frozen=True, slots=True)
class Kind:
    """Kind of traces: where a scan begins, one window of it, its last place, and the erasure of rows by their ids."""

    first: Any
    scan: Callable[[Executor, Person, Any, int], Awaitable[list[Any]]]
    erase: Callable[[Executor, str, list[Any]], Awaitable[int]]
    place: Callable[[Any], Any] = lambda row: row.id


# In the order in which they go: what may still be sent first.
KINDS: Mapping[str, Kind] = MappingProxyType(
    {
        "mails": Kind(
            UUID(int=0),
            lambda conn, who, after, most: _sql.all(
                conn, "scan_mails", Seen, **who.of_recipients, after=after, most=most
            ),
            lambda conn, project, ids: _sql.run(conn, "erase_mails", project_id=project, ids=ids),
        ),
        "sms": Kind(
            UUID(int=0),
            lambda conn, who, after, most: _sql.all(
                conn, "scan_sms", Seen, **who.of_recipients, after=after, most=most
            ),
            lambda conn, project, ids: _sql.run(conn, "erase_sms", project_id=project, ids=ids),
        ),
        "tokens": Kind(
            "",
            lambda conn, who, after, most: _sql.all(
                conn, "scan_tokens", SeenByText, **who.of_recipients, after=after, most=most
            ),
            lambda conn, project, ids: _sql.run(conn, "erase_tokens", project_id=project, ids=ids),
        ),
        "test_accounts": Kind(
            "",
            lambda conn, who, after, most: _sql.all(
                conn, "scan_test_accounts", SeenByText, **who.of_recipients, after=after, most=most
            ),
            lambda conn, project, ids: _sql.run(conn, "erase_test_accounts", project_id=project, ids=ids),
        ),
        "invitations": Kind(
            "",
            lambda conn, who, after, most: _sql.all(
                conn, "scan_invitations", SeenByText, **who.of_recipients, after=after, most=most
            ),
            lambda conn, project, ids: _sql.run(conn, "erase_invitations", project_id=project, ids=ids),
        ),
        "events": Kind(
            UUID(int=0),
            lambda conn, who, after, most: _sql.all(conn, "scan_events", Seen, **who.of_user, after=after, most=most),
            lambda conn, project, ids: _sql.run(conn, "erase_events", project_id=project, ids=ids),
        ),
        "feed": Kind(
            0,
            lambda conn, who, after, most: _sql.all(
                conn, "scan_feed", SeenInFeed, **who.of_user, after=after, most=most
            ),
            lambda conn, project, ids: _sql.run(conn, "erase_feed", project_id=project, ids=ids),
        ),
        "deliveries": Kind(
            ("", 0),
            lambda conn, who, after, most: _sql.all(
                conn, "scan_deliveries", SeenDelivery, **who.of_user, endpoint_id=after[0], number=after[1], most=most
            ),
            lambda conn, project, ids: _sql.run(
                conn,
                "erase_deliveries",
                project_id=project,
                endpoint_ids=[endpoint_id for endpoint_id, _ in ids],
                numbers=[number for _, number in ids],
            ),
        ),
        "logs": Kind(
            datetime(1970, 1, 1, tzinfo=UTC),
            lambda conn, who, after, most: _sql.all(
                conn, "scan_logs", SeenInLog, **who.of_user, after=after, most=most
            ),
            log_chain.erase_rows,
            lambda row: row.at,
        ),
    }
)


async def count_own(conn: Executor, person: Person) -> OwnRows:
    found = await _sql.one(conn, "count_rows_of_user", OwnRows, **person.of_user)
    assert found is not None  # noqa: S101 - a select of counts always has a row
    return found


async def scan(conn: Executor, person: Person, kind: Kind) -> AsyncIterator[list[Any]]:
    """Find the ids of a kind's rows that name the person, window by window."""
    after = kind.first
    while rows := await kind.scan(conn, person, after, _WINDOW):
        if ids := [row.id for row in rows if row.names_person]:
            yield ids
        after = kind.place(rows[-1])
