"""Refunds of places, those of all requests that wait in one round: one message to Redis and one statement."""

import asyncio
import logging
from collections.abc import Sequence
from contextvars import Context

from service.rate_limiter.redis_windows import RedisWindows
from service.rate_limiter.rules import Place
from service.rate_limiter.window_store import WindowStore

log = logging.getLogger(__name__)
# Upper bound for a round in Postgres, in seconds.
_PATIENCE = 0.4


class Refunds:
    """Frees places and no others. Never raises: a place that can't be freed expires with its window."""

    def __init__(self, redis: RedisWindows, store: WindowStore) -> None:
        self._redis, self._store = redis, store
        self._waiting: list[Place] = []
        # The end of the next round, and the task of all rounds.
        self._end: asyncio.Future[None] | None = None
        self._rounds: asyncio.Task[None] | None = None

    async def refund(self, places: Sequence[Place]) -> None:
        """Have places freed by the next round, and wait for its end."""
        self._waiting.extend(places)
        if self._end is None:
            self._end = asyncio.get_running_loop().create_future()
        end = self._end
        if self._rounds is None or self._rounds.done():
            # Not in the context of this request: it serves others too.
            self._rounds = asyncio.create_task(self._run_rounds(), context=Context())
        await asyncio.shield(end)

    async def _run_rounds(self) -> None:
        while self._end:
            places, self._waiting = self._waiting, []
            end, self._end = self._end, None
            try:
                await self._redis.refund([(place.name, place.call_id) for place in places])
                await self._refund_in_postgres(places)
            finally:
                end.set_result(None)

    async def _refund_in_postgres(self, places: Sequence[Place]) -> None:
        names, limits = [place.name for place in places], [place.limit for place in places]
        try:
            async with asyncio.timeout(_PATIENCE):
                await self._store.refund(names, limits, [place.moment for place in places])
        except Exception as error:  # noqa: BLE001 - the work is done: an error of Postgres does not change its response
            log.warning(
                "A call that should not count against its rate limits stays counted",
                extra={"event": "rate_limit.refund_failed", "cause": type(error).__name__},
            )
