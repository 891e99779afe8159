"""G9: bursts of a hundred at once against a limit of ten, over two API processes: exactly ten get through, each time.

A burst is a hundred guesses at one account's recovery (PUT with a wrong secret): what is counted are the answers that
are no 429, that is the guesses that were looked at. The same is done once more with Redis away, a tenth as often.
Besides, two thousand windows for each round, each of another value, are kept in Redis and in Postgres (S79).
"""

import asyncio
import os
import tempfile
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path

import aiohttp
from redis.asyncio import Redis

from bench.resilience.result import Row
from devstack import servers
from service.db import Pool
from service.rate_limiter import HOUR, RateLimiter, Rule, redis_windows
from service.store import migrations, projects, rate_limit_windows
from testkit import processes

COUNT = 500
LIMIT, BURST = 10, 100
_WINDOWS, _BATCH, _ROOM = 2000, 1000, 200
_BODY = {"secret": "0f" * 128, "password": "another horse", "passwordAgain": "another horse"}


async def measure(count: int, seed: int) -> list[Row]:
    """Measure on servers of its own, all on 127.0.0.1."""
    with tempfile.TemporaryDirectory(prefix="accounts-figure-") as state:
        postgres = servers.start_postgres(Path(state), throwaway=True)
        valkey = servers.start_valkey(Path(state), throwaway=True)
        try:
            given = environment(postgres.url, valkey.url)
            return [*await bursts(given, count, seed), *await _memory(given, count * _WINDOWS)]
        finally:
            valkey.stop()
            postgres.stop()


def environment(postgres: str, redis: str) -> dict[str, str]:
    return {
        "DATABASE_URL": postgres, "REDIS_URL": redis, "LOG_LEVEL": "error",
        "SECRET_KEYS": "figure:" + os.urandom(32).hex(), "MAIL_FROM": "no-reply@accounts.test",
    }  # fmt: skip


async def bursts(given: dict[str, str], count: int, seed: int) -> list[Row]:
    """Measure one row with Redis and one without, on servers that the caller has started."""
    await migrations.migrate(given["DATABASE_URL"])
    pool = Pool(given["DATABASE_URL"], size=1)
    try:
        await projects.create(pool, "g9", name="G9")
        # All guesses come from one machine, whose own window would be full after the first rounds.
        await projects.set_limit(pool, "g9", rule="update_recovery.ip", numbers=[])
    finally:
        await pool.close()
    nobody = given | {"REDIS_URL": f"redis://127.0.0.1:{servers.free_port()}/0"}
    return [
        await _part("with Redis", given, count, f"{seed:x}a"),
        await _part("Redis away, counted in Postgres", nobody, max(count // 10, 1), f"{seed:x}b"),
    ]


async def _part(what: str, settings: dict[str, str], rounds: int, name: str) -> Row:
    async with _two(settings) as clients:
        passed = Counter([await _burst(clients, f"{name}{number}") for number in range(rounds)])
    value = ", ".join(f"{looked} in {times} rounds of {rounds}" for looked, times in sorted(passed.items()))
    return Row(f"looked at of {BURST} at once, {what}", value, f"{LIMIT} in each round", set(passed) == {LIMIT})


@asynccontextmanager
async def _two(settings: dict[str, str]) -> AsyncIterator[list[aiohttp.ClientSession]]:
    """Start two API processes, and a client for each."""
    async with AsyncExitStack() as stack:
        clients = []
        for _ in range(2):
            _, address = await stack.enter_async_context(processes.api(settings))
            pooled = aiohttp.TCPConnector(limit=BURST // 2)
            clients.append(await stack.enter_async_context(aiohttp.ClientSession(address, connector=pooled)))
        yield clients


async def _burst(clients: list[aiohttp.ClientSession], user_id: str) -> int:
    """Return how many of a hundred were not refused by the limit."""
    statuses = await asyncio.gather(*(_guess(clients[number % 2], user_id) for number in range(BURST)))
    assert set(statuses) <= {401, 429}, Counter(statuses)
    return statuses.count(401)


async def _guess(client: aiohttp.ClientSession, user_id: str) -> int:
    headers = {"X-Appwrite-Project": "g9"}
    async with client.put("/v1/account/recovery", json=_BODY | {"userId": user_id}, headers=headers) as answer:
        return answer.status


async def _memory(given: dict[str, str], many: int) -> list[Row]:
    """Measure the memory of so many windows, each of one call."""
    redis, pool = Redis.from_url(given["REDIS_URL"]), Pool(given["DATABASE_URL"], size=1)
    try:
        await redis.flushdb()
        await pool.execute("truncate windows")
        counting = RateLimiter(redis, b"key", rate_limit_windows.Store(pool))
        names = [counting.key_of("g9", Rule("g9", LIMIT, HOUR), str(number)) for number in range(many)]
        batches = [names[start : start + _BATCH] for start in range(0, many, _BATCH)]
        return [await _in_redis(redis, batches), *await _in_postgres(pool, batches)]
    finally:
        await redis.aclose()
        await pool.close()


async def _in_redis(redis: Redis, batches: list[list[str]]) -> Row:
    before = (await redis.info("memory"))["used_memory"]
    script = await redis.script_load(Path(redis_windows.__file__).with_suffix(".lua").read_text())
    for batch in batches:
        async with redis.pipeline(transaction=False) as pipe:
            for name in batch:
                pipe.evalsha(script, 1, name, "count", str(LIMIT), str(HOUR * 1_000_000), "1")
            await pipe.execute()
    used = ((await redis.info("memory"))["used_memory"] - before) / 2**20
    (found,) = (await redis.info("keyspace")).values()
    value = f"{used:.0f} MiB, {found['keys'] - found['expires']} without an end"
    met = used <= _ROOM and found["keys"] == found["expires"] == sum(map(len, batches))
    return Row(f"{found['keys']} windows in Redis", value, f"{_ROOM} MiB, 0", met)


async def _in_postgres(pool: Pool, batches: list[list[str]]) -> list[Row]:
    """Measure their space, and whether calls delete expired ones faster than they can add new ones."""
    for batch in batches:
        await rate_limit_windows.Store(pool).count(batch, [LIMIT] * len(batch), [HOUR] * len(batch))
    size = (await pool.fetchrow("select (pg_total_relation_size('windows') / 1048576)::int"))[0]
    for batch in batches:
        await pool.execute("update windows set expires_at = now() - interval '1 s' where name = any($1)", batch)
    before = (await pool.fetchrow("select count(*) from windows"))[0]
    calls = min(_BATCH, before // 20)
    for call in range(calls):
        await rate_limit_windows.Store(pool).count([f"{call}.{number}" for number in range(5)], [LIMIT] * 5, [HOUR] * 5)
    gone = (before - (await pool.fetchrow("select count(*) from windows"))[0]) / calls
    return [
        Row(f"{before} windows in Postgres", f"{size} MiB"),
        Row("expired windows that go with each call that makes five", f"{gone + 5:.1f}", "above 5", gone > 0),
    ]
