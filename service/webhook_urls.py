"""URLs of webhooks, checked when they are set. What their names resolve to is checked when it is dialled."""

from collections.abc import Sequence
from ipaddress import ip_address
from urllib.parse import urlsplit

from service import outbound_urls
from service.outbound_addresses import Network, is_public, is_within
from service.outbound_urls import NOT_HTTPS


def fault(url: str, networks: Sequence[Network]) -> str:
    """Describe why no webhook may have this URL; "" if it may."""
    if found := outbound_urls.fault(url, plain_http_to=lambda _host: bool(networks)):
        return f"{found}; http is for the addresses of WEBHOOK_NETWORKS" if found == NOT_HTTPS else found
    try:
        address = ip_address(urlsplit(url).hostname or "")
    except ValueError:
        return ""
    return "" if is_public(address) or is_within(address, networks) else "its address is not public"
