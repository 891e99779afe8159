"""Recovery of an account whose password is forgotten. No answer tells whether an address has an account."""

from aiohttp import web

from service import ids
from service.accounts import mail_quotas, outgoing_mail, password_policy
from service.crypto.secret import Secret
from service.db import Act, Pool
from service.errors import (
    AccountError,
    ArgumentInvalid,
    PasswordPersonal,
    PasswordReused,
    RecoveryTokenInvalid,
    UserBlocked,
    UserNotFound,
)
from service.http import rate_limits, responses, routing, schemas
from service.http.context import RequestContext
from service.http.fields import Email, Hidden, LegacyUrl, NewPassword, TokenSecret, UserId
from service.http.request_body import Body, read
from service.http.routing import charged, contract, limited, public
from service.rate_limiter import HOUR
from service.store import account_acts, token_lookups, token_secrets, users
from service.store.events import Event
from service.store.tokens import Kind, Token
from service.store.unit_of_work import UnitOfWork
from service.store.users import User


class CreateRecovery(Body):
    email: Email
    url: LegacyUrl = None


@public.post("/v1/account/recovery")
@limited(10, HOUR, by="email", only="successes")
@limited(100, HOUR, by="ip")
@charged(mail_quotas.of_mail)
@contract(takes=CreateRecovery, gives=schemas.TOKEN, status=201, raises=(UserNotFound,))
async def create_recovery(ctx: RequestContext) -> web.Response:
    """Mail the owner of an address a link for choosing a new password; without `url` it leads to a page of ours.

    Legacy clients must name the page. The same rows are written for every address: the worker finds out whose it is.
    """
    body = await read(ctx, CreateRecovery)
    user = await find_revealed(ctx, body.email)
    token = await enqueue_link(ctx, body.email, url=body.url)
    shown = token_secrets.with_public_id(ctx.services.ring, token)
    return responses.json(responses.token(ctx, shown, user_id=user.id if user else ids.new()), 201)


async def enqueue_link(ctx: RequestContext, email: str, *, url: str | None = None) -> Token:
    """Enqueue a link for choosing a new password to the owner of an address, if it has one."""
    seconds = ctx.project.recovery_seconds
    return await outgoing_mail.enqueue_to_owner(
        ctx, email, letter="recovery", kind=Kind.RECOVERY, event=Event.RECOVERY_CREATE, seconds=seconds, url=url
    )


async def find_revealed(ctx: RequestContext, email: str) -> User | None:
    """Find the user, only where a project gives its users away for a conformance run."""
    if not ctx.project.reveal_unknown_users:
        return None
    user = await users.find_by_email(ctx.pool, ctx.project.id, email=email)
    if user is None:
        raise UserNotFound
    if user.status == "blocked":
        raise UserBlocked
    return user


class UpdateRecovery(Body):
    userId: UserId  # noqa: N815 - the contract's spelling
    secret: TokenSecret
    password: NewPassword
    passwordAgain: Hidden | None = None  # noqa: N815 - the contract's spelling


@public.put("/v1/account/recovery")
@limited(10, HOUR, by="userId", only="failures")
@limited(100, HOUR, by="ip", only="failures")
@routing.deferred
@contract(takes=UpdateRecovery, gives=schemas.TOKEN, raises=(RecoveryTokenInvalid, PasswordPersonal, PasswordReused))
async def update_recovery(ctx: RequestContext) -> web.Response:
    """Choose the new password. It ends every session, proves the address and kills every other link.

    Second factors stay, unless the address had not been proved by the account's holder before.
    """
    body = await read(ctx, UpdateRecovery)
    if body.passwordAgain is None and not ctx.api_version.modern:
        raise ArgumentInvalid('Param "passwordAgain" is not optional.')
    if body.passwordAgain is not None and body.passwordAgain != body.password:
        raise ArgumentInvalid("Passwords must match")
    token = await set_password(ctx, user_id=body.userId, secret=body.secret, password=body.password)
    return responses.json(responses.token(ctx, token, user_id=body.userId))


async def set_password(ctx: RequestContext, *, user_id: str | None, secret: Secret, password: Secret) -> Token:
    """Use a recovery's secret up. Raises RecoveryTokenInvalid, and the refusals of a password."""
    found = await token_lookups.find_by_secret(
        ctx.pool,
        ctx.project.id,
        kind=Kind.RECOVERY,
        user_id=user_id,
        secret=secret.reveal(),
        ring=ctx.services.ring,
        deferred=rate_limits.DeferredLimits(ctx),
    )
    return await redeem(ctx, found, password)


async def redeem(ctx: RequestContext, found: Token | None, password: Secret) -> Token:
    """Use a recovery's token up, a link's or a code's. Raises as `set_password` does."""
    if found is None or found.user_id is None:
        raise RecoveryTokenInvalid
    # Hashed only now, so that junk costs no hash, and outside the transaction, so that no lock waits for it.
    password_hash = await _hash_password(ctx, found, password.reveal())
    notice = outgoing_mail.notice_to_mail(ctx, letter="password_changed")

    async def recover(tx: UnitOfWork, act: Act) -> Token:
        token = await account_acts.recover_account(
            tx, act, token=found, password_hash=password_hash, kept=ctx.project.password_history, notice=notice,
            counts_passkeys=ctx.project.passkeys, event=Event.RECOVERY_UPDATE, by=ctx.client,
        )  # fmt: skip
        if token is None:
            raise RecoveryTokenInvalid
        return token

    async def recall(_pool: Pool) -> Token:
        return found

    return await ctx.run_alone(recover, recall=recall)


async def _hash_password(ctx: RequestContext, found: Token, password: str) -> str:
    """Return the new password's hash. A refusal costs the link no attempt: its secret was right."""
    user = await users.find(ctx.pool, ctx.project.id, user_id=found.user_id or "")
    if user is None:
        raise RecoveryTokenInvalid
    try:
        return await password_policy.hash_new_password(
            ctx,
            ctx.services.passwords,
            password,
            about=password_policy.personal_words(user),
            earlier=await password_policy.previous_hashes(ctx, ctx.pool, user),
        )
    except AccountError:
        await token_lookups.refund_attempt(ctx.pool, found)
        raise
