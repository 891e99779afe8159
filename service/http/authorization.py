"""Checks before a handler, in the order of each API version (docs/contract.md#order-of-checks)."""

import re
from collections.abc import Awaitable, Callable, Collection
from dataclasses import replace

from service.crypto import key_derivation
from service.errors import (
    ArgumentInvalid,
    JwtAndCookie,
    KeyExpired,
    OriginUnknown,
    ProjectNotFound,
    ScopeMissing,
    SessionExists,
    UserBlocked,
)
from service.http import api_version, client_info, request_body, second_factors, session_cookies
from service.http.context import RequestContext
from service.http.rate_limits import check_rate_limits
from service.http.routing import Route
from service.links import redirect_policy
from service.store import members, projects
from service.store.projects import ApiKey

# Most guards have nothing to wait for, and a coroutine of each would cost a read more than all that they check.
Guard = Callable[[RequestContext, Route], Awaitable[None] | None]
_WRITES = frozenset({"POST", "PUT", "PATCH", "DELETE"})
# A browser's Origin or Referer, up to what ends the host: no user name, no backslash, no escape.
_ADDRESS = re.compile(
    r"(?P<scheme>[A-Za-z][A-Za-z0-9+.-]*)://(?P<host>[A-Za-z0-9._-]+|\[[0-9A-Fa-f:.]+\])(?P<port>:[0-9]{1,5})?(?:[/?#]|\Z)"
)
# The official SDKs for devices send this instead of a page's origin: appwrite-ios://com.example.app.
_APP_SCHEME = re.compile(r"appwrite-[a-z]{1,16}", re.IGNORECASE)


async def find_project(ctx: RequestContext) -> None:
    """Set the project that the request names, if there is one, and the API version that follows.

    Raises ArgumentInvalid where it is named twice and differently: each proxy might believe another one.
    """
    request = ctx.request
    named = [each for each in request.headers.getall("X-Appwrite-Project", ()) if each]
    if "project=" in request.rel_url.raw_query_string:
        named += request.query.getall("project", ())
    if len(named) > 1 and len({*named}) > 1:
        raise ArgumentInvalid("The request names more than one project.")
    project_id = named[0] if named else ""
    if not project_id and request.method in _WRITES:
        in_body = (await request_body.load(ctx)).get("project")
        project_id = in_body if isinstance(in_body, str) else ""
    ctx.found_project = await ctx.services.projects.find(project_id) if project_id else None
    ctx.api_version = api_version.of(
        request.headers.get("X-Appwrite-Response-Format"),
        modern_by_default=ctx.found_project.modern_by_default if ctx.found_project else False,
    )


def check_project(ctx: RequestContext, _route: Route) -> None:
    if ctx.found_project is None:
        raise ProjectNotFound


def check_origin(ctx: RequestContext, route: Route) -> Awaitable[None] | None:
    """Refuse origins other than the project's. Browsers send an origin; server SDKs send a key or none."""
    is_write = route.method in _WRITES
    if not (is_write or ctx.api_version.modern):
        return None
    is_ours = origin_allowed(ctx) and not (is_write and _is_cross_site(ctx, route))
    return None if is_ours else _require_server(ctx)


async def _require_server(ctx: RequestContext) -> None:
    if not await _is_server(ctx):
        ctx.services.refused_origins.note(ctx.found_project, _shown_origin(ctx))
        raise OriginUnknown


def _shown_origin(ctx: RequestContext) -> str:
    """Return the origin that was refused, for the log: without a Referer's path, which may hold a secret."""
    if ctx.client.origin:
        return ctx.client.origin
    page = _ADDRESS.match(ctx.request.headers.get("Referer", ""))
    return f"{page['scheme']}://{page['host']}{page['port'] or ''}" if page else "unknown"


async def _is_server(ctx: RequestContext) -> bool:
    """Tell whether a key proves that a server is calling.

    Any page can add the header to its visitor's requests, beside cookies that the browser holds or is to get. So a key
    proves a server only where no cookie is, and only if it is real: with a made-up one a page could sign its visitor in
    to another user's account.
    """
    headers = ctx.request.headers
    return "Cookie" not in headers and ctx.found_project is not None and await _find_key(ctx) is not None


def _is_cross_site(ctx: RequestContext, route: Route) -> bool:
    """Detect a write without Origin that a page of another site may have caused (docs/security.md S59).

    Browsers that hide the origin tell the kind of site; in those too old for both a page can only send forms.
    """
    headers = ctx.request.headers
    if ctx.client.origin:
        return False
    if headers.get("Sec-Fetch-Site", "none") not in ("none", "same-origin"):
        return True
    sends_form = ctx.request.body_exists and request_body.kind_of(ctx.request) != request_body.JSON
    return sends_form and "Cookie" in headers and not route.page


def is_own_navigation(ctx: RequestContext) -> bool:
    """Tell whether a browser was sent here by a page of the project, of ours, or by its user.

    A page of another site that hides its address can't be told from one of the project's that does: neither counts.
    Nor does a browser that tells nothing at all, as older ones do. A client without cookies is no browser.
    """
    page = ctx.request.headers.get("Referer", "")
    if page:
        return _is_allowed(ctx, page)
    told = ctx.request.headers.get("Sec-Fetch-Site", "" if "Cookie" in ctx.request.headers else "none")
    return told in ("none", "same-origin")


def origin_allowed(ctx: RequestContext) -> bool:
    """Match the origin with the project's platforms. Legacy writes without Origin are judged by their Referer.

    Legacy reads are asked about only where they have an Origin.
    """
    origin = ctx.client.origin
    if not origin and not ctx.api_version.modern:
        origin = ctx.request.headers.get("Referer", "")
    return not origin or _is_allowed(ctx, origin)


def _is_allowed(ctx: RequestContext, origin: str) -> bool:
    """Match an origin, or the address of a page, with our own host and the project's platforms."""
    # "" where there is none: that is no allowed host, nor an app's.
    host = _host_of(origin)
    if redirect_policy.host_allowed(host, (_host_of(ctx.services.settings.public_url),)):
        return True
    project = ctx.found_project
    return project is not None and (
        redirect_policy.host_allowed(host, project.hostnames) or _is_app(origin, project.apps)
    )


def _is_app(origin: str, apps: Collection[str]) -> bool:
    """Match an app by its id on any device, or by its origin in a web view of its own scheme."""
    match = _ADDRESS.match(origin) if apps else None
    if match is None or match["port"]:
        return False
    host = match["host"].lower()
    return f"{match['scheme'].lower()}://{host}" in apps or (
        bool(_APP_SCHEME.fullmatch(match["scheme"])) and host in apps
    )


def _host_of(address: str) -> str:
    """Host in the form that projects keep, IPv6 in brackets; "" where two readers could see different ones."""
    match = _ADDRESS.match(address)
    return match["host"].lower() if match else ""


async def authenticate(ctx: RequestContext, _route: Route) -> None:
    """Find the member behind a JWT or a session, or the server behind a key.

    A JWT that is no good is refused on any route. Legacy: a member's key is ignored. Modern: a key replaces the member.
    """
    if ctx.found_project is None:
        return
    presented = session_cookies.presented(ctx)
    if token := ctx.request.headers.get("X-Appwrite-JWT", ""):
        claims = ctx.services.jwts.verify(ctx.project.id, token)
        if presented and ctx.api_version.modern and await _by_secret(ctx, presented):
            raise JwtAndCookie
        ctx.by_jwt = True
        ctx.found_member = await members.find_by_session(
            ctx.pool, ctx.project.id, user_id=claims.user_id, session_id=claims.session_id
        )
    elif presented:
        ctx.found_member = await _by_secret(ctx, presented)
    if (ctx.api_version.modern or ctx.found_member is None) and "X-Appwrite-Key" in ctx.request.headers:
        await _by_key(ctx)


def _by_secret(ctx: RequestContext, presented: tuple[str, str]) -> Awaitable[members.Member | None]:
    user_id, secret = presented
    return members.find_by_secret(ctx.pool, ctx.project.id, user_id=user_id, secret_hash=key_derivation.digest(secret))


async def _find_key(ctx: RequestContext) -> ApiKey | None:
    """Find the project's API key; a key of no use counts as none."""
    secret = ctx.request.headers.get("X-Appwrite-Key", "")
    # The bytes of a header need not be text.
    if not secret or not secret.isascii():
        return None
    return await projects.find_api_key(ctx.pool, ctx.project.id, secret=secret)


async def _by_key(ctx: RequestContext) -> None:
    ctx.key = await _find_key(ctx)
    if ctx.key is None:
        return
    if ctx.key.expired:
        raise KeyExpired
    ctx.found_member = None
    # A server calls for a browser, and names that browser's user agent.
    if agent := ctx.request.headers.get("X-Forwarded-User-Agent"):
        ctx.client = replace(ctx.client, user_agent=client_info.agent_of(agent))


def check_scope(ctx: RequestContext, route: Route) -> None:
    """Check the scope that the route needs; a legacy key opens no account route (docs/contract.md#callers)."""
    if ctx.key is not None:
        fits = route.scope in ctx.key.scopes and (ctx.api_version.modern or route.access == "key")
        if route.access == "member" or not fits:
            raise ScopeMissing(f'app.{ctx.key.id} missing scopes (["{route.scope}"])')
    elif route.access == "key":
        raise ScopeMissing(f'User (role: guests) missing scopes (["{route.scope}"])')
    elif route.access == "member" and ctx.found_member is None:
        raise ScopeMissing


def check_blocked(ctx: RequestContext, _route: Route) -> None:
    if ctx.found_member is not None and ctx.found_member.status == "blocked":
        raise UserBlocked


def check_second_factor(ctx: RequestContext, route: Route) -> None:
    second_factors.check_gate(ctx, route)
    second_factors.check_proof(ctx, route)


def check_no_session(ctx: RequestContext, route: Route) -> None:
    if route.opens_session and ctx.found_member is not None:
        raise SessionExists


LEGACY: tuple[Guard, ...] = (
    authenticate,
    check_project,
    check_origin,
    check_scope,
    check_blocked,
    check_second_factor,
    check_rate_limits,
)
MODERN: tuple[Guard, ...] = (
    check_origin,
    check_project,
    authenticate,
    check_scope,
    check_blocked,
    check_second_factor,
    check_rate_limits,
    check_no_session,
)


async def authorize(ctx: RequestContext, route: Route) -> None:
    """Run all checks in order. Raises the first refusal."""
    if route.access == "open":
        return
    for guard in MODERN if ctx.api_version.modern else LEGACY:
        if (waiting := guard(ctx, route)) is not None:
            await waiting
