"""Middleware around every handler: request id, guards, error responses, metrics, one line in the log."""

import asyncio
import logging
import time
from collections.abc import Awaitable
from weakref import WeakKeyDictionary

from aiohttp import web
from aiohttp.typedefs import Handler

from service import db, ids, tracing
from service.errors import AccountError, BodyTooLarge, MethodNotAllowed, Overloaded, ProjectNotFound, RouteNotFound
from service.http import (
    authorization,
    form_pages,
    page_branding,
    proxy_probe,
    rate_limits,
    request_target,
    request_timeout,
    response_headers,
    responses,
)
from service.http.client_info import client_of
from service.http.context import RequestContext, Services
from service.http.headers import joined
from service.http.routing import Route
from service.json_logging import REQUEST_ID
from service.log_records import EventLogger

SERVICES = web.AppKey("services", Services)
log = logging.getLogger(__name__)
access = EventLogger(logging.getLogger("service.access"))

_ROUTES: WeakKeyDictionary[Handler, Route] = WeakKeyDictionary()


def entry(route: Route) -> Handler:
    """Make the function that the router calls for a route."""

    async def enter(request: web.Request) -> web.StreamResponse:
        return await answer(request, route, request.match_info)

    _ROUTES[enter] = route
    return enter


@web.middleware
async def catch_unmatched(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Answer a path or method that has no route like everything else.

    A path with slashes too many is served as the one without: behind the same guards and limits, under its name.
    """
    match = request.match_info
    if match.http_exception is None:
        return await handler(request)
    path = request_target.canonical(request.rel_url.raw_path)
    if path != request.rel_url.raw_path:
        match = await request.app.router.resolve(request.clone(rel_url=request.rel_url.with_path(path, encoded=True)))
    return await answer(request, _ROUTES.get(match.handler), match)


def answer(request: web.Request, route: Route | None, match: web.UrlMappingMatchInfo) -> Awaitable[web.Response]:
    """Produce the response to a request; every one leaves through here, within a span where requests are traced."""
    return (_answer_traced if tracing.is_on() else _answer)(request, route, match)


async def _answer_traced(request: web.Request, route: Route | None, match: web.UrlMappingMatchInfo) -> web.Response:
    """Answer within a span. A caller's trace is linked and not continued: anybody may name one."""
    method = request.method if request.method in request_target.METHODS else "_OTHER"
    links = request.headers.getall("traceparent", [])[:1]
    with tracing.span(f"{method} {route.name if route else '(no route)'}", "server", links=links, root=True) as span:
        response = await _answer(request, route, match)
        if span:
            place = route.paths[0] if route else None
            span.set(http__request__method=method, http__route=place, http__response__status_code=response.status)
            if response.status >= 500:
                span.fail()
        return response


async def _answer(request: web.Request, route: Route | None, match: web.UrlMappingMatchInfo) -> web.Response:
    started = time.perf_counter()
    services = request.app[SERVICES]
    request_id = ids.new()
    token = REQUEST_ID.set(request_id)
    client = client_of(request, services.forwarding)
    ctx = RequestContext(request, services, request_id, client, match)
    try:
        response = await _respond(ctx, route)
        if ctx.tallies or ctx.deferred:
            await rate_limits.refund_by_outcome(ctx, response.status)
        response_headers.add(ctx, response)
        if request_target.ends_connection(request):
            response.force_close()
        seconds = time.perf_counter() - started
        name, error = route.name if route else "none", ctx.fault.type if ctx.fault else None
        services.metrics.record_request(name, request.method, response.status, seconds, error)
        if tracing.is_on():
            project = ctx.found_project.id if ctx.found_project else None
            tracing.annotate(accounts__request_id=request_id, accounts__project=project, error__type=error)
        if access.is_enabled():
            _log_request(ctx, route, response.status, seconds)
    finally:
        REQUEST_ID.reset(token)
    return response


async def _respond(ctx: RequestContext, route: Route | None) -> web.Response:
    deadline = request_timeout.begin(ctx.request)
    try:
        response = await _open_request(ctx, route)
    except AccountError as fault:
        ctx.ended = True
        return _refuse(ctx, route, fault)
    except web.HTTPRequestEntityTooLarge:
        return _refuse(ctx, route, BodyTooLarge())
    except Exception as error:  # noqa: BLE001 - the last resort: no client ever sees a stack trace
        ctx.ended = db.classify(error) is not None and db.is_rolled_back(error)
        return _refuse(ctx, route, _fault_of(error, ctx.pool))
    except asyncio.CancelledError:
        if not deadline.is_ours():
            raise
        log.warning(
            "The request did not end by its deadline",
            extra={"event": "request.timed_out", "route": route.name if route else None},
        )
        return _refuse(ctx, route, Overloaded(retry_after=1))
    else:
        ctx.ended = True
        return response
    finally:
        deadline.end()


async def _open_request(ctx: RequestContext, route: Route | None) -> web.Response:
    settings = ctx.services.settings
    request_target.check(ctx.request, hosts=settings.hosts, public_url=settings.public_url)
    await authorization.find_project(ctx)
    if ctx.request.method == "OPTIONS":
        return response_headers.preflight(ctx)
    if ctx.found_project and _is_page(ctx, route):
        services = ctx.services
        ctx.branding = await page_branding.load(ctx.found_project, services.branding, services.logos)
    if route is None:
        if found := proxy_probe.show_client(ctx):
            return found
        raise _missing(ctx)
    try:
        await authorization.authorize(ctx, route)
        response = await _handle(ctx, route)
    except Overloaded:
        raise  # nothing was done: it keeps no place, and whoever waited for Postgres in vain does not wait again
    except AccountError:
        await rate_limits.settle_alone(ctx)  # a call that is refused for another reason counts as well
        raise
    except db.ForeignKeyViolation:
        # The project may have been deleted since the guards found it; what the handler wrote is undone.
        if ctx.found_project and await ctx.services.projects.find_anew(ctx.found_project.id) is None:
            raise ProjectNotFound from None
        raise
    await rate_limits.settle_alone(ctx)
    return response


def _handle(ctx: RequestContext, route: Route) -> Awaitable[web.Response]:
    """Run the handler; a write is run again where a fault certainly undid it.

    The body is read. Limits have counted, or the handler's first statement is to.
    """
    if route.method == "GET":  # the pool repeats each read
        return route.handler(ctx)
    before, counted = len(ctx.headers), ctx.asked

    async def run() -> web.Response:
        del ctx.headers[before:]
        ctx.asked = counted
        return await route.handler(ctx)

    return db.run_with_retry(run)


def _refuse(ctx: RequestContext, route: Route | None, fault: AccountError) -> web.Response:
    """Render an error in the form that the route's readers understand."""
    ctx.fault = fault
    if _is_page(ctx, route):
        return form_pages.refusal_page(ctx, fault)
    return responses.error(fault, modern=ctx.api_version.modern)


def _is_page(ctx: RequestContext, route: Route | None) -> bool:
    """Tell whether a person reads the answer, also where there is no route: programs ask under /v1, or for anything."""
    if route:
        return route.page or (route.navigation and _is_browser(ctx))
    path = request_target.canonical(ctx.request.rel_url.raw_path)
    return "text/html" in joined(ctx.request, "Accept") and path != "/v1" and not path.startswith("/v1/")


def _is_browser(ctx: RequestContext) -> bool:
    """Tell a browser on its way from an SDK, which asks for the same types but names itself."""
    return "text/html" in joined(ctx.request, "Accept") and "X-SDK-Name" not in ctx.request.headers


def _fault_of(error: Exception, pool: db.Pool) -> AccountError:
    """Map any error: a fault of Postgres is 503, all else is a server error without details."""
    if (fault := db.find_fault(error)) and pool.note(error):
        return fault
    log.error("The request failed with an unexpected error", exc_info=error, extra={"event": "request.failed"})
    return AccountError()


def _missing(ctx: RequestContext) -> AccountError:
    unmatched = ctx.path.http_exception
    return MethodNotAllowed() if isinstance(unmatched, web.HTTPMethodNotAllowed) else RouteNotFound()


def _log_request(ctx: RequestContext, route: Route | None, status: int, seconds: float) -> None:
    """Log the route's pattern and never the path: a path may hold a secret that the client misplaced."""
    access.info(
        "The request was handled",
        extra={
            "event": "request.handled",
            "method": ctx.request.method,
            "route": route.name if route else None,
            "status": status,
            "type": ctx.fault.type if ctx.fault else None,
            "ms": round(seconds * 1000, 2),
            "project": ctx.found_project.id if ctx.found_project else None,
            "key": ctx.key.id if ctx.key else None,
            "ip": ctx.client.ip,
        },
    )
