"""Changing what a member signs in with."""

from uuid import UUID

from aiohttp import web

from service.accounts import mail_quotas, members, outgoing_mail, password_policy, security_notices
from service.db import Connection, transaction
from service.errors import CredentialsInvalid, EmailTaken, PasswordPersonal, PasswordReused
from service.http import responses, schemas
from service.http.context import Call
from service.http.fields import NewEmail, NewPassword, OldPassword, check_new_password
from service.http.request_body import Body, read
from service.http.routing import contract, limited, member
from service.queue import RECORD_LOG, SEND_MAIL
from service.rate_limiter import HOUR
from service.store import events, sessions, tokens, users
from service.store.events import Event
from service.store.tokens import Kind
from service.store.users import User


class UpdatePassword(Body):
    password: NewPassword
    oldPassword: OldPassword | None = None  # noqa: N815 - the contract's spelling


@member.patch("/v1/account/password")
@limited(10, HOUR, by="user")
@contract(takes=UpdatePassword, gives=schemas.USER, raises=(CredentialsInvalid, PasswordPersonal, PasswordReused))
async def update_password(call: Call) -> web.Response:
    """Set a new password; who has one proves the old one. Every other session ends, and every open link.

    Links stay where the member hasn't proved the address: what was mailed there is for whoever reads the mailbox.
    """
    body = await read(call, UpdatePassword)
    passwords, old = call.services.passwords, call.member.password_hash
    if old is not None and not await passwords.verify(old, body.oldPassword.reveal() if body.oldPassword else ""):
        raise CredentialsInvalid
    password_hash = await password_policy.accept(
        call,
        passwords,
        body.password.reveal(),
        about=password_policy.about(call.member),
        earlier=await password_policy.earlier(call, call.pool, call.member),
    )
    told = await mail_quotas.may_tell(call, call.member)
    async with transaction(call.pool) as tx:
        user = await _unchanged(call, tx)
        await users.change_password(tx, user, password_hash=password_hash, kept=call.project.password_history)
        if await users.is_proved_by_holder(tx, user):
            await tokens.kill_all(tx, user, by_address=True)
        await sessions.close_others(tx, user, kept=call.member.session_id)
        event = await events.record(tx, call.project.id, event=Event.PASSWORD_UPDATE, user_id=user.id, by=call.client)
        mails = await security_notices.post(call, tx, letter="password_changed", user=user) if told else []
        changed = await users.find(tx, call.project.id, user_id=user.id)
    await call.services.bell.ring(SEND_MAIL, *mails)
    await call.services.bell.ring(RECORD_LOG, event)
    return responses.json(responses.user(call, changed or user))


class UpdateEmail(Body):
    email: NewEmail
    password: OldPassword


@member.patch("/v1/account/email")
@limited(10, HOUR, by="user")
@limited(10, HOUR, by="ip", only=EmailTaken)
@contract(takes=UpdateEmail, gives=schemas.USER, raises=(CredentialsInvalid, EmailTaken, PasswordPersonal))
async def update_email(call: Call) -> web.Response:
    """Set a new address, which gets a confirmation mail; the old one is told. An anonymous account becomes real."""
    body = await read(call, UpdateEmail)
    passwords, old, password = call.services.passwords, call.member.password_hash, body.password.reveal()
    first_hash = None
    if old is not None:
        if not await passwords.verify(old, password):
            raise CredentialsInvalid
    else:
        check_new_password(call, "password", password)
        about = (*password_policy.about(call.member), body.email)
        first_hash = await password_policy.accept(call, passwords, password, about=about)
    if call.project.private_signup and call.member.email is None:
        raise EmailTaken  # anybody can be anonymous: nobody is to ask by it who has an account
    if body.email == call.member.email:  # it is in use, as the contract has it; a proof of it stays one
        raise EmailTaken
    await mail_quotas.spend(call, body.email)
    told = await mail_quotas.may_tell(call, call.member)
    async with transaction(call.pool) as tx:
        before = await _unchanged(call, tx, claimed=body.email)
        if body.email == before.email:
            raise EmailTaken
        proved = await users.is_proved_by_holder(tx, before)
        user = await users.change_email(tx, before, email=body.email, password_hash=first_hash)
        await tokens.kill_all(tx, before, by_address=proved)
        mails = await _announce(call, tx, user)
        mails += await security_notices.post(call, tx, letter="email_changed", user=before) if told else []
        event = await events.record(tx, call.project.id, event=Event.EMAIL_UPDATE, user_id=user.id, by=call.client)
    await call.services.bell.ring(SEND_MAIL, *mails)
    await call.services.bell.ring(RECORD_LOG, event)
    return responses.json(responses.user(call, user))


async def _unchanged(call: Call, tx: Connection, *, claimed: str | None = None) -> User:
    """The member, locked; the proof of the password was seen before the lock and must still hold.

    The date tells, not the hash: the same password under today's parameters is no change.
    """
    user = await members.lock(call, tx, claimed=claimed)
    if user.password_updated_at != call.member.password_updated_at:
        raise CredentialsInvalid
    return user


async def _announce(call: Call, tx: Connection, user: User) -> list[UUID]:
    """A link to the new address."""
    token = await outgoing_mail.issue(
        call, tx, kind=Kind.VERIFICATION, user=user, seconds=call.project.verification_seconds
    )
    return [await outgoing_mail.post(call, tx, letter="verification", token=token)]
