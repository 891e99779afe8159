"""What became of the mails that were sent for an account."""

from aiohttp import web

from service.errors import QueryInvalid
from service.http import list_queries, responses, schemas
from service.http.context import Call
from service.http.routing import contract, member
from service.store import outbox_admin

_LEGACY = 10


@member.get("/v1/account/mails")
@contract(gives=schemas.MAIL_LIST, query=(schemas.QUERIES, schemas.TOTAL), raises=(QueryInvalid,))
async def list_mails(call: Call) -> web.Response:
    """The member's own mails, newest first: sent, on their way, or why not. Legacy: the ten newest.

    Mails that were asked for by address alone belong to a member from when a worker has taken them up.
    """
    owner = call.member
    most, skipped = list_queries.paging(call) if call.era.modern else (_LEGACY, 0)
    found = await outbox_admin.page_of(
        call.pool, call.project.id, user_id=owner.id, since=owner.created_at, most=most, skipped=skipped
    )
    total = 0
    if list_queries.wants_total(call):
        total = await outbox_admin.count_of(call.pool, call.project.id, user_id=owner.id, since=owner.created_at)
    return responses.json({call.era.count: total, "mails": [responses.mail(call, row) for row in found]})
