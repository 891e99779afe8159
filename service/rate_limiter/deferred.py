"""Calls that Redis has counted: what is left to do is Postgres's count, alone or by a statement that does more."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import islice

from service.rate_limiter.full_windows import FullWindows
from service.rate_limiter.groups import Group, Joined, entries
from service.rate_limiter.redis_windows import RedisWindows
from service.rate_limiter.rules import Tally, Usage, tally
from service.rate_limiter.window_store import WindowStore, WindowUsage


@dataclass(frozen=True, slots=True)
class DeferredCount:
    """A call in groups of windows, with their usages by Redis: None where it knows nothing certain of a group.

    Ends by one of `count`, `settle`, `allow` and `drop`.
    """

    groups: Sequence[Group]
    joined: Joined
    in_redis: Sequence[Sequence[Usage] | None]
    redis: RedisWindows = field(repr=False)
    store: WindowStore = field(repr=False)
    full: FullWindows = field(repr=False)

    def arguments(self) -> tuple[list[str], list[int], list[int], list[int]]:
        """Return names, limits, seconds and numbers of groups, one of each for a window."""
        names, rules, numbers = self.joined
        return names, [rule.limit for rule in rules], [rule.window for rule in rules], numbers

    async def count(self) -> list[Tally]:
        """Count in Postgres by a statement that does nothing else. Raises database errors."""
        try:
            found = await self.store.count(*self.arguments())
        except BaseException:
            # The call is not let through: it takes no place, however often the client asks again meanwhile.
            self.drop()
            raise
        tallies = self.settle(found)
        if not tallies[-1].allowed:
            await self.redis.flush_removals()
        return tallies

    def settle(self, found: Sequence[WindowUsage]) -> list[Tally]:
        """Take over what Postgres has counted; return the tallies up to one that refuses the call.

        Redis is to forget the call in that group and those behind it, with the next message.
        """
        rows, tallies = iter(found), list[Tally]()
        for place, (group, known) in enumerate(zip(self.groups, self.in_redis, strict=True)):
            own = list(islice(rows, len(group.names)))
            used = [_larger(row, known[number] if known else None) for number, row in enumerate(own)]
            if (moment := own[0].counted_at) is None:
                self.full.remember(group.names, group.rules, used)
                if known:
                    self.redis.remove_later(entries(self.groups[place:]))
                return [*tallies, tally(group.windows, used)]
            tallies.append(tally(group.windows, used, group.places(moment)))
        return tallies

    def allow(self) -> list[Tally]:
        """Take a call over that Postgres has counted, but whose answer was lost: its places can't be refunded."""
        return [tally(group.windows, known or ()) for group, known in zip(self.groups, self.in_redis, strict=True)]

    def drop(self) -> None:
        """Have Redis forget a call that Postgres has not counted."""
        self.redis.remove_later(entries(self.groups))


def _larger(row: WindowUsage, in_redis: Usage | None) -> Usage:
    """Take Redis's usage where it knows of more calls because Postgres has lost some."""
    return in_redis if in_redis and in_redis.before > row.before else Usage(row.before, row.wait)
