"""The outbox: an accepted mail is a row until it has ended.

pending -> sending -> sent, or failed (refused for good), expired (its link died first), cancelled (its link was
used or killed first), void (the address has no account), suppressed (its mailbox has refused our mail before).
`sending` with its lease run out counts as pending.
Each end, and each attempt that failed, is written with its row of mail_events by one statement: a history has no gaps.
A worker of the release before writes none, so nothing here depends on them.

Longer than other files: one function a statement, and a worker needs all of them.
"""

from collections import defaultdict
from collections.abc import Collection, Iterable, Sequence
from dataclasses import asdict, dataclass, field, replace
from datetime import datetime
from typing import Any, Literal
from uuid import UUID

from service import ids, tracing
from service.db import Executor, Queries
from service.store.project_rows import ProjectRows, delete_by_project
from service.store.tokens import Token
from service.store.unit_of_work import UnitOfWork

_sql = Queries("outbox")
# More of the backlog are not counted one by one.
_COUNTED = 10_000
FinalState = Literal["failed", "expired", "cancelled", "void", "suppressed"]
# Cause of a failed attempt: the relay as a whole, this recipient, this service, or too high a rate for the relay.
Cause = Literal["server", "recipient", "ours", "pace"]


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


@dataclass(frozen=True, slots=True)
class DueMail:
    id: UUID
    project_id: str


@dataclass(frozen=True, slots=True)
class Lease:
    """One attempt at one mail; `project_id` is "" where a journal of sent mails does not tell it."""

    id: UUID
    attempts: int
    project_id: str = field(default="", compare=False)


@dataclass(frozen=True, slots=True)
class Acceptance:
    """Acceptance of one attempt by a relay: its reply's code, and one harmless line of it."""

    lease: Lease
    code: int
    server: str
    answer: str = ""


@dataclass(frozen=True, slots=True)
class AttemptReport:
    """Report of an attempt for its event: relay, stage, and one harmless line. `code` 0: no reply."""

    worker: str
    server: str = ""
    stage: str = ""
    code: int | None = None
    fault: str = ""


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


def message_id(mail_id: UUID, sender: str) -> str:
    return f"<{mail_id.hex}@{sender.rpartition('@')[2]}>"


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


async def renew(conn: Executor, leases: list[Lease], *, worker: str, lease: float) -> list[Lease]:
    """Renew leases and return those that are still this worker's; another has claimed the rest."""
    runs = [
        {
            "project_id": project_id,
            "ids": [each.id for each in held],
            "attempts": [each.attempts for each in held],
            "worker": worker,
            "lease": lease,
        }
        for project_id, held in await _by_project(conn, leases)
    ]
    return await _sql.many(conn, "renew_leases", Lease, runs)


async def mark_sent(conn: Executor, accepted: Sequence[Acceptance], *, worker: str) -> set[Lease]:
    """Record what relays accepted; return it without what had ended otherwise, or was claimed once more, meanwhile."""
    by_lease = {each.lease: each for each in accepted}
    runs = [
        {
            "project_id": project_id,
            "ids": [lease.id for lease in leases],
            "attempts": [lease.attempts for lease in leases],
            "servers": [by_lease[lease].server for lease in leases],
            "codes": [by_lease[lease].code for lease in leases],
            "answers": [by_lease[lease].answer for lease in leases],
            "worker": worker,
        }
        for project_id, leases in await _by_project(conn, by_lease)
    ]
    return set(await _sql.many(conn, "record_mails_sent", Lease, runs))


async def _by_project(conn: Executor, leases: Iterable[Lease]) -> list[tuple[str, list[Lease]]]:
    """Group leases by project, which is looked up where a lease does not tell it.

    Projects are sorted: rows of all are locked in one transaction, and two that meet can't deadlock.
    """
    known = {lease.id: lease.project_id for lease in leases if lease.project_id}
    if unknown := [lease.id for lease in leases if not lease.project_id]:
        known |= await find_projects(conn, unknown)
    by_project = defaultdict[str, list[Lease]](list)
    for lease in leases:
        if lease.id in known:
            by_project[known[lease.id]].append(lease)
    return sorted(by_project.items())


async def find_projects(conn: Executor, mail_ids: list[UUID]) -> dict[UUID, str]:
    """Find the projects of mails; those that are not there are left out."""
    found = await _sql.all(conn, "list_projects_of_mails", ProjectRows, ids=mail_ids)
    return {mail_id: rows.project_id for rows in found for mail_id in rows.ids}


async def finish(conn: Executor, claim: Claim, *, state: FinalState, report: AttemptReport) -> bool:
    """End a mail. False if this worker has lost it."""
    facts = {"project_id": claim.project_id, "id": claim.id, "attempts": claim.attempts, "state": state}
    return await _sql.run(conn, "finish_mail", **facts, **asdict(report)) == 1


async def reschedule(conn: Executor, claim: Claim, *, seconds: float, cause: Cause, report: AttemptReport) -> bool:
    """Reschedule a mail after a failed attempt. False if this worker has lost it."""
    facts = {"project_id": claim.project_id, "id": claim.id, "attempts": claim.attempts}
    return await _sql.run(conn, "reschedule_mail", **facts, seconds=seconds, cause=cause, **asdict(report)) == 1


async def fail_unreadable(conn: Executor, mail: DueMail, *, worker: str, tries: int, fault: str) -> bool:
    """Fail a row that no claim could be made of, after that many attempts."""
    facts = {"project_id": mail.project_id, "id": mail.id, "worker": worker, "tries": tries, "fault": fault}
    return await _sql.run(conn, "fail_unreadable_mail", **facts) == 1


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


async def release_of_worker(conn: Executor, *, worker: str) -> int:
    """Release mails that this worker held when it died; return how many."""
    released = 0
    for rows in await _sql.all(conn, "list_mails_of_worker", ProjectRows, worker=worker):
        released += await _sql.run(conn, "release_mails_of_worker", **asdict(rows), worker=worker)
    return released


async def release(conn: Executor, ids: list[UUID], *, worker: str) -> int:
    """Undo claims of this worker whose answer was lost; return how many of them had been made."""
    return await _sql.run(conn, "release_mails", ids=ids, worker=worker)


async def release_all(conn: Executor, *, worker: str, kept: list[UUID]) -> int:
    """Release everything that this worker holds, but `kept`; return how many."""
    return await _sql.run(conn, "release_all_mails", worker=worker, kept=kept)


async def cancel_for_user(conn: Executor, project_id: str, *, user_id: str) -> int:
    """Cancel a user's mails that are still to be sent; return how many."""
    return await _sql.run(conn, "cancel_mails_of_user", project_id=project_id, user_id=user_id)


async def backlog(conn: Executor) -> Backlog:
    """Count the backlog; more than `_COUNTED` mails are estimated."""
    found = await _sql.one(conn, "get_backlog", Backlog, most=_COUNTED) or Backlog(0, 0, 0, 0)
    if found.pending + found.sending < _COUNTED:
        return found
    return replace(found, pending=max(found.pending, await expect(conn, "pending")))


async def expect(conn: Executor, state: str, *, project_id: str | None = None) -> int:
    """Return how many mails of a state the planner expects."""
    return int(await _sql.value(conn, "expect_mails", state=state, project_id=project_id))


async def delete_finished(conn: Executor, *, days: int, most: int) -> int:
    """Delete mails that ended longer ago, so many at a time."""
    found = await _sql.all(conn, "list_finished_mails", ProjectRows, days=days, most=most)
    return await delete_by_project(found, lambda **rows: _sql.run(conn, "delete_finished_mails", **rows, days=days))
