"""Signing in without a password: anonymously, by a mailed link, by a mailed code.

Nothing tells whether an address has an account, and no user is made before the address is proved: who asks is
told the id that was asked for, or a fresh one; the link and the code work under that id.
"""

from dataclasses import replace
from typing import Any
from uuid import UUID

from aiohttp import web

from service import ids
from service.accounts import mail_quotas, outgoing_mail, security_phrases
from service.api.sessions import Opened, admit, begin
from service.crypto import key_derivation
from service.db import Connection, transaction
from service.errors import AnonymousDenied, LoginTokenInvalid, UserBlocked
from service.http import responses, schemas
from service.http.context import Call
from service.http.fields import NewEmail, NewUserId, TokenSecret, Url, UserId
from service.http.request_body import Body, read
from service.http.routing import contract, limited, public
from service.queue import RECORD_LOG, SEND_MAIL
from service.rate_limiter import HOUR
from service.store import events, sessions, tokens, users
from service.store.events import Event
from service.store.tokens import Kind, Token
from service.store.users import Ensured, User


@public.post("/v1/account/sessions/anonymous", opens_session=True)
@limited(50, HOUR, by="ip")
@contract(gives=schemas.SESSION, status=201, raises=(AnonymousDenied,))
async def create_anonymous_session(call: Call) -> web.Response:
    """A new user without address, password or name, and a session for it."""
    if call.found_member is not None:
        raise AnonymousDenied
    async with transaction(call.pool) as tx:
        user = await users.create(tx, call.project.id, user_id=ids.new(), email=None, name="", password_hash=None)
        created = await events.record(tx, call.project.id, event=Event.ACCOUNT_CREATE, user_id=user.id, by=call.client)
        opened = await begin(call, tx, user, provider="anonymous")
    await call.services.bell.ring(RECORD_LOG, created)
    return await admit(call, opened)


class CreateMagicUrl(Body):
    userId: NewUserId | None = None  # noqa: N815 - the contract's spelling
    email: NewEmail
    url: Url | None = None
    phrase: bool | None = None


@public.post("/v1/account/sessions/magic-url", "/v1/account/tokens/magic-url")
@limited(10, HOUR, by="email", only="successes")
@limited(100, HOUR, by="ip")
@contract(takes=CreateMagicUrl, gives=schemas.TOKEN, status=201)
async def create_magic_url(call: Call) -> web.Response:
    """Mail a link that signs in, whoever's the address is; without `url` it leads to a page of ours."""
    body = await read(call, CreateMagicUrl)
    await mail_quotas.spend(call, body.email)
    phrase = security_phrases.new() if body.phrase else ""
    async with transaction(call.pool) as tx:
        token = await _issue(call, tx, Kind.MAGIC_URL, body.email, body.userId)
        mail = await outgoing_mail.post(call, tx, letter="magic_url", token=token, url=body.url, phrase=phrase)
    await call.services.bell.ring(SEND_MAIL, mail)
    return responses.json(_told(call, token, phrase), 201)


class CreateEmailToken(Body):
    userId: NewUserId  # noqa: N815 - the contract's spelling
    email: NewEmail
    phrase: bool | None = None


@public.post("/v1/account/tokens/email")
@limited(10, HOUR, by="email", only="successes")
@limited(100, HOUR, by="ip")
@contract(takes=CreateEmailToken, gives=schemas.TOKEN, status=201)
async def create_email_token(call: Call) -> web.Response:
    """Mail a code of six digits that signs in."""
    body = await read(call, CreateEmailToken)
    await mail_quotas.spend(call, body.email)
    phrase = security_phrases.new() if body.phrase else ""
    async with transaction(call.pool) as tx:
        token = await _issue(call, tx, Kind.OTP, body.email, body.userId)
        mail = await outgoing_mail.post(call, tx, letter="otp", token=token, phrase=phrase)
    await call.services.bell.ring(SEND_MAIL, mail)
    return responses.json(_told(call, token, phrase), 201)


def _told(call: Call, token: Token, phrase: str) -> dict[str, Any]:
    return responses.token(call, tokens.unnamed(call.services.ring, token), user_id=token.asked_as or "", phrase=phrase)


async def _issue(call: Call, tx: Connection, kind: Kind, email: str, user_id: str | None) -> Token:
    seconds = call.project.otp_seconds if kind is Kind.OTP else call.project.magic_url_seconds
    return await tokens.issue(
        tx,
        call.project.id,
        kind=kind,
        email=email,
        asked_as=ids.given(user_id),
        kid=key_derivation.current(call.services.ring),
        seconds=seconds,
    )


class UpdateMagicUrl(Body):
    userId: UserId  # noqa: N815 - the contract's spelling
    secret: TokenSecret


@public.put("/v1/account/sessions/magic-url", opens_session=True)
@limited(10, HOUR, by="userId", only="failures")
@limited(100, HOUR, by="ip", only="failures")
@contract(takes=UpdateMagicUrl, gives=schemas.SESSION, status=201, raises=(LoginTokenInvalid,))
async def update_magic_url(call: Call) -> web.Response:
    """Sign in with the secret of a mailed link."""
    return await admit(call, await open_by_link(call))


async def open_by_link(call: Call) -> Opened:
    """A session for whom the body names, by a link's secret. Raises LoginTokenInvalid."""
    body = await read(call, UpdateMagicUrl)
    return await _sign_in(call, await _by_link(call, body.userId, body.secret.reveal()))


@public.post("/v1/account/sessions/token", opens_session=True)
@limited(10, HOUR, by="userId", only="failures")
@limited(50, HOUR, by="ip", only="failures")
@contract(takes=UpdateMagicUrl, gives=schemas.SESSION, status=201, raises=(LoginTokenInvalid,))
async def create_token_session(call: Call) -> web.Response:
    """Sign in with the secret of a mailed link or with a mailed code."""
    body = await read(call, UpdateMagicUrl)
    if len(body.secret.reveal()) > 6:
        found = await _by_link(call, body.userId, body.secret.reveal())
    else:
        found = await tokens.find_by_code(
            call.pool, call.project.id, asked_as=body.userId, code=body.secret.reveal(), ring=call.services.ring
        )
    return await admit(call, await _sign_in(call, found))


async def _by_link(call: Call, user_id: str, secret: str) -> Token | None:
    return await tokens.find_by_secret(
        call.pool, call.project.id, kind=Kind.MAGIC_URL, user_id=user_id, secret=secret, ring=call.services.ring
    )


async def _sign_in(call: Call, found: Token | None) -> Opened:
    """The address is proved: a session for its user, who is made now if there is none. All its links end.

    The address is locked before its user and the user before the token, as everywhere; if the token is gone nobody
    has been made.
    """
    if found is None:
        raise LoginTokenInvalid
    async with transaction(call.pool) as tx:
        user = await _owner(tx, found)
        token = await tokens.take_by_address(tx, found)
        if token is None:
            raise LoginTokenInvalid
        if user.status == "blocked":
            raise UserBlocked
        proved = replace(user, email_verified=True)
        told = await _prove(call, tx, user)
        await tokens.kill_all(tx, user, by_address=True)
        opened = await begin(call, tx, proved, provider="magic-url" if token.kind == Kind.MAGIC_URL else "email")
    await call.services.bell.ring(RECORD_LOG, *told)
    return opened


async def _owner(tx: Connection, token: Token) -> Ensured:
    """The id that was asked for is used if it is still free."""
    user_ids = [token.asked_as or ids.new(), ids.new()]
    user = await users.ensure(tx, token.project_id, user_ids=user_ids, email=token.email)
    if user is None:
        raise LookupError
    return user


async def _prove(call: Call, tx: Connection, user: Ensured) -> list[UUID]:
    """Note that whoever reads the mailbox is in now, and alone; the events to ring for."""
    if not (user.created or (user.email_verified and user.proved_by_holder)):
        await _make_sole(tx, user)
    if not (user.email_verified and user.proved_by_holder):
        await users.verify_email(tx, user, by_holder=True)
    if user.created:
        event = Event.ACCOUNT_CREATE
    elif not user.email_verified:
        event = Event.VERIFICATION_UPDATE
    else:
        return []
    return [await events.record(tx, call.project.id, event=event, user_id=user.id, by=call.client)]


async def _make_sole(tx: Connection, user: User) -> None:
    """Nobody had proved the address who holds the account: whoever made it chose its password and opened its sessions.

    That may have been a stranger who waited for the owner to come (reliability.md S68).
    """
    await sessions.close_all(tx, user)
    if user.password_hash is not None:
        await users.void_password(tx, user)
