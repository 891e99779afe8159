"""Answers to challenges: what each factor compares, and what it uses up in the transaction of a right answer."""

from collections.abc import Awaitable, Callable

from service.accounts import factors
from service.crypto import recovery_codes as codes
from service.crypto.secret import Secret
from service.http.context import RequestContext
from service.store import (
    authenticators,
    challenges,
    recovery_codes,
    sms,
    token_lookups,
    token_secrets,
    tokens,
    user_emails,
)
from service.store.challenges import Challenge
from service.store.members import Member
from service.store.tokens import Kind, Token
from service.store.unit_of_work import UnitOfWork

# Uses up what was right, in the transaction of the answer; False if another request has done so before.
Use = Callable[[UnitOfWork, Member], Awaitable[bool]]


async def check(ctx: RequestContext, challenge: Challenge | None, otp: str) -> Use | None:
    """Compare an answer; None if it is wrong. Without a challenge the same is done for nothing."""
    match challenge.factor if challenge else "email":
        case "totp":
            return await _totp(ctx, otp)
        case "recoveryCode":
            return await _recovery_code(ctx, otp)
        case "phone":
            return await _phone(ctx, challenge, otp)
        case "custom" if challenge:
            return await _custom(ctx, challenge, otp)
    return await _email(ctx, challenge, otp)


async def _totp(ctx: RequestContext, otp: str) -> Use | None:
    found = await authenticators.find(ctx.pool, ctx.member)
    step = factors.step_of(ctx, found, otp) if found and found.verified else None
    if found is None or step is None:
        return None

    async def use(tx: UnitOfWork, _member: Member) -> bool:
        return await authenticators.use_step(tx, found, step=step)

    return use


async def _recovery_code(ctx: RequestContext, otp: str) -> Use | None:
    """Compare with the one code of that place, or with each imported one; a code that was used costs a hash as well."""
    typed = codes.parse(otp)
    found = await recovery_codes.find(ctx.pool, ctx.member, place=codes.place_of(typed) if typed else -1)
    at = await ctx.services.passwords.find_code([each.hash for each in found], typed.reveal() if typed else "")
    if at is None or not found:
        return None

    async def use(tx: UnitOfWork, _member: Member) -> bool:
        return await recovery_codes.use(tx, found[at])

    return use


async def _custom(ctx: RequestContext, challenge: Challenge, otp: str) -> Use | None:
    ring = ctx.services.ring
    if challenge.kid not in ring or challenges.code_of(ring, challenge) != Secret(factors.digits_of(otp)):
        return None

    async def use(_tx: UnitOfWork, _member: Member) -> bool:
        return True

    return use


async def _email(ctx: RequestContext, challenge: Challenge | None, otp: str) -> Use | None:
    """Compare with the code that was mailed: it is good only for the address that the account has still."""
    token = await _sent(ctx, Kind.MFA_EMAIL, challenge, otp)
    if token is None:
        return None

    async def use(tx: UnitOfWork, member: Member) -> bool:
        if await tokens.redeem(tx, token) is None:
            return False
        # The session's holder reads the mailbox, so the address is the holder's own.
        await user_emails.verify(tx, member, by_holder=True)
        return True

    return use


async def _phone(ctx: RequestContext, challenge: Challenge | None, otp: str) -> Use | None:
    """Compare with the code that was sent to the phone: it is good only for the number that the account has still."""
    token = await _sent(ctx, Kind.MFA_PHONE, challenge, otp)
    if token is None:
        return None

    async def use(tx: UnitOfWork, _member: Member) -> bool:
        await sms.record_used(tx, token)
        return await tokens.redeem_by_number(tx, token) is not None

    return use


async def _sent(ctx: RequestContext, kind: Kind, challenge: Challenge | None, otp: str) -> Token | None:
    """Return the token of a challenge if this is its code."""
    ring, id_ = ctx.services.ring, challenge.id if challenge else ""
    token = await token_lookups.find_live(ctx.pool, ctx.project.id, kind=kind, token_id=id_)
    if token is None or token.kid not in ring or token.user_id != ctx.member.id:
        return None
    return token if token_secrets.code_of(ring, token) == Secret(factors.digits_of(otp)) else None
