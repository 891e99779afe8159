"""Routes of SDKs that this service does not serve, where a variable path would otherwise take them for its own."""

from aiohttp import web

from service.errors import RouteNotFound
from service.http.context import RequestContext
from service.http.routing import contract, public, users_read


@public.post("/v1/account/sessions/id-token")
@contract(refuses=RouteNotFound)
async def create_id_token_session(_call: RequestContext) -> web.Response:
    """Refuse to sign in with a token of another provider: not one of /v1/account/sessions/{sessionId}."""
    raise RouteNotFound


@users_read.get("/v1/users/usage")
@contract(refuses=RouteNotFound)
async def get_usage(_call: RequestContext) -> web.Response:
    """Refuse: no use is counted. The word is no user's id here."""
    raise RouteNotFound
