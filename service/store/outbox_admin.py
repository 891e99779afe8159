"""The outbox for people: operators who look after it, members who ask for the state of their own mails.

Sending is in `outbox`, for workers. These states and reasons are for readers: no code decides by them.
Longer than other files: a dataclass for each kind of row.
"""

import re
from collections.abc import Awaitable, Callable
from dataclasses import asdict, dataclass, replace
from datetime import datetime
from typing import Literal
from uuid import UUID

from service.db import Executor, Queries
from service.store import outbox
from service.store.unit_of_work import UnitOfWork

_sql = Queries("outbox_admin")
STATES = ("pending", "sending", "sent", "failed", "expired", "cancelled", "void", "suppressed")
# More of a kind are not counted one by one.
COUNTED = 10_000
# Mails that one statement of a list looks through.
_WINDOW = 10_000
# RFC 3463: subject and detail of a mail server's reply. It stands first, behind the stage at most.
_STATUS = re.compile(r"(?:[a-z]+: )?[245]\.(\d{1,3}\.\d{1,3})\b")
_ADDRESS = re.compile(r"[^\s<>@,;:\"'()]+@[^\s<>@,;:\"'()]+")
_FULL_CODES, _FULL_STATUS = frozenset({452, 552}), "2.2"
Reason = Literal[
    "", "delayed", "mailbox_full", "address_refused", "mail_refused", "not_possible", "expired", "mailbox_refuses"
]  # fmt: skip


@dataclass(frozen=True, slots=True)
class MailFilter:
    """Filter of mails; None narrows nothing. `older` and `newer` are ages in seconds."""

    states: list[str] | None = None
    project_id: str | None = None
    letter: str | None = None
    older: float | None = None
    newer: float | None = None


@dataclass(frozen=True, slots=True)
class MailSummary:
    """One line of a list. `due_in` is in seconds: until the next attempt or the lease's end; None once it ended."""

    project_id: str
    id: UUID
    letter: str
    recipient: str
    state: str
    attempts: int
    tries: int
    created_at: datetime
    age: float
    due_in: float | None
    last: str
    stage: str
    last_code: int | None
    last_fault: str | None


@dataclass(frozen=True, slots=True)
class MailId:
    id: UUID


@dataclass(frozen=True, slots=True)
class Mail:
    """A row without the facts of its letter, which name the client that asked."""

    project_id: str
    id: UUID
    letter: str
    user_id: str | None
    recipient: str
    locale: str
    state: str
    attempts: int
    lease_by: str | None
    message_id: str
    last_cause: str | None
    last_code: int | None
    last_fault: str | None
    created_at: datetime
    due_at: datetime
    deadline_at: datetime
    ended_at: datetime | None
    due_in: float | None
    override_fault: str


@dataclass(frozen=True, slots=True)
class MailEvent:
    """One event of a mail; its acceptance is the mail's own `created_at`."""

    at: datetime
    name: str
    attempt: int
    worker: str
    server: str
    stage: str
    code: int | None
    fault: str


@dataclass(frozen=True, slots=True)
class ActionResult:
    """Result for one mail; `unowned_token` is that of a mail whose owner no worker has looked up yet.

    `verdict`: done; sending (a worker holds it), busy (its row was locked just then), late (past its deadline),
    dead_link, no_account, unknown; or the final state that forbids it.
    """

    id: UUID
    project_id: str | None
    recipient: str | None
    verdict: str
    unowned_token: str | None


@dataclass(frozen=True, slots=True)
class StateCount:
    """Mails of one state; beyond COUNTED an estimate. `oldest_age` is in seconds, of mails still to be sent."""

    state: str
    count: int
    estimated: bool
    oldest_age: float | None


@dataclass(frozen=True, slots=True)
class WaitingCount:
    cause: str
    count: int


@dataclass(frozen=True, slots=True)
class OutcomeCount:
    name: str
    count: int
    suspected: int


@dataclass(frozen=True, slots=True)
class ServerCount:
    """Mails of one server; `server` is host:port; `sent_ago` in seconds, None if it took nothing."""

    server: str
    sent: int
    waits: int
    failed: int
    sent_ago: float | None


@dataclass(frozen=True, slots=True)
class MemberMail:
    id: UUID
    letter: str
    recipient: str
    state: str
    attempts: int
    created_at: datetime
    changed_at: datetime
    stage: str
    last_code: int | None
    last_fault: str | None
    last: str = ""

    @property
    def reason(self) -> Reason:
        """Reason for the state, in a word that an app can show; the relay's own text stays with the operator."""
        full = self.last_code in _FULL_CODES or _status(self.last_fault) == _FULL_STATUS
        match self.state:
            case "failed":
                return "mailbox_full" if full else self._refusal()
            case "expired":
                return "mailbox_full" if full else "expired"
            case "suppressed":
                return "mailbox_refuses"
            case "sent" if self.last in ("bounced", "complained"):
                return "mailbox_refuses"
            case "pending" | "sending" if self.last_fault:
                return "mailbox_full" if full else "delayed"
        return ""

    def _refusal(self) -> Reason:
        """Tell a refused address from a refused mail and a fault of this service."""
        stage = self.stage or (self.last_fault or "").partition(":")[0]
        status = _status(self.last_fault)
        if stage == "address" or (self.last_code and (status.startswith("1.") or status == "2.1")):
            return "address_refused"
        if not self.last_code:
            return "not_possible"
        return "address_refused" if stage == "rcpt" and not status.startswith("7.") else "mail_refused"


def _status(fault: str | None) -> str:
    found = _STATUS.match(fault or "")
    return found[1] if found else ""


def mask_address(text: str) -> str:
    """Cut every address in a text so that only its owner recognises it: a…@example.com."""
    return _ADDRESS.sub(lambda found: f"{found[0][0]}…@{found[0].rpartition('@')[2]}", text)


async def page(conn: Executor, choice: MailFilter, *, after: UUID | None, most: int) -> list[MailSummary]:
    """List mails, newest first; `after` is the last one of the page before.

    A filter that few mails pass looks through one window of the outbox after another: no statement takes long.
    """
    found: list[MailSummary] = []
    while len(found) < most:
        until = await _sql.value(conn, "find_older_mail", after=after, skipped=_WINDOW)
        facts = asdict(choice) | {"after": after, "until": until, "most": most - len(found)}
        found += await _sql.all(conn, "list_outbox", MailSummary, **facts)
        if until is None:
            break
        after = until
    return found


async def select_ids(conn: Executor, choice: MailFilter, *, after: UUID | None, most: int) -> list[UUID]:
    """List ids, oldest first, window by window too; the filter names its states."""
    found: list[UUID] = []
    while len(found) < most:
        until = await _sql.value(conn, "find_newer_mail", after=after, skipped=_WINDOW)
        facts = asdict(choice) | {"after": after, "until": until, "most": most - len(found)}
        found += [each.id for each in await _sql.all(conn, "select_mails", MailId, **facts)]
        if until is None:
            break
        after = until
    return found


async def find(conn: Executor, mail_id: UUID) -> Mail | None:
    return await _sql.one(conn, "find_mail", Mail, id=mail_id)


async def history(conn: Executor, mail: Mail) -> list[MailEvent]:
    """List the events of a mail in order."""
    return await _sql.all(conn, "list_mail_events", MailEvent, project_id=mail.project_id, mail_id=mail.id)


async def retry(tx: UnitOfWork, mail_ids: list[UUID]) -> list[ActionResult]:
    """Make mails due at once; one result for each, in their order. Never one that is being sent, or was."""
    results = await _by_project(tx, mail_ids, lambda **mails: _sql.all(tx, "retry_mails", ActionResult, **mails))
    tx.mails += [result.id for result in results if result.verdict == "done"]
    return results


async def cancel(conn: Executor, mail_ids: list[UUID]) -> list[ActionResult]:
    """Cancel mails that no worker is sending; one result for each, in their order."""
    return await _by_project(conn, mail_ids, lambda **mails: _sql.all(conn, "cancel_mails", ActionResult, **mails))


async def _by_project(
    conn: Executor, mail_ids: list[UUID], act: Callable[..., Awaitable[list[ActionResult]]]
) -> list[ActionResult]:
    """Run a statement for the mails of each project; results are in the order of the ids."""
    projects = await outbox.find_projects(conn, mail_ids)
    results = {mail_id: ActionResult(mail_id, None, None, "unknown", None) for mail_id in mail_ids}
    for project_id in sorted({*projects.values()}):
        ids = [mail_id for mail_id in mail_ids if projects.get(mail_id) == project_id]
        results |= {result.id: result for result in await act(project_id=project_id, ids=ids)}
    return [results[mail_id] for mail_id in mail_ids]


async def count_states(conn: Executor, *, project_id: str | None) -> list[StateCount]:
    """Count mails by state; more than COUNTED are estimated by the planner."""
    counts = await _sql.all(conn, "count_states", StateCount, project_id=project_id, most=COUNTED)
    return [
        replace(each, count=max(each.count, await outbox.estimate(conn, each.state, project_id=project_id)))
        if each.estimated
        else each
        for each in counts
    ]


async def count_waiting(conn: Executor, *, project_id: str | None) -> list[WaitingCount]:
    return await _sql.all(conn, "count_waiting", WaitingCount, project_id=project_id, most=COUNTED)


async def count_outcomes(conn: Executor, *, project_id: str | None, seconds: float) -> list[OutcomeCount]:
    """Count recent events by name."""
    return await _sql.all(conn, "count_outcomes", OutcomeCount, project_id=project_id, seconds=seconds)


async def count_by_server(conn: Executor, *, project_id: str | None, seconds: float) -> list[ServerCount]:
    """Count recent outcomes by mail server."""
    return await _sql.all(conn, "count_by_server", ServerCount, project_id=project_id, seconds=seconds)


async def page_for_member(
    conn: Executor, project_id: str, *, user_id: str, since: datetime, most: int, skipped: int
) -> list[MemberMail]:
    """List a user's own mails since then, newest first."""
    return await _sql.all(
        conn,
        "list_own_mails",
        MemberMail,
        project_id=project_id,
        user_id=user_id,
        since=since,
        most=most,
        skipped=skipped,
    )


async def count_for_member(conn: Executor, project_id: str, *, user_id: str, since: datetime) -> int:
    return int(await _sql.value(conn, "count_own_mails", project_id=project_id, user_id=user_id, since=since))
