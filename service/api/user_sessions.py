"""A user's sessions and log, for a server that holds an API key."""

from aiohttp import web

from service.accounts import provider_tokens, user_admin, user_sign_in
from service.api import security_log
from service.api.users import admin_context, find_or_raise
from service.errors import CursorNotFound, QueryInvalid, SessionNotFound, UserBlocked, UserNotFound
from service.http import responses, schemas, session_cookies, session_list_queries
from service.http.context import RequestContext
from service.http.fields import ident
from service.http.routing import contract, users_read, users_write


@users_read.get("/v1/users/{userId}/sessions")
@contract(
    gives=schemas.SESSION_LIST,
    query=(schemas.SESSION_QUERIES, schemas.TOTAL),
    raises=(UserNotFound, QueryInvalid, CursorNotFound),
)
async def list_user_sessions(ctx: RequestContext) -> web.Response:
    """List a page of a user's live sessions, oldest first; none is the one that asks."""
    user = await find_or_raise(ctx)
    found, total = await session_list_queries.read(ctx, user)
    shown = await provider_tokens.of_sessions(ctx, user)
    rows = [
        responses.session(ctx, session, current=False, tokens=shown.get(session.id, responses.NO_TOKENS))
        for session in found
    ]
    return responses.json({ctx.api_version.count: total, "sessions": rows})


@users_write.post("/v1/users/{userId}/sessions")
@contract(gives=schemas.SESSION, status=201, raises=(UserNotFound, UserBlocked))
async def create_user_session(ctx: RequestContext) -> web.Response:
    """Sign a user in without any proof; the session's secret is in the answer and in no cookie."""
    session, secret = await user_sign_in.open_session(
        admin_context(ctx), ident(ctx, "userId"), seconds=ctx.project.session_seconds
    )
    value = session_cookies.encode(session.user_id, secret)
    return responses.json(responses.session(ctx, session, current=False, secret=value), 201)


@users_write.delete("/v1/users/{userId}/sessions")
@contract(raises=(UserNotFound,))
async def delete_user_sessions(ctx: RequestContext) -> web.Response:
    """End all of a user's sessions."""
    await user_admin.close_sessions(admin_context(ctx), ident(ctx, "userId"))
    return responses.nothing()


@users_write.delete("/v1/users/{userId}/sessions/{sessionId}")
@contract(raises=(UserNotFound, SessionNotFound))
async def delete_user_session(ctx: RequestContext) -> web.Response:
    """End one of a user's sessions."""
    await user_admin.close_session(admin_context(ctx), ident(ctx, "userId"), session_id=ident(ctx, "sessionId"))
    return responses.nothing()


@users_read.get("/v1/users/{userId}/logs")
@contract(gives=schemas.LOG_LIST, query=(schemas.QUERIES, schemas.TOTAL), raises=(UserNotFound, QueryInvalid))
async def list_user_logs(ctx: RequestContext) -> web.Response:
    """List a user's security log, as the member sees it."""
    return await security_log.log_list(ctx, await find_or_raise(ctx))
