"""Addresses of providers: https, or http to this machine where a project allows it."""

import ipaddress
from urllib.parse import urlsplit

_LONGEST = 2048


def fault(url: str, *, plain_http: bool) -> str:
    """Describe why nothing is sent to an address; "" if it may be used."""
    try:
        parts = urlsplit(url)
        host, _ = parts.hostname or "", parts.port
        # Empty or long labels: a resolver would fail at them.
        host.encode("idna")
    except ValueError:
        return "it can't be read"
    if not host or len(url) > _LONGEST or not url.isascii() or not url.isprintable() or " " in url:
        return "it can't be read"
    if "@" in parts.netloc or "#" in url:
        return "it has a user or a fragment"
    if parts.scheme == "https" or (parts.scheme == "http" and plain_http and _is_loopback(host)):
        return ""
    return "it is not https"


def _is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
