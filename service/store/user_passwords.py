"""Passwords of users, and the hashes of those that they had before."""

from dataclasses import dataclass, field

from service.db import Executor, Queries
from service.store.users import User

_sql = Queries("user_passwords")


@dataclass(frozen=True, slots=True)
class PreviousPassword:
    password_hash: str = field(repr=False)


async def change(conn: Executor, user: User, *, password_hash: str, kept: int) -> None:
    """Change the password of `user`, as it was before, locked; so many of its last passwords are remembered."""
    await _sql.run(
        conn,
        "record_password",
        project_id=user.project_id,
        user_id=user.id,
        password_hash=user.password_hash,
        kept=kept,
    )
    await _sql.run(conn, "change_password", project_id=user.project_id, id=user.id, password_hash=password_hash)


async def list_last(conn: Executor, user: User, *, most: int) -> list[str]:
    """List the last hashes, the present one first."""
    if most < 1 or user.password_hash is None:
        return []
    earlier = await _sql.all(
        conn, "list_earlier_passwords", PreviousPassword, project_id=user.project_id, user_id=user.id, most=most - 1
    )
    return [user.password_hash, *(one.password_hash for one in earlier)]


async def remove(conn: Executor, user: User) -> None:
    await _sql.run(conn, "void_password", project_id=user.project_id, id=user.id)


async def set_first(conn: Executor, user: User, password_hash: str | None) -> None:
    """Set the password that comes with a first address or number, if any."""
    if password_hash is not None:
        await _sql.run(conn, "change_password", project_id=user.project_id, id=user.id, password_hash=password_hash)
