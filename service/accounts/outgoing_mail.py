"""Mails of a request: rows of the outbox in the request's own transaction, sent by a worker after COMMIT.

A notice tells an account's owner what was done to it, with a link that undoes it. Only a verified address gets the
link: an unverified one may be another person's, who must not get the account by it.
"""

from collections.abc import Mapping
from functools import partial
from types import MappingProxyType
from typing import Literal

from service import ids
from service.accounts import issued_tokens, mail_quotas
from service.crypto import key_derivation
from service.db import Pool
from service.http import client_info, rate_limits
from service.http.context import RequestContext
from service.store import account_acts, outbox, passkeys, token_lookups, tokens
from service.store.account_acts import MailedToken
from service.store.events import Event
from service.store.tokens import Kind, Token
from service.store.unit_of_work import UnitOfWork
from service.store.users import User

# The browser's languages that a mail remembers.
_ACCEPTED = 8
Notice = Literal["email_changed", "password_changed", "new_device", "security_changed"]


async def enqueue(
    ctx: RequestContext,
    tx: UnitOfWork,
    *,
    letter: str,
    to: Token | User,
    url: str | None = None,
    phrase: str = "",
    about: Mapping[str, object] = MappingProxyType({}),
) -> None:
    """Enqueue a letter with a token's link, or one without a link to a user, who must have an address.

    Without `url` the link leads to the project's page, or to this service's. `about` are facts of this letter alone.
    """
    token = to if isinstance(to, Token) else None
    await outbox.enqueue(
        tx,
        ctx.project.id,
        letter=letter,
        recipient=to.email or "",
        user_id=to.user_id if isinstance(to, Token) else to.id,
        token_id=token.id if token else None,
        locale=_locale(ctx),
        facts=_facts(ctx) | ({"url": url, "phrase": phrase} if token else {}) | dict(about),
        deadline_at=token.expires_at if token else None,
        sender=ctx.services.settings.mail_from,
    )


def token_to_mail(
    ctx: RequestContext, kind: Kind, *, letter: str, seconds: int, requested_user_id: str | None = None,
    url: str | None = None, phrase: str = "", invitation_id: str | None = None,
) -> MailedToken:  # fmt: skip
    """Return a token to issue under the key of today, and its letter; `url` as in `enqueue`."""
    return MailedToken(
        id=ids.new(),
        kind=kind,
        requested_user_id=requested_user_id,
        kid=key_derivation.current(ctx.services.ring),
        seconds=seconds,
        letter=letter,
        locale=_locale(ctx),
        facts=_facts(ctx) | {"url": url, "phrase": phrase},
        sender=ctx.services.settings.mail_from,
        invitation_id=invitation_id,
    )


def notice_to_mail(ctx: RequestContext, *, letter: Notice) -> MailedToken:
    """Return the token of a notice with a link that undoes what was done, and its letter, as `token_to_mail` does."""
    return token_to_mail(ctx, Kind.ACCOUNT_UNDO, letter=letter, seconds=tokens.UNDO_SECONDS)


def _locale(ctx: RequestContext) -> str:
    return ctx.client.locale or ctx.project.locale


def _facts(ctx: RequestContext) -> dict[str, object]:
    return {
        "modern": ctx.api_version.modern,  # a link's expiry looks like the answer's
        "iso": ctx.api_version.iso,
        "short_links": True,  # this release opens them; a process of the one before may still serve the next request
        "ip": ctx.client.ip,
        "user_agent": ctx.client.user_agent,
        # Without a locale that the client names, the worker asks the preferences of the user whose mail it is.
        **({} if ctx.client.locale else {"accepted": client_info.accepted_languages(ctx.request)[:_ACCEPTED]}),
    }


async def enqueue_to_owner(
    ctx: RequestContext,
    email: str,
    *,
    letter: str,
    kind: Kind,
    seconds: int,
    event: Event | None = None,
    url: str | None = None,
    requested_user_id: str | None = None,
    invitation_id: str | None = None,
    phrase: str = "",
) -> Token:
    """Enqueue a link for the owner of an address, if it has one, or a code that works under `requested_user_id`.

    The same rows are written for every address: the worker finds out whose it is. Raises TooManyRequests.
    """
    await mail_quotas.charge(ctx, email)
    token = token_to_mail(
        ctx, kind, letter=letter, seconds=seconds, requested_user_id=requested_user_id, url=url, phrase=phrase,
        invitation_id=invitation_id,
    )  # fmt: skip
    deferred = rate_limits.DeferredLimits(ctx)
    return await ctx.run_alone(
        partial(account_acts.mail_token, token=token, email=email, event=event, by=ctx.client, deferred=deferred),
        recall=partial(recall_token, ctx, token),
    )


async def recall_token(ctx: RequestContext, token: MailedToken, pool: Pool) -> Token | None:
    """Read a token that was issued by an act whose answer was lost, which has counted the request too."""
    rate_limits.DeferredLimits(ctx).settle_lost()
    return await token_lookups.find_live(pool, ctx.project.id, kind=token.kind, token_id=token.id)


async def notify(
    ctx: RequestContext,
    tx: UnitOfWork,
    *,
    letter: Notice,
    user: User,
    about: Mapping[str, object] = MappingProxyType({}),
) -> None:
    """Enqueue a notice; `user` as it was before. None goes to a user without an address."""
    if user.email_verified:
        kind = Kind.EMAIL_UNDO if letter == "email_changed" else Kind.ACCOUNT_UNDO
        token = await issued_tokens.issue_to_user(ctx, tx, kind=kind, user=user, seconds=tokens.UNDO_SECONDS)
        await enqueue(ctx, tx, letter=letter, to=token, about=about)
    elif user.email is not None:
        await enqueue(ctx, tx, letter=letter, to=user, about=about)


async def notify_of_password(ctx: RequestContext, tx: UnitOfWork, user: User) -> None:
    """Enqueue the notice of a new password, with the number of passkeys: they outlive it, and clients name them."""
    count = len(await passkeys.list_all(tx, user)) if ctx.project.passkeys else 0
    await notify(ctx, tx, letter="password_changed", user=user, about={"passkeys": count} if count else {})
