"""The outbox of SMS: an accepted SMS is a row until it has ended, as a mail is (service/store/outbox.py).

pending -> sending -> sent, or failed, expired (its code died first), cancelled (its code was used or killed first),
void (the account is blocked). `sending` with its lease run out counts as pending. The text is nowhere: a worker derives
the code.
"""

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime
from typing import Literal
from uuid import UUID

from service import ids, tracing
from service.db import Executor, Queries
from service.store.project_rows import ProjectRows, delete_by_project
from service.store.tokens import Token
from service.store.unit_of_work import UnitOfWork

_sql = Queries("sms")
STATES = ("pending", "sending", "sent", "failed", "expired", "cancelled", "void")
COUNTED = 10_000
FinalState = Literal["sent", "failed", "expired", "cancelled", "void"]


@dataclass(frozen=True, slots=True)
class SmsClaim:
    """An SMS that a worker may send until the lease runs out, with the facts of its text.

    `sends` are attempts, this one counted, that may have reached the phone. `owner_*` are of the token's user, or of
    the account that the number signs in to. `may_sign_up`: the project lets a number make an account.
    """

    project_id: str
    id: UUID
    kind: str
    recipient: str
    locale: str
    attempts: int
    sends: int
    stolen: bool
    late: bool
    project_name: str
    hostnames: list[str]
    sms_countries: list[str]
    token_id: str | None
    token_kind: str | None
    token_user_id: str | None
    requested_user_id: str | None
    token_version: int | None
    kid: str | None
    token_created_at: datetime | None
    token_expires_at: datetime | None
    owner_status: str | None
    owner_phone: str | None
    owner_phone_version: int | None
    traceparent: str | None
    may_sign_up: bool

    def token(self) -> Token | None:
        """Return the live token; None if it was used or made void."""
        if not (self.token_id and self.token_kind and self.kid and self.token_created_at and self.token_expires_at):
            return None
        return Token(
            self.project_id, self.token_id, self.token_kind, self.token_user_id, self.requested_user_id, self.recipient,
            self.token_version, self.kid, self.token_created_at, self.token_expires_at,
        )  # fmt: skip


@dataclass(frozen=True, slots=True)
class Due:
    project_id: str
    id: UUID


@dataclass(frozen=True, slots=True)
class Sms:
    """An SMS for operators. `age` and `due_in` are in seconds; `used` if its code was typed in."""

    id: UUID
    project_id: str
    kind: str
    user_id: str | None
    recipient: str
    state: str
    attempts: int
    sends: int
    last_code: int | None
    last_fault: str | None
    created_at: datetime
    ended_at: datetime | None
    age: float
    due_in: float | None
    used: bool


@dataclass(frozen=True, slots=True)
class StateCount:
    """SMS of one state, counted to COUNTED; `oldest_age` is in seconds, of SMS still to be sent."""

    state: str
    count: int
    estimated: bool
    oldest_age: float | None


@dataclass(frozen=True, slots=True)
class Conversion:
    """Use of a project's last SMS: few used ones of many are a sign of toll fraud."""

    project_id: str
    sent: int
    used: int


async def enqueue(tx: UnitOfWork, token: Token, *, locale: str) -> UUID:
    """Accept the SMS of a code: once this transaction commits it will end in one of the states above."""
    sms_id = ids.new_uuid()
    await _sql.run(
        tx,
        "enqueue_sms",
        project_id=token.project_id,
        id=sms_id,
        kind=token.kind,
        user_id=token.user_id,
        token_id=token.id,
        recipient=token.email,
        locale=locale,
        deadline_at=token.expires_at,
        traceparent=tracing.traceparent(),
    )
    tx.sms.append(sms_id)
    return sms_id


async def record_used(conn: Executor, token: Token) -> None:
    """Note that the code was typed in."""
    await _sql.run(conn, "record_sms_used", project_id=token.project_id, token_id=token.id)


async def claim(conn: Executor, project_id: str, sms_id: UUID, *, worker: str, lease: float) -> SmsClaim | None:
    """Claim an SMS; None if it has ended or is another worker's. `lease` is in seconds."""
    return await _sql.one(conn, "claim_sms", SmsClaim, project_id=project_id, id=sms_id, worker=worker, lease=lease)


async def find_project(conn: Executor, sms_id: UUID) -> str | None:
    """Find the project of an SMS; None if the SMS is gone."""
    project_id: str | None = await _sql.value(conn, "find_sms_project", id=sms_id)
    return project_id


async def finish(
    conn: Executor, claim: SmsClaim, *, state: FinalState, code: int | None = None, fault: str = ""
) -> bool:
    """End an SMS. False if this worker has lost it."""
    facts = {"project_id": claim.project_id, "id": claim.id, "attempts": claim.attempts, "state": state}
    return await _sql.run(conn, "finish_sms", **facts, code=code, fault=fault) == 1


async def reschedule(
    conn: Executor, claim: SmsClaim, *, seconds: float, unsent: bool, code: int | None, fault: str
) -> bool:
    """Reschedule after a failed attempt; `unsent` if it can't have reached the phone. False if this worker lost it."""
    facts = {"project_id": claim.project_id, "id": claim.id, "attempts": claim.attempts, "unsent": unsent}
    return await _sql.run(conn, "reschedule_sms", **facts, seconds=seconds, code=code, fault=fault) == 1


async def list_due(conn: Executor, *, seconds: float, most: int, expired: bool = False) -> list[Due]:
    """List SMS overdue by so many seconds, the longest first; with `expired` those past their deadline."""
    return await _sql.all(conn, "list_due_sms", Due, seconds=seconds, expired=expired, most=most)


async def release_of_worker(conn: Executor, *, worker: str) -> int:
    """Release SMS that this worker held when it died or was stopped; return how many."""
    return await _sql.run(conn, "release_sms_of_worker", worker=worker)


async def undo_claims(conn: Executor, sms_ids: list[UUID], *, worker: str) -> int:
    """Undo claims of this worker whose answer was lost; return how many of them had been made."""
    return await _sql.run(conn, "undo_sms_claims", ids=sms_ids, worker=worker)


async def delete_finished(conn: Executor, *, days: int, most: int) -> int:
    """Delete SMS that ended longer ago, so many at a time: they hold numbers."""
    found = await _sql.all(conn, "list_finished_sms", ProjectRows, days=days, most=most)
    return await delete_by_project(found, lambda **rows: _sql.run(conn, "delete_finished_sms", **rows, days=days))


async def low_conversions(conn: Executor, *, most: int, least: int) -> list[Conversion]:
    """List projects of whose last `most` SMS fewer than `least` were used."""
    return await _sql.all(conn, "low_sms_conversions", Conversion, most=most, least=least)


async def page(
    conn: Executor, *, states: Collection[str] | None, project_id: str | None, after: UUID | None, most: int
) -> list[Sms]:
    """List SMS, the newest first."""
    wanted = list(states or STATES)
    return await _sql.all(conn, "list_sms", Sms, states=wanted, project_id=project_id, after=after, most=most)


async def find(conn: Executor, sms_id: UUID) -> Sms | None:
    return await _sql.one(conn, "find_sms", Sms, id=sms_id)


async def count_states(conn: Executor, *, project_id: str | None) -> list[StateCount]:
    """Count SMS by state, to COUNTED of each."""
    return await _sql.all(conn, "count_sms_states", StateCount, project_id=project_id, most=COUNTED)


async def retry(tx: UnitOfWork, sms_ids: Collection[UUID]) -> list[UUID]:
    """Make SMS due at once that wait, or that failed and whose code still lives; return which."""
    retried = await _sql.all(tx, "retry_sms", Due, ids=list(sms_ids))
    tx.sms += [each.id for each in retried]
    return [each.id for each in retried]


async def cancel(tx: UnitOfWork, sms_ids: Collection[UUID]) -> list[UUID]:
    """Cancel SMS that are still to be sent and that no worker has; return which."""
    return [each.id for each in await _sql.all(tx, "cancel_sms", Due, ids=list(sms_ids))]
