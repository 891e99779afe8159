"""Who may: the checks before a handler, in the order that each era has (contract.md 1.3)."""

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
from service.http import api_version, client_info, request_body, session_cookies
from service.http.context import Call
from service.http.rate_limits import within_limits
from service.http.routing import Route
from service.links import redirect_policy
from service.store import projects, users
from service.store.projects import ApiKey

Guard = Callable[[Call, Route], Awaitable[None]]
_WRITES = frozenset({"POST", "PUT", "PATCH", "DELETE"})
# A browser's Origin or Referer, up to what ends the host: no user name, no backslash, no escape.
_ADDRESS = re.compile(
    r"(?P<scheme>[A-Za-z][A-Za-z0-9+.-]*)://(?P<host>[A-Za-z0-9._-]+|\[[0-9A-Fa-f:.]+\])(?P<port>:[0-9]{1,5})?(?:[/?#]|\Z)"
)
# What the official SDKs for devices say instead of a page's origin: appwrite-ios://com.example.app.
_APP_SCHEME = re.compile(r"appwrite-[a-z]{1,16}", re.IGNORECASE)


async def find_project(call: Call) -> None:
    """The project that the request names, if there is one, and the era that follows.

    Raises ArgumentInvalid where it is named twice and differently: each proxy might believe another one.
    """
    request = call.request
    named = {name for name in request.headers.getall("X-Appwrite-Project", ()) if name}
    if "project=" in request.rel_url.raw_query_string:
        named |= {*request.query.getall("project", ())}
    if len(named) > 1:
        raise ArgumentInvalid("The request names more than one project.")
    project_id = named.pop() if named else ""
    if not project_id and request.method in _WRITES:
        mentioned = (await request_body.load(call)).get(
            "project"
        )  # as a parameter of the body, where no header names it
        project_id = mentioned if isinstance(mentioned, str) else ""
    call.found_project = await call.services.projects.find(project_id) if project_id else None
    call.era = api_version.of(
        request.headers.get("X-Appwrite-Response-Format"),
        modern_by_default=call.found_project.modern_by_default if call.found_project else False,
    )


async def known_project(call: Call, _route: Route) -> None:
    if call.found_project is None:
        raise ProjectNotFound


async def known_origin(call: Call, route: Route) -> None:
    """Browsers say where a page is from; only pages of the project may act. Server SDKs send a key or no origin."""
    is_write = route.method in _WRITES
    if not (is_write or call.era.modern):
        return
    is_ours = origin_allowed(call, is_write=is_write) and not (is_write and _from_elsewhere(call, route))
    if not is_ours and not await _is_server(call):
        raise OriginUnknown


async def _is_server(call: Call) -> bool:
    """Any page can add the header to what its visitor's browser sends, with cookies that it holds or is to get.

    So a key proves a server where no cookie is, and only a real one does: a made-up one could sign a visitor in to
    somebody else's account.
    """
    headers = call.request.headers
    return "Cookie" not in headers and call.found_project is not None and await _find_key(call) is not None


def _from_elsewhere(call: Call, route: Route) -> bool:
    """A write without Origin that a page of another site may have caused (reliability.md S59).

    Browsers that hide the origin tell the kind of site; in those too old for both a page can only send forms.
    """
    headers = call.request.headers
    if call.client.origin:
        return False
    if headers.get("Sec-Fetch-Site", "none") not in ("none", "same-origin"):
        return True
    sends_form = call.request.body_exists and request_body.kind_of(call.request) != request_body.JSON
    return sends_form and "Cookie" in headers and not route.page


def origin_allowed(call: Call, *, is_write: bool = False) -> bool:
    """Legacy writes without Origin are judged by their Referer."""
    origin = call.client.origin
    if not origin and is_write and not call.era.modern:
        origin = call.request.headers.get("Referer", "")
    if not origin:
        return True
    host = _host_of(origin)
    own = _host_of(call.services.settings.public_url)
    project = call.found_project
    if not host or redirect_policy.host_allowed(host, (own,)):
        return bool(host)
    return project is not None and (
        redirect_policy.host_allowed(host, project.hostnames) or _is_app(origin, project.apps)
    )


def _is_app(origin: str, apps: Collection[str]) -> bool:
    """An app is named by its id, whatever device it runs on; or, in a web view of its own scheme, by its origin."""
    match = _ADDRESS.match(origin) if apps else None
    if match is None or match["port"]:
        return False
    host = match["host"].lower()
    return f"{match['scheme'].lower()}://{host}" in apps or (
        bool(_APP_SCHEME.fullmatch(match["scheme"])) and host in apps
    )


def _host_of(address: str) -> str:
    """As hostnames are kept, IPv6 in brackets; "" where two readers could see different ones."""
    match = _ADDRESS.match(address)
    return match["host"].lower() if match else ""


async def who(call: Call, _route: Route) -> None:
    """The member behind a JWT or a session, or the server behind a key.

    A JWT that is no good is refused on any route. Legacy: a member's key is ignored. Modern: a key replaces the member.
    """
    if call.found_project is None:
        return
    presented = session_cookies.presented(call)
    if token := call.request.headers.get("X-Appwrite-JWT", ""):
        claims = call.services.jwts.verify(call.project.id, token)
        if presented and call.era.modern and await _by_secret(call, presented):
            raise JwtAndCookie
        call.by_jwt = True
        call.found_member = await users.find_member_by_session(
            call.pool, call.project.id, user_id=claims.user_id, session_id=claims.session_id
        )
    elif presented:
        call.found_member = await _by_secret(call, presented)
    if call.era.modern or call.found_member is None:
        await _by_key(call)


async def _by_secret(call: Call, presented: tuple[str, str]) -> users.Member | None:
    user_id, secret = presented
    return await users.find_member_by_secret(
        call.pool, call.project.id, user_id=user_id, secret_hash=key_derivation.digest(secret)
    )


async def _find_key(call: Call) -> ApiKey | None:
    """A key that is not one of the project's is as good as none."""
    secret = call.request.headers.get("X-Appwrite-Key", "")
    # The bytes of a header need not be text.
    if not secret or not secret.isascii():
        return None
    return await projects.find_api_key(call.pool, call.project.id, secret=secret)


async def _by_key(call: Call) -> None:
    call.key = await _find_key(call)
    if call.key is None:
        return
    if call.key.expired:
        raise KeyExpired
    call.found_member = None
    # A server speaks for a browser, and says for which.
    if agent := call.request.headers.get("X-Forwarded-User-Agent"):
        call.client = replace(call.client, user_agent=client_info.agent_of(agent))


async def in_scope(call: Call, route: Route) -> None:
    """A legacy key opens no account route at all (contract.md 1.4)."""
    if call.key is not None:
        fits = route.scope in call.key.scopes and (call.era.modern or route.access == "key")
        if route.access == "member" or not fits:
            raise ScopeMissing(f'app.{call.key.id} missing scopes (["{route.scope}"])')
    elif route.access == "key":
        raise ScopeMissing(f'User (role: guests) missing scopes (["{route.scope}"])')
    elif route.access == "member" and call.found_member is None:
        raise ScopeMissing


async def not_blocked(call: Call, _route: Route) -> None:
    if call.found_member is not None and call.found_member.status == "blocked":
        raise UserBlocked


async def without_session(call: Call, route: Route) -> None:
    if route.opens_session and call.found_member is not None and call.era.modern:
        raise SessionExists


LEGACY: tuple[Guard, ...] = (who, known_project, known_origin, in_scope, not_blocked, within_limits)
MODERN: tuple[Guard, ...] = (known_origin, known_project, who, in_scope, not_blocked, within_limits, without_session)


async def admit(call: Call, route: Route) -> None:
    """Raises the first refusal."""
    if route.access == "open":
        return
    for guard in MODERN if call.era.modern else LEGACY:
        await guard(call, route)
