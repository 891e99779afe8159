"""Start page, for people who open the server's bare address."""

from aiohttp import web

from service.http import html_pages
from service.http.context import RequestContext
from service.http.routing import without_guards


@without_guards.get("/", page=True)
async def show_start(ctx: RequestContext) -> web.Response:
    """Say what this server is, and lead to the documentation."""
    return html_pages.render_page(ctx, "start")
