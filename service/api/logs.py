"""The member's security log."""

import re

import orjson
from aiohttp import web

from service import logs
from service.api import answers
from service.api.calls import Call
from service.api.routes import member
from service.errors import QueryInvalid
from service.events import Event

_OLD_QUERY = re.compile(r"(limit|offset)\((\d{1,9})\)")
_MOST, _USUAL, _LEGACY = 100, 25, 10


@member.get("/v1/account/logs")
async def list_logs(call: Call) -> web.Response:
    """Newest first. Legacy: the ten newest of the documented events. Modern: limit and offset, and a total."""
    if not call.era.modern:
        found = await logs.page(
            call.pool,
            call.project.id,
            user_id=call.member.id,
            names=[event.value for event in Event],
            most=_LEGACY,
            skipped=0,
        )
        return answers.json({"logs": [answers.log(call, row, call.member) for row in found]})
    most, skipped = _paging(call)
    found = await logs.page(call.pool, call.project.id, user_id=call.member.id, names=None, most=most, skipped=skipped)
    wanted = call.request.query.get("total", "true") != "false"
    total = await logs.count(call.pool, call.project.id, user_id=call.member.id) if wanted else 0
    return answers.json({call.era.count: total, "logs": [answers.log(call, row, call.member) for row in found]})


def _paging(call: Call) -> tuple[int, int]:
    """Limit and offset of the queries, in either spelling; raises QueryInvalid for any other query."""
    found = {"limit": _USUAL, "offset": 0}
    given = [value for name, value in call.request.query.items() if name.partition("[")[0] == "queries"]
    if not call.era.iso:  # 0.12 to 0.15 have them as parameters
        given += [f"{name}({value})" for name, value in call.request.query.items() if name in found]
    for query in given:
        method, number = _understand(query)
        found[method] = number
    if found["limit"] > _MOST or found["offset"] > 100_000:
        raise QueryInvalid
    return found["limit"], found["offset"]


def _understand(query: str) -> tuple[str, int]:
    """`limit(5)`, or {"method": "limit", "values": [5]}."""
    if match := _OLD_QUERY.fullmatch(query):
        return match[1], int(match[2])
    try:
        parsed = orjson.loads(query[:4096])
    except ValueError:
        raise QueryInvalid from None
    match parsed:
        case {"method": "limit" | "offset" as method, "values": [int(number)]} if number >= 0 and number is not True:
            return method, number
    raise QueryInvalid
