"""Connections to the primary that Redis Sentinel names, which follow it when another server takes over."""

from typing import Any

from redis.asyncio.sentinel import Sentinel, SentinelConnectionPool

from service import sentinel_url

# Seconds for one sentinel, and for a connection to it: one that hangs must not cost what the next could answer.
_PATIENCE = 0.3


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
    sentinels = Sentinel(found.sentinels, sentinel_kwargs=known)  # type: ignore[no-untyped-call]  # the library's gap
    user, password = found.login
    own = {"db": found.database, "username": user, "password": password}
    return SentinelPool(found.service, sentinels, **own, **options)  # type: ignore[no-untyped-call]  # as above
