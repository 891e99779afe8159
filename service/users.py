"""A user, and a member: a user who came with a live session."""

from dataclasses import dataclass
from datetime import datetime
from typing import Literal

from service.db import Executor, Queries, UniqueViolation
from service.errors import EmailTaken, UserExists

_sql = Queries("users")
Status = Literal["unactivated", "active", "blocked"]


@dataclass(frozen=True, slots=True)
class User:
    project_id: str
    id: str
    email: str | None
    email_version: int
    email_verified: bool
    name: str
    password_hash: str | None
    password_updated_at: datetime | None
    status: Status
    labels: list[str]
    prefs: str
    created_at: datetime
    updated_at: datetime
    accessed_at: datetime


@dataclass(frozen=True, slots=True)
class Member(User):
    session_id: str


async def create(
    conn: Executor, project_id: str, *, user_id: str, email: str | None, name: str, password_hash: str | None
) -> User:
    """Raises UserExists for a taken id or address."""
    try:
        user = await _sql.one(
            conn,
            "create_user",
            User,
            project_id=project_id,
            id=user_id,
            email=email,
            name=name,
            password_hash=password_hash,
        )
    except UniqueViolation:
        raise UserExists from None
    assert user is not None  # noqa: S101 - an insert that returns always has a row
    return user


async def find(conn: Executor, project_id: str, *, user_id: str) -> User | None:
    return await _sql.one(conn, "find_user", User, project_id=project_id, id=user_id)


async def find_by_email(conn: Executor, project_id: str, *, email: str) -> User | None:
    return await _sql.one(conn, "find_user_by_email", User, project_id=project_id, email=email)


async def lock(conn: Executor, project_id: str, *, user_id: str) -> User | None:
    return await _sql.one(conn, "lock_user", User, project_id=project_id, id=user_id)


async def find_member_by_secret(conn: Executor, project_id: str, *, user_id: str, secret_hash: bytes) -> Member | None:
    return await _sql.one(
        conn, "find_member_by_secret", Member, project_id=project_id, user_id=user_id, secret_hash=secret_hash
    )


async def find_member_by_session(conn: Executor, project_id: str, *, user_id: str, session_id: str) -> Member | None:
    return await _sql.one(
        conn, "find_member_by_session", Member, project_id=project_id, user_id=user_id, session_id=session_id
    )


async def change_password(
    conn: Executor, user: User, *, password_hash: str, email_verified: bool | None = None
) -> None:
    await _sql.run(
        conn,
        "change_password",
        project_id=user.project_id,
        id=user.id,
        password_hash=password_hash,
        email_verified=email_verified,
    )


async def rehash_password(conn: Executor, user: User, *, password_hash: str) -> None:
    await _sql.run(
        conn,
        "rehash_password",
        project_id=user.project_id,
        id=user.id,
        earlier_hash=user.password_hash,
        password_hash=password_hash,
    )


async def verify_email(conn: Executor, user: User) -> None:
    await _sql.run(conn, "verify_email", project_id=user.project_id, id=user.id)


async def touch(conn: Executor, user: User) -> None:
    await _sql.run(conn, "touch_user", project_id=user.project_id, id=user.id)


async def ensure(conn: Executor, project_id: str, *, user_id: str, email: str) -> None:
    """A user for an address that was just proved, unless there is one."""
    await _sql.run(conn, "ensure_user", project_id=project_id, id=user_id, email=email)


async def lock_by_email(conn: Executor, project_id: str, *, email: str) -> User | None:
    return await _sql.one(conn, "lock_user_by_email", User, project_id=project_id, email=email)


async def change_name(conn: Executor, user: User, *, name: str) -> User:
    return _still(await _sql.one(conn, "change_name", User, project_id=user.project_id, id=user.id, name=name))


async def change_prefs(conn: Executor, user: User, *, prefs: str) -> User:
    """`prefs` is JSON text; it comes back byte for byte."""
    return _still(await _sql.one(conn, "change_prefs", User, project_id=user.project_id, id=user.id, prefs=prefs))


async def change_email(conn: Executor, user: User, *, email: str, password_hash: str | None = None) -> User:
    """The address is unproved again; raises EmailTaken, which tells no more than that it can't be had."""
    try:
        changed = await _sql.one(
            conn,
            "change_email",
            User,
            project_id=user.project_id,
            id=user.id,
            email=email,
            password_hash=password_hash,
        )
    except UniqueViolation:
        raise EmailTaken from None
    return _still(changed)


async def change_status(conn: Executor, user: User, *, status: Status) -> User:
    return _still(await _sql.one(conn, "change_status", User, project_id=user.project_id, id=user.id, status=status))


def _still(user: User | None) -> User:
    """Its row is locked by the caller, so it is there."""
    if user is None:
        raise LookupError
    return user
