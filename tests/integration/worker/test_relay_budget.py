"""SMTP_PER_MINUTE is one budget of all workers: counted in Redis, in Postgres while that is away."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack

import pytest
from redis.asyncio import Redis

from service import outages
from service.db import Pool
from service.queue import connect
from service.rate_limiter import redis_windows
from service.rate_limiter.redis_windows import RedisWindows
from service.store.rate_limit_windows import Store
from testkit.waiting import until
from worker.relays import RelayBudget, RelayPool, SmtpUrl
from worker.relays import budget as relay_budget

AWAY = "redis://127.0.0.1:1/0"
Budgets = Callable[..., RelayBudget]


@pytest.fixture
async def budget(pool: Pool, redis: Redis, redis_url: str, monkeypatch) -> AsyncIterator[Budgets]:
    """Budgets of workers, each with a connection of its own."""
    monkeypatch.setattr(redis_windows, "_PATIENCE", 10.0)  # how long a busy machine waits for Redis is not the question
    monkeypatch.setattr(relay_budget, "_LONGEST_WAIT", 0.05)
    async with AsyncExitStack() as stack:

        def make(per_minute: int, *, url: str = redis_url) -> RelayBudget:
            client = connect(url)
            stack.push_async_callback(client.aclose, close_connection_pool=True)
            made = RelayBudget(per_minute, "relay.example:25", RedisWindows(client, outages.of_redis(url)), Store(pool))
            stack.push_async_callback(made.close)
            return made

        yield make


async def taken(budget: RelayBudget, most: int) -> int:
    """Number of permits that there are at once."""
    await budget.fetch(most)
    permits = 0
    while budget.has_permit():
        await budget.acquire()
        permits += 1
    return permits


@pytest.mark.parametrize("url", [None, AWAY])
async def test_workers_share_a_minute(budget: Budgets, url: str | None):
    """Three take no more than one may; a permit that a mail did not need goes to another worker."""
    one, two, three = (budget(10, **({"url": url} if url else {})) for _ in range(3))
    found = await asyncio.gather(*(taken(each, 6) for each in (one, two, three)))
    assert sum(found) == 10
    assert [await taken(each, 1) for each in (one, two, three)] == [0, 0, 0]
    waiting = asyncio.create_task(three.acquire())
    if url is None:
        await one._redis._redis.delete(one._name)
    else:
        await one._store.conn.execute("delete from windows where name = $1", one._name)
    one.release(await one.acquire())
    await asyncio.wait_for(waiting, 30)


async def test_what_redis_gave_counts_when_it_goes_away(budget: Budgets, pool: Pool, monkeypatch):
    """The window in Postgres begins with what Redis said last, so that an outage gives no second budget."""
    one = budget(10)
    assert await taken(one, 7) == 7
    monkeypatch.setattr(one._redis, "_rest_until", float("inf"))
    assert await taken(one, 10) == 3


async def test_unused_permits_are_given_back(budget: Budgets, monkeypatch):
    """A worker that took more than it needed keeps them for a moment only."""
    monkeypatch.setattr(relay_budget, "_KEPT", 0.01)
    one, two = budget(10), budget(10)
    await one.fetch(8)
    one.release(await one.acquire())
    await until(lambda: not one.has_permit(), what="nothing is given back")
    await one._returning
    assert await taken(two, 20) == 10


async def test_a_batch_asks_redis_twice(budget: Budgets, redis: Redis):
    """For its first mail and for all others, however many: a mail costs no round trip."""
    counted = budget(1_000)
    relay = RelayPool(SmtpUrl("127.0.0.1", 1, tls="none"), per_minute=1_000, budget=counted)
    before = (await redis.info("commandstats")).get("cmdstat_evalsha", {}).get("calls", 0)
    rounds = 0
    run = counted._redis._run_round

    async def counting(*asked):
        nonlocal rounds
        rounds += 1
        return await run(*asked)

    counted._redis._run_round = counting  # type: ignore[method-assign]
    reservations = [await relay.acquire_rate(), *await relay.acquire_free_rates(99)]
    assert (len(reservations), rounds) == (100, 2)
    assert (await redis.info("commandstats"))["cmdstat_evalsha"]["calls"] - before >= 99
    for reservation in reservations:
        relay.release_rate(reservation)
    await relay.close()
    assert await redis.zcard(counted._name) == 0
