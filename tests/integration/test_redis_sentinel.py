"""Redis behind Sentinel: its primary is killed, another takes over, and API and worker follow by themselves."""

import asyncio
import signal
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest

from service import redis_patience
from service.queue import QUEUE, connect
from testkit import processes
from testkit.api import Api
from testkit.cluster import ALL_ENDED
from testkit.sentinel import SERVICE, Watched, watched
from testkit.sink import Sink
from testkit.waiting import until


@pytest.fixture
async def servers(tmp_path: Path) -> AsyncIterator[Watched]:
    async with watched(tmp_path / "redis") as servers:
        yield servers


@pytest.fixture
def environment(environment: dict[str, str], servers: Watched) -> dict[str, str]:
    return environment | {"REDIS_URL": servers.url}


async def _are_counted(api: Api, redis: Any) -> bool:
    """Sign in, and look in this Redis for the windows of those who do."""
    await api.sign_in()
    return bool([key async for key in redis.scan_iter("rl:*")])


async def _is_taken(redis: Any) -> bool:
    """Tell whether the worker takes a job out of this Redis."""
    job = str(uuid4())
    await redis.zadd(QUEUE, {job: 1})
    await until(lambda: _is_gone(redis, job), what="nobody takes a job")
    return True


async def _is_gone(redis: Any, job: str) -> bool:
    return await redis.zscore(QUEUE, job) is None


@pytest.mark.usefixtures("cheap")
async def test_api_and_worker_follow_the_primary(
    api: Api, pool, environment: dict[str, str], servers: Watched, tmp_path: Path
):
    """From kill -9 on no request fails and no mail is lost; then windows and jobs are in the new primary."""
    await api.sign_up()
    async with Sink() as sink:
        own = {"SMTP_URL": f"smtp://127.0.0.1:{sink.port}?tls=none", "WORKER_STATE": str(tmp_path)}
        async with processes.worker(environment | own, heartbeat=tmp_path / "alive"):
            async with servers.client(await servers.primary()) as first:
                assert await _are_counted(api, first)
                assert await _is_taken(first)
            killed = await servers.kill_primary()
            recovery = {"email": "ann@example.com", "url": "http://localhost/recover"}
            during = await asyncio.gather(*(api.call("POST", "/v1/account/recovery", json=recovery) for _ in range(3)))
            assert [answer.status for answer in during] == [201, 201, 201]
            await until(servers.primary, what="no server takes over")
            assert await servers.primary() != killed
            async with servers.client(await servers.primary()) as second:
                await until(lambda: _are_counted(api, second), what="windows are not counted in the new primary")
                assert await _is_taken(second)
            await until(lambda: _all_ended(pool), what="mails or events are left")
            assert len(sink.mails) == 3


async def test_no_connection_outlives_its_client(servers: Watched):
    """A client that is closed leaves the sentinels as well as the primary."""
    redis = connect(servers.url)
    assert await redis.ping()
    asked = [sentinel.connection_pool for sentinel in redis.connection_pool.sentinel_manager.sentinels]
    assert any(each.is_connected for pool in asked for each in pool._available_connections)
    await redis.aclose(close_connection_pool=True)
    assert not any(each.is_connected for pool in asked for each in pool._available_connections)


async def test_a_sentinel_that_hangs_is_asked_last(servers: Watched):
    """A request has less patience with Redis than the client has with one sentinel: the next request asks another.

    However many connections are made at once, no sentinel is forgotten.
    """
    servers.processes[servers.sentinels[0]].send_signal(signal.SIGSTOP)
    hasty, many = connect(servers.url), connect(servers.url)
    await until(lambda: _is_reached(hasty), what="each request waits for the sentinel that hangs")
    known = many.connection_pool.sentinel_manager
    await asyncio.gather(*(known.discover_master(SERVICE) for _ in range(5)))
    assert len({*known.sentinels}) == len(servers.sentinels)
    for redis in (hasty, many):
        await redis.aclose(close_connection_pool=True)


async def _is_reached(redis: Any) -> bool:
    try:
        return bool(await redis_patience.within(0.1, redis.ping()))
    except TimeoutError:
        return False


async def _all_ended(pool: Any) -> bool:
    (ended,) = await pool.fetchrow(ALL_ENDED)
    return bool(ended)
