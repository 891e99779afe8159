"""Counting of a call: Redis first, then Postgres."""

import asyncio
import base64
import hmac
import logging
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from datetime import UTC, datetime, timedelta
from itertools import islice
from weakref import WeakValueDictionary

from redis.asyncio import Redis

from service import ids, outages
from service.errors import Overloaded
from service.outages import Outage
from service.rate_limiter.deferred import DeferredCount
from service.rate_limiter.full_windows import FullWindows
from service.rate_limiter.groups import Group, Joined, entries, joined
from service.rate_limiter.redis_windows import RedisWindows
from service.rate_limiter.refunds import Refunds
from service.rate_limiter.rules import Place, Rule, Tally, Usage, Window, full, tally
from service.rate_limiter.window_store import WindowStore

log = logging.getLogger(__name__)
# Seconds between two looks at the resets in Postgres.
_RESETS_INTERVAL = 0.2
# Calls that ask Postgres about one window at once while Redis is away, and how long the others wait, in seconds.
_AT_ONCE, _TURN = 4, 1.0
# A reset is seen once its transaction is over: others may be older by then.
_OVERLAP = timedelta(minutes=1)


class RateLimiter:
    """Rate limiter for all projects. Keys are HMACs: neither Redis nor Postgres holds an address or an e-mail."""

    def __init__(self, redis: Redis, key: bytes, store: WindowStore, outage: Outage | None = None) -> None:
        """Create a limiter. Clients of Redis in one process share an `outage`, so that the log has one line."""
        self.redis, self._store = RedisWindows(redis, outage or outages.of_redis("")), store
        # Copied for each name: to take the key in costs as much as the rest.
        self._keyed = hmac.new(key, digestmod="sha256")
        self._refunds = Refunds(self.redis, store)
        self._full = FullWindows()
        self._turns: WeakValueDictionary[str, asyncio.Semaphore] = WeakValueDictionary()
        self._resets_read_at, self._since = -_RESETS_INTERVAL, datetime(2000, 1, 1, tzinfo=UTC)

    async def count(self, project_id: str, windows: Sequence[Window]) -> Tally:
        """Count this call in all windows or, if one is full, in none. Raises database errors."""
        return (await self.count_groups([(project_id, windows)]))[0]

    async def count_groups(self, groups: Sequence[tuple[str, Sequence[Window]]]) -> list[Tally]:
        """Count this call in groups of windows, as one after the other, and in none behind one that refuses it.

        Returns the tallies up to that one.
        """
        begun = await self.defer_groups(groups)
        return begun if isinstance(begun, list) else await begun.count()

    async def defer_groups(self, groups: Sequence[tuple[str, Sequence[Window]]]) -> DeferredCount | list[Tally]:
        """Count in Redis and leave Postgres to the caller; as `count_groups` where Redis does not let it pass."""
        call_id = ids.new()
        made = [self._group(scope, windows, call_id) for scope, windows in groups]
        together = joined(made)
        in_redis = await self._count_in_redis(made, together)
        if all(used and not full(group.windows, used) for group, used in zip(made, in_redis, strict=True)):
            return DeferredCount(made, together, in_redis, self.redis, self._store, self._full)
        tallies: list[Tally] = []
        for place, group in enumerate(made):
            if tallies and not tallies[-1].allowed:
                await self.redis.refund(entries([group]))
                continue
            # Redis has left it out, since one before was full by its count; Postgres has let that pass.
            skipped = place > 0 and any(
                used and full(g.windows, used) for g, used in zip(made[:place], in_redis, strict=False)
            )
            (used,) = await self._count_in_redis([group], joined([group])) if skipped else [in_redis[place]]
            tallies.append(await self._count_alone(group, used))
        return tallies

    def _group(self, scope: str, windows: Sequence[Window], call_id: str) -> Group:
        names = [self.key_of(scope, window.rule, window.value) for window in windows]
        return Group(windows, names, [window.rule for window in windows], call_id)

    async def _count_in_redis(self, groups: Sequence[Group], together: Joined) -> list[list[Usage] | None]:
        found = await self.redis.count(groups[0].call_id, *together)
        if found is None:
            return [None] * len(groups)
        usages = iter(found)
        return [list(islice(usages, len(group.names))) for group in groups]

    async def _count_alone(self, group: Group, in_redis: list[Usage] | None) -> Tally:
        """Count in one group, which Redis may have refused, or know nothing certain of."""
        if in_redis and not full(group.windows, in_redis):
            return await self._count_in_postgres(group, in_redis)
        if in_redis and not await self._apply_resets(group.names):
            return tally(group.windows, in_redis)
        async with self._wait_for_turn(group.names):
            if recalled := self._full.recall(group.names):
                return tally(group.windows, recalled)
            return await self._count_in_postgres(group, None)

    async def _count_in_postgres(self, group: Group, in_redis: list[Usage] | None) -> Tally:
        count = DeferredCount([group], joined([group]), [in_redis], self.redis, self._store, self._full)
        return (await count.count())[0]

    async def refund(self, places: Sequence[Place]) -> None:
        """Free these places and no others. Never raises: one that can't be freed expires with its window."""
        await self._refunds.refund(places)

    def key_of(self, project_id: str, rule: Rule, value: str) -> str:
        """Make a window's key, of one size however long the value is."""
        mark = self._keyed.copy()
        mark.update(f"{project_id}\0{rule.name}\0{value}".encode())
        return f"rl:{{{project_id}}}:{rule.name}:{base64.urlsafe_b64encode(mark.digest()[:15]).decode()}"

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
        if time.monotonic() - self._resets_read_at < _RESETS_INTERVAL:
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
