"""Mails of a handler: a row in its own transaction, enqueued after COMMIT."""

from uuid import UUID

from service.crypto import key_derivation
from service.db import Connection
from service.http.context import RequestContext
from service.store import outbox, tokens
from service.store.tokens import Kind, Token
from service.store.users import User


async def issue_token(ctx: RequestContext, tx: Connection, *, kind: Kind, user: User, seconds: int) -> Token:
    """Issue a token for a user's own address as it is now."""
    return await tokens.issue(
        tx,
        ctx.project.id,
        kind=kind,
        user_id=user.id,
        email=user.email or "",
        email_version=user.email_version,
        kid=key_derivation.current(ctx.services.ring),
        seconds=seconds,
    )


async def enqueue(
    ctx: RequestContext,
    tx: Connection,
    *,
    letter: str,
    token: Token,
    url: str | None = None,
    phrase: str = "",
) -> UUID:
    """Owe the mail with a token's secret. Without `url` the worker takes the project's page, or the service's."""
    return await outbox.enqueue(
        tx,
        ctx.project.id,
        letter=letter,
        recipient=token.email,
        user_id=token.user_id,
        token_id=token.id,
        locale=_locale(ctx),
        facts=_request_facts(ctx) | {"url": url, "phrase": phrase},
        deadline_at=token.expires_at,
        sender=ctx.services.settings.mail_from,
    )


async def enqueue_notice(ctx: RequestContext, tx: Connection, *, letter: str, recipient: str, user: User) -> UUID:
    """Owe a mail without a link; it is tried for three days."""
    return await outbox.enqueue_notice(
        tx,
        ctx.project.id,
        letter=letter,
        recipient=recipient,
        user_id=user.id,
        locale=_locale(ctx),
        facts=_request_facts(ctx),
        sender=ctx.services.settings.mail_from,
    )


def _locale(ctx: RequestContext) -> str:
    return ctx.client.locale or ctx.project.locale


def _request_facts(ctx: RequestContext) -> dict[str, object]:
    """Collect the facts of the request for the letter; a link's expiry looks like the answer's."""
    era = {"modern": ctx.api_version.modern, "iso": ctx.api_version.iso}
    return era | {"ip": ctx.client.ip, "user_agent": ctx.client.user_agent}
