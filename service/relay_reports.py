"""Reports in Redis of each worker on the state of its relays, valid for half a minute.

They hold only names, addresses of relays and states. Without Redis there are none, and nothing else depends on them.
"""

import asyncio
import re
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

import orjson

from service.outages import Outage

KEY = "accounts:relays"
_NAME = re.compile(r"[A-Za-z0-9_.-]{1,200}")
_SERVER = re.compile(r"[!-~]{1,300}")
_STATES = ("closed", "open", "half_open")
# Seconds between two reports, of a report's validity by Redis's clock, and of the wait for Redis.
_ROUND, LIFE, _PATIENCE = 10.0, 30, 2.0


@dataclass(frozen=True, slots=True)
class RelayReporter:
    """Reporter of one worker, under its name; `states` answers with the state of each relay.

    It writes to Redis every ten seconds, so that it is the one to notice that an outage is over: the worker's other
    writes may be hours away.
    """

    redis: Any  # the library has one type for its synchronous and asynchronous answers
    worker: str
    states: Callable[[], Mapping[str, str]]
    outage: Outage

    async def run(self) -> None:
        """Publish until cancelled."""
        while True:
            await self.publish()
            await asyncio.sleep(_ROUND)

    async def publish(self) -> None:
        """Publish once. Never raises: other users of Redis log its outage."""
        with suppress(Exception):
            async with asyncio.timeout(_PATIENCE):
                at, _ = await self.redis.time()
                await self.redis.hset(KEY, self.worker, orjson.dumps({"at": at, "relays": self.states()}))
                await self.redis.expire(KEY, LIFE)
            self.outage.record_success()

    async def stop(self) -> None:
        """Withdraw the report: a stopped worker has no relays."""
        with suppress(Exception):
            async with asyncio.timeout(_PATIENCE):
                await self.redis.hdel(KEY, self.worker)


async def read(redis: Any) -> dict[str, dict[str, str]]:
    """Read the state of each relay by worker, from valid reports. Raises RedisError."""
    now, _ = await redis.time()
    reports = {name.decode(errors="replace"): _read(raw, now) for name, raw in (await redis.hgetall(KEY)).items()}
    return {worker: states for worker, states in sorted(reports.items()) if states and _NAME.fullmatch(worker)}


def _read(raw: bytes, now: int) -> dict[str, str]:
    """Parse one report; an old or broken one is empty."""
    try:
        found: Any = orjson.loads(raw)
    except ValueError:
        return {}
    match found:
        case {"at": int(at), "relays": dict(relays)} if now - at <= LIFE:
            return {server: state for server, state in relays.items() if state in _STATES and _SERVER.fullmatch(server)}
    return {}
