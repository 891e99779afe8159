"""The windows in Redis: quick, and not to be relied on. None of their calls fails for a request."""

import asyncio
import hashlib
import time
from collections import deque
from collections.abc import Sequence
from pathlib import Path

from redis.asyncio import Redis
from redis.exceptions import NoScriptError, RedisError

from service import failpoints, redis_errors
from service.outages import Outage, ServerUnavailable
from service.rate_limiter.rules import Rule, Usage

_SCRIPT = Path(__file__).with_suffix(".lua").read_text()
_SHA = hashlib.sha1(_SCRIPT.encode(), usedforsecurity=False).hexdigest()
# No request waits longer than this for Redis; after a failure Redis is not asked for a moment.
_PATIENCE, _REST = 0.05, 1.0
# Entries to be removed of which Redis could not be notified.
_OWED = 10_000


class RedisWindows:
    """Windows in Redis; `fallbacks` counts the calls that Redis gave no answer to in time."""

    def __init__(self, redis: Redis, outage: Outage) -> None:
        self._redis, self._outage = redis, outage
        self._rest_until = 0.0
        self._owed: deque[tuple[str, str]] = deque(maxlen=_OWED)
        self.fallbacks = 0

    async def count(self, call_id: str, names: Sequence[str], rules: Sequence[Rule]) -> list[Usage] | None:
        """Count a call; None if Redis is away or late: then it may have counted the call, or may yet."""
        if self._is_backing_off():
            self.fallbacks += 1
            return None
        try:
            async with asyncio.timeout(_PATIENCE):
                answer = await self._run_script(call_id, names, rules)
        except Exception as error:  # noqa: BLE001 - whatever the error of Redis, Postgres counts
            self._record_failure(error)
            return None
        self._outage.record_success()
        return answer

    async def refund(self, entries: Sequence[tuple[str, str]]) -> None:
        """Remove entries, names of windows with the id of a call; those that fail now are removed next time."""
        self._owed.extend(entries)
        if not self._owed or self._is_backing_off():
            return
        owed, self._owed = self._owed, deque(maxlen=_OWED)
        try:
            async with asyncio.timeout(_PATIENCE):
                pipe = self._redis.pipeline(transaction=False)
                for name, call_id in owed:
                    pipe.zrem(name, call_id)
                await pipe.execute(raise_on_error=False)
        except Exception as error:  # noqa: BLE001 - as above
            self._owed.extend(owed)
            self._record_failure(error)

    async def empty(self, names: Sequence[str]) -> bool:
        """Empty windows; False if Redis is away."""
        try:
            async with asyncio.timeout(_PATIENCE):
                await self._redis.delete(*names)
        except Exception as error:  # noqa: BLE001 - as above
            self._record_failure(error)
            return False
        return True

    async def peek(self, names: Sequence[str], rules: Sequence[Rule]) -> list[Usage]:
        """Read the usage without counting. For operators, who wait: raises Away."""
        try:
            return await self._run_script("", names, rules)
        except RedisError as error:
            raise self._away(error) from None

    async def reset(self, names: Sequence[str]) -> int:
        """Empty windows and return how many there were. For operators, who wait: raises Away."""
        try:
            gone: int = await self._redis.delete(*names)
        except RedisError as error:
            raise self._away(error) from None
        return gone

    async def _run_script(self, call_id: str, names: Sequence[str], rules: Sequence[Rule]) -> list[Usage]:
        numbers = [number for rule in rules for number in (rule.limit, rule.window * 1_000_000)]
        arguments = (len(names), *names, call_id, *numbers)
        if failpoints.armed:
            await failpoints.reach("redis.limits.before")
        try:
            answer = await self._redis.execute_command("EVALSHA", _SHA, *arguments)  # type: ignore[no-untyped-call]  # the library ships no type here
        except NoScriptError:
            answer = await self._redis.execute_command("EVAL", _SCRIPT, *arguments)  # type: ignore[no-untyped-call]  # nor here
        if failpoints.armed:
            await failpoints.reach("redis.limits.after")
        return [Usage(int(before), int(wait)) for before, wait in zip(answer[0::2], answer[1::2], strict=True)]

    def _is_backing_off(self) -> bool:
        return time.monotonic() < self._rest_until

    def _record_failure(self, error: Exception) -> None:
        self.fallbacks += 1
        if not self._is_backing_off():
            self._rest_until = time.monotonic() + _REST
            self._outage.record_failure(redis_errors.fault(error))

    def _away(self, error: RedisError) -> ServerUnavailable:
        return ServerUnavailable(f"redis at {self._outage.server} {redis_errors.fault(error)}")
