"""Users, and members: users who came with a live session."""

from collections.abc import Awaitable
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Literal, TypeVar

from service.db import Executor, Queries
from service.errors import EmailTaken, UserExists
from service.store.project_rows import UserRows, delete_by_project

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


AnyUser = TypeVar("AnyUser", bound=User)


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


@dataclass(frozen=True, slots=True)
class Ensured(User):
    """User of an address that was just proved; `created` if the proof made the account.

    `proved_by_holder` if an earlier proof came from the holder of the account's session or password.
    """

    proved_by_holder: bool
    created: bool


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


@dataclass(frozen=True, slots=True)
class UserTargets:
    """Targets of one user, as JSON."""

    user_id: str
    targets: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class PreviousPassword:
    password_hash: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class SharedMailbox:
    """Users whose addresses lead to one mailbox."""

    user_ids: list[str]


async def create(
    conn: Executor, project_id: str, *, user_id: str, email: str | None, name: str, password_hash: str | None
) -> User:
    """Create a user. Raises UserExists for a taken id or address, and for one that its former owner may reclaim."""
    facts = {"email_verified": False, "name": name, "password_hash": password_hash}
    user = await _with_targets(
        conn, _sql.one(conn, "create_user", User, project_id=project_id, ids=[user_id], email=email, **facts)
    )
    if user is None:
        raise UserExists
    return user


async def has_mailbox_holder(conn: Executor, project_id: str, *, email: str) -> bool:
    """Tell whether an account has proved an address of this mailbox (docs/accounts.md)."""
    return bool(await _sql.value(conn, "has_mailbox_holder", project_id=project_id, email=email))


async def list_shared_mailboxes(conn: Executor, project_id: str, *, most: int) -> list[SharedMailbox]:
    return await _sql.all(conn, "list_shared_mailboxes", SharedMailbox, project_id=project_id, most=most)


async def keep(conn: Executor, user: User) -> None:
    """Keep an account from ending by itself, as others do where the project says so (service/store/account_ends.py)."""
    await _sql.run(conn, "keep_user", project_id=user.project_id, id=user.id)


async def register(
    conn: Executor, project_id: str, *, user_ids: list[str], email: str, name: str, password_hash: str | None
) -> User | None:
    """Register a user for an address that was just proved, under the first free id; None if the address is taken."""
    facts = {"email_verified": True, "name": name, "password_hash": password_hash}
    return await _with_targets(
        conn, _sql.one(conn, "create_user", User, project_id=project_id, ids=user_ids, email=email, **facts)
    )


async def create_verified_if_absent(
    conn: Executor, project_id: str, *, user_ids: list[str], email: str
) -> Ensured | None:
    """Return the user of an address that was just proved, locked; created under the first free id if there is none.

    None if another account has proved an address of that mailbox, and the project wants one for each.
    """
    return await _with_targets(
        conn, _sql.one(conn, "ensure_user", Ensured, project_id=project_id, ids=user_ids, email=email)
    )


async def find(conn: Executor, project_id: str, *, user_id: str) -> User | None:
    return await _with_targets(conn, _sql.one(conn, "find_user", User, project_id=project_id, id=user_id))


async def find_by_email(conn: Executor, project_id: str, *, email: str) -> User | None:
    return await _with_targets(conn, _sql.one(conn, "find_user_by_email", User, project_id=project_id, email=email))


async def find_to_sign_in(conn: Executor, project_id: str, *, email: str) -> User | None:
    """Find a user by address, without targets. Where there is none as much is read and decoded."""
    found = await _sql.one(conn, "find_user_to_sign_in", User, project_id=project_id, email=email)
    return found if found is not None and found.id else None


async def lock(conn: Executor, project_id: str, *, user_id: str) -> User | None:
    return await _with_targets(conn, _sql.one(conn, "lock_user", User, project_id=project_id, id=user_id))


async def claim(conn: Executor, project_id: str, *, user_id: str, email: str) -> User | None:
    """Lock the address, and then the user, before the user may get it."""
    await _sql.value(conn, "claim_address", project_id=project_id, email=email, id=user_id)
    return await lock(conn, project_id, user_id=user_id)


async def lock_member(conn: Executor, member: Member, *, claimed: str | None = None) -> Member | None:
    """Return the member as it is by now, locked; None if the session has ended. `claimed` is an address to lock too."""
    if claimed is not None:
        await _sql.value(conn, "claim_address", project_id=member.project_id, email=claimed, id=member.id)
    who = {"project_id": member.project_id, "id": member.id, "session_id": member.session_id}
    return await _with_targets(conn, _sql.one(conn, "lock_member", Member, **who))


async def find_member_by_secret(conn: Executor, project_id: str, *, user_id: str, secret_hash: bytes) -> Member | None:
    who = {"project_id": project_id, "user_id": user_id, "secret_hash": secret_hash}
    return await _with_targets(conn, _sql.one(conn, "find_member_by_secret", Member, **who))


async def find_member_by_session(conn: Executor, project_id: str, *, user_id: str, session_id: str) -> Member | None:
    who = {"project_id": project_id, "user_id": user_id, "session_id": session_id}
    return await _with_targets(conn, _sql.one(conn, "find_member_by_session", Member, **who))


async def change_password(conn: Executor, user: User, *, password_hash: str, kept: int) -> None:
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


async def last_passwords(conn: Executor, user: User, *, most: int) -> list[str]:
    """List the last hashes, the present one first."""
    if most < 1 or user.password_hash is None:
        return []
    earlier = await _sql.all(
        conn, "list_earlier_passwords", PreviousPassword, project_id=user.project_id, user_id=user.id, most=most - 1
    )
    return [user.password_hash, *(one.password_hash for one in earlier)]


async def verify_email(conn: Executor, user: User, *, by_holder: bool) -> None:
    """Mark the address as proved; `by_holder` if the holder of the account's session, or its only user, proved it."""
    await _sql.run(conn, "verify_email", project_id=user.project_id, id=user.id, by_holder=by_holder)


async def lock_by_email(conn: Executor, project_id: str, *, email: str) -> User | None:
    return await _with_targets(conn, _sql.one(conn, "lock_user_by_email", User, project_id=project_id, email=email))


async def change_name(conn: Executor, user: User, *, name: str) -> User:
    return await _changed(conn, _sql.one(conn, "change_name", User, project_id=user.project_id, id=user.id, name=name))


async def change_prefs(conn: Executor, user: User, *, prefs: str) -> User:
    """Change preferences. `prefs` is JSON text; it comes back byte for byte."""
    return await _changed(
        conn, _sql.one(conn, "change_prefs", User, project_id=user.project_id, id=user.id, prefs=prefs)
    )


async def change_email(conn: Executor, user: User, *, email: str, password_hash: str | None = None) -> User:
    """Change the address, which is unproved again; raises EmailTaken, whatever the reason. Claim first."""
    if await _sql.value(conn, "shares_mailbox", project_id=user.project_id, email=email, id=user.id):
        raise EmailTaken
    await _set_first_password(conn, user, password_hash)
    changed = await _with_targets(
        conn, _sql.one(conn, "change_email", User, project_id=user.project_id, id=user.id, email=email)
    )
    if changed is None:  # the row is locked, so it is there: the address is another user's, or may become it again
        raise EmailTaken
    return changed


async def remove_password(conn: Executor, user: User) -> None:
    await _sql.run(conn, "void_password", project_id=user.project_id, id=user.id)


async def secure(conn: Executor, user: User, *, email: str) -> User:
    """Void the password and restore the proved address, unless another user has it by now. Claim first."""
    return await _changed(
        conn, _sql.one(conn, "restore_user", User, project_id=user.project_id, id=user.id, email=email)
    )


async def change_status(conn: Executor, user: User, *, status: Status) -> User:
    return await _changed(
        conn, _sql.one(conn, "change_status", User, project_id=user.project_id, id=user.id, status=status)
    )


async def close(conn: Executor, user: User) -> User:
    """Block a user for good, as its own member does: an address proved by another person counts as unproved."""
    return await _changed(conn, _sql.one(conn, "disable_user", User, project_id=user.project_id, id=user.id))


async def is_proved_by_holder(conn: Executor, user: User) -> bool:
    """Tell whether the holder of the account's session is known to read its mailbox. Lock the user first."""
    return bool(await _sql.value(conn, "is_proved_by_holder", project_id=user.project_id, id=user.id))


async def is_number_proved_by_holder(conn: Executor, user: User) -> bool:
    """Tell whether the holder of the account's session has proved the number, by which it can be signed in to then."""
    return bool(await _sql.value(conn, "is_number_proved_by_holder", project_id=user.project_id, id=user.id))


async def set_email_verified(conn: Executor, user: User, *, email_verified: bool) -> User:
    return await _changed(
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


async def change_times(
    conn: Executor, user: User, *, created_at: datetime, password_updated_at: datetime | None
) -> User:
    """Set when a new user registered and chose the password, as another system knew it; neither is in the future."""
    now = user.created_at
    times = {"created_at": min(created_at, now), "password_updated_at": password_updated_at}
    if password_updated_at is not None:
        times["password_updated_at"] = min(password_updated_at, now)
    return await _changed(conn, _sql.one(conn, "change_times", User, project_id=user.project_id, id=user.id, **times))


async def change_labels(conn: Executor, user: User, *, labels: list[str]) -> User:
    return await _changed(
        conn, _sql.one(conn, "change_labels", User, project_id=user.project_id, id=user.id, labels=labels)
    )


async def change_mfa(conn: Executor, user: User, *, mfa: bool) -> User:
    return await _changed(conn, _sql.one(conn, "change_mfa", User, project_id=user.project_id, id=user.id, mfa=mfa))


async def restore_mfa(conn: Executor, user: User, *, since: datetime) -> None:
    """Undo the changes of `mfa` since a moment."""
    await _sql.run(conn, "restore_mfa", project_id=user.project_id, id=user.id, since=since)
    await _sql.run(conn, "delete_mfa_changes", project_id=user.project_id, user_id=user.id, since=since)


async def remove_factors(conn: Executor, user: User) -> None:
    """Remove second factors, passkeys, identities, number and targets, so that no undo brings one back."""
    await _sql.value(conn, "remove_factors", project_id=user.project_id, id=user.id)


async def delete_old_mfa_changes(conn: Executor, *, most: int) -> int:
    found = await _sql.all(conn, "list_old_mfa_changes", UserRows, most=most)
    return await delete_by_project(found, lambda **rows: _sql.run(conn, "delete_old_mfa_changes", **rows))


async def create_by_number_if_absent(
    conn: Executor, project_id: str, *, user_ids: list[str], phone: str
) -> NumberOwner | None:
    """Return the user of a number that was just proved, locked; created under the first free id if there is none."""
    return await _with_targets(
        conn,
        _sql.one(conn, "ensure_user_of_number", NumberOwner, project_id=project_id, ids=user_ids, phone=phone),
    )


async def claim_number(conn: Executor, project_id: str, *, user_id: str, phone: str) -> User | None:
    """Lock the number and the user, before the number is the user's as proved."""
    await _sql.value(conn, "claim_number", project_id=project_id, phone=phone)
    return await lock(conn, project_id, user_id=user_id)


async def find_number_holder(conn: Executor, user: User) -> NumberHolder | None:
    """Find the other account whose holder has proved the user's number. Claim the number first."""
    facts = {"project_id": user.project_id, "id": user.id, "phone": user.phone}
    return await _sql.one(conn, "find_number_holder", NumberHolder, **facts)


async def verify_phone(conn: Executor, user: User, *, by_holder: bool) -> User:
    """Mark the number as proved; other accounts lose it. Claim the number first."""
    facts = {"project_id": user.project_id, "id": user.id, "phone": user.phone, "by_holder": by_holder}
    await _sql.value(conn, "give_number", project_id=user.project_id, id=user.id, phone=user.phone)
    return await _changed(conn, _sql.one(conn, "verify_phone", User, **facts))


async def unverify_phone(conn: Executor, user: User) -> User:
    """Mark the number as not proved."""
    return await _changed(conn, _sql.one(conn, "unverify_phone", User, project_id=user.project_id, id=user.id))


async def change_phone(conn: Executor, user: User, *, phone: str | None, password_hash: str | None = None) -> User:
    """Change the number, which is not proved then. What it was is kept for the undo link."""
    await _set_first_password(conn, user, password_hash)
    facts = {"project_id": user.project_id, "id": user.id, "phone": phone}
    return await _changed(conn, _sql.one(conn, "change_phone", User, **facts))


async def _set_first_password(conn: Executor, user: User, password_hash: str | None) -> None:
    """Set the password that comes with a first address or number, if any."""
    if password_hash is not None:
        await _sql.run(conn, "change_password", project_id=user.project_id, id=user.id, password_hash=password_hash)


async def restore_phone(conn: Executor, user: User, *, since: datetime) -> None:
    """Undo the changes of the number since a moment; it is not proved any more if another account has proved it."""
    facts = {"project_id": user.project_id, "id": user.id, "since": since}
    former = await _sql.value(conn, "find_former_phone", **facts)
    if former is not None:
        await _sql.value(conn, "claim_number", project_id=user.project_id, phone=former)
    await _sql.run(conn, "restore_phone", **facts)
    await _sql.run(conn, "delete_phone_changes", project_id=user.project_id, user_id=user.id, since=since)


async def delete_old_phone_changes(conn: Executor, *, most: int) -> int:
    found = await _sql.all(conn, "list_old_phone_changes", UserRows, most=most)
    return await delete_by_project(found, lambda **rows: _sql.run(conn, "delete_old_phone_changes", **rows))


async def is_phone_verified(conn: Executor, project_id: str, *, phone: str) -> bool:
    """Tell whether a user of the project has proved the number."""
    return bool(await _sql.value(conn, "is_number_verified", project_id=project_id, phone=phone))


async def delete(conn: Executor, user: User) -> None:
    """Delete a user with all sessions and tokens; its log entries stay."""
    await _sql.run(conn, "delete_user", project_id=user.project_id, id=user.id)


async def _changed(conn: Executor, asked: Awaitable[User | None]) -> User:
    """Return the user that a statement has changed, whose row the caller has locked."""
    user = await _with_targets(conn, asked)
    if user is None:
        raise LookupError
    return user


async def _with_targets(conn: Executor, asked: Awaitable[AnyUser | None]) -> AnyUser | None:
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
