"""Phone number of a member, and the proof that it is the member's own."""

from aiohttp import web

from service.accounts import factors, issued_tokens, mailed_codes, members, outgoing_mail, outgoing_sms
from service.errors import (
    CountryNotServed,
    CredentialsInvalid,
    PasswordPersonal,
    PhoneDisabled,
    PhoneExists,
    PhoneMissing,
    PhoneVerified,
    ReauthenticationRequired,
    VerificationTokenInvalid,
)
from service.http import responses, schemas
from service.http.context import RequestContext
from service.http.fields import OldPassword, Phone, TokenSecret, UserId
from service.http.request_body import Body, read
from service.http.routing import contract, limited, member, public, requires
from service.rate_limiter import HOUR
from service.store import events, sms, token_revocations, tokens, user_passwords, user_phones, users
from service.store.events import Event
from service.store.tokens import Kind, Token
from service.store.unit_of_work import UnitOfWork
from service.store.users import User


class UpdatePhone(Body):
    phone: Phone
    password: OldPassword


@member.patch("/v1/account/phone")
@requires("fresh_if_mfa")
@limited(10, HOUR, by="user")
@contract(
    takes=UpdatePhone, gives=schemas.USER, raises=(CredentialsInvalid, PasswordPersonal, ReauthenticationRequired)
)
async def update_phone(ctx: RequestContext) -> web.Response:
    """Set a number, which is not proved then. A member without a password gets this one.

    It takes a second factor away, or brings one: where one is asked for, the member must have proved it lately.

    Nothing tells whether another account has the number: who proves it first has it.
    """
    body = await read(ctx, UpdatePhone)
    first_hash = await members.prove_password(ctx, body.password, about=body.phone)
    async with ctx.unit_of_work() as tx:
        before = await members.lock_unchanged(ctx, tx)
        if body.phone == before.phone:
            return responses.json(responses.user(ctx, await _keep_number(ctx, tx, before, first_hash)))
        await token_revocations.revoke_of_phone(tx, before)
        changed = await user_phones.change(tx, before, phone=body.phone, password_hash=first_hash)
        await factors.record_change(ctx, tx, changed, Event.PHONE_UPDATE, "phone_changed")
    return responses.json(responses.user(ctx, changed))


async def _keep_number(ctx: RequestContext, tx: UnitOfWork, user: User, first_hash: str | None) -> User:
    """Keep a number with its proof, and set the first password that came with it, if any."""
    if first_hash is None:
        return user
    await user_passwords.set_first(tx, user, first_hash)
    await events.record(tx, ctx.project.id, event=Event.PASSWORD_UPDATE, user_id=user.id, by=ctx.client)
    await outgoing_mail.notify_of_password(ctx, tx, user)
    return await users.find(tx, ctx.project.id, user_id=user.id) or user


@member.post("/v1/account/verifications/phone", "/v1/account/verification/phone")
@limited(10, HOUR, by="user")
@limited(10, HOUR, by="ip")
@contract(
    gives=schemas.TOKEN, status=201, raises=(PhoneMissing, PhoneVerified, CountryNotServed, PhoneDisabled)
)  # fmt: skip
async def create_phone_verification(ctx: RequestContext) -> web.Response:
    """Send the member a code of six digits that proves the account's number."""
    outgoing_sms.check_set_up(ctx, ctx.member.phone or "")
    _check_unverified(ctx.member)
    await outgoing_sms.charge(ctx, ctx.member.phone or "")
    async with ctx.unit_of_work() as tx:
        user = await members.lock(ctx, tx)
        if user.phone != ctx.member.phone:  # one that came meanwhile has a quota of its own
            raise PhoneMissing
        _check_unverified(user)
        token = await issued_tokens.issue_to_user(
            ctx, tx, kind=Kind.PHONE_VERIFICATION, user=user, seconds=ctx.project.otp_seconds
        )
        await outgoing_sms.enqueue(ctx, tx, token)
        await events.record(tx, ctx.project.id, event=Event.PHONE_VERIFICATION_CREATE, user_id=user.id, by=ctx.client)
    return responses.json(responses.token(ctx, token, user_id=user.id), 201)


def _check_unverified(user: User) -> None:
    if user.phone is None:
        raise PhoneMissing
    if user.phone_verified:
        raise PhoneVerified


class UpdatePhoneVerification(Body):
    userId: UserId  # noqa: N815 - the contract's spelling
    secret: TokenSecret


@public.put("/v1/account/verifications/phone", "/v1/account/verification/phone")
@limited(10, HOUR, by="userId", only="failures")
@limited(100, HOUR, by="ip", only="failures")
@contract(takes=UpdatePhoneVerification, gives=schemas.TOKEN, raises=(VerificationTokenInvalid, PhoneExists))
async def update_phone_verification(ctx: RequestContext) -> web.Response:
    """Prove the number with the code that was sent to it. Other accounts lose it, unless they have proved it.

    A proof without the account's session opens nothing: its number signs nobody in to the account.
    """
    body = await read(ctx, UpdatePhoneVerification)
    found = await mailed_codes.find_token(ctx, Kind.PHONE_VERIFICATION, user_id=body.userId, code=body.secret)
    if found is None:
        raise VerificationTokenInvalid
    async with ctx.unit_of_work() as tx:
        await _verify(ctx, tx, found)
    return responses.json(responses.token(ctx, found, user_id=found.user_id or ""))


async def _verify(ctx: RequestContext, tx: UnitOfWork, found: Token) -> None:
    """Use the code up. The number is locked before its user and the user before the token, as addresses are."""
    user = await user_phones.claim(tx, ctx.project.id, user_id=found.user_id or "", phone=found.email)
    by_holder = ctx.key is not None or (user is not None and await members.lock_holder(ctx, tx, user.id) is not None)
    if user is None or user.status == "blocked" or await tokens.redeem_by_number(tx, found) is None:
        raise VerificationTokenInvalid
    holder = await user_phones.find_holder(tx, user)
    if holder is not None and not holder.yields:
        raise PhoneExists
    await user_phones.verify(tx, user, by_holder=by_holder)
    await token_revocations.revoke_of_phone(tx, user)
    await sms.record_used(tx, found)
    await events.record(tx, ctx.project.id, event=Event.PHONE_VERIFICATION_UPDATE, user_id=user.id, by=ctx.client)
