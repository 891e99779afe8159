"""Numbers of users: proved, changed, restored, and locked before any of it."""

from dataclasses import dataclass
from datetime import datetime

from service.db import Executor, Queries
from service.store import user_passwords, users
from service.store.project_rows import UserRows, delete_by_project
from service.store.users import User

_sql = Queries("user_phones")


@dataclass(frozen=True, slots=True)
class NumberOwner(User):
    """User of a number that was just proved; `created` if the proof made the account.

    `recycled`: nobody has used the account or the number for long, and it has other ways in. The number may have been
    given to another person meanwhile.
    """

    created: bool
    recycled: bool


@dataclass(frozen=True, slots=True)
class NumberHolder:
    """Account whose number is proved; `yields` if it has no other way in and nobody has used it for long."""

    id: str
    yields: bool


async def create_by_number_if_absent(
    conn: Executor, project_id: str, *, user_ids: list[str], phone: str
) -> NumberOwner | None:
    """Return the user of a number that was just proved, locked; created under the first free id if there is none."""
    return await users.with_targets(
        conn,
        _sql.one(conn, "ensure_user_of_number", NumberOwner, project_id=project_id, ids=user_ids, phone=phone),
    )


async def claim(conn: Executor, project_id: str, *, user_id: str, phone: str) -> User | None:
    """Lock the number and the user, before the number is the user's as proved."""
    await _sql.value(conn, "claim_number", project_id=project_id, phone=phone)
    return await users.lock(conn, project_id, user_id=user_id)


async def find_holder(conn: Executor, user: User) -> NumberHolder | None:
    """Find the other account whose holder has proved the user's number. Claim the number first."""
    facts = {"project_id": user.project_id, "id": user.id, "phone": user.phone}
    return await _sql.one(conn, "find_number_holder", NumberHolder, **facts)


async def verify(conn: Executor, user: User, *, by_holder: bool) -> User:
    """Mark the number as proved; other accounts lose it. Claim the number first."""
    facts = {"project_id": user.project_id, "id": user.id, "phone": user.phone, "by_holder": by_holder}
    await _sql.value(conn, "give_number", project_id=user.project_id, id=user.id, phone=user.phone)
    return await users.get_changed(conn, _sql.one(conn, "verify_phone", User, **facts))


async def unverify(conn: Executor, user: User) -> User:
    """Mark the number as not proved."""
    return await users.get_changed(conn, _sql.one(conn, "unverify_phone", User, project_id=user.project_id, id=user.id))


async def change(conn: Executor, user: User, *, phone: str | None, password_hash: str | None = None) -> User:
    """Change the number, which is not proved then. What it was is kept for the undo link."""
    await user_passwords.set_first(conn, user, password_hash)
    facts = {"project_id": user.project_id, "id": user.id, "phone": phone}
    return await users.get_changed(conn, _sql.one(conn, "change_phone", User, **facts))


async def restore(conn: Executor, user: User, *, since: datetime) -> None:
    """Undo the changes of the number since a moment; it is not proved any more if another account has proved it."""
    facts = {"project_id": user.project_id, "id": user.id, "since": since}
    former = await _sql.value(conn, "find_former_phone", **facts)
    if former is not None:
        await _sql.value(conn, "claim_number", project_id=user.project_id, phone=former)
    await _sql.run(conn, "restore_phone", **facts)
    await _sql.run(conn, "delete_phone_changes", project_id=user.project_id, user_id=user.id, since=since)


async def delete_old_changes(conn: Executor, *, most: int) -> int:
    found = await _sql.all(conn, "list_old_phone_changes", UserRows, most=most)
    return await delete_by_project(found, lambda **rows: _sql.run(conn, "delete_old_phone_changes", **rows))


async def is_verified(conn: Executor, project_id: str, *, phone: str) -> bool:
    """Tell whether a user of the project has proved the number."""
    return bool(await _sql.value(conn, "is_number_verified", project_id=project_id, phone=phone))


async def is_proved_by_holder(conn: Executor, user: User) -> bool:
    """Tell whether the holder of the account's session has proved the number, by which it can be signed in to then."""
    return bool(await _sql.value(conn, "is_number_proved_by_holder", project_id=user.project_id, id=user.id))
