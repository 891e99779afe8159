"""Sessions, each with 256 random bits that only the client keeps."""

import secrets
from collections.abc import Callable
from dataclasses import dataclass, fields
from datetime import datetime
from functools import cache
from operator import attrgetter
from typing import Any, Literal

from service import ids
from service.crypto import key_derivation
from service.db import Executor, Queries
from service.store import events
from service.store.events import Actor, Event
from service.store.project_rows import UserRows, delete_by_project
from service.store.unit_of_work import UnitOfWork
from service.store.users import User

_sql = Queries("sessions")
# What a client proved to get its session. Unknown of sessions that an earlier release opened.
FirstFactor = Literal["password", "email", "phone", "anonymous", "token", "server", "passkey", "oauth2", "unknown"]
# A passkey is two factors: the device, and what unlocked it. A sign-in by a provider stands for the mailbox: whoever
# reads it gets into most accounts at providers.
_SHOWN: dict[FirstFactor, list[str]] = {
    "unknown": [], "passkey": ["passkey", "userVerification"], "oauth2": ["email", "oauth2"],
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Session:
    project_id: str
    user_id: str
    id: str
    provider: str
    provider_uid: str
    ip: str
    country_code: str
    os_code: str
    os_name: str
    os_version: str
    client_type: str
    client_code: str
    client_name: str
    client_version: str
    client_engine: str
    client_engine_version: str
    device_name: str
    device_brand: str
    device_model: str
    created_at: datetime
    updated_at: datetime
    expires_at: datetime
    factors: list[str]
    mfa_at: datetime | None


@dataclass(frozen=True, slots=True)
class ClientInfo:
    """Client of a new session; `device` is a dataclass whose fields are in the order of Session's."""

    ip: str
    country_code: str
    device: object
    user_agent: str = ""


@dataclass(frozen=True, slots=True)
class SessionPage:
    """Part of a list: `limit` sessions after one, or before one, or the first ones."""

    limit: int = 100
    offset: int = 0
    after: str | None = None
    before: str | None = None


async def open_session(
    conn: Executor | UnitOfWork,
    user: User,
    *,
    provider: str,
    provider_uid: str,
    place: ClientInfo,
    seconds: int,
    first_factor: FirstFactor = "unknown",
    assurance: int = 1,
    identity_id: str | None = None,
    event: Event | None = None,
) -> tuple[Session, str]:
    """Open a session and return it with its secret, which is stored nowhere. Its event is recorded if it has one.

    `assurance` is 2 where two factors were proved; `identity_id` is of the identity whose tokens the session shows.
    """
    secret = new_secret()
    recorded = events.facts(event, Actor(place.ip, place.user_agent))
    if event is not None and isinstance(conn, UnitOfWork):
        conn.events.append(recorded["event_id"])
    session = await _sql.one(
        conn,
        "open_session",
        Session,
        project_id=user.project_id,
        user_id=user.id,
        id=ids.new(),
        secret_hash=key_derivation.digest(secret),
        provider=provider,
        provider_uid=provider_uid,
        first_factor=first_factor,
        factors=_SHOWN.get(first_factor, [first_factor]),
        assurance=2 if first_factor == "passkey" else assurance,
        identity_id=identity_id,
        country_code=place.country_code,
        device=device_lines(place),
        seconds=seconds,
        **recorded,
    )
    assert session is not None  # noqa: S101 - an insert that returns always has a row
    return session, secret


def new_secret() -> str:
    """Make the secret of a session, which is stored nowhere."""
    return secrets.token_hex(32)


def device_lines(place: ClientInfo) -> str:
    """Return the fields of a device, a line each: no client's name has a line break.

    An array of texts costs the driver as much as the rest of a sign-in's statement.
    """
    kind: type[Any] = type(place.device)
    return "\n".join(_fields_of(kind)(place.device))  # type: ignore[arg-type]  # mypy takes a class for unhashable


@cache
def _fields_of(kind: type[Any]) -> Callable[[object], tuple[str, ...]]:
    """Make the reader of a flat dataclass, of which the store knows no more."""
    return attrgetter(*(each.name for each in fields(kind)))


async def close(conn: Executor, user: User, *, session_id: str) -> bool:
    """Close a session. False where the user has no such session."""
    return await _sql.run(conn, "delete_session", project_id=user.project_id, user_id=user.id, id=session_id) == 1


async def close_all(conn: Executor, user: User) -> int:
    return await _sql.run(conn, "delete_all_sessions", project_id=user.project_id, user_id=user.id)


async def find(conn: Executor, user: User, *, session_id: str) -> Session | None:
    return await _sql.one(conn, "find_session", Session, project_id=user.project_id, user_id=user.id, id=session_id)


async def find_lasting(conn: Executor, user: User, *, seconds: int) -> Session | None:
    """Find the newest session that lasts so many seconds more."""
    return await _sql.one(
        conn, "find_lasting_session", Session, project_id=user.project_id, user_id=user.id, seconds=seconds
    )


async def page(conn: Executor, user: User, page: SessionPage) -> list[Session]:
    """List live ones, oldest first."""
    facts = {"project_id": user.project_id, "user_id": user.id, "after": page.after, "before": page.before}
    return await _sql.all(conn, "list_sessions", Session, **facts, most=page.limit, skipped=page.offset)


async def count(conn: Executor, user: User, *, most: int) -> int:
    """Count live ones, `most` at most."""
    return int(await _sql.value(conn, "count_sessions", project_id=user.project_id, user_id=user.id, most=most))


async def extend(conn: Executor, user: User, *, session_id: str, seconds: int) -> Session | None:
    return await _sql.one(
        conn, "extend_session", Session, project_id=user.project_id, user_id=user.id, id=session_id, seconds=seconds
    )


async def record_second_proof(
    conn: Executor, user: User, *, session_id: str, factor: str, assurance: int = 2
) -> Session | None:
    """Note that a session has passed a challenge by a factor, which gives it an assurance; None if it has ended."""
    facts = {"project_id": user.project_id, "user_id": user.id, "id": session_id, "factor": factor}
    return await _sql.one(conn, "record_second_proof", Session, **facts, assurance=assurance)


async def raise_assurance(conn: Executor, user: User, *, session_id: str) -> None:
    """Spare a session the second factor, for the member who has just switched it on; it is no passed challenge."""
    await _sql.run(conn, "raise_assurance", project_id=user.project_id, user_id=user.id, id=session_id)


async def close_others(conn: Executor, user: User, *, kept: str) -> int:
    return await _sql.run(conn, "delete_other_sessions", project_id=user.project_id, user_id=user.id, kept=kept)


async def delete_expired(conn: Executor, *, most: int) -> int:
    found = await _sql.all(conn, "list_expired_sessions", UserRows, most=most)
    return await delete_by_project(found, lambda **rows: _sql.run(conn, "delete_expired_sessions", **rows))
