"""Log lines of a process: its start, its end, and one line for each peer that falls or comes back."""

import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from devstack.servers import free_port
from service.db import Pool
from service.store import migrations
from testkit import processes
from testkit.processes import Process
from testkit.valkey import Store
from testkit.waiting import until
from tests.conftest import Shared

ASK = {"email": "ann@example.com", "url": "http://localhost/reset"}


def lines(process: Process, *events: str) -> list[dict[str, Any]]:
    """Log lines of one of the events."""
    found = [json.loads(line) for line in process.lines if line.startswith("{")]
    return [line for line in found if line.get("event") in events]


def events(process: Process, level: str = "warning") -> list[str]:
    return [json.loads(line).get("event") for line in process.lines if f'"level":"{level}"' in line]


@pytest.fixture
async def unmigrated(shared_postgres: Shared) -> AsyncIterator[str]:
    """A database without a table."""
    async with shared_postgres.new_database() as url:
        yield url


async def test_an_api_where_nothing_was_migrated_says_so_once(unmigrated: str, environment: dict[str, str], redis):
    """In its log, on /ready and to clients by 503; after the migration it works, and says that."""
    ports = processes.api_ports()
    setting = environment | ports | {"DATABASE_URL": unmigrated}
    health, api = f"http://127.0.0.1:{ports['HEALTH_PORT']}/ready", f"http://127.0.0.1:{ports['PORT']}/v1/account"
    async with processes.program("service", "serve", environment=setting) as running, aiohttp.ClientSession() as client:
        await until(lambda: lines(running, "service.started"), what="it does not serve")
        for _ in range(5):
            async with client.get(health) as answer:
                assert (answer.status, "run `python -m service migrate`" in (await answer.json())["fault"]) == (
                    503,
                    True,
                )
            async with client.get(api, headers={"X-Appwrite-Project": "shop"}) as answer:
                assert answer.status == 503
        (told,) = lines(running, "postgres.unavailable")
        assert "run `python -m service migrate`" in told["fault"]
        await migrations.migrate(unmigrated)
        await until(lambda: lines(running, "postgres.available"), what="the recovery is not told")
        async with client.get(health) as answer:
            assert answer.status == 200
    # Half migrated it is not ready either, but for another reason.
    wanted = {"postgres.unavailable", "postgres.available", "service.not_ready", "service.ready"}
    assert (len(events(running)), set(events(running)) - wanted) == (len(set(events(running))), set())
    assert events(running, "error") == []


async def test_a_worker_where_nothing_was_migrated_says_so_once(
    unmigrated: str, environment: dict[str, str], redis, tmp_path: Path
):
    """No stack trace a second: one line that says what to do, one when it is done, and then it works."""
    setting = environment | {"DATABASE_URL": unmigrated, "WORKER_STATE": str(tmp_path / "state")}
    async with processes.worker(setting, heartbeat=tmp_path / "alive") as running:
        (told,) = await until(lambda: lines(running, "postgres.unavailable"), what="it says nothing")
        assert "run `python -m service migrate`" in told["fault"]
        await migrations.migrate(unmigrated)
        await until(lambda: lines(running, "postgres.available"), what="the recovery is not told")
    assert events(running) == ["postgres.unavailable", "postgres.available"]
    assert events(running, "error") == []


def with_redis(environment: dict[str, str], url: str, state: Path) -> dict[str, str]:
    """Make settings of an API, or of a worker, with this Redis."""
    own = {"WORKER_STATE": str(state / "state"), "WORKER_HEARTBEAT": str(state / "alive")}
    return environment | processes.api_ports() | own | {"REDIS_URL": url}


@pytest.mark.parametrize("words", [("service", "serve"), ("worker",)], ids=["api", "worker"])
async def test_another_password_of_redis_is_one_warning_at_start(
    words: tuple[str, ...], environment: dict[str, str], project, tmp_path: Path
):
    """A refused password is one warning that names the server and not the password; one line when it is right."""
    store = Store(tmp_path / "store")
    store.start()
    try:
        await store.command("ACL", "SETUSER", "app", "on", ">other", "~*", "&*", "+@all")
        setting = with_redis(environment, f"redis://app:hidden@127.0.0.1:{store.port}/0", tmp_path)
        async with processes.program(*words, environment=setting) as running:
            (told,) = await until(lambda: lines(running, "redis.unavailable"), what="it says nothing")
            assert (told["server"], told["fault"]) == (
                f"127.0.0.1:{store.port}",
                "refuses the password: mend REDIS_URL",
            )
            await store.command("ACL", "SETUSER", "app", ">hidden")
            await until(lambda: lines(running, "redis.available"), what="the recovery is not told")
        assert events(running) == ["redis.unavailable", "redis.available"]
        assert not [line for line in running.lines if "hidden" in line]
    finally:
        store.stop()


@pytest.mark.parametrize("words", [("service", "serve"), ("worker",)], ids=["api", "worker"])
async def test_a_password_that_redis_wants_and_nobody_gave_is_one_warning(
    words: tuple[str, ...], environment: dict[str, str], project, tmp_path: Path
):
    """The commonest slip of all: it is named, and it is no storm of greetings."""
    store = Store(tmp_path / "store")
    store.start()
    try:
        setting = with_redis(environment, f"redis://127.0.0.1:{store.port}/0", tmp_path)
        async with processes.program(*words, environment=setting) as running:
            (told,) = await until(lambda: lines(running, "redis.unavailable"), what="it says nothing")
            assert told["fault"] == "wants a password: REDIS_URL has none"
            await store.command("ACL", "SETUSER", "default", "nopass")
            await until(lambda: lines(running, "redis.available"), what="the recovery is not told")
        assert events(running) == ["redis.unavailable", "redis.available"]
        assert events(running, "error") == []
    finally:
        store.stop()


@pytest.mark.parametrize("words", [("service", "serve"), ("worker",)], ids=["api", "worker"])
async def test_a_full_redis_is_away_until_it_takes_writes(
    words: tuple[str, ...], environment: dict[str, str], project, tmp_path: Path
):
    """It answers PING, and is one outage all the same, however often it is tried."""
    store = Store(tmp_path / "store")
    store.start()
    try:
        await store.fill()
        setting = with_redis(environment, store.url(), tmp_path)

        async def tried_again() -> bool:
            answers = await store.command("INFO", "errorstats")
            return int(answers.get("errorstat_OOM", {"count": 0})["count"]) > 1

        async with processes.program(*words, environment=setting) as running:
            (told,) = await until(lambda: lines(running, "redis.unavailable"), what="it says nothing")
            assert told["fault"] == "has no memory left: raise its maxmemory"
            await until(tried_again, what="it has given up")
            assert events(running) == ["redis.unavailable"]
            await store.fill(full="0")
            await until(lambda: lines(running, "redis.available"), what="the recovery is not told")
        assert events(running) == ["redis.unavailable", "redis.available"]
    finally:
        store.stop()


async def test_redis_away_is_one_line_however_many_ask(environment: dict[str, str], project, pool: Pool):
    """The rate limiter, the job queue and /ready share one line about Redis."""
    away = f"redis://127.0.0.1:{free_port()}"
    async with (
        processes.api(environment | {"REDIS_URL": away, "LIMITS": "off"}) as (running, address),
        aiohttp.ClientSession() as client,
    ):
        for _ in range(12):
            headers = {"X-Appwrite-Project": "shop"}
            async with client.post(f"{address}/v1/account/recovery", headers=headers, json=ASK) as answer:
                assert answer.status == 201
    assert events(running) == ["redis.unavailable"]


@pytest.mark.parametrize("host", ["nowhere.invalid", "192.0.2.1"])
async def test_a_host_that_cannot_be_bound_is_named(environment: dict[str, str], pool: Pool, redis, host: str):
    """The setting and what is wrong with it; nobody blames the database."""
    ports = processes.api_ports()
    running = await processes.start("service", "serve", environment=environment | ports | {"HOST": host})
    assert await running.ended() == 6
    assert running.lines[-1].startswith(f"can't listen on {host}:{ports['HEALTH_PORT']}: ")
    assert "HOST" in running.lines[-1]
    assert events(running) == []


async def test_several_addresses_are_listened_on(environment: dict[str, str], project, redis):
    """HOST may list addresses: requests come in on each, and the health port is on the first one only."""
    ports = processes.api_ports()
    words = environment | ports | {"HOST": "127.0.0.1, 127.0.0.2,"}
    async with processes.program("service", "serve", environment=words) as running, aiohttp.ClientSession() as client:
        await processes.until_ready(running, f"http://127.0.0.1:{ports['HEALTH_PORT']}/ready")
        for host in ("127.0.0.1", "127.0.0.2"):
            async with client.get(f"http://{host}:{ports['PORT']}/v1/openapi.json") as answer:
                assert answer.status == 200
        for host, port in (("127.0.0.2", "HEALTH_PORT"), ("127.0.0.3", "PORT")):
            with pytest.raises(aiohttp.ClientConnectorError):
                await client.get(f"http://{host}:{ports[port]}/live")


async def test_start_and_stop_have_a_line(environment: dict[str, str], project, redis, tmp_path: Path):
    """Whoever reads the log sees when a process lived."""
    async with processes.api(environment) as (api, _):
        pass
    beat = tmp_path / "alive"
    async with processes.worker(environment | {"WORKER_STATE": str(tmp_path / "state")}, heartbeat=beat) as worker:
        pass
    wanted = [f"service.{name}" for name in ("started", "stopping", "stopped")]
    assert [line["event"] for line in lines(api, *wanted)] == wanted
    wanted = [f"worker.{name}" for name in ("started", "stopping", "stopped")]
    assert [line["event"] for line in lines(worker, *wanted)] == wanted
    assert events(api) + events(worker) == []


async def test_a_certificate_that_cannot_be_read_is_unfit(environment: dict[str, str], tmp_path: Path):
    """A worker whose SMTP_URL names no usable `ca` ends with 5 and says so, without a traceback."""
    (tmp_path / "empty.pem").touch()
    for name in ("none", "empty"):
        setting = environment | {"SMTP_URL": f"smtp://127.0.0.1:1?ca={tmp_path / name}.pem"}
        running = await processes.start("worker", environment=setting)
        assert await running.ended() == 5
        assert [line.split(":")[0].strip() for line in running.lines] == ["the settings are unfit", "SMTP_URL"]
