"""Proof that an address is its account's own."""

from aiohttp import web

from service.accounts import mail_quotas, members, outgoing_mail, private_signup
from service.db import Connection, transaction
from service.errors import EmailMissing, EmailVerified, PasswordPersonal, VerificationTokenInvalid
from service.http import responses, schemas
from service.http.context import Call
from service.http.fields import NewPassword, TokenSecret, Url, UserId
from service.http.request_body import Body, read
from service.http.routing import contract, limited, member, public
from service.queue import RECORD_LOG, SEND_MAIL
from service.rate_limiter import HOUR
from service.store import events, tokens, users
from service.store.events import Event
from service.store.tokens import Kind, Token
from service.store.users import User


class CreateVerification(Body):
    url: Url


@member.post("/v1/account/verification", "/v1/account/verifications/email")
@limited(10, HOUR, by="user")
@contract(takes=CreateVerification, gives=schemas.TOKEN, status=201, raises=(EmailMissing, EmailVerified))
async def create_verification(call: Call) -> web.Response:
    """Mail the member a link that proves the account's address."""
    body = await read(call, CreateVerification)
    if call.member.email is None:
        raise EmailMissing
    if call.member.email_verified and call.era.modern:
        raise EmailVerified
    await mail_quotas.spend(call, call.member.email)
    async with transaction(call.pool) as tx:
        user = await members.lock(call, tx)
        # An address that came meanwhile has a budget of its own, which nobody has asked.
        if user.email is None or user.email != call.member.email:
            raise EmailMissing
        if user.email_verified and call.era.modern:
            raise EmailVerified
        token = await outgoing_mail.issue(
            call, tx, kind=Kind.VERIFICATION, user=user, seconds=call.project.verification_seconds
        )
        mail = await outgoing_mail.post(call, tx, letter="verification", token=token, url=body.url)
        event = await events.record(
            tx,
            call.project.id,
            event=Event.VERIFICATION_CREATE,
            user_id=user.id,
            by=call.client,
        )
    await call.services.bell.ring(SEND_MAIL, mail)
    await call.services.bell.ring(RECORD_LOG, event)
    return responses.json(responses.token(call, token, user_id=user.id), 201)


class UpdateVerification(Body):
    """`password` is for a private sign-up: the account is made with it. It is not read where there is an account."""

    userId: UserId  # noqa: N815 - the contract's spelling
    secret: TokenSecret
    password: NewPassword | None = None


@public.put("/v1/account/verification", "/v1/account/verifications/email")
@limited(10, HOUR, by="userId", only="failures")
@limited(100, HOUR, by="ip", only="failures")
@contract(takes=UpdateVerification, gives=schemas.TOKEN, raises=(VerificationTokenInvalid, PasswordPersonal))
async def update_verification(call: Call) -> web.Response:
    """Prove the address with the secret that was mailed to it."""
    token = await confirm(call)
    return responses.json(responses.token(call, token, user_id=token.user_id or ""))


async def confirm(call: Call) -> Token:
    """Use up the token that the body names: its address is proved. Raises VerificationTokenInvalid.

    Nobody is signed out by it, for the link may well be opened in another browser than the one that signed up. But
    without the account's session it does not say that whoever made the account is the one who reads the mailbox.
    """
    body = await read(call, UpdateVerification)
    found = await tokens.find_by_secret(
        call.pool,
        call.project.id,
        kind=Kind.VERIFICATION,
        user_id=body.userId,
        secret=body.secret.reveal(),
        ring=call.services.ring,
    )
    if found is None:
        raise VerificationTokenInvalid
    if found.user_id is None:
        return await private_signup.finish(call, found, body.password)
    async with transaction(call.pool) as tx:
        holder = await _holder(call, tx, body.userId)
        user = holder or await users.lock(tx, call.project.id, user_id=body.userId)
        token = await tokens.take(tx, found)
        if user is None or token is None or user.status == "blocked":
            raise VerificationTokenInvalid
        await users.verify_email(tx, user, by_holder=holder is not None)
        await tokens.kill_all(tx, user, by_address=True)
        event = await events.record(
            tx,
            call.project.id,
            event=Event.VERIFICATION_UPDATE,
            user_id=user.id,
            by=call.client,
        )
    await call.services.bell.ring(RECORD_LOG, event)
    return token


async def _holder(call: Call, tx: Connection, user_id: str) -> User | None:
    """The user, locked, if the request comes with a live session of that account."""
    member = call.found_member
    return await users.lock_member(tx, member) if member and member.id == user_id else None
