"""Challenges of passkeys: a ceremony that a browser has five minutes for. Any answer uses its challenge up.

One that makes a passkey belongs to the session that began it, and stands for the passkey until that is there.
"""

import secrets
from dataclasses import dataclass, field
from datetime import datetime

from service import ids
from service.db import Executor, Queries
from service.links.relying_party import RelyingParty
from service.store.members import Member
from service.store.project_rows import ProjectRows, delete_by_project
from service.store.users import User

_sql = Queries("passkey_challenges")
SECONDS = 300
# Sign-ins of a project that have begun and not ended.
MOST_SIGN_INS = 10_000
_CHALLENGE = 32


@dataclass(frozen=True, slots=True)
class PasskeyChallenge:
    """A challenge; `passkey_id` is empty for a sign-in."""

    project_id: str
    id: str
    challenge: bytes = field(repr=False)
    rp_id: str
    origins: bytes
    passkey_id: str
    name: str
    created_at: datetime
    expires_at: datetime


async def count_passkeys(conn: Executor, user: User) -> int:
    """Count a user's passkeys, with those that are being made."""
    return int(await _sql.value(conn, "count_passkeys", project_id=user.project_id, user_id=user.id))


async def delete_earlier(conn: Executor, user: User, *, passkey_id: str) -> None:
    """Delete what was begun for this id and may be begun anew. Lock the user first."""
    facts = {"project_id": user.project_id, "passkey_id": passkey_id, "user_id": user.id}
    await _sql.run(conn, "delete_earlier_registration", **facts)


async def begin_registration(
    conn: Executor, member: Member, *, party: RelyingParty, passkey_id: str, name: str
) -> PasskeyChallenge | None:
    """Begin to make a passkey; None if another user is making one with this id. Lock the member first."""
    return await _sql.one(
        conn,
        "begin_registration",
        PasskeyChallenge,
        project_id=member.project_id,
        id=ids.new(),
        challenge=secrets.token_bytes(_CHALLENGE),
        rp_id=party.id,
        origins=party.digest,
        user_id=member.id,
        session_id=member.session_id,
        passkey_id=passkey_id,
        name=name,
        seconds=SECONDS,
    )


async def begin_sign_in(conn: Executor, project_id: str, *, party: RelyingParty) -> PasskeyChallenge | None:
    """Begin a sign-in; None if too many of the project have begun."""
    return await _sql.one(
        conn,
        "begin_sign_in",
        PasskeyChallenge,
        project_id=project_id,
        id=ids.new(),
        challenge=secrets.token_bytes(_CHALLENGE),
        rp_id=party.id,
        origins=party.digest,
        seconds=SECONDS,
        most=MOST_SIGN_INS,
    )


async def has_registration(conn: Executor, user: User, *, passkey_id: str) -> bool:
    """Tell whether the user has begun to make this passkey, even if it is too late for it."""
    facts = {"project_id": user.project_id, "passkey_id": passkey_id, "user_id": user.id}
    return bool(await _sql.value(conn, "has_registration", **facts))


async def use_registration(conn: Executor, member: Member, *, passkey_id: str) -> PasskeyChallenge | None:
    """Use up the challenge of a passkey that this session is making."""
    facts = {"project_id": member.project_id, "user_id": member.id, "session_id": member.session_id}
    return await _sql.one(conn, "use_registration", PasskeyChallenge, **facts, passkey_id=passkey_id)


async def use_sign_in(conn: Executor, project_id: str, *, challenge_id: str) -> PasskeyChallenge | None:
    return await _sql.one(conn, "use_sign_in", PasskeyChallenge, project_id=project_id, id=challenge_id)


async def finish_registration(conn: Executor, challenge: PasskeyChallenge) -> None:
    await _sql.run(conn, "finish_registration", project_id=challenge.project_id, id=challenge.id)


async def delete_expired(conn: Executor, *, most: int) -> int:
    found = await _sql.all(conn, "list_expired_passkey_challenges", ProjectRows, most=most)
    return await delete_by_project(found, lambda **rows: _sql.run(conn, "delete_expired_passkey_challenges", **rows))
