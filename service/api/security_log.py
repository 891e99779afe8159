"""Security logs."""

from collections.abc import Sequence

from aiohttp import web

from service.db import Executor
from service.errors import QueryInvalid
from service.http import list_queries, responses, schemas
from service.http.context import RequestContext
from service.http.routing import contract, member
from service.store import security_log, user_emails
from service.store.events import DOCUMENTED, Event
from service.store.users import User

_LEGACY = 10
# Done by the reader of the mailbox, without a session of the account.
_BY_MAILBOX = (Event.RECOVERY_CREATE.value, Event.VERIFICATION_UPDATE.value)


@member.get("/v1/account/logs")
@contract(gives=schemas.LOG_LIST, query=(schemas.QUERIES, schemas.TOTAL), raises=(QueryInvalid,))
async def list_logs(ctx: RequestContext) -> web.Response:
    """List the log, newest first. Legacy: the ten newest documented events. Modern: limit and offset, and a total."""
    return await log_list(ctx, ctx.member, hidden=await hidden_from(ctx.pool, ctx.member))


async def hidden_from(conn: Executor, owner: User) -> Sequence[str]:
    """Return the events that a member is not shown.

    A client that signed up with another person's address must not see from where and with what its owner acts.
    """
    return () if await user_emails.is_proved_by_holder(conn, owner) else _BY_MAILBOX


async def log_list(ctx: RequestContext, owner: User, *, hidden: Sequence[str] = ()) -> web.Response:
    """Render the log of one user in its API version: for the member, or for a server that holds a key."""
    if not ctx.api_version.modern:
        names = [event.value for event in DOCUMENTED]
        found = await security_log.page(ctx.pool, owner, names=names, most=_LEGACY, skipped=0, hidden=hidden)
        return responses.json({"logs": [responses.log(ctx, row, owner) for row in found]})
    most, skipped = list_queries.paging(ctx)
    found = await security_log.page(ctx.pool, owner, names=None, most=most, skipped=skipped, hidden=hidden)
    total = 0
    if list_queries.wants_total(ctx):
        total = await security_log.count(ctx.pool, owner, most=list_queries.COUNTED, hidden=hidden)
    return responses.json({ctx.api_version.count: total, "logs": [responses.log(ctx, row, owner) for row in found]})
