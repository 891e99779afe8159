"""Headers of every response: of security, CORS, rate limits, and those that handlers have set."""

import time
from collections.abc import Iterable

from aiohttp import web

from service.errors import MethodNotAllowed
from service.http import authorization, request_target, responses, security_headers
from service.http.context import RequestContext
from service.rate_limiter import Decision

_METHODS = "GET, POST, PUT, PATCH, DELETE"
_EXPOSED = (
    "X-Appwrite-Session, X-Fallback-Cookies, X-RateLimit-Limit, X-RateLimit-Remaining, X-RateLimit-Reset, Retry-After"
)
_OLD_PREFLIGHT = (
    "Origin, Cookie, Set-Cookie, X-Requested-With, Content-Type, Access-Control-Allow-Origin, "
    "Access-Control-Request-Headers, Accept, X-Appwrite-Project, X-Appwrite-Key, X-Appwrite-Locale, "
    "X-Appwrite-Mode, X-Appwrite-JWT, X-Appwrite-Response-Format, X-SDK-Version, Cache-Control, Expires, Pragma, "
    "X-Fallback-Cookies"
)
_NEW_PREFLIGHT = (
    _OLD_PREFLIGHT + ", Content-Range, X-Appwrite-Dev-Key, X-Appwrite-Organization, X-Appwrite-Timeout, "
    "X-Appwrite-ID, X-Appwrite-Timestamp, X-Appwrite-Session, X-Appwrite-Platform, "
    "X-Appwrite-Impersonate-User-Id, X-Appwrite-Impersonate-User-Email, X-Appwrite-Impersonate-User-Phone, "
    "X-SDK-Name, X-SDK-Language, X-SDK-Platform, X-SDK-GraphQL, X-SDK-Profile, Range, X-Forwarded-For, "
    "X-Forwarded-User-Agent, Authorization, X-Invitation"
)


def preflight(ctx: RequestContext) -> web.Response:
    """Answer a preflight. Any origin may ask; only an allowed one gets its later requests through."""
    response = responses.nothing()
    asked = "Access-Control-Request-Headers" in ctx.request.headers
    response.headers["Access-Control-Allow-Headers"] = _NEW_PREFLIGHT if asked else _OLD_PREFLIGHT
    response.headers["Access-Control-Max-Age"] = "600"
    return response


def add(ctx: RequestContext, response: web.Response) -> None:
    """Add the headers to a response that is complete otherwise."""
    headers = response.headers
    usual = security_headers.headers(ctx.services.settings.public_url)
    if len(headers) == 1 and "Content-Type" in headers:
        headers.extend(usual)
    else:
        for name, value in usual.items():
            headers.setdefault(name, value)  # a page states its own policy
    headers["X-Request-Id"] = ctx.request_id
    if ctx.client.origin:
        headers.update(_cors(ctx))
    if ctx.rate_limit:
        headers.update(_rate_limit(ctx.rate_limit))
    if isinstance(unmatched := ctx.path.http_exception, web.HTTPMethodNotAllowed):
        headers["Allow"] = ", ".join(sorted(unmatched.allowed_methods))
    elif response.status == MethodNotAllowed.status:
        headers["Allow"] = ", ".join(request_target.METHODS)
    for name, value in ctx.headers:
        headers.add(name, value)


def _cors(ctx: RequestContext) -> Iterable[tuple[str, str]]:
    is_preflight = ctx.request.method == "OPTIONS"
    if not is_preflight and not authorization.origin_allowed(ctx):
        return ()
    exposed = "X-Fallback-Cookies" if is_preflight else _EXPOSED
    return (
        ("Access-Control-Allow-Origin", ctx.client.origin[:256]),
        ("Access-Control-Allow-Credentials", "true"),
        ("Access-Control-Allow-Methods", _METHODS),
        ("Access-Control-Expose-Headers", exposed),
    )


def _rate_limit(decision: Decision) -> Iterable[tuple[str, str]]:
    """Make Appwrite's three headers of a rate limit, and the IETF draft's two."""
    reset = int(time.time()) + decision.reset
    return (
        ("X-RateLimit-Limit", str(decision.limit)),
        ("X-RateLimit-Remaining", str(decision.remaining)),
        ("X-RateLimit-Reset", str(reset)),
        ("RateLimit-Policy", f'"default";q={decision.limit};w={decision.window}'),
        ("RateLimit", f'"default";r={decision.remaining};t={decision.reset}'),
    )
