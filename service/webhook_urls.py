"""URLs of webhooks, checked when they are set. What their names resolve to is checked when it is dialled."""

from collections.abc import Sequence
from ipaddress import ip_address
from urllib.parse import urlsplit

from service.outbound_addresses import Network, is_public, is_within

_LONGEST = 2048


def fault(url: str, networks: Sequence[Network]) -> str:
    """Describe why no webhook may have this URL; "" if it may."""
    try:
        parts = urlsplit(url)
        host, port = parts.hostname or "", parts.port
        host.encode("idna")
    except ValueError:
        return "it can't be read"
    if not host or port == 0 or len(url) > _LONGEST or not url.isascii() or not url.isprintable() or " " in url:
        return "it can't be read"
    if "@" in parts.netloc or "#" in url:
        return "it has a user or a fragment"
    if parts.scheme != "https" and not (parts.scheme == "http" and networks):
        return "it is not https; http is for the addresses of WEBHOOK_NETWORKS"
    try:
        address = ip_address(host)
    except ValueError:
        return ""
    return "" if is_public(address) or is_within(address, networks) else "its address is not public"
