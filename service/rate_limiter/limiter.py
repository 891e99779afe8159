"""Counting of a call: Redis first, then Postgres."""

import asyncio
import base64
import hmac
import logging
import time
from collections import OrderedDict
from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from itertools import islice
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


@dataclass(frozen=True, slots=True)
class _Group:
    """Windows that count a call together, and their names in both stores."""

    windows: Sequence[Window]
    names: Sequence[str]
    rules: Sequence[Rule]
    call_id: str

    def places(self, moment: datetime) -> list[CountedCall]:
        named = zip(self.names, self.rules, strict=True)
        return [CountedCall(name, rule.limit, self.call_id, moment) for name, rule in named]


class RateLimiter:
    """Rate limiter for all projects. Keys are HMACs: neither Redis nor Postgres holds an address or an e-mail."""

    def __init__(self, redis: Redis, key: bytes, store: WindowStore, outage: Outage | None = None) -> None:
        """Create a limiter. Clients of Redis in one process share an `outage`, so that the log has one line."""
        self.redis, self._store = RedisWindows(redis, outage or outages.of_redis("")), store
        # Copied for each name: to take the key in costs as much as the rest.
        self._keyed = hmac.new(key, digestmod="sha256")
        self._refunds = Refunds(self.redis, store)
        # Windows that Postgres has just found full: until when that is trusted, and when a place falls free.
        self._full: OrderedDict[str, tuple[float, float]] = OrderedDict()
        self._turns: WeakValueDictionary[str, asyncio.Semaphore] = WeakValueDictionary()
        self._resets_read_at, self._since = -_NEWS, datetime(2000, 1, 1, tzinfo=UTC)

    async def count(self, project_id: str, windows: Sequence[Window]) -> Tally:
        """Count this call in all windows or, if one is full, in none. Raises database errors."""
        return (await self.count_groups([(project_id, windows)]))[0]

    async def count_groups(self, groups: Sequence[tuple[str, Sequence[Window]]]) -> list[Tally]:
        """Count this call in groups of windows, as one after the other, and in none behind one that refuses it.

        Returns the tallies up to that one.
        """
        call_id = ids.new()
        made = [self._group(scope, windows, call_id) for scope, windows in groups]
        in_redis = await self._count_in_redis(made)
        if all(used and not full(group.windows, used) for group, used in zip(made, in_redis, strict=True)):
            return await self._count_in_postgres(made, in_redis)
        tallies: list[Tally] = []
        for place, group in enumerate(made):
            if tallies and not tallies[-1].allowed:
                await self._uncount_in_redis([group])
                continue
            # Redis has left it out, since one before was full by its count; Postgres has let that pass.
            skipped = place > 0 and any(
                used and full(g.windows, used) for g, used in zip(made[:place], in_redis, strict=False)
            )
            (used,) = await self._count_in_redis([group]) if skipped else [in_redis[place]]
            tallies.append(await self._count_alone(group, used))
        return tallies

    def _group(self, scope: str, windows: Sequence[Window], call_id: str) -> _Group:
        names = [self.key_of(scope, window.rule, window.value) for window in windows]
        return _Group(windows, names, [window.rule for window in windows], call_id)

    async def _count_in_redis(self, groups: Sequence[_Group]) -> list[list[Usage] | None]:
        names, rules, numbers = _joined(groups)
        found = await self.redis.count(groups[0].call_id, names, rules, numbers)
        if found is None:
            return [None] * len(groups)
        usages = iter(found)
        return [list(islice(usages, len(group.names))) for group in groups]

    async def _uncount_in_redis(self, groups: Sequence[_Group]) -> None:
        await self.redis.refund(_entries(groups))

    async def _count_alone(self, group: _Group, in_redis: list[Usage] | None) -> Tally:
        """Count in one group, which Redis may have refused, or know nothing certain of."""
        if in_redis and not full(group.windows, in_redis):
            return (await self._count_in_postgres([group], [in_redis]))[0]
        if in_redis and not await self._apply_resets(group.names):
            return tally(group.windows, in_redis)
        async with self._wait_for_turn(group.names):
            if recalled := self._recall(group.names):
                return tally(group.windows, recalled)
            return (await self._count_in_postgres([group], [None]))[0]

    async def _count_in_postgres(
        self, groups: Sequence[_Group], in_redis: Sequence[Sequence[Usage] | None]
    ) -> list[Tally]:
        """Count in Postgres what Redis has counted, or knows nothing certain of."""
        names, rules, numbers = _joined(groups)
        limits, seconds = [rule.limit for rule in rules], [rule.window for rule in rules]
        try:
            found = await self._store.count(names, limits, seconds, numbers)
        except BaseException:
            # The call is not let through: who asks again while Postgres is away uses no place up.
            self.redis.owe(_entries(groups))
            raise
        rows, tallies = iter(found), list[Tally]()
        for place, (group, known) in enumerate(zip(groups, in_redis, strict=True)):
            own = list(islice(rows, len(group.names)))
            used = [_larger(row, known[number] if known else None) for number, row in enumerate(own)]
            if (moment := own[0].counted_at) is None:
                self._remember_full(group.names, group.rules, used)
                if known:
                    await self._uncount_in_redis(groups[place:])
                return [*tallies, tally(group.windows, used)]
            tallies.append(tally(group.windows, used, group.places(moment)))
        return tallies

    async def refund(self, places: Sequence[CountedCall]) -> None:
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


def _entries(groups: Sequence[_Group]) -> list[tuple[str, str]]:
    """List what groups hold in Redis, once it has counted them."""
    return [(name, group.call_id) for group in groups for name in group.names]


def _joined(groups: Sequence[_Group]) -> tuple[list[str], list[Rule], list[int]]:
    """Join the names and rules of groups, with the number of its group for each."""
    return (
        [name for group in groups for name in group.names],
        [rule for group in groups for rule in group.rules],
        [number for number, group in enumerate(groups, 1) for _ in group.names],
    )


# More calls than any rule allows.
_ENDLESS = 2**31


def _larger(row: WindowUsage, in_redis: Usage | None) -> Usage:
    """Take Redis's usage where it knows of more calls because Postgres has lost some."""
    return in_redis if in_redis and in_redis.before > row.before else Usage(row.before, row.wait)
