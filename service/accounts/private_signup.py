"""Sign-up that tells nobody whether an address has an account, for projects that want it (docs/security.md).

Everybody gets the same answer for the same rows: the request is kept beside a token, the worker finds out whether
the address is somebody's, and mails either the link that makes the account or word that there is one already. So
nothing that is done with the address later can tell either: before the link is used there is no account to sign in to.

Anybody may have asked, and whoever reads the mailbox may take the letter for the answer to a sign-up of their own. So
the account gets the password that comes with the proof, or the one that was asked for where the proof comes from the
browser that asked, as a mark shows that it was given then. Else it has none until its owner sets one by a recovery.
"""

import hmac
from dataclasses import replace

from aiohttp import web

from service import ids
from service.accounts import mail_quotas, outgoing_mail, password_policy
from service.crypto import key_derivation
from service.crypto.secret import Secret
from service.db import transaction
from service.errors import AccountError, VerificationTokenInvalid
from service.http import responses, session_cookies
from service.http.context import Call
from service.queue import RECORD_LOG, SEND_MAIL
from service.store import events, signups, tokens, users
from service.store.events import Event
from service.store.signups import SignUp
from service.store.tokens import Kind, Token
from service.store.users import User


async def ask(call: Call, *, user_id: str | None, email: str, name: str, password_hash: str) -> web.Response:
    """The account as it will be if the link is used; the id as well, unless somebody has taken it by then."""
    await mail_quotas.spend(call, email)
    async with transaction(call.pool) as tx:
        token = await tokens.issue(
            tx,
            call.project.id,
            kind=Kind.VERIFICATION,
            email=email,
            asked_as=ids.given(user_id),
            kid=key_derivation.current(call.services.ring),
            seconds=call.project.verification_seconds,
        )
        await signups.record(tx, call.project.id, token_id=token.id, name=name, password_hash=password_hash)
        mail = await outgoing_mail.post(call, tx, letter="verification", token=token)
    await call.services.bell.ring(SEND_MAIL, mail)
    _mark(call, token)
    return responses.json(responses.user(call, _promised(token, name)), 201)


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


async def finish(call: Call, found: Token, password: Secret | None) -> Token:
    """Make the account that a sign-up's secret stands for, its address proved.

    Raises VerificationTokenInvalid, and what a password is refused with, which costs the link no attempt.
    The address comes before the token, as everywhere; if the token is gone nobody has been made.
    """
    asked = await signups.find(call.pool, call.project.id, token_id=found.id)
    if asked is None:
        raise VerificationTokenInvalid
    # Outside the transaction, so that no lock waits for a hash.
    password_hash = await _password(call, found, asked, password)
    async with transaction(call.pool) as tx:
        user = await users.register(
            tx,
            call.project.id,
            user_ids=[found.asked_as or ids.new(), ids.new()],
            email=found.email,
            name=asked.name,
            password_hash=password_hash,
        )
        token = await tokens.take_by_address(tx, found)
        if token is None or user is None:
            raise VerificationTokenInvalid
        await tokens.kill_all(tx, user, by_address=True)
        event = await events.record(tx, call.project.id, event=Event.ACCOUNT_CREATE, user_id=user.id, by=call.client)
    await call.services.bell.ring(RECORD_LOG, event)
    return replace(token, user_id=user.id)


async def _password(call: Call, found: Token, asked: SignUp, password: Secret | None) -> str | None:
    """The hash of the password that whoever proves the address has chosen; None if nobody knows that of any."""
    if password is None:
        return asked.password_hash if _asked_here(call, found) else None
    about = (found.asked_as, asked.name, found.email)
    try:
        return await password_policy.accept(call, call.services.passwords, password.reveal(), about=about)
    except AccountError:
        await tokens.forgive(call.pool, found)
        raise


def _mark(call: Call, token: Token) -> None:
    """For everybody who asks alike. It opens nothing: it only tells, beside the mailed secret, whose password it is."""
    if call.key is not None:  # a server speaks for many browsers
        return
    https = call.services.settings.public_url.startswith("https:")
    rest = "; Secure; SameSite=None" if https else "; SameSite=Lax"
    seconds = call.project.verification_seconds
    value = f"{_name(call)}={_proof(call, token)}; Path=/; Max-Age={seconds}; HttpOnly{rest}"
    call.headers.append(("Set-Cookie", value))


def _asked_here(call: Call, token: Token) -> bool:
    shown = session_cookies.kept(call).get(_name(call), "")
    return hmac.compare_digest(_proof(call, token).encode(), shown.encode())


def _proof(call: Call, token: Token) -> str:
    return key_derivation.derive(call.services.ring[token.kid], "sign_up", token.project_id, token.id)[:16].hex()


def _name(call: Call) -> str:
    return f"sign_up_{call.project.id}".lower()
