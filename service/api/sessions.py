"""Signing in and out."""

from dataclasses import dataclass
from uuid import UUID

from aiohttp import web

from service.accounts import mail_quotas, members, security_notices
from service.clientinfo import countries, user_agents
from service.crypto.secret import Secret
from service.db import Connection, transaction
from service.errors import ArgumentInvalid, CredentialsInvalid, Overloaded, SessionNotFound, UserBlocked
from service.http import device_cookie, list_queries, responses, schemas, session_cookies
from service.http.context import Call
from service.http.fields import Email, OldPassword
from service.http.request_body import Body, read
from service.http.routing import contract, limited, member, public
from service.queue import RECORD_LOG, SEND_MAIL
from service.rate_limiter import HOUR
from service.store import events, sessions, users
from service.store.events import Event
from service.store.sessions import Place, Session
from service.store.users import User


class CreateSession(Body):
    email: Email
    password: OldPassword


@public.post("/v1/account/sessions", "/v1/account/sessions/email", opens_session=True)
@limited(10, HOUR, by="email", only="failures")
@limited(100, HOUR, by="ip", only="failures")
@limited(1000, HOUR, by="network")
@limited(10_000, HOUR, by="project")
@contract(takes=CreateSession, gives=schemas.SESSION, status=201, raises=(CredentialsInvalid,))
async def create_session(call: Call) -> web.Response:
    """Sign in with address and password. Unknown, passwordless and wrong are one answer that takes one time."""
    body = await read(call, CreateSession)
    user = await users.find_by_email(call.pool, call.project.id, email=body.email)
    right = await call.services.passwords.verify(user.password_hash if user else None, body.password.reveal())
    if user is None or not right:
        raise CredentialsInvalid
    if user.status == "blocked":
        raise UserBlocked
    fresh = await _renewed(call, user, body.password)
    told = await _worth_telling(call, user)
    async with transaction(call.pool) as tx:
        now = await users.lock(tx, call.project.id, user_id=user.id)
        # Another login may have replaced the hash meanwhile: the password is the same as long as its date is.
        if now is None or now.status == "blocked" or now.password_updated_at != user.password_updated_at:
            raise CredentialsInvalid
        if fresh:
            await users.rehash_password(tx, user, password_hash=fresh)
        opened = await begin(call, tx, now, provider="email")
        mails = await security_notices.post(call, tx, letter="new_device", user=now) if told else []
    await call.services.bell.ring(SEND_MAIL, *mails)
    return await admit(call, opened)


async def _renewed(call: Call, user: User, password: Secret) -> str | None:
    """A hash under today's parameters for one that is outdated; where there is no time for it, the next sign-in's."""
    if not user.password_hash or not call.services.passwords.is_outdated(user.password_hash):
        return None
    try:
        return await call.services.passwords.hash(password.reveal())
    except Overloaded:
        return None


async def _worth_telling(call: Call, user: User) -> bool:
    """Whether the password was used on a device that its owner may not know, in a project that tells of it."""
    if not call.project.notify_new_device or call.key is not None or not (user.email and user.email_verified):
        return False
    return device_cookie.find(call, user.email) is None and await mail_quotas.may_tell_of_device(call, user)


@dataclass(frozen=True, slots=True)
class Opened:
    """`proven` if the user's address was proved when the session began."""

    session: Session
    secret: Secret
    event: UUID
    proven: bool


async def begin(call: Call, tx: Connection, user: User, *, provider: str) -> Opened:
    """A new session in the transaction that holds the user's row, for who has just proved to be that user."""
    place = Place(call.client.ip, countries.code(call.client.ip), user_agents.parse(call.client.user_agent))
    session, secret = await sessions.open_session(
        tx,
        user,
        provider=provider,
        provider_uid=user.email or "",
        place=place,
        seconds=call.project.session_seconds,
    )
    await users.touch(tx, user)
    event = await events.record(tx, call.project.id, event=Event.SESSION_CREATE, user_id=user.id, by=call.client)
    return Opened(session, Secret(secret), event, user.email_verified)


async def admit(call: Call, opened: Opened) -> web.Response:
    """After COMMIT: the cookies and the session. Only a server that holds a key gets the secret in the body."""
    value = await hand_over(call, opened)
    return responses.json(responses.session(call, opened.session, current=True, secret=value if call.key else ""), 201)


async def hand_over(call: Call, opened: Opened) -> str:
    """After COMMIT: the log is rung for and the cookies are set; what is in them. A server gets none."""
    await call.services.bell.ring(RECORD_LOG, opened.event)
    device_cookie.remember(call, opened.session.provider_uid, proven=opened.proven)
    value = session_cookies.encode(opened.session.user_id, opened.secret.reveal())
    if call.key is None:
        session_cookies.hand_out(call, value, opened.session.expires_at)
    return value


@member.get("/v1/account/sessions")
@contract(gives=schemas.SESSION_LIST, query=(schemas.TOTAL,))
async def list_sessions(call: Call) -> web.Response:
    """The member's live sessions, oldest first."""
    found = await sessions.every(call.pool, call.member)
    rows = [responses.session(call, session, current=_is_current(call, session)) for session in found]
    total = len(rows) if list_queries.wants_total(call) else 0
    return responses.json({call.era.count: total, "sessions": rows})


@member.get("/v1/account/sessions/{sessionId}")
@contract(gives=schemas.SESSION, raises=(SessionNotFound,))
async def get_session(call: Call) -> web.Response:
    """One of the member's sessions; `current` is the one that asks, a JWT's too."""
    session = await sessions.find(call.pool, call.member, session_id=_session_id(call))
    if session is None:
        raise SessionNotFound
    return responses.json(responses.session(call, session, current=_is_current(call, session)))


@member.patch("/v1/account/sessions/{sessionId}")
@limited(10, HOUR, by="ip")
@limited(100, HOUR, by="user")
@contract(gives=schemas.SESSION, raises=(SessionNotFound,))
async def update_session(call: Call) -> web.Response:
    """Let a session live for the project's whole session time again."""
    async with transaction(call.pool) as tx:
        await members.lock(call, tx)
        session = await sessions.extend(
            tx, call.member, session_id=_session_id(call), seconds=call.project.session_seconds
        )
        if session is None:
            raise SessionNotFound
        event = await events.record(
            tx, call.project.id, event=Event.SESSION_UPDATE, user_id=call.member.id, by=call.client
        )
    await call.services.bell.ring(RECORD_LOG, event)
    return responses.json(responses.session(call, session, current=_is_current(call, session)))


@member.delete("/v1/account/sessions/{sessionId}")
@limited(100, HOUR, by="ip")
@limited(100, HOUR, by="user")
@contract(raises=(SessionNotFound,))
async def delete_session(call: Call) -> web.Response:
    """End one of the member's sessions; `current` is the one that asks, a JWT's too."""
    session_id = _session_id(call)
    async with transaction(call.pool) as tx:
        await members.lock(call, tx)
        if not await sessions.close(tx, call.member, session_id=session_id):
            raise SessionNotFound
        event = await events.record(
            tx, call.project.id, event=Event.SESSION_DELETE, user_id=call.member.id, by=call.client
        )
    await call.services.bell.ring(RECORD_LOG, event)
    if session_id == call.member.session_id and not call.by_jwt:
        session_cookies.clear(call)
    return responses.nothing()


class DeleteSessions(Body):
    current: bool | None = None


@member.delete("/v1/account/sessions")
@limited(100, HOUR, by="ip")
@limited(100, HOUR, by="user")
@contract(takes=DeleteSessions)
async def delete_sessions(call: Call) -> web.Response:
    """End all of the member's sessions; with `current` false all but the one that asks."""
    body = await read(call, DeleteSessions)
    keeps = body.current is False
    async with transaction(call.pool) as tx:
        await members.lock(call, tx)
        if keeps:
            await sessions.close_others(tx, call.member, kept=call.member.session_id)
        else:
            await sessions.close_all(tx, call.member)
        event = await events.record(
            tx, call.project.id, event=Event.SESSION_DELETE, user_id=call.member.id, by=call.client
        )
    await call.services.bell.ring(RECORD_LOG, event)
    if not keeps and not call.by_jwt:
        session_cookies.clear(call)
    return responses.nothing()


def _is_current(call: Call, session: Session) -> bool:
    """A JWT stands for a session but is none (contract.md 2.3)."""
    return session.id == call.member.session_id and not call.by_jwt


def _session_id(call: Call) -> str:
    """The path's session id, `current` resolved."""
    session_id = call.path["sessionId"]
    if session_id == "current":
        return call.member.session_id
    most = 36 if call.era.modern else 32
    if not session_id.isascii() or not session_id.isprintable() or len(session_id) > most:
        text = "Invalid UID format"
        raise ArgumentInvalid(f"Invalid `sessionId` param: {text}" if call.era.modern else f"Invalid sessionId: {text}")
    return session_id
