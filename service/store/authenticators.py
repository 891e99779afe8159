"""Authenticator apps of users, with the sealed secret that codes are made of; one is verified, at most.

A removed one is kept for as long as an undo link works.
"""

from dataclasses import dataclass, field
from datetime import datetime

from service import ids
from service.crypto import sealing
from service.crypto.key_derivation import KeyRing
from service.crypto.sealing import Place
from service.crypto.secret import Secret
from service.db import Executor, Queries
from service.store.users import User

_sql = Queries("authenticators")
# Named in sql/queries/sealed_rows.sql too.
_PURPOSE = "totp"


@dataclass(frozen=True, slots=True)
class Authenticator:
    """An authenticator app; `step` is the time step of now by Postgres's clock."""

    project_id: str
    user_id: str
    id: str
    kid: str
    sealed: bytes = field(repr=False)
    verified: bool
    step: int


async def create(conn: Executor, ring: KeyRing, user: User, *, secret: Secret) -> None:
    """Create one that waits for its first code, in place of an earlier one that does. Lock the user first."""
    await _sql.run(conn, "delete_pending_authenticator", project_id=user.project_id, user_id=user.id)
    id_ = ids.new()
    kid, sealed = sealing.seal(ring, secret, Place(_PURPOSE, user.project_id, user.id, id_))
    await _sql.run(
        conn, "create_authenticator", project_id=user.project_id, user_id=user.id, id=id_, kid=kid, sealed=sealed
    )


def secret_of(ring: KeyRing, found: Authenticator) -> Secret:
    """Return the secret. Raises CannotUnseal."""
    return sealing.unseal(ring, found.kid, found.sealed, Place(_PURPOSE, found.project_id, found.user_id, found.id))


async def find(conn: Executor, user: User) -> Authenticator | None:
    """Find the verified one, or the one that waits for its first code."""
    return await _sql.one(conn, "find_authenticator", Authenticator, project_id=user.project_id, user_id=user.id)


async def is_verified(conn: Executor, user: User) -> bool:
    return bool(await _sql.value(conn, "has_authenticator", project_id=user.project_id, user_id=user.id))


async def verify(conn: Executor, found: Authenticator, *, step: int) -> bool:
    """Verify by the code of a step; False if it was verified, replaced or removed meanwhile."""
    facts = {"project_id": found.project_id, "user_id": found.user_id, "id": found.id}
    return await _sql.run(conn, "verify_authenticator", **facts, step=step) == 1


async def use_step(conn: Executor, found: Authenticator, *, step: int) -> bool:
    """Use the code of a step up, with those of earlier steps; False if it was used before."""
    facts = {"project_id": found.project_id, "user_id": found.user_id, "id": found.id}
    return await _sql.run(conn, "use_authenticator_step", **facts, step=step) == 1


async def remove(conn: Executor, user: User) -> bool:
    """Remove the verified one; False if there is none."""
    return await _sql.run(conn, "remove_authenticator", project_id=user.project_id, user_id=user.id) == 1


async def restore(conn: Executor, user: User, *, since: datetime) -> None:
    """Undo what was done since a moment: what was added goes, what was removed comes back."""
    facts = {"project_id": user.project_id, "user_id": user.id, "since": since}
    await _sql.run(conn, "delete_authenticators_since", **facts)
    await _sql.run(conn, "restore_authenticators", **facts)


async def delete_old(conn: Executor, *, most: int) -> int:
    return await _sql.run(conn, "delete_old_authenticators", most=most)
