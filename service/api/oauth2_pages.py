"""Pages on which a sign-in by a provider ends where the app has none of its own.

For an app on a device they lead on into the app, which reads the rest of the address.
"""

from typing import Any
from urllib.parse import urlencode

import orjson
from aiohttp import web

from service.http import flow_addresses, html_pages
from service.http.context import RequestContext
from service.http.routing import without_guards

# What the app is told; nothing else of the address is repeated.
_HANDED_ON = ("domain", "key", "secret", "userId", "state", "error")
_TYPE = 64


@without_guards.get("/auth/oauth2/success", "/console/auth/oauth2/success", page=True)
async def show_oauth2_success(ctx: RequestContext) -> web.Response:
    """Say that the sign-in is done, and lead on into the app."""
    return _page(ctx, "oauth2_success")


@without_guards.get("/auth/oauth2/failure", "/console/auth/oauth2/failure", page=True)
async def show_oauth2_failure(ctx: RequestContext) -> web.Response:
    """Say that the sign-in has failed, in words of ours, and lead on into the app."""
    return _page(ctx, "oauth2_failure", reason=_reason(ctx))


def _page(ctx: RequestContext, page: str, **facts: Any) -> web.Response:
    app = _app(ctx)
    answer = html_pages.render_page(ctx, page, script="forward" if app else None, app=app, **facts)
    answer.headers.update(flow_addresses.UNCACHED)
    return answer


def _app(ctx: RequestContext) -> str:
    """Return the address of the project's app on the device with what the app is told; "" without such apps."""
    project = ctx.found_project
    told = {name: ctx.request.query[name] for name in _HANDED_ON if name in ctx.request.query}
    if project is None or not project.apps or not told:
        return ""
    query = urlencode({"project": project.id, **told}, errors="replace")
    return f"{flow_addresses.scheme_of_app(project.id)}://?{query}"


def _reason(ctx: RequestContext) -> str:
    """Return the type of the error; its message stays unread, for anybody can write an address."""
    try:
        found = orjson.loads(ctx.request.query.get("error", ""))
    except ValueError:
        return ""
    kind = found.get("type") if isinstance(found, dict) else None
    return kind[:_TYPE] if isinstance(kind, str) else ""
