"""Changing what a member signs in with."""

from uuid import UUID

from aiohttp import web

from service import events, sessions, tokens, users
from service.api import answers, letters, shapes
from service.api.bodies import Body, read
from service.api.calls import Call
from service.api.fields import Email, NewPassword, OldPassword, check_new_password
from service.api.routes import contract, limited, member
from service.db import Connection, transaction
from service.errors import CredentialsInvalid, EmailTaken, ScopeMissing
from service.events import Event
from service.jobs import RECORD_LOG, SEND_MAIL
from service.limits import HOUR
from service.tokens import Kind
from service.users import User


class UpdatePassword(Body):
    password: NewPassword
    oldPassword: OldPassword | None = None  # noqa: N815 - the contract's spelling


@member.patch("/v1/account/password")
@limited(10, HOUR, by="user")
@contract(takes=UpdatePassword, gives=shapes.USER, raises=(CredentialsInvalid,))
async def update_password(call: Call) -> web.Response:
    """Set a new password; who has one proves the old one. Every other session and every open link ends."""
    body = await read(call, UpdatePassword)
    passwords, old = call.services.passwords, call.member.password_hash
    if old is not None and not await passwords.verify(old, body.oldPassword or ""):
        raise CredentialsInvalid
    password_hash = await passwords.hash(body.password)
    async with transaction(call.pool) as tx:
        user = await _unchanged(call, tx)
        await users.change_password(tx, user, password_hash=password_hash)
        await tokens.kill_all(tx, user)
        await sessions.close_others(tx, user, kept=call.member.session_id)
        event = await events.record(tx, call.project.id, event=Event.PASSWORD_UPDATE, user_id=user.id, by=call.client)
        changed = await users.find(tx, call.project.id, user_id=user.id)
    await call.services.bell.ring(RECORD_LOG, event)
    return answers.json(answers.user(call, changed or user))


class UpdateEmail(Body):
    email: Email
    password: OldPassword


@member.patch("/v1/account/email")
@limited(10, HOUR, by="user")
@contract(takes=UpdateEmail, gives=shapes.USER, raises=(CredentialsInvalid, EmailTaken))
async def update_email(call: Call) -> web.Response:
    """Set a new address, which gets a confirmation mail; the old one is told. An anonymous account becomes real."""
    body = await read(call, UpdateEmail)
    passwords, old = call.services.passwords, call.member.password_hash
    first_hash = None
    if old is not None:
        if not await passwords.verify(old, body.password):
            raise CredentialsInvalid
    else:
        check_new_password(call, "password", body.password)
        first_hash = await passwords.hash(body.password)
    async with transaction(call.pool) as tx:
        before = await _unchanged(call, tx)
        user = await users.change_email(tx, before, email=body.email, password_hash=first_hash)
        await tokens.kill_all(tx, before)
        mails = await _announce(call, tx, before, user)
        event = await events.record(tx, call.project.id, event=Event.EMAIL_UPDATE, user_id=user.id, by=call.client)
    await call.services.bell.ring(SEND_MAIL, *mails)
    await call.services.bell.ring(RECORD_LOG, event)
    return answers.json(answers.user(call, user))


async def _unchanged(call: Call, tx: Connection) -> User:
    """The member's row, locked; the proof of the password was made before the lock and must still hold.

    The date tells, not the hash: the same password under today's parameters is no change.
    """
    user = await users.lock(tx, call.project.id, user_id=call.member.id)
    if user is None or user.status == "blocked":
        raise ScopeMissing
    if user.password_updated_at != call.member.password_updated_at:
        raise CredentialsInvalid
    return user


async def _announce(call: Call, tx: Connection, before: User, user: User) -> list[UUID]:
    """A link to the new address, word to the old one."""
    token = await letters.issue(call, tx, kind=Kind.VERIFICATION, user=user, seconds=call.project.verification_seconds)
    mails = [await letters.post(call, tx, letter="verification", token=token)]
    if before.email:
        mails.append(await letters.notify(call, tx, letter="email_changed", recipient=before.email, user=user))
    return mails
