"""A user's sessions and log, for a server that holds an API key."""

from aiohttp import web

from service import sessions
from service.api import answers, logs, operators, queries, shapes
from service.api.calls import Call
from service.api.fields import ident
from service.api.routes import contract, users_read, users_write
from service.api.users import get, operator
from service.errors import QueryInvalid, SessionNotFound, UserNotFound
from service.jobs import RECORD_LOG


@users_read.get("/v1/users/{userId}/sessions")
@contract(gives=shapes.SESSION_LIST, query=(shapes.TOTAL,), raises=(UserNotFound,))
async def list_user_sessions(call: Call) -> web.Response:
    """A user's live sessions, oldest first; none is the one that asks."""
    found = await sessions.every(call.pool, await get(call))
    total = len(found) if queries.wants_total(call) else 0
    rows = [answers.session(call, session, current=False) for session in found]
    return answers.json({call.era.count: total, "sessions": rows})


@users_write.delete("/v1/users/{userId}/sessions")
@contract(raises=(UserNotFound,))
async def delete_user_sessions(call: Call) -> web.Response:
    """End all of a user's sessions."""
    done = await operators.close_sessions(operator(call), ident(call, "userId"))
    await call.services.bell.ring(RECORD_LOG, done.event)
    return answers.nothing()


@users_write.delete("/v1/users/{userId}/sessions/{sessionId}")
@contract(raises=(UserNotFound, SessionNotFound))
async def delete_user_session(call: Call) -> web.Response:
    """End one of a user's sessions."""
    done = await operators.close_session(operator(call), ident(call, "userId"), session_id=ident(call, "sessionId"))
    await call.services.bell.ring(RECORD_LOG, done.event)
    return answers.nothing()


@users_read.get("/v1/users/{userId}/logs")
@contract(gives=shapes.LOG_LIST, query=(shapes.QUERIES, shapes.TOTAL), raises=(UserNotFound, QueryInvalid))
async def list_user_logs(call: Call) -> web.Response:
    """A user's security log, as the member sees it."""
    return await logs.show(call, await get(call))
