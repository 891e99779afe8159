"""Challenges: a session is asked for a second factor. Each belongs to the session that made it, and ends with it."""

from dataclasses import dataclass
from datetime import datetime
from typing import Literal

from service import ids
from service.crypto import key_derivation
from service.crypto.key_derivation import KeyRing
from service.crypto.secret import Secret
from service.db import Executor, Queries
from service.store import missed_guesses
from service.store.members import Member
from service.store.project_rows import ProjectRows, delete_by_project
from service.store.users import User

_sql = Queries("challenges")
Factor = Literal["totp", "email", "phone", "recoveryCode", "custom"]
# Challenges of one session and factor that are alive at once.
_MOST = 3


@dataclass(frozen=True, slots=True)
class Challenge:
    project_id: str
    id: str
    user_id: str
    session_id: str
    factor: Factor
    kid: str
    created_at: datetime
    expires_at: datetime


async def create(conn: Executor, member: Member, *, factor: Factor, kid: str, seconds: int) -> Challenge:
    """Create a challenge for the member's session; the newest three of a factor live. Lock the member first."""
    where = {"project_id": member.project_id, "user_id": member.id, "session_id": member.session_id, "factor": factor}
    challenge = await _sql.one(conn, "create_challenge", Challenge, **where, id=ids.new(), kid=kid, seconds=seconds)
    assert challenge is not None  # noqa: S101 - an insert that returns always has a row
    await _sql.run(conn, "delete_surplus_challenges", **where, most=_MOST)
    return challenge


async def count_attempt(conn: Executor, member: Member, *, challenge_id: str) -> Challenge | None:
    """Find a live challenge of the member's session; the attempt counts, and the fifth is the last."""
    where = {"project_id": member.project_id, "user_id": member.id, "session_id": member.session_id}
    slot = missed_guesses.pick_slot()
    return await _sql.one(conn, "count_challenge_attempt", Challenge, **where, id=challenge_id, slot=slot)


async def redeem(conn: Executor, challenge: Challenge) -> bool:
    """Use a challenge up; False if it was used or has expired."""
    return await _sql.run(conn, "redeem_challenge", project_id=challenge.project_id, id=challenge.id) == 1


async def read_custom(conn: Executor, user: User, *, challenge_id: str) -> Challenge | None:
    """Find a live challenge of the custom factor for the app's server; once a minute."""
    where = {"project_id": user.project_id, "id": challenge_id, "user_id": user.id}
    return await _sql.one(conn, "read_challenge", Challenge, **where)


def code_of(ring: KeyRing, challenge: Challenge) -> Secret:
    """Derive the six digits of a custom factor. KeyError if the key has been retired."""
    owner = (challenge.project_id, challenge.user_id, challenge.session_id, challenge.id)
    number = int.from_bytes(key_derivation.derive(ring[challenge.kid], "mfa_custom", *owner)[:8])
    return Secret(f"{number % 1_000_000:06}")


async def delete_expired(conn: Executor, *, most: int) -> int:
    found = await _sql.all(conn, "list_expired_challenges", ProjectRows, most=most)
    return await delete_by_project(found, lambda **rows: _sql.run(conn, "delete_expired_challenges", **rows))
