"""URLs that this service sends requests to, as it reads them before anything is sent."""

from collections.abc import Callable
from urllib.parse import urlsplit

NOT_HTTPS = "it is not https"
_LONGEST = 2048


def fault(url: str, *, plain_http_to: Callable[[str], bool]) -> str:
    """Describe why nothing is sent to a URL; "" if it may be used, over plain http to such a host only."""
    try:
        parts = urlsplit(url)
        host, port = parts.hostname or "", parts.port
        # Empty or long labels: a resolver would fail at them.
        host.encode("idna")
    except ValueError:
        return "it can't be read"
    if not host or port == 0 or len(url) > _LONGEST or not url.isascii() or not url.isprintable() or " " in url:
        return "it can't be read"
    if "@" in parts.netloc or "#" in url:
        return "it has a user or a fragment"
    return "" if parts.scheme == "https" or (parts.scheme == "http" and plain_http_to(host)) else NOT_HTTPS
