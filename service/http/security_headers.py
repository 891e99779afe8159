"""Security headers of every response, made by a handler, a guard, or the HTTP parser (docs/security.md S65)."""

from base64 import b64encode
from collections.abc import Mapping
from functools import lru_cache
from hashlib import sha256

from aiohttp import web

_HEADERS = {
    "X-Content-Type-Options": "nosniff",
    "Cache-Control": "no-store",
    "Content-Security-Policy": "default-src 'none'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
    "Referrer-Policy": "no-referrer",
    "Vary": "Origin",
}
_YEAR = "max-age=31536000"


class Response(web.Response):
    """Response without the library's header that gives its version and Python's.

    A signal of the application would do, but costs each request three coroutines.
    """

    async def _prepare_headers(self) -> None:
        await super()._prepare_headers()
        self.headers.pop("Server", None)


@lru_cache(8)
def headers(public_url: str) -> Mapping[str, str]:
    """Make the headers; an HTML page has policies of its own, and HSTS is sent where https is served."""
    return _HEADERS | ({"Strict-Transport-Security": _YEAR} if public_url.startswith("https:") else {})


def inline_source(text: str) -> str:
    """Return the source by which a policy allows a style or a script inside a page (CSP 3, 2.3.1)."""
    return f"'sha256-{b64encode(sha256(text.encode()).digest()).decode()}'"
