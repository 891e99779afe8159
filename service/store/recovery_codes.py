"""Recovery codes of users, hashed as passwords are; a set replaces the one before.

A replaced set is kept for as long as an undo link works.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime

from service import ids
from service.crypto.recovery_codes import NUMBER
from service.db import Executor, Queries
from service.store.project_rows import UserRows, delete_by_project
from service.store.users import User

_sql = Queries("recovery_codes")
_LAST = 2 * NUMBER - 1


@dataclass(frozen=True, slots=True)
class RecoveryCode:
    project_id: str
    user_id: str
    set_id: str
    place: int
    hash: str = field(repr=False)


async def replace(conn: Executor, user: User, *, hashes: Sequence[str], imported: bool = False) -> None:
    """Put a new set in the place of an earlier one. Lock the user first.

    Imported codes don't name their places, which begin behind those of others.
    """
    who = {"project_id": user.project_id, "user_id": user.id}
    await _sql.run(conn, "remove_recovery_codes", **who)
    await _sql.run(conn, "create_recovery_codes", **who, set_id=ids.new(), hashes=list(hashes), first=NUMBER * imported)


async def count(conn: Executor, user: User) -> int:
    """Count the codes that can still be used."""
    return int(await _sql.value(conn, "count_recovery_codes", project_id=user.project_id, user_id=user.id))


async def find(conn: Executor, user: User, *, place: int | None) -> list[RecoveryCode]:
    """Find the unused code of a place in the set, or all imported ones."""
    first, last = (NUMBER, _LAST) if place is None else (place, place)
    who = {"project_id": user.project_id, "user_id": user.id}
    return await _sql.all(conn, "find_recovery_codes", RecoveryCode, **who, first=first, last=last)


async def use(conn: Executor, code: RecoveryCode) -> bool:
    """Use a code up; False if it was used, or its set replaced, meanwhile."""
    facts = {"project_id": code.project_id, "user_id": code.user_id, "set_id": code.set_id, "place": code.place}
    return await _sql.run(conn, "use_recovery_code", **facts) == 1


async def restore(conn: Executor, user: User, *, since: datetime) -> None:
    """Undo what was done since a moment: new codes go, replaced ones come back."""
    facts = {"project_id": user.project_id, "user_id": user.id, "since": since}
    await _sql.run(conn, "delete_recovery_codes_since", **facts)
    await _sql.run(conn, "restore_recovery_codes", **facts)


async def delete_old(conn: Executor, *, most: int) -> int:
    found = await _sql.all(conn, "list_old_recovery_codes", UserRows, most=most)
    return await delete_by_project(found, lambda **rows: _sql.run(conn, "delete_old_recovery_codes", **rows))
