"""Proof that an address is its account's own."""

from functools import partial

from aiohttp import web

from service.accounts import mail_quotas, members, outgoing_mail, private_signup
from service.crypto.secret import Secret
from service.db import Act
from service.errors import (
    EmailMissing,
    EmailVerified,
    PasswordPersonal,
    ScopeMissing,
    UserBlocked,
    VerificationTokenInvalid,
)
from service.http import rate_limits, responses, schemas
from service.http.context import RequestContext
from service.http.fields import NewPassword, TokenSecret, Url, UserId
from service.http.request_body import Body, read
from service.http.routing import charged, contract, limited, member, public
from service.rate_limiter import HOUR
from service.store import (
    account_acts,
    events,
    suppressions,
    token_lookups,
    token_revocations,
    tokens,
    user_emails,
    users,
)
from service.store.account_acts import MemberToken
from service.store.events import Event
from service.store.tokens import Kind, Token
from service.store.unit_of_work import UnitOfWork


class CreateVerification(Body):
    url: Url


@member.post("/v1/account/verification", "/v1/account/verifications/email")
@limited(10, HOUR, by="user")
@charged(mail_quotas.of_mail_to_member)
@contract(takes=CreateVerification, gives=schemas.TOKEN, status=201, raises=(EmailMissing, EmailVerified))
async def create_verification(ctx: RequestContext) -> web.Response:
    """Mail the member a link that proves the account's address."""
    body = await read(ctx, CreateVerification)
    token = await enqueue_to_member(ctx, Kind.VERIFICATION, letter="verification", url=body.url)
    return responses.json(responses.token(ctx, token, user_id=ctx.member.id), 201)


async def enqueue_to_member(
    ctx: RequestContext, kind: Kind, *, letter: str, url: str | None = None, phrase: str = ""
) -> Token:
    """Enqueue a link or code to the member that proves the account's address. Raises EmailMissing, EmailVerified."""
    if ctx.member.email is None:
        raise EmailMissing
    if ctx.member.email_verified and ctx.api_version.modern:
        raise EmailVerified
    await mail_quotas.charge(ctx, ctx.member.email)
    seconds = ctx.project.verification_seconds if kind is Kind.VERIFICATION else ctx.project.otp_seconds
    requested = ctx.member.id if kind in tokens.CODES else None  # by which a code is looked up
    token = outgoing_mail.token_to_mail(
        ctx, kind, letter=letter, seconds=seconds, requested_user_id=requested, url=url, phrase=phrase
    )
    deferred = rate_limits.DeferredLimits(ctx)

    async def issue(tx: UnitOfWork, act: Act) -> Token:
        return _issued(ctx, await account_acts.mail_token_to_member(
            tx, act, token=token, member=ctx.member, refuse_verified=ctx.api_version.modern,
            event=Event.VERIFICATION_CREATE, by=ctx.client, deferred=deferred,
        ))  # fmt: skip

    return await ctx.run_alone(issue, recall=partial(outgoing_mail.recall_token, ctx, token))


def _issued(ctx: RequestContext, found: MemberToken) -> Token:
    """Return the token. Raises what has changed between the guards and the lock, as the guards do."""
    if found.status is None:
        raise ScopeMissing
    if found.status == "blocked":
        raise UserBlocked
    # An address that came meanwhile has a quota of its own, which this request has not used.
    if found.address is None or found.address != ctx.member.email:
        raise EmailMissing
    if found.token is None:
        raise EmailVerified
    return found.token


async def enqueue_link(ctx: RequestContext, email: str) -> Token:
    """Enqueue a link that proves an address to its owner, if it has one; the worker finds out whose it is."""
    seconds = ctx.project.verification_seconds
    return await outgoing_mail.enqueue_to_owner(
        ctx, email, letter="verification", kind=Kind.VERIFICATION, event=Event.VERIFICATION_CREATE, seconds=seconds
    )


class UpdateVerification(Body):
    """Body of a proof. `password` is for a private sign-up: the account is made with it; others ignore it."""

    userId: UserId  # noqa: N815 - the contract's spelling
    secret: TokenSecret
    password: NewPassword | None = None


@public.put("/v1/account/verification", "/v1/account/verifications/email")
@limited(10, HOUR, by="userId", only="failures")
@limited(100, HOUR, by="ip", only="failures")
@contract(takes=UpdateVerification, gives=schemas.TOKEN, raises=(VerificationTokenInvalid, PasswordPersonal))
async def update_verification(ctx: RequestContext) -> web.Response:
    """Prove the address with the secret that was mailed to it."""
    body = await read(ctx, UpdateVerification)
    token = await confirm(ctx, user_id=body.userId, secret=body.secret, password=body.password)
    return responses.json(responses.token(ctx, token, user_id=token.user_id or ""))


async def confirm(ctx: RequestContext, *, user_id: str | None, secret: Secret, password: Secret | None = None) -> Token:
    """Use up the token of a link's secret: its address is proved. Raises VerificationTokenInvalid."""
    found = await token_lookups.find_by_secret(
        ctx.pool,
        ctx.project.id,
        kind=Kind.VERIFICATION,
        user_id=user_id,
        secret=secret.reveal(),
        ring=ctx.services.ring,
    )
    if found is None:
        raise VerificationTokenInvalid
    if found.user_id is None:
        return await private_signup.complete(ctx, found, password)
    return await redeem(ctx, found)


async def redeem(ctx: RequestContext, found: Token) -> Token:
    """Use up a user's token, a link's or a code's: its address is proved. Raises VerificationTokenInvalid.

    No session ends by it, for the link may well be opened in another browser than the one that signed up. But without
    the account's session it does not say that the maker of the account is the one who reads the mailbox.
    """
    user_id = found.user_id or ""
    async with ctx.unit_of_work() as tx:
        holder = await members.lock_holder(ctx, tx, user_id)
        user = holder or await users.lock(tx, ctx.project.id, user_id=user_id)
        token = await tokens.redeem(tx, found)
        if user is None or token is None or user.status == "blocked":
            raise VerificationTokenInvalid
        await user_emails.verify(tx, user, by_holder=holder is not None)
        await token_revocations.revoke_all(tx, user, by_address=True)
        await suppressions.lift_proved(tx, ctx.services.ring, ctx.project.id, address=user.email or "")
        await events.record(tx, ctx.project.id, event=Event.VERIFICATION_UPDATE, user_id=user.id, by=ctx.client)
    return token
