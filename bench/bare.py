"""`python -m bench.bare`: the least that answers GET /v1/account, to compare ours with.

aiohttp, asyncpg's own pool, the same one statement, the same fields. It asks nobody who he is: the statement's
arguments stand ready, and there is no project, no era, no header of ours, no log.
"""

import itertools
from collections.abc import Awaitable, Callable
from typing import Any

import asyncpg
import orjson
import uvloop
from aiohttp import web

from bench.programs import Order, obey
from service.db import Queries

_STATEMENTS = Queries("members").statements
_STATUS = {"unactivated": 0, "active": 1, "blocked": 2}
Handler = Callable[[web.Request], Awaitable[web.Response]]


def account(pool: Any, statement: str, arguments: list[list[Any]]) -> Handler:
    """Make a handler that runs that statement with each of those arguments in turn."""
    sql, slots = _STATEMENTS[statement].sql, itertools.cycle(arguments)

    async def handle(_request: web.Request) -> web.Response:
        row = await pool.fetchrow(sql, *next(slots))
        changed = row["password_updated_at"]
        body = {
            "$id": row["id"],
            "name": row["name"],
            "registration": int(row["created_at"].timestamp()),
            "status": _STATUS[row["status"]],
            "passwordUpdate": int(changed.timestamp()) if changed else 0,
            "email": row["email"],
            "emailVerification": row["email_verified"],
            "prefs": orjson.Fragment(row["prefs"]),
        }
        return web.Response(body=orjson.dumps(body), content_type="application/json")

    return handle


async def serve(order: Order) -> Order:
    """Listen on a free port until the process ends; answers the port."""
    pool = await asyncpg.create_pool(order["database"], min_size=order["size"], max_size=order["size"])
    app = web.Application()
    by_secret = [[project, user, bytes.fromhex(digest)] for project, user, digest in order["by_secret"]]
    app.router.add_get("/cookie", account(pool, "find_member_by_secret", by_secret))
    app.router.add_get("/jwt", account(pool, "find_member_by_session", order["by_session"]))
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    return {"port": runner.addresses[0][1]}


if __name__ == "__main__":
    uvloop.run(obey(serve))
