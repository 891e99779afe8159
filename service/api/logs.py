"""Security logs."""

from aiohttp import web

from service import logs
from service.api import answers, queries, shapes
from service.api.calls import Call
from service.api.routes import contract, member
from service.errors import QueryInvalid
from service.events import DOCUMENTED
from service.users import User

_LEGACY = 10


@member.get("/v1/account/logs")
@contract(gives=shapes.LOG_LIST, query=(shapes.QUERIES, shapes.TOTAL), raises=(QueryInvalid,))
async def list_logs(call: Call) -> web.Response:
    """Newest first. Legacy: the ten newest of the documented events. Modern: limit and offset, and a total."""
    return await show(call, call.member)


async def show(call: Call, owner: User) -> web.Response:
    """The log of one user as the era has it: to the member, or to a server that holds a key."""
    if not call.era.modern:
        names = [event.value for event in DOCUMENTED]
        found = await logs.page(call.pool, owner, names=names, most=_LEGACY, skipped=0)
        return answers.json({"logs": [answers.log(call, row, owner) for row in found]})
    most, skipped = queries.paging(call)
    found = await logs.page(call.pool, owner, names=None, most=most, skipped=skipped)
    total = await logs.count(call.pool, owner) if queries.wants_total(call) else 0
    return answers.json({call.era.count: total, "logs": [answers.log(call, row, owner) for row in found]})
