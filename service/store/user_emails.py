"""Addresses of users: proved, changed, restored, and locked before any of it."""

from dataclasses import dataclass

from service.db import Executor, Queries
from service.errors import EmailTaken
from service.store import user_passwords, users
from service.store.users import User

_sql = Queries("user_emails")


@dataclass(frozen=True, slots=True)
class Ensured(User):
    """User of an address that was just proved; `created` if the proof made the account.

    `proved_by_holder` if an earlier proof came from the holder of the account's session or password.
    """

    proved_by_holder: bool
    created: bool


@dataclass(frozen=True, slots=True)
class SharedMailbox:
    """Users whose addresses lead to one mailbox."""

    user_ids: list[str]


async def has_mailbox_holder(conn: Executor, project_id: str, *, email: str) -> bool:
    """Tell whether an account has proved an address of this mailbox (docs/accounts.md)."""
    return bool(await _sql.value(conn, "has_mailbox_holder", project_id=project_id, email=email))


async def list_shared_mailboxes(conn: Executor, project_id: str, *, most: int) -> list[SharedMailbox]:
    return await _sql.all(conn, "list_shared_mailboxes", SharedMailbox, project_id=project_id, most=most)


async def create_verified_if_absent(
    conn: Executor, project_id: str, *, user_ids: list[str], email: str
) -> Ensured | None:
    """Return the user of an address that was just proved, locked; created under the first free id if there is none.

    None if another account has proved an address of that mailbox, and the project wants one for each.
    """
    return await users.with_targets(
        conn, _sql.one(conn, "ensure_user", Ensured, project_id=project_id, ids=user_ids, email=email)
    )


async def claim_address(conn: Executor, project_id: str, *, user_id: str, email: str) -> None:
    """Lock an address before an act locks the user who may get it."""
    await _sql.value(conn, "claim_address", project_id=project_id, email=email, id=user_id)


async def claim(conn: Executor, project_id: str, *, user_id: str, email: str) -> User | None:
    """Lock the address, and then the user, before the user may get it."""
    await claim_address(conn, project_id, user_id=user_id, email=email)
    return await users.lock(conn, project_id, user_id=user_id)


async def verify(conn: Executor, user: User, *, by_holder: bool) -> None:
    """Mark the address as proved; `by_holder` if the holder of the account's session, or its only user, proved it."""
    await _sql.run(conn, "verify_email", project_id=user.project_id, id=user.id, by_holder=by_holder)


async def change(conn: Executor, user: User, *, email: str, password_hash: str | None = None) -> User:
    """Change the address, which is unproved again; raises EmailTaken, whatever the reason. Claim first."""
    if await _sql.value(conn, "shares_mailbox", project_id=user.project_id, email=email, id=user.id):
        raise EmailTaken
    await user_passwords.set_first(conn, user, password_hash)
    changed = await users.with_targets(
        conn, _sql.one(conn, "change_email", User, project_id=user.project_id, id=user.id, email=email)
    )
    if changed is None:  # the row is locked, so it is there: the address is another user's, or may become it again
        raise EmailTaken
    return changed


async def secure(conn: Executor, user: User, *, email: str) -> User:
    """Void the password and restore the proved address, unless another user has it by now. Claim first."""
    return await users.get_changed(
        conn, _sql.one(conn, "restore_user", User, project_id=user.project_id, id=user.id, email=email)
    )


async def is_proved_by_holder(conn: Executor, user: User) -> bool:
    """Tell whether the holder of the account's session is known to read its mailbox. Lock the user first."""
    return bool(await _sql.value(conn, "is_proved_by_holder", project_id=user.project_id, id=user.id))


async def set_verified(conn: Executor, user: User, *, email_verified: bool) -> User:
    return await users.get_changed(
        conn,
        _sql.one(
            conn,
            "set_email_verified",
            User,
            project_id=user.project_id,
            id=user.id,
            email_verified=email_verified,
        ),
    )
