"""Sessions: their opening by any sign-in, their lists, and sign-out."""

from dataclasses import dataclass

from aiohttp import web

from service.accounts import members, provider_tokens
from service.clientinfo import countries, user_agents
from service.crypto.secret import Secret
from service.errors import (
    CursorNotFound,
    OAuth2ProviderError,
    QueryInvalid,
    SessionNotFound,
)
from service.http import device_cookie, responses, schemas, session_cookies, session_list_queries
from service.http.context import RequestContext
from service.http.request_body import Body, read, unfit_parameter
from service.http.responses import NO_TOKENS, ShownTokens
from service.http.routing import contract, limited, member
from service.rate_limiter import HOUR
from service.store import events, sessions
from service.store.events import Event
from service.store.identities import Identity
from service.store.sessions import ClientInfo, FirstFactor, Session
from service.store.unit_of_work import UnitOfWork
from service.store.users import User


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
    session, secret = await sessions.open_session(
        tx,
        user,
        provider=provider,
        provider_uid=identity.subject if identity else address,
        place=place_of(ctx),
        seconds=seconds or ctx.project.session_seconds,
        first_factor=first_factor,
        assurance=assurance,
        identity_id=identity.id if identity else None,
        event=Event.SESSION_CREATE,
    )
    shown = provider_tokens.shown(ctx, identity)
    return OpenedSession(session, Secret(secret), address, verified, shown)


def place_of(ctx: RequestContext) -> ClientInfo:
    """Return what a new session keeps of its client."""
    client = ctx.client
    return ClientInfo(client.ip, countries.code(client.ip), user_agents.parse(client.user_agent), client.user_agent)


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
    device_cookie.remember(ctx, opened.email, verified=opened.verified)
    value = session_cookies.encode(opened.session.user_id, opened.secret.reveal())
    if ctx.key is None:
        session_cookies.set_session(ctx, value, opened.session.expires_at)
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
        raise unfit_parameter(ctx, "sessionId", "Invalid UID format")
    return session_id
