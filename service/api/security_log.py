"""Security logs."""

from aiohttp import web

from service.errors import QueryInvalid
from service.http import list_queries, responses, schemas
from service.http.context import RequestContext
from service.http.routing import contract, member
from service.store import security_log
from service.store.events import DOCUMENTED
from service.store.users import User

_LEGACY = 10


@member.get("/v1/account/logs")
@contract(gives=schemas.LOG_LIST, query=(schemas.QUERIES, schemas.TOTAL), raises=(QueryInvalid,))
async def list_logs(ctx: RequestContext) -> web.Response:
    """Newest first. Legacy: the ten newest of the documented events. Modern: limit and offset, and a total."""
    return await log_list(ctx, ctx.member)


async def log_list(ctx: RequestContext, owner: User) -> web.Response:
    """The log of one user as the era has it: to the member, or to a server that holds a key."""
    if not ctx.api_version.modern:
        names = [event.value for event in DOCUMENTED]
        found = await security_log.page(ctx.pool, owner, names=names, most=_LEGACY, skipped=0)
        return responses.json({"logs": [responses.log(ctx, row, owner) for row in found]})
    most, skipped = list_queries.paging(ctx)
    found = await security_log.page(ctx.pool, owner, names=None, most=most, skipped=skipped)
    total = await security_log.count(ctx.pool, owner) if list_queries.wants_total(ctx) else 0
    return responses.json({ctx.api_version.count: total, "logs": [responses.log(ctx, row, owner) for row in found]})
