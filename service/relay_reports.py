"""What each worker tells the others' operators through Redis: how it finds its relays, for half a minute at a time.

Only names, addresses of relays and states stand in it. Without Redis nobody is told, and nothing else depends on it.
"""

import asyncio
import re
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from typing import Any, Protocol

import orjson

KEY = "accounts:relays"
_NAME = re.compile(r"[A-Za-z0-9_.-]{1,200}")
_SERVER = re.compile(r"[!-~]{1,300}")
_STATES = ("closed", "open", "half_open")
# Seconds between two reports, for which one is believed by Redis's clock, and for which Redis is waited for.
_ROUND, LIFE, _PATIENCE = 10.0, 30, 2.0


class Relay(Protocol):
    """A worker's relays; the service imports nothing of the worker."""

    def states(self) -> Mapping[str, str]: ...


@dataclass(frozen=True, slots=True)
class RelayReporter:
    """Of one worker, under its name."""

    redis: Any  # the library types its answers for both of its worlds at once
    worker: str
    relay: Relay

    async def run(self) -> None:
        """Until cancelled."""
        while True:
            await self.publish()
            await asyncio.sleep(_ROUND)

    async def publish(self) -> None:
        """Never raises: that Redis is away is told by who needs it."""
        with suppress(Exception):
            async with asyncio.timeout(_PATIENCE):
                at, _ = await self.redis.time()
                await self.redis.hset(KEY, self.worker, orjson.dumps({"at": at, "relays": self.relay.states()}))
                await self.redis.expire(KEY, LIFE)

    async def stop(self) -> None:
        """Nobody is to count on a worker that is no more."""
        with suppress(Exception):
            async with asyncio.timeout(_PATIENCE):
                await self.redis.hdel(KEY, self.worker)


async def read(redis: Any) -> dict[str, dict[str, str]]:
    """The state of each relay by worker, of those that told lately. Raises RedisError."""
    now, _ = await redis.time()
    told = {name.decode(errors="replace"): _read(raw, now) for name, raw in (await redis.hgetall(KEY)).items()}
    return {worker: states for worker, states in sorted(told.items()) if states and _NAME.fullmatch(worker)}


def _read(raw: bytes, now: int) -> dict[str, str]:
    """Nothing for what is too old, or no report at all."""
    try:
        found: Any = orjson.loads(raw)
    except ValueError:
        return {}
    match found:
        case {"at": int(at), "relays": dict(relays)} if now - at <= LIFE:
            return {server: state for server, state in relays.items() if state in _STATES and _SERVER.fullmatch(server)}
    return {}
