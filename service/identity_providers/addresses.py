"""Addresses of providers: https, or http to this machine where a project allows it."""

import ipaddress

from service import outbound_urls


def fault(url: str, *, plain_http: bool) -> str:
    """Describe why nothing is sent to an address; "" if it may be used."""
    return outbound_urls.fault(url, plain_http_to=lambda host: plain_http and _is_loopback(host))


def _is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
