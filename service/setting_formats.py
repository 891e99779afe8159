"""Formats of single settings: keys, networks, origins, names for EHLO, webhooks."""

import ipaddress
import re
from urllib.parse import urlsplit

from service import email_addresses
from service.outbound_addresses import Network

_KID = re.compile(r"[A-Za-z0-9_-]{1,16}")
_KEY = re.compile(r"[0-9a-fA-F]{64,128}")
# The value that the documentation shows: a service that runs with it has no secret at all.
_SAMPLES = ("0123456789abcdef", "deadbeef", "changeme")
_ORIGIN = re.compile(
    r"(?P<scheme>https?)://(?P<host>\[[^\]]*\]|[^/?#@:\\\s\[\]]+)(?::(?P<port>[1-9][0-9]{0,4}))?/*", re.IGNORECASE
)
_NAME = re.compile(r"[a-z0-9._-]{1,253}")
_LABEL = r"[A-Za-z0-9](?:[A-Za-z0-9-]{0,61}[A-Za-z0-9])?"
_DOMAIN = re.compile(rf"(?=.{{1,253}}\Z){_LABEL}(?:\.{_LABEL})*")
_LITERAL = re.compile(r"\[(IPv6:)?([0-9A-Fa-f.:]+)\]")
_LOOPBACK = re.compile(r"localhost|127\.[0-9.]+|::1")


def parse_keys(text: str) -> dict[str, str]:
    """Parse `kid:hex,kid:hex`, in its order. Raises ValueError, which tells no key."""
    ring: dict[str, str] = {}
    for part in text.split(","):
        kid, _, key = part.strip().partition(":")
        if not _KID.fullmatch(kid) or not _KEY.fullmatch(key):
            raise ValueError("each key is kid:hex, the hex 64 to 128 characters long")
        if len(set(key.lower())) < 8 or any(sample in key.lower() for sample in _SAMPLES):
            raise ValueError(f"key {kid!r} is not random; make one with `openssl rand -hex 32`")
        if kid in ring:
            raise ValueError(f"key {kid!r} stands twice")
        ring[kid] = key
    return ring


def parse_networks(text: str) -> tuple[Network, ...]:
    """Parse `network,network`, each as 10.1.0.0/16 or one address. Raises ValueError."""
    try:
        return tuple(ipaddress.ip_network(part.strip()) for part in text.split(",") if part.strip())
    except ValueError:
        raise ValueError("networks such as 10.1.0.0/16 or fd00::/8, with a comma between two") from None


def normalize_origin(text: str) -> str:
    """Normalize an origin to small letters and A-labels. Raises ValueError."""
    parts = _ORIGIN.fullmatch(text)
    host = _host(parts["host"]) if parts else None
    if parts is None or host is None or not 1 <= int(parts["port"] or 1) <= 65535:
        raise ValueError("an origin such as https://accounts.example.com, without path, query or user")
    return f"{parts['scheme'].lower()}://{host}" + (f":{parts['port']}" if parts["port"] else "")


def _host(text: str) -> str | None:
    """Return a host as browsers write it; None for anything else."""
    if text.startswith("["):
        try:
            return f"[{ipaddress.IPv6Address(text[1:-1]).compressed}]"
        except ValueError:
            return None
    # Names that only a container network has may hold an underscore.
    return text.lower() if _NAME.fullmatch(text.lower()) else email_addresses.to_ascii(text)


def is_helo(name: str) -> bool:
    """Tell whether a name may follow EHLO: a domain or an address literal (RFC 5321 4.1.1.1)."""
    literal = _LITERAL.fullmatch(name)
    if literal is None:
        return _DOMAIN.fullmatch(name) is not None
    try:
        return ipaddress.ip_address(literal[2]).version == (6 if literal[1] else 4)
    except ValueError:
        return False


def is_webhook(url: str) -> bool:
    """Tell whether SMS may be posted there: over TLS, or to this machine."""
    try:
        parts = urlsplit(url)
        host, port = parts.hostname or "", parts.port
    except ValueError:
        return False
    if not host or port == 0 or "@" in parts.netloc or "#" in url or not (url.isascii() and url.isprintable()):
        return False
    return parts.scheme == "https" or (parts.scheme == "http" and _LOOPBACK.fullmatch(host) is not None)


def helo_of(origin: str) -> str:
    """Return the name that the host of an origin has in EHLO (RFC 5321 4.1.4)."""
    host = (urlsplit(origin).hostname or "").rstrip(".")
    try:
        address = ipaddress.ip_address(host)
    except ValueError:
        return email_addresses.to_ascii(host) or "localhost"
    return f"[IPv6:{address}]" if address.version == 6 else f"[{address}]"
