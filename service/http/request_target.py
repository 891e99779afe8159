"""Method, target and Host of a request (docs/security.md S28, S83)."""

import re
from functools import lru_cache
from urllib.parse import urlsplit

from aiohttp import HttpVersion10, HttpVersion11, web

from service.errors import ArgumentInvalid, MethodNotAllowed
from service.http.headers import check_repeated, joined

METHODS = ("DELETE", "GET", "HEAD", "OPTIONS", "PATCH", "POST", "PUT")
SIZE = 8000
# Characters of a Host that is not remembered.
_LONG = 255
_HOST = re.compile(r"(?P<name>[A-Za-z0-9._-]{1,253}|\[[0-9A-Fa-f:.]{2,45}\])(?::[0-9]{1,5})?")


def check(request: web.Request, *, hosts: str, public_url: str) -> None:
    """Refuse targets that no client sends: the parser takes them, and a proxy might understand them differently."""
    if request.method not in METHODS:
        raise MethodNotAllowed
    target, headers = request.raw_path, request.headers
    if request.version not in (HttpVersion11, HttpVersion10):
        raise ArgumentInvalid("The request's version must be HTTP/1.1.")
    if not target.startswith("/") or "#" in target:
        raise ArgumentInvalid("The request's target must be a path.")
    if len(target) > SIZE:
        raise ArgumentInvalid(f"The address must not be longer than {SIZE} characters.")
    if "Transfer-Encoding" in headers and not _is_chunked(request):
        raise ArgumentInvalid("The only transfer encoding is chunked.")
    check_repeated(request)
    given = headers.get("Host", "localhost")  # only clients older than HTTP/1.1 may leave it out
    (_check_host if len(given) > _LONG else _check_host_again)(given, hosts=hosts, public_url=public_url)


def canonical(path: str) -> str:
    """Remove surplus slashes of a client's endpoint from a path: `//v1/account`, `/v1//account`.

    Further on an empty step is an empty id, which must not become the path above it: one session is not all of them.
    """
    path = "/" + path.lstrip("/")
    return "/v1/" + path[4:].lstrip("/") if path.startswith("/v1/") else path


def ends_connection(request: web.BaseRequest) -> bool:
    """Tell whether no bytes behind this request may be read as another one.

    The parser drops what a client has written behind an upgrade that it does not know; and where the end of a body
    is in doubt, so is the beginning of what follows.
    """
    headers = request.headers
    if "Upgrade" in headers or request.method == "CONNECT":
        return True
    return "Transfer-Encoding" in headers and not _is_chunked(request)


def _is_chunked(request: web.BaseRequest) -> bool:
    """Accept chunked alone, once, and not with HTTP/1.0."""
    return joined(request, "Transfer-Encoding").lower() == "chunked" and request.version != HttpVersion10


def _check_host(given: str, *, hosts: str, public_url: str) -> None:
    """Check Host. Links are never made from it."""
    match = _HOST.fullmatch(given)
    if match is None:
        raise ArgumentInvalid("The Host header is malformed.")
    if hosts and match["name"].lower() not in _names(hosts, public_url):
        raise ArgumentInvalid("The Host header names another service.")


# Clients name the same few hosts each time. A refusal is not remembered.
_check_host_again = lru_cache(256)(_check_host)


@lru_cache(16)
def _names(hosts: str, public_url: str) -> frozenset[str]:
    """Split the allowed hosts; PUBLIC_URL's own is always one of them, IPv6 in brackets."""
    own = urlsplit(public_url).hostname or ""
    listed = {host.strip().lower() for host in hosts.split(",")}
    return frozenset({f"[{own}]" if ":" in own else own, *listed})
