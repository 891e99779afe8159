"""Account events, written in the transaction of the change; a worker files them in the security log."""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any
from uuid import UUID

from service import ids, tracing
from service.db import Executor, Queries
from service.store.unit_of_work import UnitOfWork

_sql = Queries("events")


class Event(StrEnum):
    """Events under the documented API's names; the modern names follow from them (docs/contract.md#log)."""

    ACCOUNT_CREATE = "account.create"
    ACCOUNT_DELETE = "account.delete"
    NAME_UPDATE = "account.update.name"
    EMAIL_UPDATE = "account.update.email"
    PASSWORD_UPDATE = "account.update.password"  # noqa: S105 - the name of an event
    PREFS_UPDATE = "account.update.prefs"
    STATUS_UPDATE = "account.update.status"
    SESSION_UPDATE = "account.sessions.update"
    SESSION_CREATE = "account.sessions.create"
    SESSION_DELETE = "account.sessions.delete"
    RECOVERY_CREATE = "account.recovery.create"
    RECOVERY_UPDATE = "account.recovery.update"
    VERIFICATION_CREATE = "account.verification.create"
    VERIFICATION_UPDATE = "account.verification.update"
    PHONE_UPDATE = "account.update.phone"
    PHONE_VERIFICATION_CREATE = "account.verification.phone.create"
    PHONE_VERIFICATION_UPDATE = "account.verification.phone.update"
    MFA_UPDATE = "account.update.mfa"
    AUTHENTICATOR_CREATE = "account.authenticators.create"
    AUTHENTICATOR_DELETE = "account.authenticators.delete"
    RECOVERY_CODES_CREATE = "account.recoveryCodes.create"
    IDENTITY_CREATE = "account.identities.create"
    IDENTITY_DELETE = "account.identities.delete"
    CHALLENGE_CREATE = "account.challenges.create"
    CHALLENGE_UPDATE = "account.challenges.update"
    # A wrong answer.
    CHALLENGE_FAILED = "account.challenges.failed"
    PASSKEY_CREATE = "account.passkeys.create"
    PASSKEY_UPDATE = "account.passkeys.update"
    PASSKEY_DELETE = "account.passkeys.delete"
    PASSKEY_TOKEN_CREATE = "account.passkeys.tokens.create"  # noqa: S105 - the name of an event
    TARGET_CREATE = "account.targets.create"
    TARGET_UPDATE = "account.targets.update"
    TARGET_DELETE = "account.targets.delete"
    # A notice's link was used: the owner has undone a change.
    DISAVOWAL = "account.disavowal"
    # Changes by an operator, under the legacy Users API's names.
    BY_OPERATOR_CREATE = "users.create"
    # The account has ended by itself, as the project's options say.
    ACCOUNT_END = "users.end"
    BY_OPERATOR_DELETE = "users.delete"
    BY_OPERATOR_NAME = "users.update.name"
    BY_OPERATOR_EMAIL = "users.update.email"
    BY_OPERATOR_PASSWORD = "users.update.password"  # noqa: S105 - the name of an event
    BY_OPERATOR_PREFS = "users.update.prefs"
    BY_OPERATOR_LABELS = "users.update.labels"
    BY_OPERATOR_STATUS = "users.update.status"
    BY_OPERATOR_VERIFICATION = "users.update.verification"
    BY_OPERATOR_SESSIONS = "users.sessions.delete"
    BY_OPERATOR_PHONE = "users.update.phone"
    BY_OPERATOR_PHONE_VERIFICATION = "users.update.verification.phone"
    BY_OPERATOR_MFA = "users.update.mfa"
    BY_OPERATOR_IDENTITY = "users.identities.delete"
    # The app's server was given the code of a custom factor.
    BY_OPERATOR_CHALLENGE = "users.challenges.read"
    BY_OPERATOR_SESSION_CREATE = "users.sessions.create"
    BY_OPERATOR_TOKEN = "users.tokens.create"  # noqa: S105 - the name of an event
    BY_OPERATOR_PASSKEY_UPDATE = "users.passkeys.update"
    BY_OPERATOR_PASSKEY_DELETE = "users.passkeys.delete"
    BY_OPERATOR_TARGET_CREATE = "users.targets.create"
    BY_OPERATOR_TARGET_UPDATE = "users.targets.update"
    BY_OPERATOR_TARGET_DELETE = "users.targets.delete"


# Events of the legacy log (docs/contract.md#lists-and-queries): the API document has no others.
DOCUMENTED = (
    Event.ACCOUNT_CREATE,
    Event.ACCOUNT_DELETE,
    Event.NAME_UPDATE,
    Event.EMAIL_UPDATE,
    Event.PASSWORD_UPDATE,
    Event.PREFS_UPDATE,
    Event.SESSION_CREATE,
    Event.SESSION_DELETE,
    Event.RECOVERY_CREATE,
    Event.RECOVERY_UPDATE,
    Event.VERIFICATION_CREATE,
    Event.VERIFICATION_UPDATE,
)


@dataclass(frozen=True, slots=True)
class Actor:
    """Origin of a change."""

    ip: str
    user_agent: str


@dataclass(frozen=True, slots=True)
class PendingEvent:
    project_id: str
    id: UUID
    name: str
    user_id: str | None
    ip: str
    user_agent: str
    at: datetime
    traceparent: str | None
    in_feed: bool


@dataclass(frozen=True, slots=True)
class PendingProject:
    project_id: str
    events: int


@dataclass(frozen=True, slots=True)
class EventId:
    id: UUID


def facts(event: Event | None, by: Actor) -> dict[str, Any]:
    """Return the parameters of a statement that records an event beside what it is about."""
    return {
        "event_id": ids.new_uuid(), "event": event, "ip": by.ip, "user_agent": by.user_agent,
        "traceparent": tracing.traceparent(),
    }  # fmt: skip


def facts_to_file(tx: UnitOfWork, event: Event, by: Actor) -> dict[str, Any]:
    """Return the same, and have the event filed once it is committed."""
    recorded = facts(event, by)
    tx.events.append(recorded["event_id"])
    return recorded


async def record(
    tx: UnitOfWork,
    project_id: str,
    *,
    event: Event,
    user_id: str | None,
    by: Actor,
    token_id: str | None = None,
) -> None:
    """Record an event. Without a user it has no job before `assign_user`."""
    recorded = facts(event, by) if user_id is None else facts_to_file(tx, event, by)
    await _sql.run(tx, "record_event", project_id=project_id, user_id=user_id, token_id=token_id, **recorded)


async def assign_user(tx: UnitOfWork, project_id: str, *, token_id: str, user_id: str | None) -> None:
    """Set the user of a token's waiting events, None for no account; they are ready to be filed now."""
    settled = await _sql.all(
        tx, "assign_events_user", EventId, project_id=project_id, token_id=token_id, user_id=user_id
    )
    tx.events += [event.id for event in settled]


async def list_projects(conn: Executor, *, most: int) -> list[PendingProject]:
    """List the projects of the oldest pending events, with how many of those are theirs."""
    return await _sql.all(conn, "list_projects_with_events", PendingProject, most=most)


async def dequeue(conn: Executor, project_id: str, *, most: int) -> list[PendingEvent]:
    """Remove and return a project's oldest pending events; in the transaction that files them."""
    return await _sql.all(conn, "dequeue_events", PendingEvent, project_id=project_id, most=most)


async def has_overdue(conn: Executor, *, seconds: float) -> bool:
    """Tell whether one has waited for longer: its job was lost."""
    return bool(await _sql.value(conn, "has_overdue_event", seconds=seconds))


async def lag(conn: Executor) -> float:
    """Return the seconds for which the oldest event has waited for its worker; 0 for none."""
    return float(await _sql.value(conn, "events_lag"))
