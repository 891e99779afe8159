"""Members: users who came with a live session."""

from dataclasses import dataclass

from service.db import Executor, Queries
from service.store import user_emails, users
from service.store.users import User

_sql = Queries("members")


@dataclass(frozen=True, slots=True)
class Member(User):
    """User with the session that a request came with.

    `assurance` is 2 once a second factor was proved. `is_fresh`: a challenge was passed in the last 30 minutes;
    `is_recent`: that, or the sign-in, in the last 10. `has_totp` is known only of users whose `mfa` is on.
    """

    session_id: str
    first_factor: str
    assurance: int
    is_fresh: bool
    is_recent: bool
    has_totp: bool


async def lock(conn: Executor, member: Member, *, claimed: str | None = None) -> Member | None:
    """Return the member as it is by now, locked; None if the session has ended. `claimed` is an address to lock too."""
    if claimed is not None:
        await user_emails.claim_address(conn, member.project_id, user_id=member.id, email=claimed)
    who = {"project_id": member.project_id, "id": member.id, "session_id": member.session_id}
    return await users.with_targets(conn, _sql.one(conn, "lock_member", Member, **who))


async def find_by_secret(conn: Executor, project_id: str, *, user_id: str, secret_hash: bytes) -> Member | None:
    who = {"project_id": project_id, "user_id": user_id, "secret_hash": secret_hash}
    return await users.with_targets(conn, _sql.one(conn, "find_member_by_secret", Member, **who))


async def find_by_session(conn: Executor, project_id: str, *, user_id: str, session_id: str) -> Member | None:
    who = {"project_id": project_id, "user_id": user_id, "session_id": session_id}
    return await users.with_targets(conn, _sql.one(conn, "find_member_by_session", Member, **who))
