"""The windows in Redis: quick, and not to be relied on. None of their calls fails for a request."""

import asyncio
import hashlib
import time
from collections import deque
from collections.abc import Sequence
from contextvars import Context
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from redis.asyncio import Redis
from redis.exceptions import NoScriptError, RedisError

from service import failpoints, redis_errors, redis_patience
from service.outages import Outage, ServerUnavailable
from service.rate_limiter.rules import Rule, Usage
from service.redis_exchange import exchange

_SCRIPT = Path(__file__).with_suffix(".lua").read_text()
_SHA = hashlib.sha1(_SCRIPT.encode(), usedforsecurity=False).hexdigest()
# A round waits no longer than this for Redis, and a request for two at most; after a failure Redis is not asked for a
# moment.
_PATIENCE, _REST = 0.05, 1.0
# Entries that are to be removed; beyond these the oldest are left to expire.
_MOST_REMOVALS = 10_000


@dataclass(slots=True)
class _Asked:
    """One call that waits for a round: the script's arguments, none for a refund alone, and its answer."""

    arguments: Sequence[str | int] | None
    answer: "asyncio.Future[list[Usage] | None]"


class RedisWindows:
    """Windows in Redis; `fallbacks` counts the calls that Redis gave no answer to in time.

    What waits while Redis is asked goes together in the next round: under load one message carries many calls.
    """

    def __init__(self, redis: Redis, outage: Outage) -> None:
        self._redis, self._outage = redis, outage
        self._rest_until = 0.0
        self._removals: deque[tuple[str, str]] = deque(maxlen=_MOST_REMOVALS)
        self._waiting: list[_Asked] = []
        self._rounds: asyncio.Task[None] | None = None
        self.fallbacks = 0
        self._rested = 0.0

    async def count(
        self, call_id: str, names: Sequence[str], rules: Sequence[Rule], groups: Sequence[int] = ()
    ) -> list[Usage] | None:
        """Count a call; None if Redis is away or late: then it may have counted the call, or may yet.

        `groups` has a number for each window, from 1: a full one is not counted in, nor any behind it.
        """
        if self._is_backing_off():
            self.fallbacks += 1
            return None
        return await self._ask(_arguments(call_id, names, rules, groups))

    async def refund(self, entries: Sequence[tuple[str, str]]) -> None:
        """Remove entries, names of windows with the id of a call; those that fail now are removed next time."""
        self.remove_later(entries)
        await self.flush_removals()

    def remove_later(self, entries: Sequence[tuple[str, str]]) -> None:
        """Remove entries with the next message."""
        self._removals.extend(entries)

    async def flush_removals(self) -> None:
        """Remove what is to be removed now, unless Redis has just failed."""
        if self._removals and not self._is_backing_off():
            await self._ask(None)

    async def _ask(self, arguments: Sequence[str | int] | None) -> list[Usage] | None:
        asked = _Asked(arguments, asyncio.get_running_loop().create_future())
        self._waiting.append(asked)
        if self._rounds is None or self._rounds.done():
            # Not in the context of this request: it serves others too.
            self._rounds = asyncio.create_task(self._run_rounds(), context=Context())
        return await asked.answer

    async def _run_rounds(self) -> None:
        while self._waiting:
            asked, self._waiting = self._waiting, []
            answers: list[list[Usage] | None] = [None] * len(asked)
            removals, self._removals = self._removals, deque(maxlen=_MOST_REMOVALS)
            try:
                if self._is_backing_off():
                    self.fallbacks += len(asked)
                else:
                    answers = await redis_patience.within(_PATIENCE, self._run_round(removals, asked))
                    removals = deque()
                    self._outage.record_success()
            except Exception as error:  # noqa: BLE001 - whatever the error of Redis, Postgres counts
                self._record_failure(error, len(asked))
            finally:
                self._removals.extend(removals)
                for each, answer in zip(asked, answers, strict=True):
                    if not each.answer.done():
                        each.answer.set_result(answer)

    async def _run_round(
        self, removals: Sequence[tuple[str, str]], asked: Sequence[_Asked]
    ) -> list[list[Usage] | None]:
        """Remove entries and count the calls, in one message. A key of another type is no failure of Redis."""
        if failpoints.armed:
            await failpoints.reach("redis.limits.before")
        counted = [each.arguments for each in asked if each.arguments is not None]
        removing = [("ZREM", name, call_id) for name, call_id in removals]
        counting = [("EVALSHA", _SHA, *arguments) for arguments in counted]
        found = (await exchange(self._redis, [*removing, *counting]))[len(removing) :]
        usages = iter([await self._usage(*pair) for pair in zip(found, counted, strict=True)])
        if failpoints.armed:
            await failpoints.reach("redis.limits.after")
        return [None if each.arguments is None else next(usages) for each in asked]

    async def _usage(self, answer: Any, arguments: Sequence[str | int]) -> list[Usage]:
        """Read the script's answer; a Redis that does not know the script is sent it."""
        if isinstance(answer, NoScriptError):
            answer = await self._redis.execute_command("EVAL", _SCRIPT, *arguments)  # type: ignore[no-untyped-call]  # nor here
        if isinstance(answer, Exception):
            raise answer
        return [Usage(int(before), int(wait)) for before, wait in zip(answer[0::2], answer[1::2], strict=True)]

    async def empty(self, names: Sequence[str]) -> bool:
        """Empty windows; False if Redis is away."""
        try:
            async with asyncio.timeout(_PATIENCE):
                await self._redis.delete(*names)
        except Exception as error:  # noqa: BLE001 - as above
            self._record_failure(error, 1)
            return False
        return True

    async def peek(self, names: Sequence[str], rules: Sequence[Rule]) -> list[Usage]:
        """Read the usage without counting. For operators, who wait: raises ServerUnavailable."""
        try:
            return await self._usage(NoScriptError(), _arguments("", names, rules))
        except RedisError as error:
            raise self._unavailable(error) from None

    async def reset(self, names: Sequence[str]) -> int:
        """Empty windows and return how many there were. For operators, who wait: raises ServerUnavailable."""
        try:
            gone: int = await self._redis.delete(*names)
        except RedisError as error:
            raise self._unavailable(error) from None
        return gone

    @property
    def fallback_seconds(self) -> float:
        """Seconds since the start for which Redis was left alone after it had failed."""
        return self._rested - max(0.0, self._rest_until - time.monotonic())

    def _is_backing_off(self) -> bool:
        return time.monotonic() < self._rest_until

    def _record_failure(self, error: Exception, calls: int) -> None:
        self.fallbacks += calls
        if not self._is_backing_off():
            self._rest_until = time.monotonic() + _REST
            self._rested += _REST
            self._outage.record_failure(redis_errors.fault(error))

    def _unavailable(self, error: RedisError) -> ServerUnavailable:
        return ServerUnavailable(f"redis at {self._outage.server} {redis_errors.fault(error)}")


def _arguments(
    call_id: str, names: Sequence[str], rules: Sequence[Rule], groups: Sequence[int] = ()
) -> list[str | int]:
    numbers = [
        number
        for rule, group in zip(rules, groups or [1] * len(rules), strict=True)
        for number in (rule.limit, rule.window * 1_000_000, group)
    ]
    return [len(names), *names, call_id, *numbers]
