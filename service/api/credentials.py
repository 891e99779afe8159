"""Changes of a member's password and address."""

from aiohttp import web

from service.accounts import issued_tokens, mail_quotas, members, outgoing_mail, password_policy, sign_up_rules
from service.errors import (
    CredentialsInvalid,
    EmailTaken,
    PasswordPersonal,
    PasswordReused,
    ReauthenticationRequired,
    SignUpClosed,
)
from service.http import responses, schemas
from service.http.context import RequestContext
from service.http.fields import FormerPassword, NewEmail, NewPassword, OldPassword
from service.http.request_body import Body, read
from service.http.routing import contract, limited, member, requires
from service.rate_limiter import HOUR
from service.store import events, sessions, token_revocations, user_emails, user_passwords, users
from service.store.events import Event
from service.store.tokens import Kind
from service.store.unit_of_work import UnitOfWork
from service.store.users import User


class UpdatePassword(Body):
    password: NewPassword
    oldPassword: FormerPassword | None = None  # noqa: N815 - the contract's spelling


@member.patch("/v1/account/password")
@limited(10, HOUR, by="user")
@contract(
    takes=UpdatePassword,
    gives=schemas.USER,
    raises=(CredentialsInvalid, PasswordPersonal, PasswordReused, ReauthenticationRequired),
)
async def update_password(ctx: RequestContext) -> web.Response:
    """Set a new password; a member who has one proves the old one. Every other session ends, and every open link.

    Links stay where the member hasn't proved the address: what was mailed there is for whoever reads the mailbox.
    """
    body = await read(ctx, UpdatePassword)
    passwords, old = ctx.services.passwords, ctx.member.password_hash
    if old is not None and not await passwords.verify(old, body.oldPassword.reveal() if body.oldPassword else ""):
        raise CredentialsInvalid
    password_hash = await password_policy.hash_new_password(
        ctx,
        passwords,
        body.password.reveal(),
        about=password_policy.personal_words(ctx.member),
        earlier=await password_policy.previous_hashes(ctx, ctx.pool, ctx.member),
    )
    notify = await mail_quotas.may_notify(ctx, ctx.member)
    async with ctx.unit_of_work() as tx:
        user = await members.lock_unchanged(ctx, tx)
        await user_passwords.change(tx, user, password_hash=password_hash, kept=ctx.project.password_history)
        if await user_emails.is_proved_by_holder(tx, user):
            await token_revocations.revoke_all(tx, user, by_address=True)
        await sessions.close_others(tx, user, kept=ctx.member.session_id)
        await events.record(tx, ctx.project.id, event=Event.PASSWORD_UPDATE, user_id=user.id, by=ctx.client)
        if notify:
            await outgoing_mail.notify_of_password(ctx, tx, user)
        changed = await users.find(tx, ctx.project.id, user_id=user.id)
    return responses.json(responses.user(ctx, changed or user))


class UpdateEmail(Body):
    email: NewEmail
    password: OldPassword


@member.patch("/v1/account/email")
@requires("fresh_if_mfa")
@limited(10, HOUR, by="user")
@limited(10, HOUR, by="ip", only=EmailTaken)
@contract(
    takes=UpdateEmail,
    gives=schemas.USER,
    raises=(CredentialsInvalid, EmailTaken, PasswordPersonal, ReauthenticationRequired, SignUpClosed),
)
async def update_email(ctx: RequestContext) -> web.Response:
    """Set a new address, which gets a confirmation; the old one gets a notice. An anonymous account becomes real.

    It takes a second factor away, or brings one: where one is asked for, the member must have proved it lately.
    """
    body = await read(ctx, UpdateEmail)
    first_hash = await members.prove_password(ctx, body.password, about=body.email)
    if ctx.project.sign_up == "domains" and not sign_up_rules.allows(ctx.project, body.email):
        raise SignUpClosed  # else an address of a listed domain would be a way to have any
    if ctx.project.private_signup and ctx.member.email is None:
        raise EmailTaken  # any client can be anonymous: it must not find out by this who has an account
    if body.email == ctx.member.email:  # it is in use, as the API document has it; an earlier proof stays
        raise EmailTaken
    await mail_quotas.charge(ctx, body.email)
    notify = await mail_quotas.may_notify(ctx, ctx.member)
    async with ctx.unit_of_work() as tx:
        before = await members.lock_unchanged(ctx, tx, claimed=body.email)
        if body.email == before.email:
            raise EmailTaken
        proved = await user_emails.is_proved_by_holder(tx, before)
        user = await user_emails.change(tx, before, email=body.email, password_hash=first_hash)
        await token_revocations.revoke_all(tx, before, by_address=proved)
        await _announce(ctx, tx, user)
        if notify:
            await outgoing_mail.notify(ctx, tx, letter="email_changed", user=before)
        await events.record(tx, ctx.project.id, event=Event.EMAIL_UPDATE, user_id=user.id, by=ctx.client)
    return responses.json(responses.user(ctx, user))


async def _announce(ctx: RequestContext, tx: UnitOfWork, user: User) -> None:
    """Mail a link to the new address."""
    token = await issued_tokens.issue_to_user(
        ctx, tx, kind=Kind.VERIFICATION, user=user, seconds=ctx.project.verification_seconds
    )
    await outgoing_mail.enqueue(ctx, tx, letter="verification", to=token)
