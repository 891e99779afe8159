"""Readiness of the API, its start and its stop, asked of real processes."""

import asyncio
import base64
import json
import signal
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from aiohttp import DummyCookieJar

from devstack.servers import free_port
from service.app import make
from service.database_health import Clock, DatabaseHealth
from service.db import Pool, transaction
from service.http.readiness import Readiness
from service.settings import Settings
from service.store import migrations, projects
from testkit.api import Api, cookie_of
from testkit.postgres import postgres_server
from testkit.processes import Process, program
from testkit.waiting import until


@dataclass
class Serving:
    """A started API, ready or not."""

    process: Process
    port: int
    health: int
    client: aiohttp.ClientSession

    async def ready(self) -> tuple[int, dict[str, Any]]:
        """Status and answer of /ready; 0 while nobody listens."""
        try:
            async with self.client.get(f"http://127.0.0.1:{self.health}/ready") as answer:
                return answer.status, await answer.json()
        except aiohttp.ClientConnectorError:
            return 0, {}

    async def says(self, status: int) -> bool:
        return (await self.ready())[0] == status

    async def call(self, method: str, path: str, **body: Any) -> int:
        headers = {"X-Appwrite-Project": "shop"}
        address = f"http://127.0.0.1:{self.port}{path}"
        async with self.client.request(method, address, headers=headers, **body) as answer:
            return answer.status


@asynccontextmanager
async def serving(environment: dict[str, str], **settings: str) -> AsyncIterator[Serving]:
    port, health = free_port(), free_port()
    ports = {"PORT": str(port), "HEALTH_PORT": str(health)}
    async with (
        program("service", "serve", environment=environment | ports | settings) as process,
        aiohttp.ClientSession() as client,
    ):
        yield Serving(process, port, health, client)


RECOVERY = {"email": "ann@example.com", "url": "http://localhost/reset"}


async def test_f01_a_postgres_that_is_down_at_start_is_waited_for(environment, redis, tmp_path: Path):
    """The process lives and answers 503, not ready; when Postgres comes up it works, without a restart."""
    async with postgres_server(tmp_path) as server:
        await migrations.migrate(server.url())
        pool = Pool(server.url(), size=1)
        await projects.create(pool, "shop", name="Shop")
        await projects.add_platform(pool, "shop", hostname="localhost")
        await pool.close()
        await server.stop()
        async with serving(environment | {"DATABASE_URL": server.url()}) as api:
            await until(lambda: api.says(503))
            assert (await api.ready())[1]["ready"] is False
            assert await api.call("POST", "/v1/account/recovery", json=RECOVERY) == 503
            await server.start()
            await until(lambda: api.says(200))
            assert await api.call("POST", "/v1/account/recovery", json=RECOVERY) == 201


async def test_f12_an_old_schema_is_not_ready(environment, redis, tmp_path: Path):
    """New code on a database that was not migrated waits for the migration, and then works."""
    async with postgres_server(tmp_path) as server, serving(environment | {"DATABASE_URL": server.url()}) as api:
        await until(lambda: api.says(503))
        await migrations.migrate(server.url())
        await until(lambda: api.says(200))


async def test_a_half_migrated_schema_is_told(settings: Settings, pool: Pool):
    """Older than the code is unfit and says what to do; newer is fine, for migrations run first."""
    readiness = Readiness(settings)
    assert await readiness.check() == ""
    now = time.time()
    assert "migrate" in readiness._judge(DatabaseHealth(read_only=False, version=1, clock=now))
    assert readiness._judge(DatabaseHealth(read_only=False, version=9999, clock=now)) == ""
    assert "read" in readiness._judge(DatabaseHealth(read_only=True, version=9999, clock=now))
    await readiness.close()


async def test_f21_without_redis_it_is_ready_and_says_so(environment, project):
    """Without Redis the process takes requests and reports itself degraded."""
    async with serving(environment | {"REDIS_URL": f"redis://127.0.0.1:{free_port()}"}) as api:
        await until(lambda: api.says(200))
        assert (await api.ready())[1] == {"ready": True, "fault": "", "degraded": ["redis"]}


async def test_f56_it_is_not_ready_before_it_stops(environment, project, pool: Pool, redis):
    """Told to stop it says 503 at once, still takes requests for a while, finishes what has begun, and ends well."""
    async with serving(environment, STOP_DELAY="3") as api:
        await until(lambda: api.says(200))
        assert (await api.ready())[1] == {"ready": True, "fault": "", "degraded": []}
        async with transaction(pool) as tx:
            await tx.execute("lock table mails in access exclusive mode")
            under_way = asyncio.create_task(api.call("POST", "/v1/account/recovery", json=RECOVERY))
            await until(lambda: _waits_for_a_lock(pool))
            api.process.process.send_signal(signal.SIGTERM)
            await until(lambda: api.says(503))
            assert (await api.ready())[1]["fault"] == "it is stopping"
        assert await under_way == 201
        assert await api.call("POST", "/v1/account/recovery", json=RECOVERY) == 201
        assert await api.process.end() == 0


async def _waits_for_a_lock(pool: Pool) -> bool:
    return bool(await pool.fetchrow("select 1 from pg_locks where not granted"))


def test_a_clock_goes_on_by_itself():
    """Told once, it needs neither Postgres nor this machine's own time, which somebody may set."""
    clock = Clock()
    assert abs(clock.now() - time.time()) < 60
    clock.set(time.time() + 3600, sent_at=time.monotonic())
    assert 3540 < clock.offset < 3660
    earlier = clock.now()
    assert clock.now() >= earlier


async def test_f61_a_machine_whose_clock_is_off_is_not_ready(settings: Settings, pool: Pool):
    """More than two seconds either way: what expires would live too long or too short."""
    readiness = Readiness(settings)
    assert await readiness.check() == ""
    for off, fit in ((0.0, True), (60.0, False), (-3600.0, False)):
        readiness.clock.set(time.time() + off, sent_at=time.monotonic())
        fault = readiness._judge(DatabaseHealth(read_only=False, version=9999, clock=0))
        assert (fault == "") is fit
    await readiness.close()


@pytest.mark.parametrize("off", [3600.0, -3600.0])
async def test_f61_jwts_live_by_the_clock_of_postgres(aiohttp_client, settings, project, redis, off: float):
    """A process makes and checks JWTs by the time that Postgres told it, an hour off its machine's or not."""
    right = Api(await aiohttp_client(make(settings), cookie_jar=DummyCookieJar()))
    clock = Clock()
    wrong = Api(await aiohttp_client(make(settings, clock.now), cookie_jar=DummyCookieJar()))
    member = {"Cookie": cookie_of(await right.call("POST", "/v1/account/sessions/anonymous"))}
    clock.set(time.time() + off, sent_at=time.monotonic())
    token = (await wrong.call("POST", "/v1/account/jwt", headers=member)).data["jwt"]
    part = token.split(".")[1]
    claims = json.loads(base64.urlsafe_b64decode(part + "=" * (-len(part) % 4)))
    assert abs(claims["iat"] - time.time() - off) < 60
    assert (await wrong.call("GET", "/v1/account", headers={"X-Appwrite-JWT": token})).status == 200
    # To who has the other time it is either expired or from the future.
    assert (await right.call("GET", "/v1/account", headers={"X-Appwrite-JWT": token})).status == 401
