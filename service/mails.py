"""The outbox: a mail that was accepted is a row until it has ended (reliability.md B1, B2).

pending -> sending -> sent, or failed (refused for good), expired (its link died first), cancelled (its link was
used or killed first), void (the address is nobody's). `sending` with its lease run out counts as pending.
"""

from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal
from uuid import UUID

from service import ids
from service.db import Executor, Queries

_sql = Queries("mails")
End = Literal["sent", "failed", "expired", "cancelled", "void"]


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
    asked_as: str | None
    token_email: str | None
    token_email_version: int | None
    kid: str | None
    token_created_at: datetime | None
    token_expires_at: datetime | None
    user_id: str | None
    email_version: int | None
    user_status: str | None


@dataclass(frozen=True, slots=True)
class Due:
    id: UUID


async def post(
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


async def post_notice(
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


async def own(conn: Executor, claim: Claim, *, user_id: str) -> None:
    """Note whose mail it turned out to be."""
    await _sql.run(conn, "own_mail", project_id=claim.project_id, id=claim.id, user_id=user_id)


async def holds(conn: Executor, claim: Claim) -> bool:
    """Whether nobody else has claimed it since: asked just before the words go out."""
    return bool(await _sql.value(conn, "holds_mail", project_id=claim.project_id, id=claim.id, attempts=claim.attempts))


async def renew(conn: Executor, mail_ids: list[UUID], *, worker: str, lease: float) -> None:
    await _sql.run(conn, "renew_mails", ids=mail_ids, worker=worker, lease=lease)


async def postpone(conn: Executor, claim: Claim, *, seconds: float, code: int, fault: str) -> None:
    await _sql.run(
        conn,
        "postpone_mail",
        project_id=claim.project_id,
        id=claim.id,
        attempts=claim.attempts,
        seconds=seconds,
        code=code,
        fault=fault,
    )


async def end(conn: Executor, claim: Claim, *, state: End, code: int | None = None, fault: str | None = None) -> bool:
    """False if it was not ours any more."""
    return (
        await _sql.run(
            conn,
            "end_mail",
            project_id=claim.project_id,
            id=claim.id,
            attempts=claim.attempts,
            state=state,
            code=code,
            fault=fault,
        )
        == 1
    )


async def list_due(conn: Executor, *, seconds: float, most: int) -> list[UUID]:
    """Overdue by so many seconds, oldest first."""
    return [due.id for due in await _sql.all(conn, "list_due_mails", Due, seconds=seconds, most=most)]


async def free(conn: Executor, *, worker: str) -> int:
    return await _sql.run(conn, "free_mails_of", worker=worker)


async def cancel_of(conn: Executor, project_id: str, *, user_id: str) -> int:
    """What was still to be sent to a user; how many."""
    return await _sql.run(conn, "cancel_mails_of", project_id=project_id, user_id=user_id)


async def drop_ended(conn: Executor, *, days: int) -> int:
    """Forget mails that ended longer ago."""
    return await _sql.run(conn, "drop_ended_mails", days=days)
