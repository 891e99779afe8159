"""Signing in and out."""

from aiohttp import web

from service import countries, devices, events, sessions, users
from service.api import answers, cookies
from service.api.bodies import Body, Email, OldPassword, read
from service.api.calls import Call
from service.api.routes import limited, member, public
from service.db import transaction
from service.errors import ArgumentInvalid, CredentialsInvalid, SessionNotFound, UserBlocked
from service.events import Event
from service.jobs import RECORD_LOG
from service.limits import HOUR
from service.sessions import Place
from service.users import User


class CreateSession(Body):
    email: Email
    password: OldPassword


@public.post("/v1/account/sessions", "/v1/account/sessions/email", opens_session=True)
@limited(10, HOUR, by="email")
async def create_session(call: Call) -> web.Response:
    """Sign in with address and password. Unknown, passwordless and wrong are one answer that takes one time."""
    body = await read(call, CreateSession)
    user = await users.find_by_email(call.pool, call.project.id, email=body.email)
    right = await call.services.passwords.verify(user.password_hash if user else None, body.password)
    if user is None or not right:
        raise CredentialsInvalid
    if user.status == "blocked":
        raise UserBlocked
    if user.password_hash and call.services.passwords.is_outdated(user.password_hash):
        fresh = await call.services.passwords.hash(body.password)
        await users.rehash_password(call.pool, user, password_hash=fresh)
    return await open_for(call, user, provider="email")


async def open_for(call: Call, user: User, *, provider: str) -> web.Response:
    """A new session for a user who has just proved to be one; not if the password was changed since he was read."""
    place = Place(call.client.ip, countries.code(call.client.ip), devices.parse(call.client.user_agent))
    async with transaction(call.pool) as tx:
        now = await users.lock(tx, call.project.id, user_id=user.id)
        # The date and not the hash: the same password under today's parameters is no change.
        if now is None or now.status == "blocked" or now.password_updated_at != user.password_updated_at:
            raise CredentialsInvalid
        session, secret = await sessions.open_session(
            tx,
            user,
            provider=provider,
            provider_uid=user.email or "",
            place=place,
            seconds=call.project.session_seconds,
        )
        await users.touch(tx, user)
        event = await events.record(
            tx,
            call.project.id,
            event=Event.SESSION_CREATE,
            user_id=user.id,
            by=call.client,
        )
    await call.services.bell.ring(RECORD_LOG, event)
    cookies.hand_out(call, cookies.encode(user.id, secret), session.expires_at)
    return answers.json(answers.session(call, session, current=True), 201)


@member.delete("/v1/account/sessions/{sessionId}")
@limited(100, HOUR, by="ip")
async def delete_session(call: Call) -> web.Response:
    """End one of the member's sessions; `current` is the one that asks, a JWT's too."""
    session_id = session_id_of(call)
    async with transaction(call.pool) as tx:
        await users.lock(tx, call.project.id, user_id=call.member.id)
        if not await sessions.close(tx, call.member, session_id=session_id):
            raise SessionNotFound
        event = await events.record(
            tx,
            call.project.id,
            event=Event.SESSION_DELETE,
            user_id=call.member.id,
            by=call.client,
        )
    await call.services.bell.ring(RECORD_LOG, event)
    if session_id == call.member.session_id and not call.by_jwt:
        cookies.clear(call)
    return answers.nothing()


def session_id_of(call: Call) -> str:
    """The path's session id, `current` resolved."""
    session_id = call.path["sessionId"]
    if session_id == "current":
        return call.member.session_id
    most = 36 if call.era.modern else 32
    if not session_id.isascii() or not session_id.isprintable() or len(session_id) > most:
        text = "Invalid UID format"
        raise ArgumentInvalid(f"Invalid `sessionId` param: {text}" if call.era.modern else f"Invalid sessionId: {text}")
    return session_id
