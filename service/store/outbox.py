"""The outbox: an accepted mail is a row until it has ended.

pending -> sending -> sent, or failed (refused for good), expired (its link died first), cancelled (its link was
used or killed first), void (the address has no account), suppressed (its mailbox has refused our mail before).
`sending` with its lease run out counts as pending.
Each end, and each attempt that failed, is written with its row of mail_events by one statement: a history has no gaps.
A worker of the release before writes none, so nothing here depends on them.
"""

from collections.abc import Collection
from dataclasses import asdict, dataclass, replace
from datetime import datetime
from typing import Any
from uuid import UUID

from service import ids, tracing
from service.db import Executor, Queries
from service.store.project_rows import ProjectRows, delete_by_project
from service.store.unit_of_work import UnitOfWork

_sql = Queries("outbox")
# More of the backlog are not counted one by one.
_COUNTED = 10_000


@dataclass(frozen=True, slots=True)
class DueMail:
    id: UUID
    project_id: str


@dataclass(frozen=True, slots=True)
class Backlog:
    """Counts of mails still to be sent; ages in seconds: of the oldest, and of what has been due the longest."""

    pending: int
    sending: int
    oldest: float
    overdue: float


async def enqueue(
    tx: UnitOfWork,
    project_id: str,
    *,
    letter: str,
    recipient: str,
    locale: str,
    facts: dict[str, Any],
    sender: str,
    deadline_at: datetime | None = None,
    user_id: str | None = None,
    token_id: str | None = None,
) -> UUID:
    """Accept a mail: once this transaction commits it will end in one of the states above. No secret in `facts`.

    Without `deadline_at`, for a letter without a link, it is tried for three days.
    """
    mail_id = ids.new_uuid()
    await _sql.run(
        tx,
        "enqueue_mail",
        project_id=project_id,
        id=mail_id,
        letter=letter,
        user_id=user_id,
        token_id=token_id,
        recipient=recipient,
        locale=locale,
        facts=facts,
        deadline_at=deadline_at,
        # Fixed now, so that a duplicate can be told from a second mail (RFC 5322).
        message_id=message_id(mail_id, sender),
        traceparent=tracing.traceparent(),
    )
    tx.mails.append(mail_id)
    tx.committed.letters.append(letter)
    return mail_id


def message_id(mail_id: UUID, sender: str) -> str:
    return f"<{mail_id.hex}@{sender.rpartition('@')[2]}>"


async def find_projects(conn: Executor, mail_ids: list[UUID]) -> dict[UUID, str]:
    """Find the projects of mails; those that are not there are left out."""
    found = await _sql.all(conn, "list_projects_of_mails", ProjectRows, ids=mail_ids)
    return {mail_id: rows.project_id for rows in found for mail_id in rows.ids}


async def find_due(
    conn: Executor,
    *,
    seconds: float,
    most: int,
    patience: float = 0,
    only: list[str] | None = None,
    but: Collection[str] = (),
) -> list[DueMail]:
    """Find mails overdue by so many seconds, the longest first; expired leases only after `patience` seconds.

    `only` and `but` are projects.
    """
    facts = {"seconds": seconds, "patience": patience, "only": only, "but": list(but), "most": most}
    return await _sql.all(conn, "list_due_mails", DueMail, **facts)


async def list_expired(conn: Executor, *, most: int) -> list[DueMail]:
    """List mails that waited beyond their deadline."""
    return await _sql.all(conn, "list_expired_mails", DueMail, most=most)


async def reschedule_now(
    conn: Executor, *, stages: Collection[str], most: int, only: list[str] | None = None, but: Collection[str] = ()
) -> int:
    """Make mails due that waited for the relay, `most` for its faults and `most` for local ones at these stages.

    `only` and `but` are projects. Safe for all workers to do at the same time.
    """
    facts = {"stages": list(stages), "only": only, "but": list(but), "most": most}
    rescheduled = 0
    for rows in await _sql.all(conn, "list_waiting_mails", ProjectRows, **facts):
        rescheduled += await _sql.run(conn, "reschedule_mails_now", **asdict(rows))
    return rescheduled


async def cancel_for_user(conn: Executor, project_id: str, *, user_id: str) -> int:
    """Cancel a user's mails that are still to be sent; return how many."""
    return await _sql.run(conn, "cancel_mails_of_user", project_id=project_id, user_id=user_id)


async def backlog(conn: Executor) -> Backlog:
    """Count the backlog; more than `_COUNTED` mails are estimated."""
    found = await _sql.one(conn, "get_backlog", Backlog, most=_COUNTED) or Backlog(0, 0, 0, 0)
    if found.pending + found.sending < _COUNTED:
        return found
    return replace(found, pending=max(found.pending, await estimate(conn, "pending")))


async def estimate(conn: Executor, state: str, *, project_id: str | None = None) -> int:
    """Return how many mails of a state there are by the planner's statistics."""
    return int(await _sql.value(conn, "estimate_mails", state=state, project_id=project_id))


async def delete_finished(conn: Executor, *, days: int, most: int) -> int:
    """Delete mails that ended longer ago, so many at a time."""
    found = await _sql.all(conn, "list_finished_mails", ProjectRows, days=days, most=most)
    return await delete_by_project(found, lambda **rows: _sql.run(conn, "delete_finished_mails", **rows, days=days))
