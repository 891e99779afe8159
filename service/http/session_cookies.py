"""Sessions in two cookies, X-Fallback-Cookies, X-Appwrite-Session (docs/contract.md#cookies-and-sessions)."""

import binascii
import ipaddress
from base64 import b64decode, b64encode
from datetime import UTC, datetime
from email.utils import format_datetime
from functools import cache, lru_cache
from urllib.parse import quote, unquote, urlsplit

import orjson
from publicsuffixlist import PublicSuffixList

from service.http import headers
from service.http.context import RequestContext

_SIZE = 4096
# Characters of all cookies of a request, on however many lines; the rest is not read.
_JAR = 8 * _SIZE
# Characters of cookies whose session is remembered, and how many are: no more than two megabytes.
_SHORT, _REMEMBERED = 1024, 1024
_PAST = format_datetime(datetime.fromtimestamp(0, UTC), usegmt=True)


def encode(user_id: str, secret: str) -> str:
    """Encode as standard base64 of {"id": …, "secret": …}."""
    return b64encode(orjson.dumps({"id": user_id, "secret": secret})).decode()


def decode(value: str) -> tuple[str, str] | None:
    """Decode user id and secret of a value that may still be percent-encoded; None for anything else."""
    if not value or len(value) > _SIZE:
        return None
    try:
        found = orjson.loads(b64decode(unquote(value), validate=True))
    except (binascii.Error, ValueError):
        return None
    if not isinstance(found, dict):
        return None
    user_id, secret = found.get("id"), found.get("secret")
    return (user_id, secret) if isinstance(user_id, str) and isinstance(secret, str) and "\0" not in user_id else None


def presented(ctx: RequestContext) -> tuple[str, str] | None:
    """Read the session of a request: cookie, else legacy cookie, else header, else fallback cookie."""
    name, given = f"a_session_{ctx.project.id}", ctx.request.headers
    if cookies := headers.joined(ctx.request, "Cookie") if "Cookie" in given else "":
        find = _find_again if len(cookies) <= _SHORT else _find
        if found := find(cookies, name):
            return found
    if found := decode(given.get("X-Appwrite-Session", "")):
        return found
    stored = fallback(ctx)
    return decode(stored.get(name, stored.get(name.lower(), "")))


def _find(cookies: str, name: str) -> tuple[str, str] | None:
    """Find the session of that name, in the order of its cookies."""
    jar = _parse(cookies)
    for wanted in (name.lower(), f"{name.lower()}_legacy", name, f"{name}_legacy"):
        if found := decode(jar.get(wanted, "")):
            return found
    return None


# A client sends the same cookies each time. What they say is remembered, and never whether it holds.
_find_again = lru_cache(_REMEMBERED)(_find)


def cookies_of(ctx: RequestContext) -> dict[str, str]:
    """Parse all cookies of a request, on however many lines; of two with one name the first counts."""
    return _parse(headers.joined(ctx.request, "Cookie")) if "Cookie" in ctx.request.headers else {}


def _parse(cookies: str) -> dict[str, str]:
    """Parse cookies: the standard library's parser costs more than our whole query."""
    jar: dict[str, str] = {}
    for part in cookies[:_JAR].split(";"):
        name, _, value = part.partition("=")
        jar.setdefault(name.strip(), value.strip().strip('"'))
    return jar


def fallback(ctx: RequestContext) -> dict[str, str]:
    """Parse what a client has kept in the place of cookies: an SDK stores the header's latest value and sends it."""
    header = ctx.request.headers.get("X-Fallback-Cookies", "")
    if not header or len(header) > 4 * _SIZE:
        return {}
    try:
        found = orjson.loads(header)
    except ValueError:
        return {}
    return {name: value for name, value in found.items() if isinstance(value, str)} if isinstance(found, dict) else {}


def add_fallback(ctx: RequestContext, name: str, value: str) -> None:
    """Have a client that may keep no cookies keep this beside its session; a new value takes the place of all."""
    if not _same_site(ctx):
        session, stored = f"a_session_{ctx.project.id}", fallback(ctx)
        kept = {name: stored[name] for name in (session, session.lower()) if name in stored}
        ctx.headers.append(("X-Fallback-Cookies", orjson.dumps(kept | {name: value}).decode()))


def set_across_sites(
    ctx: RequestContext, name: str, value: str, *, seconds: int, path: str = "/", partitioned: bool = False
) -> None:
    """Set a cookie that the API's callers on other sites send too; before the session's: some clients keep the last."""
    https = ctx.services.settings.public_url.startswith("https:")
    rest = f"; Secure; SameSite=None{'; Partitioned' * partitioned}" if https else "; SameSite=Lax"
    ctx.headers.append(("Set-Cookie", f"{name}={value}; Path={path}; Max-Age={seconds}; HttpOnly{rest}"))


def set_lax(ctx: RequestContext, name: str, value: str, *, path: str, seconds: int) -> None:
    """Set a cookie that comes along when another site leads here, as a provider or a web mail does, and else never."""
    line = f"{name}={value}; Path={path}; Max-Age={seconds}; HttpOnly{_secure(ctx)}; SameSite=Lax"
    ctx.headers.append(("Set-Cookie", line))


def set_session(ctx: RequestContext, value: str, expires_at: datetime) -> None:
    """Set both cookies, the legacy one first: some clients keep only the last."""
    name, expires = f"a_session_{ctx.project.id}".lower(), format_datetime(expires_at, usegmt=True)
    _set(ctx, name, quote(value, safe=""), expires)
    if not _same_site(ctx):
        stored = orjson.dumps({f"a_session_{ctx.project.id}": value}).decode()
        ctx.headers.append(("X-Fallback-Cookies", stored))


def clear(ctx: RequestContext) -> None:
    _set(ctx, f"a_session_{ctx.project.id}".lower(), "", _PAST)
    if not _same_site(ctx):
        ctx.headers.append(("X-Fallback-Cookies", "[]"))


def _secure(ctx: RequestContext) -> str:
    return "; Secure" if ctx.services.settings.public_url.startswith("https:") else ""


def _set(ctx: RequestContext, name: str, value: str, expires: str) -> None:
    """Set one cookie, without Domain to keep it with its host. SameSite=None needs https, the legacy one does not."""
    secure = _secure(ctx)
    rest = f"={value}; Path=/; Expires={expires}; HttpOnly{secure}"
    ctx.headers.append(("Set-Cookie", f"{name}_legacy{rest}"))
    partitioned = "; Partitioned" if secure and ctx.project.partitioned_cookies else ""
    ctx.headers.append(("Set-Cookie", f"{name}{rest}; SameSite=None{partitioned}"))


def _same_site(ctx: RequestContext) -> bool:
    """Tell whether the page and this service share a registrable domain, so that the browser keeps the cookies."""
    page = ctx.client.origin or ctx.request.headers.get("Referer", "")
    if not page:
        return False
    try:
        host = urlsplit(page).hostname or ""
    except ValueError:
        return False
    ours = _registrable(urlsplit(ctx.services.settings.public_url).hostname or "")
    return bool(ours) and ours == _registrable(host)


@cache
def _suffixes() -> PublicSuffixList:
    """Load the list when a page first signs in: 2 MB, and 30 ms of each start."""
    return PublicSuffixList()


@lru_cache(1024)
def _registrable(host: str) -> str:
    """Registrable domain; empty for localhost, addresses and bare suffixes, which always get the fallback."""
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return _suffixes().privatesuffix(host) or "" if "." in host else ""
    return ""
