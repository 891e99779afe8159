"""Security logs."""

from collections.abc import Sequence

from aiohttp import web

from service import logs, users
from service.api import answers, queries, shapes
from service.api.calls import Call
from service.api.routes import contract, member
from service.errors import QueryInvalid
from service.events import DOCUMENTED, Event
from service.users import User

_LEGACY = 10
# Done by whoever reads the mailbox, without the account's session.
_BY_MAILBOX = (Event.RECOVERY_CREATE.value, Event.VERIFICATION_UPDATE.value)


@member.get("/v1/account/logs")
@contract(gives=shapes.LOG_LIST, query=(shapes.QUERIES, shapes.TOTAL), raises=(QueryInvalid,))
async def list_logs(call: Call) -> web.Response:
    """Newest first. Legacy: the ten newest of the documented events. Modern: limit and offset, and a total."""
    # Who signed up with somebody else's address is not to see from where its owner acts, and with what.
    is_holder = await users.is_proved_by_holder(call.pool, call.member)
    return await show(call, call.member, hidden=() if is_holder else _BY_MAILBOX)


async def show(call: Call, owner: User, *, hidden: Sequence[str] = ()) -> web.Response:
    """The log of one user as the era has it: to the member, or to a server that holds a key."""
    if not call.era.modern:
        names = [event.value for event in DOCUMENTED]
        found = await logs.page(call.pool, owner, names=names, most=_LEGACY, skipped=0, hidden=hidden)
        return answers.json({"logs": [answers.log(call, row, owner) for row in found]})
    most, skipped = queries.paging(call)
    found = await logs.page(call.pool, owner, names=None, most=most, skipped=skipped, hidden=hidden)
    total = await logs.count(call.pool, owner, hidden=hidden) if queries.wants_total(call) else 0
    return answers.json({call.era.count: total, "logs": [answers.log(call, row, owner) for row in found]})
