"""Addresses that a sign-in by a provider leads back to: the app's own, checked at its start, or pages of ours."""

import re
from collections.abc import Mapping
from typing import Any
from urllib.parse import urlencode, urlsplit

import orjson
from aiohttp import web

from service.errors import AccountError
from service.http.context import RequestContext
from service.http.request_body import unfit_parameter
from service.http.security_headers import Response
from service.links import link_builder, redirect_policy

_PAGES = "/auth/oauth2"
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")
# Expo's apps in development.
_DEVELOPMENT = "exp"
UNCACHED = {
    "Cache-Control": "no-store, no-cache, must-revalidate, max-age=0",
    "Pragma": "no-cache",
    "Referrer-Policy": "no-referrer",
}


def end(provider: str, project_id: str, given: Mapping[str, str]) -> str | None:
    """Return the address of ours that a callback hands its parameters to; None for names that nothing has."""
    if not (_NAME.fullmatch(provider) and _NAME.fullmatch(project_id)):
        return None
    return f"/v1/account/sessions/oauth2/{provider}/redirect?{urlencode({'project': project_id, **given})}"


def scheme_of_app(project_id: str) -> str:
    """Return the scheme that SDKs for devices register for a project."""
    return f"appwrite-callback-{project_id}"


def check(ctx: RequestContext, name: str, url: str) -> str:
    """Return an address of the app, "" for the page of ours; raises ArgumentInvalid where none may lead to."""
    project = ctx.project
    schemes = [scheme_of_app(project.id), *project.redirect_schemes, *([_DEVELOPMENT] if project.plain_http else ())]
    if not url or redirect_policy.is_app(url, schemes):
        return url
    try:
        return redirect_policy.check(url, project.hostnames, plain_http=project.plain_http)
    except ValueError as fault:
        raise unfit_parameter(ctx, name, str(fault)) from None


def success(ctx: RequestContext, url: str, parameters: Mapping[str, str], *, session: str = "") -> str:
    """Return where a sign-in ends; `session` is the value of its cookie.

    Our own page is told the session for an app on a device, which can't read the browser's cookies, and only in a
    project that has such apps.
    """
    if url:
        return link_builder.build(url, parameters) if parameters else url
    facts = {"project": ctx.project.id}
    if session and ctx.project.apps:
        host = urlsplit(ctx.services.settings.public_url).hostname or ""
        facts |= {"domain": host, "key": f"a_session_{ctx.project.id}".lower(), "secret": session}
    return f"{ctx.services.settings.public_url}{_PAGES}/success?{urlencode({**facts, **parameters})}"


def failure(ctx: RequestContext, url: str, fault: AccountError, parameters: Mapping[str, str]) -> str:
    """Return where a sign-in ends that failed, with the error as one JSON value."""
    status, message = fault.render(legacy=False)
    error = orjson.dumps({"message": message, "type": fault.type, "code": status}).decode()
    facts = {"error": error, **parameters}
    if url:
        return link_builder.build(url, facts)
    query = urlencode({"project": ctx.project.id, **facts})
    return f"{ctx.services.settings.public_url}{_PAGES}/failure?{query}"


def redirect(location: str, status: int = 301) -> web.Response:
    """Redirect without leaving anything in a cache. The SDKs take 301 alone, and read a Content-Type."""
    headers: dict[str, Any] = {"Location": location, "Content-Type": "text/html; charset=utf-8", **UNCACHED}
    return Response(status=status, headers=headers)
