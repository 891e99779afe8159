"""Routes of SDKs that this service does not serve, where a variable path would otherwise take them for its own."""

from aiohttp import web

from service.errors import RouteNotFound
from service.http.context import RequestContext
from service.http.routing import contract, users_read


@users_read.get("/v1/users/usage")
@contract(refuses=RouteNotFound)
async def get_usage(_ctx: RequestContext) -> web.Response:
    """Refuse: no use is counted. The word is no user's id here."""
    raise RouteNotFound
