"""Sign-in without a password: anonymously, by a mailed link, by a mailed code.

No answer tells whether an address has an account, and no user is made before the address is proved: the client gets
the id that it asked for, or a fresh one; the link and the code work under that id.
"""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import replace
from typing import Any

from aiohttp import web

from service import ids
from service.accounts import (
    first_tab,
    mail_quotas,
    mailed_codes,
    outgoing_mail,
    ownership,
    presented_invitations,
    security_phrases,
    sign_up_rules,
)
from service.api import custom_tokens, oauth2, phone_sign_in
from service.api.passkey_sign_in import open_by_passkey
from service.api.sessions import OpenedSession, open_session, session_response
from service.crypto import code_secrets
from service.crypto.secret import Secret
from service.crypto.tab_secrets import AwaitedLink
from service.errors import AnonymousDenied, LoginTokenInvalid, LoginTokenPending, SignUpClosed, UserBlocked
from service.http import first_tab_cookie, responses, schemas
from service.http.context import RequestContext
from service.http.fields import NewEmail, NewUserId, TokenSecret, Url, UserId
from service.http.request_body import Body, read
from service.http.routing import charged, contract, limited, public
from service.rate_limiter import HOUR
from service.store import events, token_lookups, token_revocations, token_secrets, tokens, user_emails, users
from service.store.events import Event
from service.store.tokens import Kind, Token
from service.store.unit_of_work import UnitOfWork
from service.store.user_emails import Ensured

# What opens a session by a token of these kinds; the others prove an address.
_OPENED_BY: Mapping[str, Callable[[RequestContext, Token], Awaitable[OpenedSession]]] = {
    Kind.CUSTOM: custom_tokens.open_by_token,
    Kind.PASSKEY: open_by_passkey,
    Kind.OAUTH2: oauth2.open_by_token,
    Kind.PHONE_LOGIN: phone_sign_in.open_by_number,
}


@public.post("/v1/account/sessions/anonymous", opens_session=True)
@limited(50, HOUR, by="ip")
@contract(gives=schemas.SESSION, status=201, raises=(AnonymousDenied, SignUpClosed))
async def create_anonymous_session(ctx: RequestContext) -> web.Response:
    """Create a user without address, password or name, and a session for it."""
    if ctx.found_member is not None:
        raise AnonymousDenied
    invitation_id = await sign_up_rules.admit(ctx, None)
    async with ctx.unit_of_work() as tx:
        user = await users.create(tx, ctx.project.id, user_id=ids.new(), email=None, name="", password_hash=None)
        await events.record(tx, ctx.project.id, event=Event.ACCOUNT_CREATE, user_id=user.id, by=ctx.client)
        opened = await open_session(ctx, tx, user, provider="anonymous", first_factor="anonymous")
        await sign_up_rules.use(ctx, tx, invitation_id)
    return session_response(ctx, opened)


class CreateMagicUrl(Body):
    userId: NewUserId | None = None  # noqa: N815 - the contract's spelling
    email: NewEmail
    url: Url | None = None
    phrase: bool | None = None


@public.post("/v1/account/sessions/magic-url", "/v1/account/tokens/magic-url")
@limited(10, HOUR, by="email", only="successes")
@limited(100, HOUR, by="ip")
@charged(mail_quotas.of_mail)
@contract(takes=CreateMagicUrl, gives=schemas.MAGIC_URL_TOKEN, status=201)
async def create_magic_url(ctx: RequestContext) -> web.Response:
    """Mail a link that signs in, with or without an account; without `url` it leads to a page of this service.

    Where the project has links finish in the first tab, it leads there always, and `phrase` is the number for it.
    """
    body = await read(ctx, CreateMagicUrl)
    if first_tab.kind_of_link(ctx) is Kind.FIRST_TAB:
        return await _create_first_tab(ctx, body.email, body.userId)
    phrase = security_phrases.generate() if body.phrase else ""
    token = await enqueue_link(ctx, body.email, user_id=body.userId, url=body.url, phrase=phrase)
    shown, user_id = token_secrets.with_public_id(ctx.services.ring, token), token.requested_user_id or ""
    return responses.json(responses.magic_url_token(ctx, shown, user_id=user_id, phrase=phrase), 201)


async def _create_first_tab(ctx: RequestContext, email: str, user_id: str | None) -> web.Response:
    token = await enqueue_link(ctx, email, user_id=user_id)
    secret = first_tab.hand_out(ctx, token)
    shown = responses.first_tab_token(
        ctx,
        token_secrets.with_public_id(ctx.services.ring, token),
        user_id=token.requested_user_id or "",
        number=first_tab.number_of(ctx, token),
        secret=secret.reveal() if ctx.key else "",
    )
    return responses.json(shown, 201)


async def enqueue_link(
    ctx: RequestContext, email: str, *, user_id: str | None = None, url: str | None = None, phrase: str = ""
) -> Token:
    """Enqueue a link that signs in. The number of the first tab is no phrase: the mail must not tell it."""
    invitation_id = await presented_invitations.find(ctx)
    return await outgoing_mail.enqueue_to_owner(
        ctx, email, letter="magic_url", kind=first_tab.kind_of_link(ctx), seconds=ctx.project.magic_url_seconds,
        url=url, requested_user_id=ids.given(user_id), invitation_id=invitation_id, phrase=phrase,
    )  # fmt: skip


class CreateEmailToken(Body):
    userId: NewUserId  # noqa: N815 - the contract's spelling
    email: NewEmail
    phrase: bool | None = None


@public.post("/v1/account/tokens/email")
@limited(10, HOUR, by="email", only="successes")
@limited(100, HOUR, by="ip")
@charged(mail_quotas.of_mail)
@contract(takes=CreateEmailToken, gives=schemas.TOKEN, status=201)
async def create_email_token(ctx: RequestContext) -> web.Response:
    """Mail a code of six digits that signs in."""
    body = await read(ctx, CreateEmailToken)
    phrase = security_phrases.generate() if body.phrase else ""
    token = await enqueue_code(ctx, body.email, user_id=body.userId, phrase=phrase)
    return responses.json(_token_response(ctx, token, phrase), 201)


async def enqueue_code(ctx: RequestContext, email: str, *, user_id: str | None = None, phrase: str = "") -> Token:
    """Enqueue a code that signs in."""
    invitation_id = await presented_invitations.find(ctx)
    return await outgoing_mail.enqueue_to_owner(
        ctx, email, letter="otp", kind=Kind.OTP, seconds=ctx.project.otp_seconds,
        requested_user_id=ids.given(user_id), invitation_id=invitation_id, phrase=phrase,
    )  # fmt: skip


def _token_response(ctx: RequestContext, token: Token, phrase: str) -> dict[str, Any]:
    return responses.token(
        ctx,
        token_secrets.with_public_id(ctx.services.ring, token),
        user_id=token.requested_user_id or "",
        phrase=phrase,
    )


class UpdateMagicUrl(Body):
    userId: UserId  # noqa: N815 - the contract's spelling
    secret: TokenSecret


@public.put("/v1/account/sessions/magic-url", opens_session=True)
@limited(10, HOUR, by="userId", only="failures")
@limited(100, HOUR, by="ip", only="failures")
@contract(takes=UpdateMagicUrl, gives=schemas.SESSION, status=201, raises=(LoginTokenInvalid, LoginTokenPending))
async def update_magic_url(ctx: RequestContext) -> web.Response:
    """Sign in with the secret of a mailed link, or wait for its approval with `first-tab` in its place."""
    body = await read(ctx, UpdateMagicUrl)
    if awaited := first_tab.presented(ctx, user_id=body.userId, secret=body.secret):
        return session_response(ctx, await open_in_first_tab(ctx, awaited))
    return session_response(ctx, await open_by_link(ctx, user_id=body.userId, secret=body.secret))


async def open_by_link(ctx: RequestContext, *, user_id: str | None, secret: Secret) -> OpenedSession:
    """Open a session by a link's secret, of that user if one is named. Raises LoginTokenInvalid."""
    return await _sign_in(ctx, await _find_by_secret(ctx, Kind.MAGIC_URL, user_id=user_id, secret=secret))


async def open_in_first_tab(ctx: RequestContext, awaited: AwaitedLink) -> OpenedSession:
    """Open a session for who asked for a link, once it is approved.

    Raises LoginTokenPending, LoginTokenInvalid and TooManyRequests.
    """
    opened = await _sign_in(ctx, await first_tab.find_approved(ctx, awaited))
    first_tab_cookie.forget(ctx, awaited.secret)
    return opened


async def _find_by_secret(
    ctx: RequestContext, kind: Kind | tuple[Kind, ...], *, user_id: str | None, secret: Secret
) -> Token | None:
    ring = ctx.services.ring
    return await token_lookups.find_by_secret(
        ctx.pool, ctx.project.id, kind=kind, user_id=user_id, secret=secret.reveal(), ring=ring
    )


@public.post("/v1/account/sessions/token", opens_session=True)
@limited(10, HOUR, by="userId", only="failures")
@limited(50, HOUR, by="ip", only="failures")
@contract(takes=UpdateMagicUrl, gives=schemas.SESSION, status=201, raises=(LoginTokenInvalid, LoginTokenPending))
async def create_token_session(ctx: RequestContext) -> web.Response:
    """Sign in with a mailed link, a code, a token of the app's server, a passkey, or a sign-in by a provider."""
    body = await read(ctx, UpdateMagicUrl)
    if awaited := first_tab.presented(ctx, user_id=body.userId, secret=body.secret):
        return session_response(ctx, await open_in_first_tab(ctx, awaited))
    kinds = _kinds_of_code(body.secret.reveal())
    if kinds:
        found = await mailed_codes.find_token(ctx, *kinds, user_id=body.userId, code=body.secret)
    else:
        signed = (Kind.MAGIC_URL, Kind.PASSKEY, Kind.OAUTH2)
        found = await _find_by_secret(ctx, signed, user_id=body.userId, secret=body.secret)
    if found is None:
        raise LoginTokenInvalid
    return session_response(ctx, await _OPENED_BY.get(found.kind, _sign_in)(ctx, found))


def _kinds_of_code(text: str) -> list[Kind]:
    """List the kinds of code that a text may be; none for a link's secret."""
    kinds = [Kind.OTP, Kind.PHONE_LOGIN] if len(text) <= code_secrets.DIGITS else []
    return [*kinds, Kind.CUSTOM] if code_secrets.may_be_custom(text) else kinds


async def open_by_code(ctx: RequestContext, user_id: str, code: Secret) -> OpenedSession:
    """Open a session by a code that was asked for under this id. Raises LoginTokenInvalid and TooManyRequests."""
    return await _sign_in(ctx, await mailed_codes.find_token(ctx, Kind.OTP, user_id=user_id, code=code))


async def _sign_in(ctx: RequestContext, found: Token | None) -> OpenedSession:
    """Open a session for the user of the proved address, created now if there is none. All its links end.

    The address is locked before its user and the user before the token, as everywhere; if the token is gone, no user
    has been created.
    """
    if found is None:
        raise LoginTokenInvalid
    async with ctx.unit_of_work() as tx:
        user = await _lock_or_create_owner(tx, found)
        admitted = not user.created or await sign_up_rules.may_create(ctx, tx, email=found.email, token=found)
        token = await tokens.redeem_by_address(tx, found)
        if token is None or not admitted:
            raise LoginTokenInvalid
        if user.status == "blocked":
            raise UserBlocked
        proved = replace(user, email_verified=True)
        await _prove(ctx, tx, user)
        await token_revocations.revoke_all(tx, user, by_address=True)
        provider = "email" if token.kind == Kind.OTP else "magic-url"
        return await open_session(ctx, tx, proved, provider=provider, first_factor="email")


async def _lock_or_create_owner(tx: UnitOfWork, token: Token) -> Ensured:
    """Lock the owner, or create one; the id that was asked for is used if it is still free.

    Raises LoginTokenInvalid.
    """
    user_ids = [token.requested_user_id or ids.new(), ids.new()]
    user = await user_emails.create_verified_if_absent(tx, token.project_id, user_ids=user_ids, email=token.email)
    if user is None:  # its mailbox is another account's
        raise LoginTokenInvalid
    return user


async def _prove(ctx: RequestContext, tx: UnitOfWork, user: Ensured) -> None:
    """Note that the mailbox's reader is in now, and alone, and record what that has changed."""
    await ownership.secure_for_prover(tx, user)
    if user.created or not user.email_verified:
        event = Event.ACCOUNT_CREATE if user.created else Event.VERIFICATION_UPDATE
        await events.record(tx, ctx.project.id, event=event, user_id=user.id, by=ctx.client)
