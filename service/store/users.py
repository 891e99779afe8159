"""Users: created, found, locked, changed and deleted."""

from collections.abc import Awaitable
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Literal, TypeVar

from service.db import Executor, Queries
from service.errors import UserExists
from service.store.rate_limit_windows import Deferred

_sql = Queries("users")
Status = Literal["unactivated", "active", "blocked"]


@dataclass(frozen=True, slots=True)
class User:
    """User; `targets` is JSON of those that are not its own address and number (service/store/targets.py reads it)."""

    project_id: str
    id: str
    email: str | None
    email_version: int
    email_verified: bool
    name: str
    password_hash: str | None = field(repr=False)
    password_updated_at: datetime | None
    status: Status
    labels: list[str]
    prefs: str
    created_at: datetime
    updated_at: datetime
    accessed_at: datetime
    mfa: bool
    phone: str | None
    phone_version: int
    phone_verified: bool
    targets: str = field(repr=False)

    @property
    def label(self) -> str:
        """Name under which an authenticator shows the account."""
        return self.email or self.phone or self.name or self.id


@dataclass(frozen=True, slots=True)
class UserToSignIn(User):
    """User, or nobody, whose id is empty, of a statement that counts the call first (rate_limit_windows.py)."""

    usages: str | None
    counted_at: datetime | None
    refused: int | None


AnyUser = TypeVar("AnyUser", bound=User)


@dataclass(frozen=True, slots=True)
class UserTargets:
    """Targets of one user, as JSON."""

    user_id: str
    targets: str = field(repr=False)


async def create(
    conn: Executor, project_id: str, *, user_id: str, email: str | None, name: str, password_hash: str | None
) -> User:
    """Create a user. Raises UserExists for a taken id or address, and for one that its former owner may reclaim."""
    facts = {"email_verified": False, "name": name, "password_hash": password_hash}
    user = await with_targets(
        conn, _sql.one(conn, "create_user", User, project_id=project_id, ids=[user_id], email=email, **facts)
    )
    if user is None:
        raise UserExists
    return user


async def keep(conn: Executor, user: User) -> None:
    """Keep an account from ending by itself, as others do where the project says so (service/store/account_ends.py)."""
    await _sql.run(conn, "keep_user", project_id=user.project_id, id=user.id)


async def register(
    conn: Executor, project_id: str, *, user_ids: list[str], email: str, name: str, password_hash: str | None
) -> User | None:
    """Register a user for an address that was just proved, under the first free id; None if the address is taken."""
    facts = {"email_verified": True, "name": name, "password_hash": password_hash}
    return await with_targets(
        conn, _sql.one(conn, "create_user", User, project_id=project_id, ids=user_ids, email=email, **facts)
    )


async def find(conn: Executor, project_id: str, *, user_id: str) -> User | None:
    return await with_targets(conn, _sql.one(conn, "find_user", User, project_id=project_id, id=user_id))


async def find_by_email(conn: Executor, project_id: str, *, email: str) -> User | None:
    return await with_targets(conn, _sql.one(conn, "find_user_by_email", User, project_id=project_id, email=email))


async def find_to_sign_in(conn: Executor, project_id: str, *, email: str, deferred: Deferred) -> User | None:
    """Find a user by address, without targets. Where there is none as much is read and decoded.

    Raises TooManyRequests as `deferred` does.
    """
    found = await _sql.one(
        conn, "find_user_to_sign_in", UserToSignIn, windows=deferred.windows, project_id=project_id, email=email
    )
    assert found is not None  # noqa: S101 - the function always returns a row
    deferred.settle(found)
    return found if found.id else None


async def lock(conn: Executor, project_id: str, *, user_id: str) -> User | None:
    return await with_targets(conn, _sql.one(conn, "lock_user", User, project_id=project_id, id=user_id))


async def lock_by_email(conn: Executor, project_id: str, *, email: str) -> User | None:
    return await with_targets(conn, _sql.one(conn, "lock_user_by_email", User, project_id=project_id, email=email))


async def change_name(conn: Executor, user: User, *, name: str) -> User:
    return await get_changed(
        conn, _sql.one(conn, "change_name", User, project_id=user.project_id, id=user.id, name=name)
    )


async def change_prefs(conn: Executor, user: User, *, prefs: str) -> User:
    """Change preferences. `prefs` is JSON text; it comes back byte for byte."""
    return await get_changed(
        conn, _sql.one(conn, "change_prefs", User, project_id=user.project_id, id=user.id, prefs=prefs)
    )


async def change_status(conn: Executor, user: User, *, status: Status) -> User:
    return await get_changed(
        conn, _sql.one(conn, "change_status", User, project_id=user.project_id, id=user.id, status=status)
    )


async def close(conn: Executor, user: User) -> User:
    """Block a user for good, as its own member does: an address proved by another person counts as unproved."""
    return await get_changed(conn, _sql.one(conn, "disable_user", User, project_id=user.project_id, id=user.id))


async def change_times(
    conn: Executor, user: User, *, created_at: datetime, password_updated_at: datetime | None
) -> User:
    """Set when a new user registered and chose the password, as another system knew it; neither is in the future."""
    now = user.created_at
    times = {"created_at": min(created_at, now), "password_updated_at": password_updated_at}
    if password_updated_at is not None:
        times["password_updated_at"] = min(password_updated_at, now)
    return await get_changed(
        conn, _sql.one(conn, "change_times", User, project_id=user.project_id, id=user.id, **times)
    )


async def change_labels(conn: Executor, user: User, *, labels: list[str]) -> User:
    return await get_changed(
        conn, _sql.one(conn, "change_labels", User, project_id=user.project_id, id=user.id, labels=labels)
    )


async def delete(conn: Executor, user: User) -> None:
    """Delete a user with all sessions and tokens; its log entries stay."""
    await _sql.run(conn, "delete_user", project_id=user.project_id, id=user.id)


async def get_changed(conn: Executor, asked: Awaitable[User | None]) -> User:
    """Return the user that a statement has changed, whose row the caller has locked."""
    user = await with_targets(conn, asked)
    if user is None:
        raise LookupError
    return user


async def with_targets(conn: Executor, asked: Awaitable[AnyUser | None]) -> AnyUser | None:
    """Return the user of a statement with its targets: its row only says that there are none, as most have."""
    user = await asked
    if user is None or user.targets:
        return user
    return (await all_with_targets(conn, user.project_id, [user]))[0]


async def all_with_targets(conn: Executor, project_id: str, found: list[AnyUser]) -> list[AnyUser]:
    """Return users of a project with their targets, in one statement if any has some."""
    ids = [user.id for user in found if not user.targets]
    if not ids:
        return found
    rows = await _sql.all(conn, "list_targets_of_users", UserTargets, project_id=project_id, user_ids=ids)
    targets = {row.user_id: row.targets for row in rows}
    return [user if user.targets else replace(user, targets=targets.get(user.id, "[]")) for user in found]
