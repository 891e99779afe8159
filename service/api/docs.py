"""The documentation of the service for people (service/http/docs)."""

from aiohttp import web

from service.errors import RouteNotFound
from service.http import docs
from service.http.context import RequestContext
from service.http.routing import contract, without_guards
from service.http.security_headers import Response


@without_guards.get("/docs", "/docs/", "/docs/{section}", "/docs/{section}/{name}", page=True)
@contract(raises=(RouteNotFound,))
async def show_docs(ctx: RequestContext) -> web.Response:
    """Describe the service to people: guides, the reference, and a search."""
    name = "/".join(part for part in (ctx.path.get("section", ""), ctx.path.get("name", "")) if part)
    body = docs.page(ctx.services.settings.public_url, name)
    if body is None:
        raise RouteNotFound
    headers = {"Content-Security-Policy": docs.policy()}
    return Response(body=body, content_type="text/html", charset="utf-8", headers=headers)
