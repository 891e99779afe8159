"""Header fields that may stand on several lines of a request, and those that may not (RFC 9110, 5.3).

Some clients send a line for each cookie, and proxies from HTTP/2 split that header too; each proxy may add a line of
its own to a list. Of what is no list two readers could each believe another line.
"""

from collections.abc import Mapping
from types import MappingProxyType

from aiohttp import web

from service.errors import ArgumentInvalid

# Every list that is read here, with what joins its lines into one.
LISTS: Mapping[str, str] = MappingProxyType(
    {
        "Accept": ", ",
        "Accept-Language": ", ",
        "Content-Encoding": ", ",
        "Cookie": "; ",
        "Forwarded": ", ",
        "Transfer-Encoding": ", ",
        "X-Forwarded-For": ", ",
    }
)
# All others that are read here: one line, or lines that say the same.
SINGLE = (
    "Host",
    "Content-Length",
    "Content-Type",
    "User-Agent",
    "Origin",
    "Referer",
    "Sec-Fetch-Site",
    "X-Accounts-Doctor",
    "X-Appwrite-JWT",
    "X-Appwrite-Key",
    "X-Appwrite-Locale",
    "X-Appwrite-Project",
    "X-Appwrite-Response-Format",
    "X-Appwrite-Session",
    "X-Fallback-Cookies",
    "X-Forwarded-User-Agent",
    "X-Invitation",
)
# Parameters of an address that are read; `queries` and `scopes` are lists in every spelling, `queries[]` and
# `queries[0]` too.
PARAMETERS = frozenset(
    {
        "after",
        "code",
        "cursor",
        "cursorDirection",
        "error",
        "error_description",
        "expire",
        "failure",
        "format",
        "iss",
        "limit",
        "locale",
        "offset",
        "orderType",
        "project",
        "search",
        "secret",
        "state",
        "success",
        "total",
        "user",
        "userId",
    }
)


def joined(request: web.BaseRequest, name: str) -> str:
    """Join all lines of a list into one; "" without any."""
    lines = request.headers.getall(name, ())
    return lines[0] if len(lines) == 1 else LISTS[name].join(lines)


def check_repeated(request: web.BaseRequest) -> None:
    """Refuse lines and parameters of one name that differ. Raises ArgumentInvalid."""
    headers = request.headers
    if len({*map(str.lower, headers)}) < len(headers):
        for name in SINGLE:
            if len({*headers.getall(name, ())}) > 1:
                raise ArgumentInvalid(f"The request must not contain the header {name} twice.")
    if "&" not in request.rel_url.raw_query_string:
        return
    given = request.query
    if len({*given}) < len(given):
        for name in sorted(PARAMETERS & {*given}):
            if len({*given.getall(name)}) > 1:
                raise ArgumentInvalid(f"The address must not contain the parameter {name} twice.")
