"""Sign-in with address and password."""

from dataclasses import asdict

from aiohttp import web

from service import ids
from service.accounts import mail_quotas, outgoing_mail
from service.api import verification
from service.api.sessions import OpenedSession, place_of, session_response
from service.crypto.secret import Secret
from service.db import Act, Pool
from service.errors import CredentialsInvalid, EmailUnverified, Overloaded, TooManyRequests, UserBlocked
from service.http import device_cookie, rate_limits, routing, schemas
from service.http.context import RequestContext
from service.http.fields import Email, OldPassword, SessionSeconds
from service.http.request_body import Body, read
from service.http.routing import contract, limited, public
from service.rate_limiter import HOUR
from service.store import account_acts, sessions, users
from service.store.account_acts import SignedIn
from service.store.events import Event
from service.store.unit_of_work import UnitOfWork
from service.store.users import User


class CreateSession(Body):
    email: Email
    password: OldPassword
    duration: SessionSeconds | None = None


@public.post("/v1/account/sessions", "/v1/account/sessions/email", opens_session=True)
@limited(10, HOUR, by="email", only="failures")
@limited(100, HOUR, by="ip", only="failures")
@limited(1000, HOUR, by="network")
@limited(10_000, HOUR, by="project")
@routing.deferred
@contract(takes=CreateSession, gives=schemas.SESSION, status=201, raises=(CredentialsInvalid, EmailUnverified))
async def create_session(ctx: RequestContext) -> web.Response:
    """Sign in with address and password. Unknown, passwordless and wrong are one answer that takes one time."""
    body = await read(ctx, CreateSession)
    deferred = rate_limits.DeferredLimits(ctx)
    user = await users.find_to_sign_in(ctx.pool, ctx.project.id, email=body.email, deferred=deferred)
    right = await ctx.services.passwords.verify(user.password_hash if user else None, body.password.reveal())
    if user is None or not right:
        raise CredentialsInvalid
    if user.status == "blocked":
        raise UserBlocked
    if ctx.project.verified_sign_in and not user.email_verified:
        await _mail_verification(ctx, body.email)
        raise EmailUnverified
    fresh = await _renewed(ctx, user, body.password)
    return session_response(ctx, await _sign_in(ctx, user, fresh, seconds=body.duration))


async def _mail_verification(ctx: RequestContext, email: str) -> None:
    """Mail a link that verifies the address, as often as the mailbox's quota allows, which counts it for good."""
    counted = ctx.asked  # not of all tallies: a run that a fault undid has counted the mail already
    try:
        await verification.enqueue_link(ctx, email)
    except TooManyRequests:
        ctx.rate_limit = None  # enough were mailed; the refusal says what is to be done
    rate_limits.keep_places(ctx, since=counted)


async def _sign_in(ctx: RequestContext, user: User, fresh: str | None, *, seconds: int | None) -> OpenedSession:
    """Open the session and enqueue its notice by one statement. Raises CredentialsInvalid if the user has changed."""
    session_id, secret = ids.new(), sessions.new_secret()
    notice = outgoing_mail.notice_to_mail(ctx, letter="new_device") if await _should_notify(ctx, user) else None

    async def enter(tx: UnitOfWork, act: Act) -> SignedIn:
        signed_in = await account_acts.sign_in(
            tx, act, user=user, rehashed=fresh, session_id=session_id, secret=secret, place=place_of(ctx),
            seconds=seconds or ctx.project.session_seconds, notice=notice, event=Event.SESSION_CREATE, by=ctx.client,
        )  # fmt: skip
        if signed_in is None:
            raise CredentialsInvalid
        return signed_in

    async def recall(pool: Pool) -> SignedIn | None:
        session = await sessions.find(pool, user, session_id=session_id)
        return SignedIn(**asdict(session), email_verified=user.email_verified) if session else None

    session = await ctx.run_alone(enter, recall=recall)
    return OpenedSession(session, Secret(secret), session.provider_uid, session.email_verified)


async def _renewed(ctx: RequestContext, user: User, password: Secret) -> str | None:
    """Rehash a password under today's parameters if its hash is outdated; without the time, the next sign-in does."""
    if not user.password_hash or not ctx.services.passwords.is_outdated(user.password_hash):
        return None
    try:
        return await ctx.services.passwords.hash(password.reveal())
    except Overloaded:
        return None


async def _should_notify(ctx: RequestContext, user: User) -> bool:
    """Tell whether to notify of a password used on a device that its owner may not know, in a project that wants it."""
    if not ctx.project.notify_new_device or ctx.key is not None or not (user.email and user.email_verified):
        return False
    return device_cookie.find(ctx, user.email) is None and await mail_quotas.may_notify_of_device(ctx, user)
