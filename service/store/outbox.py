"""The outbox: a mail that was accepted is a row until it has ended (reliability.md B1, B2).

pending -> sending -> sent, or failed (refused for good), expired (its link died first), cancelled (its link was
used or killed first), void (the address is nobody's). `sending` with its lease run out counts as pending.
Each end, and each try that failed, is written with its row of mail_events by one statement: a history has no gaps.
A worker of the release before writes none, so nothing here depends on them.

Longer than other nouns: one function a statement, and a worker needs all of them.
"""

from collections.abc import Collection
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any, Literal
from uuid import UUID

from service import ids
from service.db import Executor, Queries

_sql = Queries("outbox")
FinalState = Literal["failed", "expired", "cancelled", "void"]
# Whose fault a failed try was: the relay's as a whole, this recipient's, our own, or that we send too fast for it.
Cause = Literal["server", "recipient", "ours", "pace"]


@dataclass(frozen=True, slots=True)
class Claim:
    """A mail that is ours to send until the lease runs out, with what its letter needs."""

    project_id: str
    id: UUID
    letter: str
    recipient: str
    locale: str
    facts: dict[str, Any]
    attempts: int
    stolen: bool
    message_id: str
    token_id: str | None
    last_fault: str | None
    late: bool
    created_at: datetime
    project_name: str
    sender_name: str
    sender_address: str
    plain_http: bool
    verification_url: str
    hostnames: list[str]
    kind: str | None
    token_user_id: str | None
    requested_user_id: str | None
    token_email: str | None
    token_email_version: int | None
    kid: str | None
    token_created_at: datetime | None
    token_expires_at: datetime | None
    user_id: str | None
    email_version: int | None
    user_status: str | None


@dataclass(frozen=True, slots=True)
class DueMail:
    id: UUID


@dataclass(frozen=True, slots=True)
class Lease:
    """One attempt at one mail."""

    id: UUID
    attempts: int


@dataclass(frozen=True, slots=True)
class AttemptReport:
    """How a try went, for its event: which relay, at which stage, and one harmless line. `code` 0: nobody answered."""

    worker: str
    server: str = ""
    stage: str = ""
    code: int | None = None
    fault: str = ""


@dataclass(frozen=True, slots=True)
class Backlog:
    """Mails that are still owed; ages in seconds: of the oldest, and of what has been due the longest."""

    pending: int
    sending: int
    oldest: float
    overdue: float


async def enqueue(
    conn: Executor,
    project_id: str,
    *,
    letter: str,
    recipient: str,
    locale: str,
    facts: dict[str, Any],
    deadline_at: datetime,
    sender: str,
    user_id: str | None = None,
    token_id: str | None = None,
) -> UUID:
    """Accept a mail: once this transaction commits it will end in one of the states above. No secret in `facts`."""
    mail_id = ids.new_uuid()
    await _sql.run(
        conn,
        "post_mail",
        project_id=project_id,
        id=mail_id,
        letter=letter,
        user_id=user_id,
        token_id=token_id,
        recipient=recipient,
        locale=locale,
        facts=facts,
        deadline_at=deadline_at,
        message_id=_message_id(mail_id, sender),
    )
    return mail_id


async def enqueue_notice(
    conn: Executor,
    project_id: str,
    *,
    letter: str,
    recipient: str,
    user_id: str,
    locale: str,
    facts: dict[str, Any],
    sender: str,
) -> UUID:
    """Accept a letter that carries no link."""
    mail_id = ids.new_uuid()
    await _sql.run(
        conn,
        "post_notice",
        project_id=project_id,
        id=mail_id,
        letter=letter,
        user_id=user_id,
        recipient=recipient,
        locale=locale,
        facts=facts,
        message_id=_message_id(mail_id, sender),
    )
    return mail_id


def _message_id(mail_id: UUID, sender: str) -> str:
    """Fixed when the mail is accepted, so that a duplicate can be told from a second mail (RFC 5322)."""
    return f"<{mail_id.hex}@{sender.rpartition('@')[2]}>"


async def claim(conn: Executor, mail_id: UUID, *, worker: str, lease: float) -> Claim | None:
    """None if there is nothing left to do: sent, ended, or another worker's. `lease` is in seconds."""
    return await _sql.one(conn, "claim_mail", Claim, id=mail_id, worker=worker, lease=lease)


async def assign_user(conn: Executor, claim: Claim, *, user_id: str) -> None:
    """Note whose mail it turned out to be."""
    await _sql.run(conn, "own_mail", project_id=claim.project_id, id=claim.id, user_id=user_id)


async def renew(conn: Executor, leases: list[Lease], *, worker: str, lease: float) -> list[Lease]:
    """Those that are its own still; another has claimed the rest."""
    return await _sql.all(
        conn,
        "renew_mails",
        Lease,
        ids=[held.id for held in leases],
        attempts=[held.attempts for held in leases],
        worker=worker,
        lease=lease,
    )


async def mark_sent(conn: Executor, sent: Lease, *, worker: str, server: str, code: int, answer: str = "") -> bool:
    """The relay took it: sent. False if it had ended otherwise, or been claimed once more, meanwhile."""
    facts = {"id": sent.id, "attempt": sent.attempts, "worker": worker, "server": server}
    return await _sql.run(conn, "confirm_mail", **facts, code=code, answer=answer) == 1


async def finish(conn: Executor, claim: Claim, *, state: FinalState, report: AttemptReport) -> bool:
    """False if it was not ours any more."""
    facts = {"project_id": claim.project_id, "id": claim.id, "attempts": claim.attempts, "state": state}
    return await _sql.run(conn, "end_mail", **facts, **asdict(report)) == 1


async def reschedule(conn: Executor, claim: Claim, *, seconds: float, cause: Cause, report: AttemptReport) -> bool:
    """False if it was not ours any more."""
    facts = {"project_id": claim.project_id, "id": claim.id, "attempts": claim.attempts}
    return await _sql.run(conn, "postpone_mail", **facts, seconds=seconds, cause=cause, **asdict(report)) == 1


async def fail_unreadable(conn: Executor, mail_id: UUID, *, worker: str, tries: int, fault: str) -> bool:
    """Fail a row that no claim could be made of, once it was tried so often."""
    return await _sql.run(conn, "bury_mail", id=mail_id, worker=worker, tries=tries, fault=fault) == 1


async def list_due(conn: Executor, *, seconds: float, most: int, patience: float = 0) -> list[UUID]:
    """Overdue by so many seconds, the longest first; leases that ran out only when they did `patience` seconds ago."""
    due = await _sql.all(conn, "list_due_mails", DueMail, seconds=seconds, patience=patience, most=most)
    return [mail.id for mail in due]


async def list_expired(conn: Executor, *, most: int) -> list[UUID]:
    """Those that waited beyond their deadline."""
    return [mail.id for mail in await _sql.all(conn, "list_late_mails", DueMail, most=most)]


async def reschedule_now(conn: Executor, *, stages: Collection[str], most: int) -> int:
    """What waited for the relay is due at once, `most` for its faults and `most` for ours at these stages; how many.

    Safe for all workers to do at the same time.
    """
    return await _sql.run(conn, "hasten_mails", stages=list(stages), most=most)


async def release_of_worker(conn: Executor, *, worker: str) -> int:
    """What this worker held when it died; how many."""
    return await _sql.run(conn, "free_mails_of", worker=worker)


async def release(conn: Executor, ids: list[UUID], *, worker: str) -> int:
    """Undo claims of this worker that it got no answer to; how many of them had counted."""
    return await _sql.run(conn, "give_back_mails", ids=ids, worker=worker)


async def release_all(conn: Executor, *, worker: str, kept: list[UUID]) -> int:
    """What this worker holds, but `kept`, is anybody's at once; how many."""
    return await _sql.run(conn, "hand_back_mails", worker=worker, kept=kept)


async def cancel_for_user(conn: Executor, project_id: str, *, user_id: str) -> int:
    """What was still to be sent to a user; how many."""
    return await _sql.run(conn, "cancel_mails_of", project_id=project_id, user_id=user_id)


async def backlog(conn: Executor) -> Backlog:
    return await _sql.one(conn, "get_backlog", Backlog) or Backlog(0, 0, 0, 0)


async def delete_finished(conn: Executor, *, days: int, most: int) -> int:
    """Forget mails that ended longer ago, so many at a time."""
    return await _sql.run(conn, "drop_ended_mails", days=days, most=most)
