"""Hosts and ports of a URL for logs and operators, without its user and password."""

import re
from typing import NamedTuple

_HOST = re.compile(r"(?:[A-Za-z0-9._-]+|\[[0-9A-Fa-f:.]+(?:%[A-Za-z0-9._-]+)?\])(?::([0-9]{1,5}))?")
_HIGHEST = 65535


class _Parts(NamedTuple):
    scheme: str
    user: str
    hosts: list[str]
    path: str


def address(url: str, port: int) -> str:
    """Return host:port of every host of a URL, `port` where it names none, or the path of its socket."""
    parts = _parts(url)
    if not is_readable(url):
        return "an address that can't be read"
    if parts.scheme == "unix":
        return parts.path
    if not parts.hosts:
        return "its local socket"
    return ",".join(host if _port(host) is not None else f"{host}:{port}" for host in parts.hosts)


def path(url: str) -> str:
    """Return the path of a URL with its slash; "" without one."""
    return _parts(url).path


def hosts(url: str) -> list[str]:
    """Return the hosts of a URL as they are written, each with its port if it names one."""
    return _parts(url).hosts


def take_option(url: str, name: str) -> tuple[str, str | None]:
    """Return a URL without that option of its query, and the option's value; None if it has none."""
    rest, _, query = url.partition("?")
    options = [option.partition("=") for option in query.split("&") if option]
    value = next((value for key, _, value in options if key == name), None)
    kept = "&".join("".join(option) for option in options if option[0] != name)
    return f"{rest}?{kept}" if kept else rest, value


def is_readable(url: str) -> bool:
    """Tell whether hosts and ports are well-formed: a password that is not percent-encoded breaks them."""
    parts = _parts(url)
    fine = all(_HOST.fullmatch(host) and 0 < (_port(host) or 1) <= _HIGHEST for host in parts.hosts)
    return fine and "@" not in parts.user + parts.path


def _parts(url: str) -> _Parts:
    """Split a URL that may list several hosts; the query is left out."""
    scheme, _, rest = url.partition("://")
    end = next((place for place, letter in enumerate(rest) if letter in "/?#"), len(rest))
    user, _, hosts = rest[:end].rpartition("@")
    return _Parts(scheme.lower(), user, hosts.split(",") if hosts else [], rest[end:].partition("?")[0])


def _port(host: str) -> int | None:
    found = _HOST.fullmatch(host)
    return int(found[1]) if found and found[1] else None
