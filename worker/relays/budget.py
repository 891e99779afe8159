"""Mails in any minute that all workers together hand to the shared relay (SMTP_PER_MINUTE).

Counted in a window in Redis, and while that is away in one in Postgres, as calls of the API are. A batch takes its
permits by one message, so that a mail costs no round trip.
"""

import asyncio
from collections import deque
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime

from service import ids
from service.cancellation import cancel_and_wait
from service.rate_limiter.redis_windows import RedisWindows
from service.rate_limiter.rules import Rule, Usage
from service.store.rate_limit_windows import Store

_MINUTE = 60
# Seconds until a full window is asked again: other workers give permits back.
_LONGEST_WAIT = 5.0
# Seconds for which a permit that no mail used is kept for the next one of this worker.
_KEPT = 1.0


@dataclass(frozen=True, slots=True)
class Permit:
    """Place of one mail in the window: in Redis by an id, in Postgres by a moment."""

    call_id: str
    moment: datetime | None = None


class RelayBudget:
    """The budget as one worker sees it, with the permits that it has taken and not used yet."""

    def __init__(self, per_minute: int, relay: str, redis: RedisWindows, store: Store) -> None:
        """Count for a relay of this name, the same for all workers."""
        self._rule = Rule("smtp", per_minute, _MINUTE)
        self._name = f"rl:{{smtp}}:{relay}"
        self._redis, self._store = redis, store
        self._permits: deque[Permit] = deque()
        # Mails in Redis's window when it last answered, and when that was.
        self._known = (float("-inf"), 0)
        self._returning: asyncio.Task[None] | None = None

    def has_permit(self) -> bool:
        return bool(self._permits)

    async def acquire(self) -> Permit:
        """Wait for a permit. Raises database errors."""
        while not self._permits:
            if wait := await self.fetch(1):
                await asyncio.sleep(min(wait, _LONGEST_WAIT))
        return self._permits.popleft()

    def release(self, permit: Permit) -> None:
        """Take back a permit that no mail used, for the next one."""
        self._permits.appendleft(permit)
        self.return_later()

    def return_later(self) -> None:
        """Give back in a moment what is still at hand then, for other workers."""
        if self._permits and (self._returning is None or self._returning.done()):
            self._returning = asyncio.create_task(self._return_unused())

    async def close(self) -> None:
        """Give back what is at hand."""
        if self._returning:
            await cancel_and_wait(self._returning)
        await self._return_permits()

    async def fetch(self, most: int) -> float:
        """Take as many permits as there are, until `most` are at hand; return the seconds to wait if none is."""
        lacking = most - len(self._permits)
        wait = 0.0
        if lacking > 0:
            calls = [ids.new() for _ in range(lacking)]
            found = await asyncio.gather(*(self._redis.count(call, [self._name], [self._rule]) for call in calls))
            answered = [(call, usage[0]) for call, usage in zip(calls, found, strict=True) if usage]
            wait = self._note(answered)
            if missing := lacking - len(answered):
                wait = await self._fetch_from_postgres(missing)
        return 0.0 if self._permits else wait

    def _note(self, answered: Sequence[tuple[str, Usage]]) -> float:
        """Keep what Redis gave; return the seconds until it has more."""
        for call, usage in answered:
            if usage.before < self._rule.limit:
                self._permits.append(Permit(call))
        if not answered:
            return 0.0
        last = answered[-1][1]
        self._known = asyncio.get_running_loop().time(), min(last.before + 1, self._rule.limit)
        return last.wait / 1_000_000

    async def _fetch_from_postgres(self, lacking: int) -> float:
        """Take permits while Redis is away, for a minute without those that it is known to have given."""
        at, given = self._known
        if asyncio.get_running_loop().time() - at >= _MINUTE:
            given = 0
        found = await self._store.count_many(
            self._name, limit=max(1, self._rule.limit - given), seconds=_MINUTE, calls=lacking
        )
        self._permits.extend(Permit("", place.counted_at) for place in found if place.counted_at)
        return max(0.01, found[-1].wait / 1_000_000)

    async def _return_unused(self) -> None:
        await asyncio.sleep(_KEPT)
        await self._return_permits()

    async def _return_permits(self) -> None:
        """Give back what is at hand; what can't be leaves the window within a minute."""
        unused, self._permits = self._permits, deque()
        if in_redis := [(self._name, permit.call_id) for permit in unused if permit.moment is None]:
            await self._redis.refund(in_redis)
        if moments := [permit.moment for permit in unused if permit.moment is not None]:
            with suppress(Exception):
                await self._store.refund([self._name] * len(moments), [self._rule.limit] * len(moments), moments)
