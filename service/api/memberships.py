"""Memberships of teams, which nobody has: there are no teams here, and SDKs ask for them all the same."""

from aiohttp import web

from service.api.users import find_or_raise
from service.errors import UserNotFound
from service.http import responses, schemas
from service.http.context import RequestContext
from service.http.routing import contract, member, users_read


@member.get("/v1/account/memberships")
@contract(gives=schemas.MEMBERSHIP_LIST, query=(schemas.QUERIES, schemas.TOTAL))
async def list_memberships(ctx: RequestContext) -> web.Response:
    """Return an empty list: the member is in no team."""
    return _nothing(ctx)


@users_read.get("/v1/users/{userId}/memberships")
@contract(gives=schemas.MEMBERSHIP_LIST, query=(schemas.QUERIES, schemas.TOTAL), raises=(UserNotFound,))
async def list_user_memberships(ctx: RequestContext) -> web.Response:
    """Return an empty list: the user is in no team."""
    await find_or_raise(ctx)
    return _nothing(ctx)


def _nothing(ctx: RequestContext) -> web.Response:
    return responses.json({ctx.api_version.count: 0, "memberships": []})
