"""Letters that a handler owes: a mail row in the act's own transaction, rung for after COMMIT."""

from uuid import UUID

from service.crypto import key_derivation
from service.db import Connection
from service.http.context import Call
from service.store import outbox, tokens
from service.store.tokens import Kind, Token
from service.store.users import User


async def issue(call: Call, tx: Connection, *, kind: Kind, user: User, seconds: int) -> Token:
    """A token for a user's own address as it is now."""
    return await tokens.issue(
        tx,
        call.project.id,
        kind=kind,
        user_id=user.id,
        email=user.email or "",
        email_version=user.email_version,
        kid=key_derivation.current(call.services.ring),
        seconds=seconds,
    )


async def post(
    call: Call,
    tx: Connection,
    *,
    letter: str,
    token: Token,
    url: str | None = None,
    phrase: str = "",
) -> UUID:
    """The letter that carries a token's secret. Without `url` the worker takes the project's page, or ours."""
    return await outbox.post(
        tx,
        call.project.id,
        letter=letter,
        recipient=token.email,
        user_id=token.user_id,
        token_id=token.id,
        locale=_locale(call),
        facts=_facts(call) | {"url": url, "phrase": phrase},
        deadline_at=token.expires_at,
        sender=call.services.settings.mail_from,
    )


async def notify(call: Call, tx: Connection, *, letter: str, recipient: str, user: User) -> UUID:
    """A letter without a link; three days of trying."""
    return await outbox.post_notice(
        tx,
        call.project.id,
        letter=letter,
        recipient=recipient,
        user_id=user.id,
        locale=_locale(call),
        facts=_facts(call),
        sender=call.services.settings.mail_from,
    )


def _locale(call: Call) -> str:
    return call.client.locale or call.project.locale


def _facts(call: Call) -> dict[str, object]:
    """What a letter says about who asked; a link's expiry looks like the answer's."""
    era = {"modern": call.era.modern, "iso": call.era.iso}
    return era | {"ip": call.client.ip, "user_agent": call.client.user_agent}
