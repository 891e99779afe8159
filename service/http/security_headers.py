"""What every answer tells a browser, whoever makes it: a handler, a guard, or the HTTP parser (reliability.md S65)."""

from collections.abc import Mapping
from functools import lru_cache

_HEADERS = {
    "X-Content-Type-Options": "nosniff",
    "Cache-Control": "no-store",
    "Content-Security-Policy": "default-src 'none'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
    "Referrer-Policy": "no-referrer",
    "Vary": "Origin",
}
_YEAR = "max-age=31536000"


@lru_cache(8)
def headers(public_url: str) -> Mapping[str, str]:
    """A page of ours states its own policies instead; encryption is demanded where it is served."""
    return _HEADERS | ({"Strict-Transport-Security": _YEAR} if public_url.startswith("https:") else {})
