"""Outcomes of attempts at a mail: sent, ended otherwise, or due again, each with its row of mail_events."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Literal

from service.db import Executor, Queries
from service.store.outbox import DueMail
from service.store.outbox_claims import Claim
from service.store.outbox_leases import Lease, group_by_project

_sql = Queries("outbox_outcomes")
FinalState = Literal["failed", "expired", "cancelled", "void", "suppressed"]
# Cause of a failed attempt: the relay as a whole, which passes; this recipient; ours, which needs an operator; or pace,
# we send too fast.
Cause = Literal["server", "recipient", "ours", "pace"]


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
        for project_id, leases in await group_by_project(conn, by_lease)
    ]
    return set(await _sql.many(conn, "record_mails_sent", Lease, runs))


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
