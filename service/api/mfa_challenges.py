"""Challenges: a member proves a second factor, or that it is still the same person."""

from typing import Annotated, Any

from aiohttp import web
from pydantic import BeforeValidator, Field

from service.accounts import (
    challenge_answers,
    factors,
    issued_tokens,
    mail_quotas,
    members,
    outgoing_mail,
    outgoing_sms,
    provider_tokens,
    wrong_codes,
)
from service.crypto import key_derivation
from service.errors import (
    AuthenticatorNotFound,
    CountryNotServed,
    EmailMissing,
    EmailUnverified,
    FactorDisabled,
    PhoneDisabled,
    PhoneMissing,
    PhoneUnverified,
    RecoveryCodesNotFound,
    ScopeMissing,
    TokenInvalid,
)
from service.http import responses, schemas, second_factors
from service.http.context import RequestContext
from service.http.fields import Otp, UserId, unfit
from service.http.request_body import Body, read
from service.http.routing import contract, limited, member
from service.rate_limiter import HOUR
from service.store import authenticators, challenges, events, recovery_codes, sessions
from service.store.challenges import Challenge, Factor
from service.store.events import Event
from service.store.members import Member
from service.store.tokens import Kind
from service.store.unit_of_work import UnitOfWork

# For codes that come from an app or a list; mailed ones live as long as the project's other codes.
_SECONDS = 900
_FACTORS: dict[str, Factor] = {
    factor.lower(): factor for factor in ("totp", "email", "phone", "recoveryCode", "custom")
}


def _factor(value: Any) -> Any:
    """Read a factor in any case: the SDKs send `recoverycode`."""
    found = _FACTORS.get(value.lower()) if isinstance(value, str) else None
    if found is None:
        raise unfit(f"Value must be one of ({', '.join(_FACTORS.values())})")
    return found


class CreateChallenge(Body):
    factor: Annotated[Factor, BeforeValidator(_factor), Field(examples=["totp"])]


@member.post("/v1/account/mfa/challenges", "/v1/account/mfa/challenge", gated=False)
@limited(10, HOUR, by="user")
@contract(
    takes=CreateChallenge,
    gives=schemas.MFA_CHALLENGE,
    status=201,
    raises=(
        AuthenticatorNotFound, RecoveryCodesNotFound, EmailMissing, EmailUnverified, FactorDisabled, PhoneMissing,
        PhoneUnverified, CountryNotServed, PhoneDisabled,
    ),
)  # fmt: skip
async def create_mfa_challenge(ctx: RequestContext) -> web.Response:
    """Begin to prove a factor: a code is sent by mail or SMS; the app's server delivers that of a custom one."""
    body = await read(ctx, CreateChallenge)
    await _check_factor(ctx, body.factor)
    if body.factor == "email":
        await mail_quotas.charge(ctx, ctx.member.email or "")
    elif body.factor == "phone":
        await outgoing_sms.charge(ctx, ctx.member.phone or "")
    seconds = ctx.project.otp_seconds if body.factor in ("email", "phone", "custom") else _SECONDS
    async with ctx.unit_of_work() as tx:
        user = await members.lock(ctx, tx)
        kid = key_derivation.current(ctx.services.ring)
        made = await challenges.create(tx, user, factor=body.factor, kid=kid, seconds=seconds)
        if body.factor == "email":
            await _mail_code(ctx, tx, user, made, seconds=seconds)
        elif body.factor == "phone":
            await _send_code(ctx, tx, user, made, seconds=seconds)
        await events.record(tx, ctx.project.id, event=Event.CHALLENGE_CREATE, user_id=user.id, by=ctx.client)
    return responses.json(schemas.MFA_CHALLENGE.render(ctx.api_version, made), 201)


async def _check_factor(ctx: RequestContext, factor: Factor) -> None:
    """Raise the error of a factor that the member can't prove."""
    factors.check_allowed(ctx.project, factor)
    match factor:
        case "totp" if not await authenticators.is_verified(ctx.pool, ctx.member):
            raise AuthenticatorNotFound
        case "recoveryCode" if not await recovery_codes.count(ctx.pool, ctx.member):
            raise RecoveryCodesNotFound
        case "email" if ctx.member.email is None:
            raise EmailMissing
        case "email" if not ctx.member.email_verified:
            raise EmailUnverified
        case "phone" if not outgoing_sms.is_set_up(ctx.project, ctx.services.settings):
            raise PhoneDisabled
        case "phone" if ctx.member.phone is None:
            raise PhoneMissing
        case "phone" if not factors.is_factor(ctx.project, ctx.member):
            raise PhoneUnverified


async def _mail_code(ctx: RequestContext, tx: UnitOfWork, user: Member, made: Challenge, *, seconds: int) -> None:
    """Mail the code of a challenge, whose id the token has too. An address that came meanwhile has its own quota."""
    if user.email is None or user.email != ctx.member.email or not user.email_verified:
        raise EmailUnverified
    token = await issued_tokens.issue_to_user(
        ctx, tx, kind=Kind.MFA_EMAIL, user=user, seconds=seconds, token_id=made.id
    )
    await outgoing_mail.enqueue(ctx, tx, letter="mfa_challenge", to=token)


async def _send_code(ctx: RequestContext, tx: UnitOfWork, user: Member, made: Challenge, *, seconds: int) -> None:
    """Send the code of a challenge to the phone. A number that came meanwhile has its own quota."""
    if user.phone != ctx.member.phone or not user.phone_verified:
        raise PhoneUnverified
    token = await issued_tokens.issue_to_user(
        ctx, tx, kind=Kind.MFA_PHONE, user=user, seconds=seconds, token_id=made.id
    )
    await outgoing_sms.enqueue(ctx, tx, token)


class UpdateChallenge(Body):
    challengeId: UserId  # noqa: N815 - the contract's spelling
    otp: Otp


@member.put("/v1/account/mfa/challenges", "/v1/account/mfa/challenge", gated=False)
@limited(10, HOUR, by="challengeId")
@contract(takes=UpdateChallenge, gives=schemas.SESSION, raises=(TokenInvalid, FactorDisabled))
async def update_mfa_challenge(ctx: RequestContext) -> web.Response:
    """Prove the factor. The session has its second factor then, and stays the same one.

    A factor that opened the session opens no more by being proved again; it shows only that it is the same person. An
    answer that is refused for too many wrong ones uses up one of the challenge's five too: those are counted first.
    """
    body = await read(ctx, UpdateChallenge)
    challenge = await challenges.count_attempt(ctx.pool, ctx.member, challenge_id=body.challengeId)
    is_recovery = challenge is not None and challenge.factor == "recoveryCode"
    last = await wrong_codes.charge_member(ctx, "recoveryCode" if is_recovery else "code")
    if challenge:
        factors.check_allowed(ctx.project, challenge.factor)
    use = await challenge_answers.check(ctx, challenge, body.otp.reveal())
    if challenge is None or use is None:
        await factors.record_wrong_answer(ctx, last=last)
        raise TokenInvalid
    async with ctx.unit_of_work() as tx:
        user = await members.lock(ctx, tx)
        if not (await challenges.redeem(tx, challenge) and await use(tx, user)):
            raise TokenInvalid
        session = await sessions.record_second_proof(
            tx,
            user,
            session_id=user.session_id,
            factor=challenge.factor,
            assurance=second_factors.assurance_by(user, challenge.factor),
        )
        if session is None:
            raise ScopeMissing
        await _record(ctx, tx, user, challenge)
    tokens = (await provider_tokens.of_sessions(ctx, ctx.member)).get(session.id, responses.NO_TOKENS)
    return responses.json(responses.session(ctx, session, current=True, tokens=tokens))


async def _record(ctx: RequestContext, tx: UnitOfWork, user: Member, challenge: Challenge) -> None:
    """Record the answer; of a recovery code the owner is told, with the number that is left."""
    if challenge.factor == "recoveryCode":
        left = await recovery_codes.count(tx, user)
        await factors.record_change(ctx, tx, user, Event.CHALLENGE_UPDATE, "recovery_code_used", left=left)
    else:
        await events.record(tx, ctx.project.id, event=Event.CHALLENGE_UPDATE, user_id=user.id, by=ctx.client)
