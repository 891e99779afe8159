"""What became of the mails that were sent for an account."""

from aiohttp import web

from service import outbox
from service.api import answers, queries, shapes
from service.api.calls import Call
from service.api.routes import contract, member
from service.errors import QueryInvalid

_LEGACY = 10


@member.get("/v1/account/mails")
@contract(gives=shapes.MAIL_LIST, query=(shapes.QUERIES, shapes.TOTAL), raises=(QueryInvalid,))
async def list_mails(call: Call) -> web.Response:
    """The member's own mails, newest first: sent, on their way, or why not. Legacy: the ten newest.

    Mails that were asked for by address alone belong to a member from when a worker has taken them up.
    """
    owner = call.member
    most, skipped = queries.paging(call) if call.era.modern else (_LEGACY, 0)
    found = await outbox.page_of(
        call.pool, call.project.id, user_id=owner.id, since=owner.created_at, most=most, skipped=skipped
    )
    total = 0
    if queries.wants_total(call):
        total = await outbox.count_of(call.pool, call.project.id, user_id=owner.id, since=owner.created_at)
    return answers.json({call.era.count: total, "mails": [answers.mail(call, row) for row in found]})
