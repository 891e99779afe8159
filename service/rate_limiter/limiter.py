"""Counting of a call: Redis first, then Postgres."""

import asyncio
import base64
import hmac
import logging
import time
from collections import OrderedDict
from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from datetime import UTC, datetime, timedelta
from weakref import WeakValueDictionary

from redis.asyncio import Redis

from service import ids, outages
from service.errors import Overloaded
from service.outages import Outage
from service.rate_limiter.redis_windows import RedisWindows
from service.rate_limiter.refunds import Refunds
from service.rate_limiter.rules import CountedCall, Rule, Tally, Usage, Window, full, tally
from service.rate_limiter.window_store import WindowStore, WindowUsage

log = logging.getLogger(__name__)
# For so long Postgres is not asked again: about a window that it found full while Redis is away, and about resets.
_NEWS = 0.2
_NOTES = 50_000
# Calls that ask Postgres about one window at once while Redis is away, and how long the others wait, in seconds.
_AT_ONCE, _TURN = 4, 1.0
# A reset is seen once its transaction is over: others may be older by then.
_OVERLAP = timedelta(minutes=1)


class RateLimiter:
    """Rate limiter for all projects. Keys are HMACs: neither Redis nor Postgres holds an address or an e-mail."""

    def __init__(self, redis: Redis, key: bytes, store: WindowStore, outage: Outage | None = None) -> None:
        """Create a limiter. Clients of Redis in one process share an `outage`, so that the log has one line."""
        self.redis, self._key, self._store = RedisWindows(redis, outage or outages.of_redis("")), key, store
        self._refunds = Refunds(self.redis, store)
        # Windows that Postgres has just found full: until when that is trusted, and when a place falls free.
        self._full: OrderedDict[str, tuple[float, float]] = OrderedDict()
        self._turns: WeakValueDictionary[str, asyncio.Semaphore] = WeakValueDictionary()
        self._resets_read_at, self._since = -_NEWS, datetime(2000, 1, 1, tzinfo=UTC)

    async def count(self, project_id: str, windows: Sequence[Window]) -> Tally:
        """Count this call in all windows or, if one is full, in none. Raises database errors."""
        rules = [window.rule for window in windows]
        names = [self.key_of(project_id, window.rule, window.value) for window in windows]
        call_id = ids.new()
        in_redis = await self.redis.count(call_id, names, rules)
        if in_redis and not full(windows, in_redis):
            return await self._count_in_postgres(windows, names, call_id, in_redis)
        if in_redis and not await self._apply_resets(names):
            return tally(windows, in_redis)
        async with self._wait_for_turn(names):
            recalled = self._recall(names)
            return (
                tally(windows, recalled) if recalled else await self._count_in_postgres(windows, names, call_id, None)
            )

    async def _count_in_postgres(
        self, windows: Sequence[Window], names: Sequence[str], call_id: str, in_redis: Sequence[Usage] | None
    ) -> Tally:
        """Count in Postgres a call that Redis has counted, or knows nothing certain of."""
        rules = [window.rule for window in windows]
        found = await self._store.count(names, [rule.limit for rule in rules], [rule.window for rule in rules])
        used = [_larger(row, in_redis[place] if in_redis else None) for place, row in enumerate(found)]
        moment = found[0].counted_at
        if moment is None:
            self._remember_full(names, rules, used)
            if in_redis:
                await self.redis.refund([(name, call_id) for name in names])
            return tally(windows, used)
        places = [CountedCall(name, rule.limit, call_id, moment) for name, rule in zip(names, rules, strict=True)]
        return tally(windows, used, places)

    async def refund(self, places: Sequence[CountedCall]) -> None:
        """Free these places and no others. Never raises: one that can't be freed expires with its window."""
        await self._refunds.refund(places)

    def key_of(self, project_id: str, rule: Rule, value: str) -> str:
        """Make a window's key, of one size however long the value is."""
        mark = hmac.digest(self._key, f"{project_id}\0{rule.name}\0{value}".encode(), "sha256")[:15]
        return f"rl:{{{project_id}}}:{rule.name}:{base64.urlsafe_b64encode(mark).decode()}"

    @asynccontextmanager
    async def _wait_for_turn(self, names: Sequence[str]) -> AsyncIterator[None]:
        """Let a few calls at once through for each window: the others would wait for its row with a connection each.

        Raises Overloaded for a call whose turn does not come.
        """
        async with AsyncExitStack() as stack:
            try:
                async with asyncio.timeout(_TURN):
                    for name in sorted(names):
                        await stack.enter_async_context(self._turns.setdefault(name, asyncio.Semaphore(_AT_ONCE)))
            except TimeoutError:
                raise Overloaded(retry_after=1) from None
            yield

    async def _apply_resets(self, names: Sequence[str]) -> bool:
        """Apply in Redis the resets by an operator that Redis has missed; tell whether there were any."""
        if time.monotonic() - self._resets_read_at < _NEWS:
            return False
        self._resets_read_at = time.monotonic()
        try:
            resets = await self._store.resets(self._since - _OVERLAP)
        except Exception as error:  # noqa: BLE001 - a refusal stands, whether or not this can be looked up
            log.warning(
                "The operator's resets of rate limits can't be read",
                extra={"event": "rate_limit.resets_unreadable", "cause": type(error).__name__},
            )
            return False
        emptied = {reset.name for reset in resets}
        if emptied and await self.redis.empty([*emptied]):
            self._since = max(reset.at for reset in resets)
        return not emptied.isdisjoint(names)

    def _remember_full(self, names: Sequence[str], rules: Sequence[Rule], used: Sequence[Usage]) -> None:
        now = time.monotonic()
        for name, rule, each in zip(names, rules, used, strict=True):
            if each.before >= rule.limit:
                self._full[name] = now + _NEWS, now + each.wait / 1_000_000
                self._full.move_to_end(name)
        while len(self._full) > _NOTES:
            self._full.popitem(last=False)

    def _recall(self, names: Sequence[str]) -> list[Usage] | None:
        """Recall Postgres's last count of full windows while fresh, to keep a flood without Redis from Postgres."""
        now = time.monotonic()
        notes = [self._full.get(name, (0.0, 0.0)) for name in names]
        if not any(until > now for until, _ in notes):
            return None
        return [Usage(_ENDLESS if until > now else 0, max(0, int((free - now) * 1_000_000))) for until, free in notes]


# More calls than any rule allows.
_ENDLESS = 2**31


def _larger(row: WindowUsage, in_redis: Usage | None) -> Usage:
    """Take Redis's usage where it knows of more calls because Postgres has lost some."""
    return in_redis if in_redis and in_redis.before > row.before else Usage(row.before, row.wait)
