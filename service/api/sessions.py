"""Sign-in and sign-out."""

from dataclasses import dataclass

from aiohttp import web

from service.accounts import mail_quotas, members, outgoing_mail, provider_tokens
from service.clientinfo import countries, user_agents
from service.crypto.secret import Secret
from service.errors import (
    ArgumentInvalid,
    CredentialsInvalid,
    CursorNotFound,
    OAuth2ProviderError,
    Overloaded,
    QueryInvalid,
    SessionNotFound,
    UserBlocked,
)
from service.http import device_cookie, responses, schemas, session_cookies, session_list_queries
from service.http.context import RequestContext
from service.http.fields import Email, OldPassword, SessionSeconds
from service.http.request_body import Body, read
from service.http.responses import NO_TOKENS, ShownTokens
from service.http.routing import contract, limited, member, public
from service.rate_limiter import HOUR
from service.store import events, sessions, users
from service.store.events import Event
from service.store.identities import Identity
from service.store.sessions import ClientInfo, FirstFactor, Session
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
@contract(takes=CreateSession, gives=schemas.SESSION, status=201, raises=(CredentialsInvalid,))
async def create_session(ctx: RequestContext) -> web.Response:
    """Sign in with address and password. Unknown, passwordless and wrong are one answer that takes one time."""
    body = await read(ctx, CreateSession)
    user = await users.find_by_email(ctx.pool, ctx.project.id, email=body.email)
    right = await ctx.services.passwords.verify(user.password_hash if user else None, body.password.reveal())
    if user is None or not right:
        raise CredentialsInvalid
    if user.status == "blocked":
        raise UserBlocked
    fresh = await _renewed(ctx, user, body.password)
    notify = await _should_notify(ctx, user)
    async with ctx.unit_of_work() as tx:
        now = await users.lock(tx, ctx.project.id, user_id=user.id)
        # Another login may have replaced the hash meanwhile: the password is the same as long as its date is.
        if now is None or now.status == "blocked" or now.password_updated_at != user.password_updated_at:
            raise CredentialsInvalid
        if fresh:
            await users.rehash_password(tx, user, password_hash=fresh)
        opened = await open_session(ctx, tx, now, provider="email", first_factor="password", seconds=body.duration)
        if notify:
            await outgoing_mail.notify(ctx, tx, letter="new_device", user=now)
    return session_response(ctx, opened)


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


@dataclass(frozen=True, slots=True)
class OpenedSession:
    """An opened session; `verified` if `email`, an address, a number or "", was proved when it began."""

    session: Session
    secret: Secret
    email: str
    verified: bool
    tokens: ShownTokens = NO_TOKENS


async def open_session(
    ctx: RequestContext,
    tx: UnitOfWork,
    user: User,
    *,
    provider: str,
    first_factor: FirstFactor,
    seconds: int | None = None,
    identity: Identity | None = None,
    assurance: int = 1,
) -> OpenedSession:
    """Open a session in the transaction that holds the user's row, for a client that has proved to be that user.

    It lasts the project's session time, or `seconds`. `identity` is the one that it is opened by; `assurance` is 2
    where that counts as two factors.
    """
    address, verified = _proved_address(user, provider)
    place = ClientInfo(ctx.client.ip, countries.code(ctx.client.ip), user_agents.parse(ctx.client.user_agent))
    session, secret = await sessions.open_session(
        tx,
        user,
        provider=provider,
        provider_uid=identity.subject if identity else address,
        place=place,
        seconds=seconds or ctx.project.session_seconds,
        first_factor=first_factor,
        assurance=assurance,
        identity_id=identity.id if identity else None,
    )
    await users.update_accessed_at(tx, user)
    await events.record(tx, ctx.project.id, event=Event.SESSION_CREATE, user_id=user.id, by=ctx.client)
    shown = provider_tokens.shown(ctx, identity)
    return OpenedSession(session, Secret(secret), address, verified, shown)


def _proved_address(user: User, provider: str) -> tuple[str, bool]:
    """Return the address, or the number, that the session stands for, and whether it is proved. A token proves none."""
    match provider:
        case "token":
            return "", False
        case "phone":
            return user.phone or "", True
    return user.email or "", user.email_verified


def session_response(ctx: RequestContext, opened: OpenedSession) -> web.Response:
    """Make the response after COMMIT: cookies and session. Only a server with a key gets the secret in the body."""
    value = set_session_cookies(ctx, opened)
    secret = value if ctx.key else ""
    return responses.json(
        responses.session(ctx, opened.session, current=True, secret=secret, tokens=opened.tokens), 201
    )


def set_session_cookies(ctx: RequestContext, opened: OpenedSession) -> str:
    """Set the cookies after COMMIT and return the session cookie's value. A server gets none."""
    device_cookie.remember(ctx, opened.email, proven=opened.verified)
    value = session_cookies.encode(opened.session.user_id, opened.secret.reveal())
    if ctx.key is None:
        session_cookies.hand_out(ctx, value, opened.session.expires_at)
    return value


@member.get("/v1/account/sessions")
@contract(
    gives=schemas.SESSION_LIST,
    query=(schemas.SESSION_QUERIES, schemas.TOTAL),
    raises=(QueryInvalid, CursorNotFound),
)
async def list_sessions(ctx: RequestContext) -> web.Response:
    """List a page of the member's live sessions, oldest first."""
    found, total = await session_list_queries.read(ctx, ctx.member)
    shown = await provider_tokens.of_sessions(ctx, ctx.member)
    rows = [
        responses.session(ctx, session, current=_is_current(ctx, session), tokens=shown.get(session.id, NO_TOKENS))
        for session in found
    ]
    return responses.json({ctx.api_version.count: total, "sessions": rows})


@member.get("/v1/account/sessions/{sessionId}")
@contract(gives=schemas.SESSION, raises=(SessionNotFound,))
async def get_session(ctx: RequestContext) -> web.Response:
    """Return one of the member's sessions; `current` is the one that asks, a JWT's too."""
    session = await sessions.find(ctx.pool, ctx.member, session_id=_session_id(ctx))
    if session is None:
        raise SessionNotFound
    return await _session_response(ctx, session)


@member.patch("/v1/account/sessions/{sessionId}")
@limited(10, HOUR, by="ip")
@limited(100, HOUR, by="user")
@contract(gives=schemas.SESSION, raises=(SessionNotFound, OAuth2ProviderError))
async def update_session(ctx: RequestContext) -> web.Response:
    """Extend a session by the project's whole session time again, and get new tokens of its provider, if it has any."""
    await provider_tokens.refresh(ctx, ctx.member, session_id=_session_id(ctx))
    async with ctx.unit_of_work() as tx:
        await members.lock(ctx, tx)
        session = await sessions.extend(
            tx, ctx.member, session_id=_session_id(ctx), seconds=ctx.project.session_seconds
        )
        if session is None:
            raise SessionNotFound
        await events.record(tx, ctx.project.id, event=Event.SESSION_UPDATE, user_id=ctx.member.id, by=ctx.client)
    return await _session_response(ctx, session)


@member.delete("/v1/account/sessions/{sessionId}", gated=False)
@limited(100, HOUR, by="ip")
@limited(100, HOUR, by="user")
@contract(raises=(SessionNotFound,))
async def delete_session(ctx: RequestContext) -> web.Response:
    """End one of the member's sessions; `current` is the one that asks, a JWT's too."""
    session_id = _session_id(ctx)
    async with ctx.unit_of_work() as tx:
        await members.lock(ctx, tx)
        if not await sessions.close(tx, ctx.member, session_id=session_id):
            raise SessionNotFound
        await events.record(tx, ctx.project.id, event=Event.SESSION_DELETE, user_id=ctx.member.id, by=ctx.client)
    if session_id == ctx.member.session_id and not ctx.by_jwt:
        session_cookies.clear(ctx)
    return responses.nothing()


class DeleteSessions(Body):
    current: bool | None = None


@member.delete("/v1/account/sessions")
@limited(100, HOUR, by="ip")
@limited(100, HOUR, by="user")
@contract(takes=DeleteSessions)
async def delete_sessions(ctx: RequestContext) -> web.Response:
    """End all of the member's sessions; with `current` false all but the one that asks."""
    body = await read(ctx, DeleteSessions)
    keeps = body.current is False
    async with ctx.unit_of_work() as tx:
        await members.lock(ctx, tx)
        if keeps:
            await sessions.close_others(tx, ctx.member, kept=ctx.member.session_id)
        else:
            await sessions.close_all(tx, ctx.member)
        await events.record(tx, ctx.project.id, event=Event.SESSION_DELETE, user_id=ctx.member.id, by=ctx.client)
    if not keeps and not ctx.by_jwt:
        session_cookies.clear(ctx)
    return responses.nothing()


async def _session_response(ctx: RequestContext, session: Session) -> web.Response:
    shown = await provider_tokens.of_sessions(ctx, ctx.member)
    tokens = shown.get(session.id, NO_TOKENS)
    return responses.json(responses.session(ctx, session, current=_is_current(ctx, session), tokens=tokens))


def _is_current(ctx: RequestContext, session: Session) -> bool:
    """Compare with the caller's session; a JWT stands for a session but is none."""
    return session.id == ctx.member.session_id and not ctx.by_jwt


def _session_id(ctx: RequestContext) -> str:
    """Return the path's session id, `current` resolved."""
    session_id = ctx.path["sessionId"]
    if session_id == "current":
        return ctx.member.session_id
    most = 36 if ctx.api_version.modern else 32
    if not session_id.isascii() or not session_id.isprintable() or len(session_id) > most:
        text = "Invalid UID format"
        raise ArgumentInvalid(
            f"Invalid `sessionId` param: {text}" if ctx.api_version.modern else f"Invalid sessionId: {text}"
        )
    return session_id
