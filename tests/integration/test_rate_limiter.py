"""Rate limiter on its own: the windows of Redis and Postgres, and what is asked of each (docs/limits.md)."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime

import pytest
from redis.asyncio import Redis

from devstack.servers import free_port
from service import failpoints, outages
from service.db import Pool
from service.errors import Overloaded
from service.outages import Outage, ServerUnavailable
from service.rate_limiter import DAY, HOUR, Decision, RateLimiter, Rule, Window, full_windows, limiter, redis_windows
from service.rate_limiter.redis_windows import RedisWindows
from service.rate_limiter.rules import Usage, tally
from service.store import rate_limit_windows
from testkit.waiting import until

TWO = Rule("two", 2, HOUR)
X = [Window(TWO, "x")]


@dataclass
class CountingStore:
    """The windows in Postgres, and how often each question was asked."""

    store: rate_limit_windows.Store
    counts: int = 0
    refunds: int = 0
    reads: int = 0
    reads_fail: bool = False
    gate: asyncio.Event | None = None

    async def count(self, names: Sequence[str], limits: Sequence[int], seconds: Sequence[int], groups: Sequence[int]):
        self.counts += 1
        if self.gate:
            await self.gate.wait()
        return await self.store.count(names, limits, seconds, groups)

    async def refund(self, names: Sequence[str], limits: Sequence[int], moments: Sequence[datetime]) -> None:
        self.refunds += 1
        await self.store.refund(names, limits, moments)

    async def resets(self, since: datetime):
        self.reads += 1
        if self.reads_fail:
            raise OSError("Postgres is away")
        return await self.store.resets(since)


@pytest.fixture(autouse=True)
def _patient(monkeypatch: pytest.MonkeyPatch) -> None:
    """Patience with Redis: the rules are tested here, not the time that a busy machine takes."""
    monkeypatch.setattr(redis_windows, "_PATIENCE", 10.0)


@pytest.fixture
def store(pool: Pool) -> CountingStore:
    return CountingStore(rate_limit_windows.Store(pool))


@pytest.fixture
def limits(redis: Redis, store: CountingStore) -> RateLimiter:
    return RateLimiter(redis, b"key", store)


@pytest.fixture
def alone(store: CountingStore) -> RateLimiter:
    """A limiter whose Redis is away."""
    return RateLimiter(Redis(port=free_port()), b"key", store)


@pytest.fixture
def outage() -> Outage:
    return outages.of_redis("redis://127.0.0.1")


@pytest.fixture
def windows(redis: Redis, outage: Outage) -> RedisWindows:
    return RedisWindows(redis, outage)


@pytest.fixture
def lost(outage: Outage) -> RedisWindows:
    """Windows whose Redis is away."""
    return RedisWindows(Redis(port=free_port()), outage)


async def allowed(limits: RateLimiter, times: int) -> list[bool]:
    return [(await limits.count("shop", X)).allowed for _ in range(times)]


@pytest.mark.parametrize("which", ["limits", "alone"])
async def test_each_call_gets_the_windows_numbers(which: str, limits: RateLimiter, alone: RateLimiter):
    """Remaining places count down to 0 and stay there; a refused call takes none."""
    counted = {"limits": limits, "alone": alone}[which]
    found = [await counted.count("shop", X) for _ in range(4)]
    decisions = [tally.decisions[0] for tally in found]
    assert [(each.allowed, each.remaining) for each in decisions] == [(True, 1), (True, 0), (False, 0), (False, 0)]
    assert {(each.limit, each.window, each.rule) for each in decisions} == {(2, HOUR, "two")}
    assert all(HOUR - 60 <= each.reset <= HOUR for each in decisions)
    assert [(tally.allowed, len(tally.places)) for tally in found] == [(True, 1), (True, 1), (False, 0), (False, 0)]
    assert (counted.redis.fallbacks > 0) == (which == "alone")


@pytest.mark.parametrize("which", ["limits", "alone"])
async def test_groups_of_one_call(
    which: str, limits: RateLimiter, alone: RateLimiter, redis: Redis, store: CountingStore
):
    """A full group refuses itself and counts nothing of those behind it, in both stores; those before it stay counted.

    What comes together is counted as one after the other would be.
    """
    counted, mail = {"limits": limits, "alone": alone}[which], [Window(Rule("mail", 1, HOUR), "m")]
    groups = [("shop", X), ("", mail)]
    found = [[tally.allowed for tally in await counted.count_groups(groups)] for _ in range(3)]
    assert found == [[True, True], [True, False], [False]]
    names = [counted.key_of("shop", TWO, "x"), counted.key_of("", mail[0].rule, "m")]
    if which == "limits":
        assert [await redis.zcard(name) for name in names] == [2, 1]
    held = await rate_limit_windows.find(store.store.conn, names, [HOUR, HOUR])
    assert [each.before for each in held] == [2, 1]


async def test_groups_that_fit_are_one_question(limits: RateLimiter, store: CountingStore):
    """The windows of a request and the quota of its mail cost one round trip to Postgres."""
    tallies = await limits.count_groups([("shop", X), ("", [Window(replace(TWO, name="mail"), "m")])])
    assert [tally.allowed for tally in tallies] == [True, True]
    assert store.counts == 1


async def test_what_redis_refuses_costs_postgres_nothing(limits: RateLimiter, store: CountingStore):
    """Beyond one look at the operator's resets, which is not repeated at once."""
    assert await allowed(limits, 5) == [True, True, False, False, False]
    assert (store.counts, store.reads) == (2, 1)
    assert limits.redis.fallbacks == 0


async def test_a_full_window_is_remembered_while_redis_is_away(alone: RateLimiter, store: CountingStore):
    """Postgres is not asked again at once. Another window of the same call is as it was: nothing is known of it."""
    await allowed(alone, 3)
    before = store.counts
    full, other = (await alone.count("shop", [*X, Window(replace(TWO, name="other"), "x")])).decisions
    assert store.counts == before
    assert (full.allowed, full.remaining) == (False, 0)
    assert HOUR - 60 <= full.reset <= HOUR
    assert other == Decision(allowed=True, limit=2, remaining=1, reset=0, window=HOUR, rule="other")


async def test_what_is_remembered_is_asked_again_soon(
    alone: RateLimiter, store: CountingStore, pool: Pool, monkeypatch: pytest.MonkeyPatch
):
    """A place that falls free is given out, however long the window is."""
    monkeypatch.setattr(full_windows, "_FRESH", 0.05)
    await allowed(alone, 3)
    await pool.execute("delete from windows")

    async def passes() -> bool:
        return (await alone.count("shop", X)).allowed

    await until(passes)


async def test_the_newest_full_windows_are_remembered(
    alone: RateLimiter, store: CountingStore, monkeypatch: pytest.MonkeyPatch
):
    """Beyond the maximum the oldest window goes."""
    monkeypatch.setattr(full_windows, "_MOST", 2)
    monkeypatch.setattr(full_windows, "_FRESH", 60.0)
    one = replace(TWO, limit=1)
    for value in "abc":
        for _ in range(2):
            await alone.count("shop", [Window(one, value)])
    assert list(alone._full.notes) == [alone.key_of("shop", one, value) for value in "bc"]


async def test_the_larger_number_of_the_two_counts(limits: RateLimiter, redis: Redis, pool: Pool):
    """Neither a Redis nor a Postgres that has lost calls gives out their places again."""
    await limits.count("shop", X)
    await pool.execute("delete from windows")
    assert (await limits.count("shop", X)).decisions[0].remaining == 0
    await pool.execute("delete from windows")
    await redis.flushdb()
    await limits.count("shop", X)
    await redis.flushdb()
    assert (await limits.count("shop", X)).decisions[0].remaining == 0


async def test_a_refund_frees_its_own_place(limits: RateLimiter, redis: Redis):
    """A refund frees one place for one call, in Redis and in Postgres."""
    first = await limits.count("shop", X)
    await limits.count("shop", X)
    await limits.refund(first.places)
    assert await redis.zcard(first.places[0].name) == 1
    assert await allowed(limits, 2) == [True, False]


async def test_refunds_that_wait_together_are_one_statement(
    limits: RateLimiter, store: CountingStore, redis: Redis, pool: Pool
):
    """A round frees the places of all calls that wait, theirs alone, also of one that its request leaves."""
    three = [Window(Rule("three", 3, HOUR), "x")]
    calls = [await limits.count("shop", three) for _ in range(3)]
    waiting = [asyncio.create_task(limits.refund(call.places)) for call in calls[:2]]
    await asyncio.sleep(0)
    waiting[0].cancel()
    await asyncio.wait(waiting)
    assert (waiting[0].cancelled(), store.refunds) == (True, 1)
    assert await redis.zcard(calls[0].places[0].name) == 1
    assert await pool.fetch("select calls from windows") == [([calls[2].places[0].moment],)]


async def test_what_postgres_refuses_counts_in_redis_no_more(limits: RateLimiter, alone: RateLimiter, redis: Redis):
    """A Redis that has lost its calls lets one pass; Postgres refuses it, and then it is counted nowhere."""
    await allowed(alone, 2)
    assert await allowed(limits, 2) == [False, False]
    assert await redis.zcard(limits.key_of("shop", TWO, "x")) == 0


def test_a_started_second_is_waited_for():
    """A client that comes back when it was told to finds a place free."""
    (decision,) = tally(X, [Usage(2, 1_000_001)]).decisions
    assert decision == Decision(allowed=False, limit=2, remaining=0, reset=2, window=HOUR, rule="two")


def test_a_window_is_shared_unless_it_is_said_to_be_the_callers():
    """Numbers of a shared window are shown to nobody, and LIMITS=observe-addresses lets nobody through it."""
    assert (X[0].own, X[0].by_address) == (False, False)


def test_lengths_of_windows():
    """In seconds, as docs and headers state them."""
    assert (HOUR, DAY) == (3600, 86_400)


async def test_an_operators_resets_reach_redis(
    limits: RateLimiter, pool: Pool, monkeypatch: pytest.MonkeyPatch, redis: Redis
):
    """Each reset of a window frees all its places, the second as the first; one of another window frees none."""
    monkeypatch.setattr(limiter, "_RESETS_INTERVAL", 60.0)
    monkeypatch.setattr(full_windows, "_FRESH", 60.0)
    mine, other = limits.key_of("shop", TWO, "x"), limits.key_of("shop", TWO, "y")
    for _ in range(2):
        limits._resets_read_at = -60.0
        assert await allowed(limits, 3) == [True, True, False]
        await rate_limit_windows.reset(pool, [other])
        limits._resets_read_at = -60.0
        await pool.execute("delete from windows")
        assert await allowed(limits, 1) == [False], "Redis has counted them"
        await rate_limit_windows.reset(pool, [mine])
        limits._resets_read_at = -60.0
        assert await allowed(limits, 3) == [True, True, False]
        await pool.execute("delete from windows; delete from window_resets")
        await redis.flushdb()
        limits._full.notes.clear()


async def test_a_reset_locks_windows_in_the_order_of_calls(pool: Pool):
    """A reset that waits for one window holds none behind it: else it and a call would wait for each other."""
    for name in "ba":
        await rate_limit_windows.Store(pool).count([name], [2], [HOUR])
    async with pool.connection() as connection, connection.transaction():
        await connection.execute("select from windows where name = 'a' for update")
        reset = asyncio.create_task(rate_limit_windows.reset(pool, ["b", "a"]))
        waits = "select 1 from pg_stat_activity where datname = current_database() and wait_event_type = 'Lock'"
        await until(lambda: pool.fetchrow(waits), what="the reset waits for nothing")
        await connection.execute("select from windows where name = 'b' for update nowait")
    assert await reset == 2


async def test_a_refusal_stands_where_resets_cant_be_read(
    limits: RateLimiter, store: CountingStore, pool: Pool, caplog: pytest.LogCaptureFixture
):
    """Resets that can't be read are logged, and let no refused call through."""
    store.reads_fail = True
    await allowed(limits, 2)
    await pool.execute("delete from windows")
    assert await allowed(limits, 1) == [False]
    assert [record.event for record in caplog.records] == ["rate_limit.resets_unreadable"]


async def test_a_call_whose_turn_does_not_come(
    alone: RateLimiter, store: CountingStore, monkeypatch: pytest.MonkeyPatch
):
    """Without Redis four calls at once ask Postgres about a window; a fifth is told to come again in a second."""
    monkeypatch.setattr(limiter, "_TURN", 0.05)
    store.gate = asyncio.Event()
    calls = [asyncio.create_task(alone.count("shop", X)) for _ in range(4)]
    await until(lambda: store.counts == 4)
    with pytest.raises(Overloaded) as refused:
        await alone.count("shop", X)
    assert refused.value.retry_after == 1
    store.gate.set()
    assert sum(tally.allowed for tally in await asyncio.gather(*calls)) == 2


async def test_keys_outlive_a_release(limits: RateLimiter):
    """Two releases beside each other count in one window: a key is the same bytes in both."""
    assert limits.key_of("shop", TWO, "x") == "rl:{shop}:two:Z6GSTPfZHLgd3lAIMhG1"


async def test_an_outage_is_shared(store: CountingStore, outage: Outage):
    """The limiter writes to the outage that it is given."""
    await RateLimiter(Redis(port=free_port()), b"key", store, outage).count("shop", X)
    assert outage.ongoing


async def test_redis_is_left_alone_after_a_failure(lost: RedisWindows, redis: Redis, outage: Outage):
    """Calls at once fail each, and are one failure; Redis is not asked for a moment; its answer ends the outage."""
    assert await asyncio.gather(*(lost.count(f"c{number}", ["w"], [TWO]) for number in range(3))) == [None] * 3
    assert (lost.fallbacks, outage._failures) == (3, 1)
    assert 0 < lost.fallback_seconds <= 1, "of the second that has begun"
    lost._redis = redis
    assert await lost.count("c4", ["w"], [TWO]) is None
    assert lost.fallbacks == 4
    lost._rest_until, outage._failed_at = 0.0, -60.0
    assert lost.fallback_seconds == 1
    assert await lost.count("c5", ["w"], [TWO]) == [Usage(0, HOUR * 1_000_000)]
    assert (lost.fallbacks, outage.ongoing) == (4, False)


async def test_the_script_answers_for_each_window(windows: RedisWindows, redis: Redis):
    """Its place in the answer is that in the question; a call without an id reads and counts nothing."""
    await windows.count("c1", ["w"], [TWO])
    await windows.count("c2", ["v", "w"], [TWO, TWO])
    read = await windows.peek(["w", "v", "u"], [TWO] * 3)
    assert [usage.before for usage in read] == [2, 1, 0]
    assert await redis.zcard("w") == 2
    assert await windows.reset(["w", "v", "u"]) == 2


@pytest.mark.usefixtures("disarmed")
@pytest.mark.parametrize(("point", "counted"), [("before", 0), ("after", 1)])
async def test_a_rehearsed_outage_of_redis(windows: RedisWindows, redis: Redis, point: str, counted: int):
    """Tests of outages lose the question, or the answer about a call that Redis has counted."""
    failpoints.arm(f"redis.limits.{point}:raise")
    assert await windows.count("c1", ["w"], [TWO]) is None
    assert await redis.zcard("w") == counted


async def test_a_refund_waits_for_redis(lost: RedisWindows, redis: Redis):
    """While Redis is away it is kept, and nothing is asked; the next refund, of nothing even, makes up for it."""
    await redis.zadd("w", {"c1": 1, "c2": 2, "c3": 3})
    await lost.refund([])
    assert lost.fallbacks == 0
    await lost.refund([("w", "c1")])
    await lost.refund([("w", "c2")])
    assert lost.fallbacks == 1
    lost._redis = redis
    await lost.refund([])
    assert await redis.zcard("w") == 3, "Redis is not asked for a moment"
    lost._rest_until = 0.0
    await lost.refund([])
    assert await redis.zrange("w", 0, -1) == [b"c3"]


async def test_a_refund_in_what_is_no_window(windows: RedisWindows, redis: Redis):
    """A key of another type is no failure of Redis, and holds up no other refund."""
    await redis.set("no window", "x")
    await redis.zadd("w", {"c1": 1})
    await windows.refund([("no window", "c1"), ("w", "c1")])
    assert await redis.zcard("w") == 0
    assert windows.fallbacks == 0


async def test_emptied_windows(windows: RedisWindows, lost: RedisWindows, redis: Redis):
    """Emptying tells if Redis was there; an operator's command gets an error that names the server."""
    await redis.zadd("w", {"c1": 1})
    assert await windows.empty(["w"]) is True
    assert await redis.exists("w") == 0
    assert await lost.empty(["w"]) is False
    for command in (lost.peek(["w"], [TWO]), lost.reset(["w"])):
        with pytest.raises(ServerUnavailable, match=r"^redis at .*127\.0\.0\.1.* refuses connections"):
            await command
