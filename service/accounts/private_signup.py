"""Private sign-up, which does not tell whether an address has an account (docs/accounts.md).

Every client gets the same answer for the same rows: the request is kept beside a token, the worker finds out whether
the address has an account, and mails either the link that makes it or word that there is one already. So nothing that
is done with the address later can tell either: before the link is used there is no account to sign in to.

Any client may have asked, and the mailbox's reader may take the mail for the answer to a sign-up of their own. So the
account gets the password that comes with the proof, or the one that was asked for where the proof comes from the
browser that asked, as a device token shows that it was given then. Else it has none until its owner sets one by a
recovery.
"""

import hmac
from dataclasses import replace

from aiohttp import web

from service import ids
from service.accounts import issued_tokens, mail_quotas, outgoing_mail, password_policy, sign_up_rules
from service.crypto import key_derivation
from service.crypto.secret import Secret
from service.errors import AccountError, VerificationTokenInvalid
from service.http import responses, session_cookies
from service.http.context import RequestContext
from service.store import events, signups, token_lookups, token_revocations, tokens, users
from service.store.events import Event
from service.store.signups import Signup
from service.store.tokens import Kind, Token
from service.store.users import User


async def start(
    ctx: RequestContext, *, user_id: str | None, email: str, name: str, password_hash: str, invitation_id: str | None
) -> web.Response:
    """Start a sign-up. Returns the account as the link would make it, with its id unless it gets taken."""
    await mail_quotas.charge(ctx, email)
    async with ctx.unit_of_work() as tx:
        seconds = ctx.project.verification_seconds
        token = await issued_tokens.issue_to_address(
            ctx,
            tx,
            kind=Kind.VERIFICATION,
            address=email,
            requested_user_id=ids.given(user_id),
            seconds=seconds,
            invitation_id=invitation_id,
        )
        await signups.record(tx, ctx.project.id, token_id=token.id, name=name, password_hash=password_hash)
        await outgoing_mail.enqueue(ctx, tx, letter="verification", to=token)
    _mark(ctx, token)
    return responses.json(responses.user(ctx, _future_user(token, name)), 201)


def _future_user(token: Token, name: str) -> User:
    at = token.created_at
    return User(
        project_id=token.project_id,
        id=token.requested_user_id or "",
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
        mfa=False,
        phone=None,
        phone_version=0,
        phone_verified=False,
        targets="[]",
    )


async def complete(ctx: RequestContext, found: Token, password: Secret | None) -> Token:
    """Make the account that a sign-up's secret stands for, its address proved.

    Raises VerificationTokenInvalid, and the refusals of a password, which cost the link no attempt.
    The address comes before the token, as everywhere; if the token is gone, no account has been made.
    """
    signup = await signups.find(ctx.pool, ctx.project.id, token_id=found.id)
    if signup is None:
        raise VerificationTokenInvalid
    # Outside the transaction, so that no lock waits for a hash.
    password_hash = await _password(ctx, found, signup, password)
    async with ctx.unit_of_work() as tx:
        user = await users.register(
            tx,
            ctx.project.id,
            user_ids=[found.requested_user_id or ids.new(), ids.new()],
            email=found.email,
            name=signup.name,
            password_hash=password_hash,
        )
        invited = await sign_up_rules.may_create(ctx, tx, email=found.email, token=found)
        token = await tokens.redeem_by_address(tx, found)
        if token is None or user is None or not invited:
            raise VerificationTokenInvalid
        await token_revocations.revoke_all(tx, user, by_address=True)
        await events.record(tx, ctx.project.id, event=Event.ACCOUNT_CREATE, user_id=user.id, by=ctx.client)
    return replace(token, user_id=user.id)


async def _password(ctx: RequestContext, found: Token, signup: Signup, password: Secret | None) -> str | None:
    """Return the hash of the password that the prover of the address has chosen; None if it can't be told."""
    if password is None:
        return signup.password_hash if _requested_here(ctx, found) else None
    about = (found.requested_user_id, signup.name, found.email)
    try:
        return await password_policy.hash_new_password(ctx, ctx.services.passwords, password.reveal(), about=about)
    except AccountError:
        await token_lookups.refund_attempt(ctx.pool, found)
        raise


def _mark(ctx: RequestContext, token: Token) -> None:
    """Set a device token for every client alike. It opens nothing: it tells, with the secret, whose password it is."""
    if ctx.key is not None:  # a server calls for many browsers
        return
    session_cookies.set_across_sites(ctx, _name(ctx), _proof(ctx, token), seconds=ctx.project.verification_seconds)


def _requested_here(ctx: RequestContext, token: Token) -> bool:
    shown = session_cookies.cookies_of(ctx).get(_name(ctx), "")
    return hmac.compare_digest(_proof(ctx, token).encode(), shown.encode())


def _proof(ctx: RequestContext, token: Token) -> str:
    return key_derivation.derive(ctx.services.ring[token.kid], "sign_up", token.project_id, token.id)[:16].hex()


def _name(ctx: RequestContext) -> str:
    return f"sign_up_{ctx.project.id}".lower()
