"""G9: bursts of a hundred at once against a limit of ten, over two API processes: exactly ten get through, each time.

A burst is a hundred guesses at one account's recovery (PUT with a wrong secret): what is counted are the answers that
are no 429, that is the guesses that were looked at. The same is done once more with Redis away, a tenth as often.
"""

import asyncio
import os
import tempfile
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path

import aiohttp

from figures.result import Row
from service import migrations, projects
from service.db import Pool
from service.local import servers
from tests import processes

COUNT = 500
LIMIT, BURST = 10, 100
_BODY = {"secret": "0f" * 128, "password": "another horse", "passwordAgain": "another horse"}


async def measure(count: int, seed: int) -> list[Row]:
    """Servers of its own, all on 127.0.0.1."""
    with tempfile.TemporaryDirectory(prefix="accounts-figure-") as state:
        postgres = servers.start_postgres(Path(state), throwaway=True)
        valkey = servers.start_valkey(Path(state), throwaway=True)
        try:
            return await bursts(environment(postgres.url, valkey.url), count, seed)
        finally:
            valkey.stop()
            postgres.stop()


def environment(postgres: str, redis: str) -> dict[str, str]:
    return {
        "DATABASE_URL": postgres, "REDIS_URL": redis, "LOG_LEVEL": "error",
        "SECRET_KEYS": "figure:" + os.urandom(32).hex(), "MAIL_FROM": "no-reply@accounts.test",
    }  # fmt: skip


async def bursts(given: dict[str, str], count: int, seed: int) -> list[Row]:
    """One row with Redis, one without; on servers that somebody else has started."""
    await migrations.migrate(given["DATABASE_URL"])
    pool = Pool(given["DATABASE_URL"], size=1)
    try:
        await projects.create(pool, "g9", name="G9")
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
    """Two API processes, and a client for each."""
    async with AsyncExitStack() as stack:
        clients = []
        for _ in range(2):
            _, address = await stack.enter_async_context(processes.api(settings))
            pooled = aiohttp.TCPConnector(limit=BURST // 2)
            clients.append(await stack.enter_async_context(aiohttp.ClientSession(address, connector=pooled)))
        yield clients


async def _burst(clients: list[aiohttp.ClientSession], user_id: str) -> int:
    """How many of a hundred were looked at."""
    statuses = await asyncio.gather(*(_guess(clients[number % 2], user_id) for number in range(BURST)))
    assert set(statuses) <= {401, 429}, Counter(statuses)
    return statuses.count(401)


async def _guess(client: aiohttp.ClientSession, user_id: str) -> int:
    headers = {"X-Appwrite-Project": "g9"}
    async with client.put("/v1/account/recovery", json=_BODY | {"userId": user_id}, headers=headers) as answer:
        return answer.status
