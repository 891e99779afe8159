"""State of the mails that were sent for an account."""

from aiohttp import web

from service.errors import QueryInvalid
from service.http import list_queries, responses, schemas
from service.http.context import RequestContext
from service.http.routing import contract, member
from service.store import outbox_admin

_LEGACY = 10


@member.get("/v1/account/mails")
@contract(gives=schemas.MAIL_LIST, query=(schemas.QUERIES, schemas.TOTAL), raises=(QueryInvalid,))
async def list_mails(ctx: RequestContext) -> web.Response:
    """List the member's own mails, newest first: sent, pending, or the reason why not. Legacy: the ten newest.

    Mails that were asked for by address alone belong to a member from when a worker has taken them up.
    """
    owner = ctx.member
    most, skipped = list_queries.paging(ctx) if ctx.api_version.modern else (_LEGACY, 0)
    found = await outbox_admin.page_for_member(
        ctx.pool, ctx.project.id, user_id=owner.id, since=owner.created_at, most=most, skipped=skipped
    )
    total = 0
    if list_queries.wants_total(ctx):
        total = await outbox_admin.count_for_member(ctx.pool, ctx.project.id, user_id=owner.id, since=owner.created_at)
    return responses.json({ctx.api_version.count: total, "mails": [responses.mail(ctx, row) for row in found]})
