"""Changes of a user by an operator, by API key or on the command line: one transaction each, the user's row locked.

Nothing here depends on the web stack: the command line makes the same changes.
"""

from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from typing import TYPE_CHECKING

from service import ids
from service.accounts import imported_users
from service.accounts.imported_users import Imported
from service.db import Pool
from service.errors import EmailExists, EmailTaken, PhoneExists, PhoneMissing, SessionNotFound, UserExists, UserNotFound
from service.store import events, outbox, sessions, token_revocations, user_emails, user_passwords, user_phones, users
from service.store.events import Actor, Event
from service.store.unit_of_work import UnitOfWork, unit_of_work
from service.store.users import Status, User

if TYPE_CHECKING:
    from service.queue import JobQueue


@dataclass(frozen=True, slots=True)
class AdminContext:
    """Operator of a project's users, and the origin of the request."""

    pool: Pool
    project_id: str
    by: Actor
    job_queue: "JobQueue | None"

    def unit_of_work(self) -> AbstractAsyncContextManager[UnitOfWork]:
        return unit_of_work(self.pool, self.job_queue, self.project_id)


async def create(
    operator: AdminContext,
    *,
    user_id: str | None,
    email: str | None,
    name: str | None,
    password_hash: str | None,
    email_verified: bool = False,
    phone: str | None = None,
    imported: Imported | None = None,
) -> User:
    """Create a user. Raises UserExists, for a number too that another user has proved."""
    async with operator.unit_of_work() as tx:
        if imported:
            await imported_users.claim(tx, operator.project_id, imported)
        if phone is not None and await user_phones.is_verified(tx, operator.project_id, phone=phone):
            raise UserExists
        user = await users.create(
            tx,
            operator.project_id,
            user_id=ids.given(user_id),
            email=email,
            name=name or "",
            password_hash=password_hash,
        )
        await users.keep(tx, user)
        if email_verified:
            user = await user_emails.set_verified(tx, user, email_verified=True)
        if phone is not None:
            user = await user_phones.change(tx, user, phone=phone)
        if imported:
            user = await imported_users.complete(tx, user, imported)
        return await finish(operator, tx, user, Event.BY_OPERATOR_CREATE)


async def change_name(operator: AdminContext, user_id: str, *, name: str) -> User:
    async with operator.unit_of_work() as tx:
        user = await users.change_name(tx, await lock(operator, tx, user_id), name=name)
        return await finish(operator, tx, user, Event.BY_OPERATOR_NAME)


async def change_email(operator: AdminContext, user_id: str, *, email: str) -> User:
    """Change the address, which is unproved then; no earlier link works, no mail is sent. Raises EmailExists."""
    async with operator.unit_of_work() as tx:
        before = await user_emails.claim(tx, operator.project_id, user_id=user_id, email=email)
        if before is None:
            raise UserNotFound
        try:
            user = await user_emails.change(tx, before, email=email)
        except EmailTaken:
            raise EmailExists from None
        await token_revocations.revoke_all(tx, before, by_address=True)
        await token_revocations.revoke_undo_links(tx, before)
        return await finish(operator, tx, user, Event.BY_OPERATOR_EMAIL)


async def change_password(operator: AdminContext, user_id: str, *, password_hash: str, kept: int) -> User:
    """Change the password. Every session and every open link ends; so many of the last passwords are remembered."""
    async with operator.unit_of_work() as tx:
        before = await lock(operator, tx, user_id)
        await user_passwords.change(tx, before, password_hash=password_hash, kept=kept)
        await token_revocations.revoke_all(tx, before, by_address=True)
        await token_revocations.revoke_undo_links(tx, before)
        await sessions.close_all(tx, before)
        return await finish(operator, tx, await lock(operator, tx, user_id), Event.BY_OPERATOR_PASSWORD)


async def change_status(operator: AdminContext, user_id: str, *, status: Status) -> User:
    """Change the status. A block takes effect with the next request: each one reads the user's row."""
    async with operator.unit_of_work() as tx:
        user = await users.change_status(tx, await lock(operator, tx, user_id), status=status)
        await token_revocations.revoke_all(tx, user, by_address=True)
        return await finish(operator, tx, user, Event.BY_OPERATOR_STATUS)


async def change_verification(operator: AdminContext, user_id: str, *, email_verified: bool) -> User:
    """Mark the address as proved or not. If not, it must be proved anew: no earlier link counts."""
    async with operator.unit_of_work() as tx:
        before = await lock(operator, tx, user_id)
        user = await user_emails.set_verified(tx, before, email_verified=email_verified)
        if not email_verified:
            await token_revocations.revoke_all(tx, before, by_address=True)
        return await finish(operator, tx, user, Event.BY_OPERATOR_VERIFICATION)


async def change_phone(operator: AdminContext, user_id: str, *, phone: str | None) -> User:
    """Change the number, which is unproved then, or remove it; no earlier code works. Raises PhoneExists."""
    async with operator.unit_of_work() as tx:
        before = await lock(operator, tx, user_id)
        if phone == before.phone:
            return before
        if phone is not None and await user_phones.is_verified(tx, operator.project_id, phone=phone):
            raise PhoneExists
        await token_revocations.revoke_of_phone(tx, before)
        await token_revocations.revoke_undo_links(tx, before)
        user = await user_phones.change(tx, before, phone=phone)
        return await finish(operator, tx, user, Event.BY_OPERATOR_PHONE)


async def change_phone_verification(operator: AdminContext, user_id: str, *, phone_verified: bool) -> User:
    """Mark the number as proved or not. If proved, it signs in to this account, and other accounts lose it.

    Raises PhoneMissing and PhoneExists.
    """
    async with operator.unit_of_work() as tx:
        user = await users.find(tx, operator.project_id, user_id=user_id)
        if user is not None and user.phone is not None:
            user = await user_phones.claim(tx, operator.project_id, user_id=user_id, phone=user.phone)
        if user is None:
            raise UserNotFound
        if user.phone is None:
            raise PhoneMissing
        if phone_verified and await user_phones.find_holder(tx, user) is not None:
            raise PhoneExists
        await token_revocations.revoke_of_phone(tx, user)
        if phone_verified:
            changed = await user_phones.verify(tx, user, by_holder=True)
        else:
            changed = await user_phones.unverify(tx, user)
        return await finish(operator, tx, changed, Event.BY_OPERATOR_PHONE_VERIFICATION)


async def change_labels(operator: AdminContext, user_id: str, *, labels: list[str]) -> User:
    """Replace the labels, each label once, in the given order."""
    async with operator.unit_of_work() as tx:
        before = await lock(operator, tx, user_id)
        user = await users.change_labels(tx, before, labels=list(dict.fromkeys(labels)))
        return await finish(operator, tx, user, Event.BY_OPERATOR_LABELS)


async def change_prefs(operator: AdminContext, user_id: str, *, rewrite: Callable[[str], str]) -> User:
    """Change preferences; `rewrite` makes the new JSON text of the stored one."""
    async with operator.unit_of_work() as tx:
        before = await lock(operator, tx, user_id)
        user = await users.change_prefs(tx, before, prefs=rewrite(before.prefs))
        return await finish(operator, tx, user, Event.BY_OPERATOR_PREFS)


async def delete(operator: AdminContext, user_id: str) -> User:
    """Delete a user with sessions, links and mails still to be sent; the log stays. The address is free again."""
    async with operator.unit_of_work() as tx:
        user = await lock(operator, tx, user_id)
        await token_revocations.revoke_all(tx, user, by_address=True)
        await outbox.cancel_for_user(tx, operator.project_id, user_id=user.id)
        await users.delete(tx, user)
        return await finish(operator, tx, user, Event.BY_OPERATOR_DELETE)


async def close_session(operator: AdminContext, user_id: str, *, session_id: str) -> User:
    """Close a session. Raises SessionNotFound."""
    async with operator.unit_of_work() as tx:
        user = await lock(operator, tx, user_id)
        if not await sessions.close(tx, user, session_id=session_id):
            raise SessionNotFound
        return await finish(operator, tx, user, Event.BY_OPERATOR_SESSIONS)


async def close_sessions(operator: AdminContext, user_id: str) -> User:
    async with operator.unit_of_work() as tx:
        user = await lock(operator, tx, user_id)
        await sessions.close_all(tx, user)
        return await finish(operator, tx, user, Event.BY_OPERATOR_SESSIONS)


async def lock(operator: AdminContext, tx: UnitOfWork, user_id: str) -> User:
    """Return the user, locked. Raises UserNotFound."""
    user = await users.lock(tx, operator.project_id, user_id=user_id)
    if user is None:
        raise UserNotFound
    return user


async def finish(operator: AdminContext, tx: UnitOfWork, user: User, name: Event) -> User:
    """Record the event of a change, and return the user."""
    await events.record(tx, operator.project_id, event=name, user_id=user.id, by=operator.by)
    return user
