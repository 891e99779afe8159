"""Feed of a project's events for other systems: numbered by the worker that files them, without gaps.

A project has a feed from its first API key with the scope `events.read` or its first webhook; others pay nothing
for it.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from service.db import Executor, Queries
from service.store.events import PendingEvent

_sql = Queries("event_feed")


@dataclass(frozen=True, slots=True)
class FeedEvent:
    """Event of a feed; `number` is its place."""

    number: int
    id: UUID
    name: str
    user_id: str
    at: datetime


@dataclass(frozen=True, slots=True)
class FeedPage:
    """Events after a place; `last_number` is the newest of all, up to `deleted_through` they are deleted."""

    last_number: int
    deleted_through: int
    events: list[FeedEvent]


@dataclass(frozen=True, slots=True)
class FeedRow:
    last_number: int
    deleted_through: int
    number: int | None
    id: UUID | None
    name: str | None
    user_id: str | None
    at: datetime | None

    def event(self) -> FeedEvent | None:
        if self.number is None or self.id is None or self.name is None or self.user_id is None or self.at is None:
            return None
        return FeedEvent(self.number, self.id, self.name, self.user_id, self.at)


@dataclass(frozen=True, slots=True)
class Feed:
    project_id: str


async def open_feed(conn: Executor, project_id: str) -> None:
    """Have the project's events numbered from now on."""
    await _sql.run(conn, "open_event_feed", project_id=project_id)


async def append(conn: Executor, pending: Sequence[PendingEvent]) -> int:
    """Append events to the feeds of their projects, in the transaction that dequeued them.

    Returns how many deliveries to webhooks are owed by it. Left out are those without a user: they would tell that
    somebody asked about an address that has no account.
    """
    by_project: dict[str, list[PendingEvent]] = {}
    for event in sorted(pending, key=lambda event: (event.at, event.id)):
        if event.in_feed and event.user_id is not None:
            by_project.setdefault(event.project_id, []).append(event)
    owed = 0
    for project_id, found in sorted(by_project.items()):
        owed += await _sql.value(
            conn,
            "append_feed_events",
            project_id=project_id,
            ids=[event.id for event in found],
            names=[event.name for event in found],
            user_ids=[event.user_id for event in found],
            times=[event.at for event in found],
        )
    return owed


async def page(conn: Executor, project_id: str, *, after: int, most: int) -> FeedPage:
    """List the events after a place, in their order."""
    rows = await _sql.all(conn, "list_feed_events", FeedRow, project_id=project_id, after=after, most=most)
    if not rows:
        return FeedPage(0, 0, [])
    return FeedPage(rows[0].last_number, rows[0].deleted_through, [event for row in rows if (event := row.event())])


async def delete_old(conn: Executor, *, days: int, most: int) -> int:
    """Delete events filed longer ago, so many of each feed at a time; return how many of the one with the most."""
    deleted = 0
    for feed in await _sql.all(conn, "list_event_feeds", Feed):
        facts = {"project_id": feed.project_id, "days": days, "most": most}
        deleted = max(deleted, await _sql.run(conn, "delete_old_feed_events", **facts))
    return deleted
