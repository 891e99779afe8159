"""Sign-up that tells nobody whether an address has an account, for projects that want it (docs/security.md).

Everybody gets the same answer for the same rows: the request is kept beside a token, the worker finds out whether
the address is somebody's, and mails either the link that makes the account or word that there is one already. So
nothing that is done with the address later can tell either: before the link is used there is no account to sign in to.
"""

from dataclasses import replace

from aiohttp import web

from service import events, ids, keys, sign_ups, tokens, users
from service.api import answers, budgets, letters
from service.api.calls import Call
from service.db import Connection, transaction
from service.errors import VerificationTokenInvalid
from service.events import Event
from service.jobs import RECORD_LOG, SEND_MAIL
from service.sign_ups import SignUp
from service.tokens import Kind, Token
from service.users import User


async def ask(call: Call, *, user_id: str | None, email: str, name: str, password_hash: str) -> web.Response:
    """The account as it will be if the link is used; the id as well, unless somebody has taken it by then."""
    await budgets.spend(call, email)
    async with transaction(call.pool) as tx:
        token = await tokens.issue(
            tx,
            call.project.id,
            kind=Kind.VERIFICATION,
            email=email,
            asked_as=ids.given(user_id),
            kid=keys.current(call.services.ring),
            seconds=call.project.verification_seconds,
        )
        await sign_ups.record(tx, call.project.id, token_id=token.id, name=name, password_hash=password_hash)
        mail = await letters.post(call, tx, letter="verification", token=token)
    await call.services.bell.ring(SEND_MAIL, mail)
    return answers.json(answers.user(call, _promised(token, name)), 201)


def _promised(token: Token, name: str) -> User:
    at = token.created_at
    return User(
        project_id=token.project_id,
        id=token.asked_as or "",
        email=token.email,
        email_version=1,
        email_verified=False,
        name=name,
        password_hash=None,
        password_updated_at=at,
        status="unactivated",
        labels=[],
        prefs="{}",
        created_at=at,
        updated_at=at,
        accessed_at=at,
    )


async def finish(call: Call, found: Token) -> Token:
    """Make the account that a sign-up's secret stands for, its address proved. Raises VerificationTokenInvalid.

    The user's row comes before the token's, as everywhere; if the token is gone nobody has been made.
    """
    async with transaction(call.pool) as tx:
        asked = await sign_ups.find(tx, call.project.id, token_id=found.id)
        user = await _make(tx, found, asked) if asked else None
        token = await tokens.take_by_address(tx, found)
        if token is None or user is None:
            raise VerificationTokenInvalid
        await tokens.kill_all(tx, user)
        event = await events.record(tx, call.project.id, event=Event.ACCOUNT_CREATE, user_id=user.id, by=call.client)
    await call.services.bell.ring(RECORD_LOG, event)
    return replace(token, user_id=user.id)


async def _make(tx: Connection, token: Token, asked: SignUp) -> User | None:
    """None if the address is somebody's by now. The id that was asked for is used if it is still free."""
    for user_id in (token.asked_as or ids.new(), ids.new()):
        user = await users.register(
            tx,
            token.project_id,
            user_id=user_id,
            email=token.email,
            name=asked.name,
            password_hash=asked.password_hash,
        )
        if user:
            return user
    return None
