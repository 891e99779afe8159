"""Claims of mails: what a worker holds while it writes and sends one, and what it finds out about the recipient."""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any
from uuid import UUID

from service import ids
from service.db import Executor, Queries
from service.store.outbox import DueMail, message_id
from service.store.tokens import Token

_sql = Queries("outbox_claims")


@dataclass(frozen=True, slots=True)
class Claim:
    """A mail that a worker may send until the lease runs out, with the facts of its letter.

    `overrides` names the state of the project's own templates, None if it has none. Where the project has suppressions,
    `suppressions.confirm` finds out whether the recipient is `suppressed`. `may_sign_up`: the project
    lets the recipient make an account. `at_test_domain`: the recipient may have a fixed code.
    `one_per_mailbox`: the project takes one account for each mailbox.
    """

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
    overrides: str | None
    dkim: str | None
    reply_to: str
    support_address: str
    accent_color: str
    footer_text: str
    logo_digest: str | None
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
    prefs: str | None
    traceparent: str | None
    has_suppressions: bool
    suppressed: bool
    may_sign_up: bool
    at_test_domain: bool
    one_per_mailbox: bool


@dataclass(frozen=True, slots=True)
class AssignedToken(Token):
    """Token whose user was found, and the `events` that are ready to be filed now."""

    events: list[UUID]


async def claim_all(conn: Executor, mails: Sequence[DueMail], *, worker: str, lease: float) -> list[Claim]:
    """Claim mails, in this order; those are left out that have ended or are another worker's. `lease` is in seconds.

    One statement a project.
    """
    by_project = defaultdict[str, list[UUID]](list)
    for mail in mails:
        by_project[mail.project_id].append(mail.id)
    facts = {"worker": worker, "lease": lease}
    runs = [{"project_id": project_id, "ids": mail_ids, **facts} for project_id, mail_ids in by_project.items()]
    claims = {each.id: each for each in await _sql.many(conn, "claim_mails", Claim, runs)}
    return [claims[mail.id] for mail in mails if mail.id in claims]


async def draft(
    conn: Executor, project_id: str, *, letter: str, recipient: str, sender: str, locale: str = ""
) -> Claim:
    """Make the claim of a letter that an operator sends by hand; it is in no outbox. No project is ""."""
    made = await _sql.one(
        conn, "draft_mail", Claim, project_id=project_id, id=ids.new_uuid(), letter=letter, recipient=recipient,
        locale=locale,
    )  # fmt: skip
    assert made is not None  # noqa: S101 - it selects from one row
    return replace(made, message_id=message_id(made.id, made.sender_address or sender))


async def note_override_fault(conn: Executor, claim: Claim, *, fault: str) -> None:
    """Note that a mail goes out with our letter, since the project's own could not be made."""
    facts = {"project_id": claim.project_id, "id": claim.id, "attempts": claim.attempts}
    await _sql.run(conn, "note_override_fault", **facts, fault=fault)


async def assign_user(conn: Executor, claim: Claim, *, user_id: str) -> None:
    """Set the user whose mail it turned out to be."""
    await _sql.run(conn, "assign_mail_user", project_id=claim.project_id, id=claim.id, user_id=user_id)


async def assign_recipient(conn: Executor, claim: Claim, token: Token) -> AssignedToken | None:
    """Set the user of a token's address in all that waits for it; None, and nothing is set, if none was found.

    The caller enqueues a job for the `events`.
    """
    facts = {"project_id": claim.project_id, "id": claim.id, "token_id": token.id, "email": token.email}
    return await _sql.one(conn, "assign_recipient", AssignedToken, **facts)
