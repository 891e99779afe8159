"""Targets of messages to a user: the account's own address and number, and those that devices and operators register.

No message is sent to them here. A target that a device has registered is gone with its session.
"""

from dataclasses import dataclass, field
from datetime import datetime
from typing import Literal

import orjson

from service.db import Executor, Queries
from service.store.users import User

_sql = Queries("targets")
ProviderType = Literal["email", "sms", "push"]


@dataclass(frozen=True, slots=True)
class Target:
    project_id: str
    user_id: str
    id: str
    provider_type: ProviderType
    provider_id: str | None
    name: str
    identifier: str = field(repr=False)
    created_at: datetime
    updated_at: datetime


@dataclass(frozen=True, slots=True)
class NewTarget:
    """Target to be created; without a session it stays until it is deleted."""

    id: str
    provider_type: ProviderType
    identifier: str = field(repr=False)
    provider_id: str | None
    name: str
    session_id: str | None = None


def list_of(user: User) -> list[Target]:
    """List the targets of a user as they were when the user was read: its own, then the others, oldest first."""
    return own(user) + [
        Target(
            user.project_id,
            user.id,
            **row | {name: datetime.fromisoformat(row[name]) for name in ("created_at", "updated_at")},
        )
        for row in (orjson.loads(user.targets) if user.targets != "[]" else ())
    ]


def own(user: User) -> list[Target]:
    """Make the targets of the account's own address and number, which change with these alone."""
    has: tuple[tuple[ProviderType, str | None], ...] = (("email", user.email), ("sms", user.phone))
    return [
        Target(
            project_id=user.project_id,
            user_id=user.id,
            id=f"{kind}-{user.id}"[:36],
            provider_type=kind,
            provider_id=None,
            name="",
            identifier=identifier,
            created_at=user.created_at,
            updated_at=user.updated_at,
        )
        for kind, identifier in has
        if identifier
    ]


async def claim(conn: Executor, project_id: str, *, provider_type: ProviderType, identifier: str) -> None:
    """Keep others from registering an identifier until the transaction ends. It comes before the lock of the user."""
    await _sql.run(conn, "claim_identifier", project_id=project_id, provider_type=provider_type, identifier=identifier)


async def list_registered(conn: Executor, user: User) -> list[Target]:
    """List those that are registered, oldest first, without the account's own."""
    return await _sql.all(conn, "list_targets", Target, project_id=user.project_id, user_id=user.id)


async def create(conn: Executor, user: User, new: NewTarget) -> Target:
    """Create a target; another user's with this identifier is gone. Claim the identifier and lock the user first."""
    facts = {"project_id": user.project_id, "user_id": user.id}
    kind = {"provider_type": new.provider_type, "identifier": new.identifier}
    await _sql.run(conn, "release_identifier", **facts, **kind)
    created = await _sql.one(
        conn,
        "create_target",
        Target,
        **facts,
        **kind,
        id=new.id,
        session_id=new.session_id,
        provider_id=new.provider_id,
        name=new.name,
    )
    assert created is not None  # noqa: S101 - an insert that returns always has a row
    return created


async def update(
    conn: Executor, found: Target, *, identifier: str, provider_id: str | None, name: str
) -> Target | None:
    """Change a target; another user's with this identifier is gone. Claim the identifier and lock the user first."""
    facts = {"project_id": found.project_id, "user_id": found.user_id}
    kind = {"provider_type": found.provider_type, "identifier": identifier}
    await _sql.run(conn, "lock_targets", **facts, **kind, id=found.id)
    await _sql.run(conn, "release_identifier", **facts, **kind)
    changed = {"identifier": identifier, "provider_id": provider_id, "name": name}
    return await _sql.one(conn, "update_target", Target, **facts, id=found.id, **changed)


async def move(conn: Executor, user: User, *, session_id: str, to_session_id: str) -> None:
    """Bind the targets of a session to the one that takes its place."""
    facts = {"project_id": user.project_id, "user_id": user.id}
    await _sql.run(conn, "move_targets", **facts, session_id=session_id, to_session_id=to_session_id)


async def delete(conn: Executor, user: User, *, target_id: str) -> bool:
    """Delete one; False if the user has no such target."""
    facts = {"project_id": user.project_id, "user_id": user.id, "id": target_id}
    return await _sql.run(conn, "delete_target", **facts) == 1


async def delete_ended(conn: Executor, user: User) -> None:
    """Delete those of sessions that have ended."""
    await _sql.run(conn, "delete_ended_targets", project_id=user.project_id, user_id=user.id)


async def delete_all(conn: Executor, user: User) -> None:
    await _sql.run(conn, "delete_targets", project_id=user.project_id, user_id=user.id)
