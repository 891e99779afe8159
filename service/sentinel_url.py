"""REDIS_URL of servers that Redis Sentinel watches: the sentinels, and the name under which they know the primary."""

import re
from dataclasses import dataclass
from urllib.parse import parse_qsl, unquote, urlsplit

from service import endpoints

SCHEME = "redis+sentinel"
PORT = 26379
_PATH = re.compile(r"/(?P<service>[A-Za-z0-9._-]+)(?:/(?P<database>[0-9]{1,5}))?/?")
_OPTIONS = ("sentinel_user", "sentinel_password")


@dataclass(frozen=True, slots=True)
class SentinelUrl:
    """Parts of an address; `login` is for Redis, `sentinel_login` for the sentinels, each user and password."""

    sentinels: tuple[tuple[str, int], ...]
    service: str
    database: int
    login: tuple[str | None, str | None]
    sentinel_login: tuple[str | None, str | None]


def is_sentinel(url: str) -> bool:
    return url.partition("://")[0].lower() == SCHEME


def parse(url: str) -> SentinelUrl:
    """Parse an address whose hosts are readable. Raises ValueError, whose message holds no part of it."""
    path = _PATH.fullmatch(endpoints.path(url))
    hosts = endpoints.hosts(url)
    if path is None or not hosts or not all(hosts):
        raise ValueError(f"of the form {SCHEME}://user:password@host:{PORT},host:{PORT}/service/0")
    options = dict(parse_qsl(urlsplit(url).query, keep_blank_values=True))
    if not options.keys() <= {*_OPTIONS}:
        raise ValueError(f"its options are {' and '.join(_OPTIONS)}")
    user, _, password = url.partition("://")[2].partition("/")[0].rpartition("@")[0].partition(":")
    return SentinelUrl(
        tuple(_host_and_port(host) for host in hosts),
        path["service"],
        int(path["database"] or 0),
        (unquote(user) or None, unquote(password) or None),
        (options.get(_OPTIONS[0]) or None, options.get(_OPTIONS[1]) or None),
    )


def _host_and_port(host: str) -> tuple[str, int]:
    parts = urlsplit(f"//{host}")
    return parts.hostname or "", parts.port or PORT
