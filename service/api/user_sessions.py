"""A user's sessions and log, for a server that holds an API key."""

from aiohttp import web

from service.accounts import user_admin
from service.api import security_log
from service.api.users import get, operator
from service.errors import QueryInvalid, SessionNotFound, UserNotFound
from service.http import list_queries, responses, schemas
from service.http.context import Call
from service.http.fields import ident
from service.http.routing import contract, users_read, users_write
from service.queue import RECORD_LOG
from service.store import sessions


@users_read.get("/v1/users/{userId}/sessions")
@contract(gives=schemas.SESSION_LIST, query=(schemas.TOTAL,), raises=(UserNotFound,))
async def list_user_sessions(call: Call) -> web.Response:
    """A user's live sessions, oldest first; none is the one that asks."""
    found = await sessions.every(call.pool, await get(call))
    total = len(found) if list_queries.wants_total(call) else 0
    rows = [responses.session(call, session, current=False) for session in found]
    return responses.json({call.era.count: total, "sessions": rows})


@users_write.delete("/v1/users/{userId}/sessions")
@contract(raises=(UserNotFound,))
async def delete_user_sessions(call: Call) -> web.Response:
    """End all of a user's sessions."""
    done = await user_admin.close_sessions(operator(call), ident(call, "userId"))
    await call.services.bell.ring(RECORD_LOG, done.event)
    return responses.nothing()


@users_write.delete("/v1/users/{userId}/sessions/{sessionId}")
@contract(raises=(UserNotFound, SessionNotFound))
async def delete_user_session(call: Call) -> web.Response:
    """End one of a user's sessions."""
    done = await user_admin.close_session(operator(call), ident(call, "userId"), session_id=ident(call, "sessionId"))
    await call.services.bell.ring(RECORD_LOG, done.event)
    return responses.nothing()


@users_read.get("/v1/users/{userId}/logs")
@contract(gives=schemas.LOG_LIST, query=(schemas.QUERIES, schemas.TOTAL), raises=(UserNotFound, QueryInvalid))
async def list_user_logs(call: Call) -> web.Response:
    """A user's security log, as the member sees it."""
    return await security_log.show(call, await get(call))
