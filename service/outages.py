"""Outages of a peer, logged when one begins, once a minute while it lasts, and when it ends."""

import errno
import logging
import socket
import ssl
import time
from typing import TYPE_CHECKING

from service import sentinel_url
from service.endpoints import address

if TYPE_CHECKING:
    from service.settings import Settings

log = logging.getLogger(__name__)
# Seconds between two lines of one outage; how long it must be over before that is told; texts that are told of one.
_REPEAT, _STEADY, _MOST = 60.0, 2.0, 10
_MEANINGS = {
    errno.ECONNREFUSED: "refuses connections: is it running, and is that its address?",
    errno.EHOSTUNREACH: "can't be reached: there is no way to its host",
    errno.ENETUNREACH: "can't be reached: there is no way to its network",
    errno.ENOENT: "has no socket there: is it running?",
    errno.EACCES: "has a socket that this user may not open",
    errno.EPERM: "can't be reached: a firewall of this machine forbids it",
    errno.ECONNRESET: "breaks connections off",
    errno.EPIPE: "breaks connections off",
}


class ServerUnavailable(OSError):
    """A peer that an operator's command needs is away; the message has its address, the fault and the reason."""


class Outage:
    """State of one dependency as its calls show it; logs the events `name`.unavailable and `name`.available."""

    def __init__(self, server: str, name: str, *, fell: str, back: str, meanwhile: str = "") -> None:
        """`fell` and `back` are the messages of the two events."""
        self.ongoing = False
        self.server, self._name, self._fell, self._back = server, name, fell, back
        self._facts = {"server": server} | ({"meanwhile": meanwhile} if meanwhile else {})
        self._since = self._failed_at = self._logged_at = 0.0
        self._failures = 0
        self._logged: set[str] = set()

    def record_failure(self, fault: str) -> None:
        """Record a failed call; text in brackets makes no other fault of it."""
        now, kind = time.monotonic(), fault.partition(" (")[0]
        if not self.ongoing:
            self.ongoing, self._since, self._failures = True, now, 0
            self._logged.clear()
        self._failed_at = now
        self._failures += 1
        if now - self._logged_at >= _REPEAT or (kind not in self._logged and len(self._logged) < _MOST):
            self._logged.add(kind)
            self._logged_at = now
            event = {"event": f"{self._name}.unavailable"}
            log.warning(self._fell, extra=event | self._facts | {"fault": fault, "failures": self._failures})

    def record_success(self, *, sure: bool = False) -> None:
        """Record a call that worked. A lucky one between two that fail ends no outage, unless the caller is `sure`."""
        if not self.ongoing:
            return
        now = time.monotonic()
        if sure or now - self._failed_at >= _STEADY:
            self.ongoing, self._logged_at = False, 0.0
            log.warning(
                self._back,
                extra={
                    "event": f"{self._name}.available",
                    "server": self.server,
                    "seconds": round(now - self._since, 1),
                    "failures": self._failures,
                },
            )


class Peers:
    """Outages of Postgres and Redis, shared by everything in a process that calls them."""

    def __init__(self, database_url: str, redis_url: str) -> None:
        self.postgres, self.redis = of_postgres(database_url), of_redis(redis_url)


def peers_of(settings: "Settings") -> Peers:
    return Peers(settings.database_url.get_secret_value(), settings.redis_url.get_secret_value())


def of_postgres(url: str) -> Outage:
    return Outage(address(url, 5432), "postgres", fell="Postgres is not available", back="Postgres is available again")


def of_redis(url: str) -> Outage:
    return Outage(
        redis_address(url),
        "redis",
        fell="Redis is not available",
        back="Redis is available again",
        meanwhile="rate limits are counted in Postgres, and workers poll Postgres for mails",
    )


def redis_address(url: str) -> str:
    """Return host:port of Redis, or of its sentinels."""
    return address(url, sentinel_url.PORT if sentinel_url.is_sentinel(url) else 6379)


def describe_network_error(error: BaseException, setting: str) -> str:
    """Explain a network error to the peer of a setting; empty for any other, which explains itself best."""
    for each in (error.__cause__, error.__context__, error):
        match each:
            case socket.gaierror():
                return f"has a host name that can't be resolved: mend {setting}"
            case ssl.SSLCertVerificationError():
                return f"shows a certificate that is not trusted ({each.verify_message})"
            case ssl.SSLError():
                return f"does not speak TLS as we do ({getattr(each, 'reason', None) or 'it broke off'})"
            case TimeoutError():
                return "gives no answer in time: is it overloaded, or a firewall in between?"
            case OSError() if each.errno in _MEANINGS:
                return _MEANINGS[each.errno]
    return ""
