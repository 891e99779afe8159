"""Redirect policy: the addresses that may be mailed (docs/security.md S25 to S27).

An address is refused, never repaired: the mail's link is built from what passes, so this module and every
browser have to read the same host in it. That is why it knows a narrow form of RFC 3986 and nothing else.
"""

import re
from collections.abc import Collection

MAX_LENGTH = 2048
_WEB, _LAST_PORT = frozenset({"http", "https"}), 65535

_LOOPBACK = ("localhost", "*.localhost", "127.0.0.1", "[::1]")
# An escape hides neither a control character (%00 to %1F, %7F) nor half a pair of digits.
_ESCAPE = r"%(?!7[Ff])[2-9A-Fa-f][0-9A-Fa-f]"
_PATH = rf"(?:[A-Za-z0-9\-._~!$&'()*+,;=:@/]|{_ESCAPE})*"
_QUERY = rf"(?:[A-Za-z0-9\-._~!$&'()*+,;=:@/?\[\]]|{_ESCAPE})*"
# Each character fits one place only, so a hostile address costs one walk over at most MAX_LENGTH characters. Possessive
# repeats would say so, but Debian 12's Python 3.11.2 gets them wrong and lets "%" and "a-." through.
_URL = re.compile(
    r"(?P<scheme>[A-Za-z][A-Za-z0-9+.\-]*)://"
    r"(?P<host>[A-Za-z0-9._\-]+|\[[0-9A-Fa-f:.]+\])"
    r"(?::(?P<port>[1-9][0-9]{0,4}))?"
    rf"(?:/{_PATH})?(?:\?{_QUERY})?(?:#{_QUERY})?"
)
# An app's own address, without anything behind its path.
_APP_URL = re.compile(
    rf"(?P<scheme>[A-Za-z][A-Za-z0-9+._\-]*)://[A-Za-z0-9._\-]*(?::(?P<port>[1-9][0-9]{{0,4}}))?(?:/{_PATH})?"
)
# The labels a wildcard may stand for. Punycode is left out: a name in another script has to be listed itself.
_LABELS = re.compile(r"(?:(?!xn--)(?=[^.]{1,63}\.)[a-z0-9]+(?:-+[a-z0-9]+)*\.)+")


def is_page(url: str) -> bool:
    """Tell if an operator's own address has the form that may be mailed: http or https, whatever the host."""
    parts = _URL.fullmatch(url) if len(url) <= MAX_LENGTH else None
    return parts is not None and parts["scheme"].lower() in _WEB and int(parts["port"] or 1) <= _LAST_PORT


def is_open(url: str) -> bool:
    """Tell if eavesdroppers can read what is sent to that page: plain http, and not to this machine."""
    parts = _URL.fullmatch(url)
    return parts is not None and parts["scheme"].lower() == "http" and not host_allowed(parts["host"], _LOOPBACK)


def check(url: str, hostnames: Collection[str], *, plain_http: bool = False) -> str:
    """Return url itself if it may be mailed; a ValueError tells in words for the client why it may not.

    hostnames holds exact names or `*.suffix`, IPv6 in brackets. Plain http passes for loopback hosts only,
    unless plain_http allows it for all of them.
    """
    if len(url) > MAX_LENGTH:
        raise ValueError(f"URL must not be longer than {MAX_LENGTH} characters")
    parts = _URL.fullmatch(url)
    if parts is None:
        raise ValueError("URL must be absolute, in plain ASCII, without user name and with special characters encoded")
    scheme, host = parts["scheme"].lower(), parts["host"].lower()
    if scheme not in _WEB:
        raise ValueError("URL scheme must be https")
    if parts["port"] is not None and int(parts["port"]) > _LAST_PORT:
        raise ValueError("URL port must be between 1 and 65535")
    if not host_allowed(host, hostnames):
        raise ValueError(f"URL host must be one of: {', '.join(sorted(hostnames))}")
    if scheme == "http" and not plain_http and not host_allowed(host, _LOOPBACK):
        raise ValueError("URL scheme must be https")
    return url


def is_app(url: str, schemes: Collection[str]) -> bool:
    """Tell if an address leads to an app by one of these schemes, which are no web page's."""
    parts = _APP_URL.fullmatch(url) if len(url) <= MAX_LENGTH else None
    if parts is None or int(parts["port"] or 1) > _LAST_PORT:
        return False
    return parts["scheme"].lower() in {scheme.lower() for scheme in schemes} - _WEB


def host_allowed(host: str, hostnames: Collection[str]) -> bool:
    """Tell if host, as it stands in an address but without port, is in hostnames (exact, or `*.suffix`).

    `localhost` stands for the loopback addresses and `*.localhost` (RFC 6761) too: each leads to the machine on which
    the browser runs.
    """
    host = host.lower()
    names = {name.lower() for name in hostnames}
    return any(_covers(name, host) for name in (*names, *(_LOOPBACK if "localhost" in names else ())))


def _covers(name: str, host: str) -> bool:
    if not name.startswith("*."):
        return name == host and host != ""
    suffix = name[2:]
    if not suffix or len(host) > 253 or not host.endswith(f".{suffix}"):
        return False
    return _LABELS.fullmatch(host[: -len(suffix)]) is not None
