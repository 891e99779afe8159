"""The first call of an app: are endpoint, project and platform right?"""

from aiohttp import web

from service.http import schemas
from service.http.context import RequestContext
from service.http.routing import contract, public
from service.http.security_headers import Response


@public.get("/v1/ping")
@contract(gives=schemas.PONG)
async def ping(_ctx: RequestContext) -> web.Response:
    """Answer `Pong!`, as plain text, to a client that names a project and comes from one of its platforms."""
    return Response(text="Pong!", content_type="text/plain", charset="utf-8")
