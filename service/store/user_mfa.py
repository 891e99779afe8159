"""MFA of users: switched on and off, each change kept for the undo link; factors removed for good."""

from datetime import datetime

from service.db import Executor, Queries
from service.store import users
from service.store.project_rows import UserRows, delete_by_project
from service.store.users import User

_sql = Queries("user_mfa")


async def change(conn: Executor, user: User, *, mfa: bool) -> User:
    return await users.get_changed(
        conn, _sql.one(conn, "change_mfa", User, project_id=user.project_id, id=user.id, mfa=mfa)
    )


async def restore(conn: Executor, user: User, *, since: datetime) -> None:
    """Undo the changes of `mfa` since a moment."""
    await _sql.run(conn, "restore_mfa", project_id=user.project_id, id=user.id, since=since)
    await _sql.run(conn, "delete_mfa_changes", project_id=user.project_id, user_id=user.id, since=since)


async def remove_factors(conn: Executor, user: User) -> None:
    """Remove second factors, passkeys, identities, number and targets, so that no undo brings one back."""
    await _sql.value(conn, "remove_factors", project_id=user.project_id, id=user.id)


async def delete_old_changes(conn: Executor, *, most: int) -> int:
    found = await _sql.all(conn, "list_old_mfa_changes", UserRows, most=most)
    return await delete_by_project(found, lambda **rows: _sql.run(conn, "delete_old_mfa_changes", **rows))
