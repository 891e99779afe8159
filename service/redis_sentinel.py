"""Connections to the primary that Redis Sentinel names, which follow it when another server takes over."""

import asyncio
from typing import Any

from redis.asyncio.sentinel import MasterNotFoundError, Sentinel, SentinelConnectionPool
from redis.exceptions import ConnectionError as RedisConnectionError
from redis.exceptions import TimeoutError as RedisTimeoutError

from service import sentinel_url

# Seconds for one sentinel, and for a connection to it: one that hangs must not cost what the next could answer.
_PATIENCE = 0.3


class Sentinels(Sentinel):
    """Sentinels in the order in which they are asked: one that gave no answer comes last.

    redis-py's wait is in vain where a caller has less patience than one sentinel may take: the next call would wait for
    the same one. And it changes places in its list by numbers, so that calls at the same time lose sentinels.
    """

    async def discover_master(self, service_name: str) -> tuple[str, int]:
        """Return host and port of the primary. Raises MasterNotFoundError if no sentinel knows it."""
        for sentinel in [*self.sentinels]:
            try:
                found = await sentinel.sentinel_masters()  # type: ignore[no-untyped-call]  # the library's gap
            except (RedisConnectionError, RedisTimeoutError):
                found = {}
            except asyncio.CancelledError:
                self._ask_last(sentinel)
                raise
            state = found.get(service_name)
            if state and self.check_master_state(state, service_name):
                return state["ip"], state["port"]
            self._ask_last(sentinel)
        raise MasterNotFoundError(f"No master found for {service_name!r}")

    def _ask_last(self, sentinel: Any) -> None:
        self.sentinels.remove(sentinel)
        self.sentinels.append(sentinel)


class SentinelPool(SentinelConnectionPool):
    """Pool that asks the sentinels for each new connection; redis-py's leaves its connections to them open."""

    async def disconnect(self, inuse_connections: bool = True) -> None:
        """Close all connections; those to the sentinels too, unless only idle ones are to follow the primary."""
        await super().disconnect(inuse_connections)
        if inuse_connections:
            for sentinel in self.sentinel_manager.sentinels:
                await sentinel.aclose(close_connection_pool=True)


def pool(url: str, **options: Any) -> SentinelPool:
    """Make a pool for a REDIS_URL of sentinels; `options` are those of connections to Redis."""
    found = sentinel_url.parse(url)
    user, password = found.sentinel_login
    patience = {"socket_timeout": _PATIENCE, "socket_connect_timeout": _PATIENCE}
    known = {"username": user, "password": password} | patience
    sentinels = Sentinels(found.sentinels, sentinel_kwargs=known)  # type: ignore[no-untyped-call]  # the library's gap
    user, password = found.login
    own = {"db": found.database, "username": user, "password": password}
    return SentinelPool(found.service, sentinels, **own, **options)  # type: ignore[no-untyped-call]  # as above
