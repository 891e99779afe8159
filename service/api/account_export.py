"""Export of everything that is kept about an account, as one document that is written while it is read.

No file is made and no page is kept: a large account takes more time and no more memory (docs/decisions/0023).
"""

import logging
from collections.abc import AsyncIterator, Callable, Iterable
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import orjson
from aiohttp import web

from service.accounts import factors
from service.api.security_log import hidden_from
from service.http import responses, schemas
from service.http.api_version import MODERN
from service.http.context import RequestContext
from service.http.routing import contract, limited, member, requires
from service.http.schemas.account_export import EXPORTED_SMS
from service.rate_limiter import HOUR
from service.store import account_export, identity_lists, passkeys, sessions
from service.store.identity_lists import IdentityFilter, IdentityPage
from service.store.sessions import SessionPage

log = logging.getLogger(__name__)
# A user has no more of them: sessions are bounded by the project's option, identities and passkeys far below.
_MOST = 1000


@member.get("/v1/account/export")
@requires("fresh_if_mfa")
@limited(10, HOUR, by="user")
@contract(gives=schemas.ACCOUNT_EXPORT)
async def export_account(ctx: RequestContext) -> web.Response:
    """Give the member everything that is kept about the account, without secrets.

    Its form is the modern one for every client.
    """
    ctx = replace(ctx, api_version=MODERN)
    head = await _head(ctx)
    hidden = await hidden_from(ctx.pool, ctx.member)
    return responses.streamed_json(_document(ctx, head, hidden))


async def _head(ctx: RequestContext) -> dict[str, Any]:
    """Make the parts whose size is bounded."""
    owner = ctx.member
    proved = await factors.find(ctx.pool, ctx.project, owner, settings=ctx.services.settings)
    open_sessions = await sessions.page(ctx.pool, owner, SessionPage(limit=_MOST))
    linked = await identity_lists.page(
        ctx.pool, ctx.project.id, wanted=IdentityFilter(user_id=owner.id), page=IdentityPage(limit=_MOST)
    )
    own_passkeys = await passkeys.list_all(ctx.pool, owner)
    return {
        "exportedAt": datetime.now(UTC).isoformat(timespec="milliseconds"),
        "projectId": ctx.project.id,
        "account": responses.user(ctx, owner),
        "factors": schemas.MFA_FACTORS.render(ctx.api_version, proved),
        "sessions": [responses.session(ctx, row, current=row.id == owner.session_id) for row in open_sessions],
        "identities": [responses.identity(ctx, row, responses.NO_TOKENS) for row in linked],
        "passkeys": [schemas.PASSKEY.render(ctx.api_version, row) for row in own_passkeys],
    }


async def _document(ctx: RequestContext, head: dict[str, Any], hidden: Iterable[str]) -> AsyncIterator[bytes]:
    """Write the document piece by piece. A fault cuts it off, so that its reader sees that it is not whole."""
    owner, pool = ctx.member, ctx.pool
    try:
        yield orjson.dumps(head)[:-1]
        async for piece in _list("mails", account_export.mails(pool, owner), lambda row: responses.mail(ctx, row)):
            yield piece
        sms = account_export.sms(pool, owner)
        async for piece in _list("sms", sms, lambda row: EXPORTED_SMS.render(ctx.api_version, row)):
            yield piece
        logs = account_export.logs(pool, owner, hidden=tuple(hidden))
        async for piece in _list("logs", logs, lambda row: responses.log(ctx, row, owner)):
            yield piece
        yield b"}"
    except Exception as error:
        if not pool.note(error):
            log.exception("The export of an account broke off", extra={"event": "export.failed"})
        raise ConnectionError from None


async def _list(
    name: str, pages: AsyncIterator[list[Any]], show: Callable[[Any], dict[str, Any]]
) -> AsyncIterator[bytes]:
    """Write one field that holds a list, a page at a time."""
    yield f',"{name}":['.encode()
    between = b""
    async for rows in pages:
        yield between + b",".join([orjson.dumps(show(row)) for row in rows])
        between = b","
    yield b"]"
