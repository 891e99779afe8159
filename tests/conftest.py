"""Postgres and Valkey for all tests, started by the first process; each test process has a database of its own."""

import asyncio
import os
import shutil
import tempfile
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import hypothesis
import pytest
from aiohttp import DummyCookieJar
from redis.asyncio import Redis

from devstack import servers
from service import failpoints
from service.app import make
from service.db import Pool, connect
from service.event_loop_monitor import spare_startup
from service.json_logging import JsonLines
from service.settings import Settings
from service.store import migrations, projects
from testkit.api import TABLES, Api
from testkit.browser import Browser, open_browser
from testkit.drivers import Unfit, lacking

# How long an example takes says something of the machine, and nothing of the rule.
hypothesis.settings.register_profile("patient", deadline=None, suppress_health_check=[hypothesis.HealthCheck.too_slow])
hypothesis.settings.load_profile("patient")
POSTGRES, VALKEY = "ACCOUNTS_TEST_POSTGRES", "ACCOUNTS_TEST_VALKEY"
POSTGRES_LOG = f"{POSTGRES}_LOG"


def pytest_sessionstart(session: pytest.Session) -> None:
    # A failed test shows the service's log with its facts, as an operator sees it. pytest's own plugin isn't there
    # before: it comes last of all that are configured.
    session.config.pluginmanager.get_plugin("logging-plugin").report_handler.setFormatter(JsonLines())


def pytest_configure(config: pytest.Config) -> None:
    if POSTGRES in os.environ:  # started by the first process, or by testkit.mutate
        return
    state = Path(tempfile.mkdtemp(prefix="accounts-test-"))
    config.started = []
    config.state = state
    for start, variable in ((servers.start_postgres, POSTGRES), (servers.start_valkey, VALKEY)):
        server = start(state, throwaway=True)
        config.started.append(server)
        os.environ[variable] = server.url
        os.environ[f"{variable}_LOG"] = str(server.log)
    asyncio.run(_make_template())


def pytest_collection_finish() -> None:
    """A full round of the garbage collector over thousands of tests takes seconds on a busy machine."""
    spare_startup()


def pytest_unconfigure(config: pytest.Config) -> None:
    for server in reversed(getattr(config, "started", [])):
        server.stop()
    if state := getattr(config, "state", None):
        shutil.rmtree(state, ignore_errors=True)


async def _make_template() -> None:
    await run_sql(os.environ[POSTGRES], "create database template_accounts")
    await migrations.migrate(database_url("template_accounts"))


def database_url(name: str) -> str:
    return os.environ[POSTGRES].rpartition("/")[0] + "/" + name


async def run_sql(url: str, statement: str) -> str:
    connection = await connect(url)
    try:
        return await connection.execute(statement)
    finally:
        await connection.close()


@pytest.fixture(scope="session")
def worker_number(worker_id: str) -> int:
    return int(worker_id.removeprefix("gw")) if worker_id.startswith("gw") else 15


@pytest.fixture(scope="session")
def database(worker_number: int) -> str:
    """The test worker's own database, made from the migrated template."""
    name = f"accounts_{worker_number}"
    # A mutation run's earlier processes had one of this name.
    asyncio.run(run_sql(os.environ[POSTGRES], f"drop database if exists {name} with (force)"))
    asyncio.run(run_sql(os.environ[POSTGRES], f"create database {name} template template_accounts"))
    return database_url(name)


@pytest.fixture(scope="session")
def redis_url(worker_number: int) -> str:
    return os.environ[VALKEY].rpartition("/")[0] + f"/{worker_number}"


@pytest.fixture
async def pool(database: str) -> AsyncIterator[Pool]:
    """A pool on empty tables."""
    pool = Pool(database, size=4, name="test")
    for table in TABLES:
        await pool.execute(f"delete from {table}")
    yield pool
    await pool.close()


@pytest.fixture
async def redis(redis_url: str) -> AsyncIterator[Redis]:
    """An empty Redis."""
    redis = Redis.from_url(redis_url)
    await redis.flushdb()
    yield redis
    await redis.aclose()


@pytest.fixture
def environment(database: str, redis_url: str, request: pytest.FixtureRequest) -> dict[str, str]:
    """The settings of a service under test, as environment variables."""
    return {
        "LIMITS": "off" if request.node.get_closest_marker("unlimited") else "on",
        "DATABASE_URL": database,
        "REDIS_URL": redis_url,
        "SMTP_URL": "smtp://127.0.0.1:1?tls=none",
        "PUBLIC_URL": "http://localhost:8080",
        "SECRET_KEYS": "test:" + "6f1c9d2e8b3a4750" * 4,
        "MAIL_FROM": "no-reply@accounts.test",
    }


@pytest.fixture
def settings(environment: dict[str, str], monkeypatch: pytest.MonkeyPatch) -> Settings:
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    return Settings.read()


@pytest.fixture
async def project(pool: Pool) -> projects.Project:
    """The project `shop`, whose pages are on localhost."""
    await projects.create(pool, "shop", name="Shop")
    await projects.add_platform(pool, "shop", hostname="localhost")
    found = await projects.find(pool, "shop")
    assert found
    return found


@pytest.fixture
async def api(aiohttp_client: Any, settings: Settings, project: projects.Project, redis: Redis) -> Api:
    """The application on real Postgres and Redis, with the project `shop`."""
    client = await aiohttp_client(make(settings), cookie_jar=DummyCookieJar())
    return Api(client)


@pytest.fixture
async def browser() -> AsyncIterator[Browser]:
    """A real browser; each page that it opens has a profile of its own."""
    try:
        async with open_browser() as opened:
            yield opened
    except Unfit as unfit:
        lacking(str(unfit))


@pytest.fixture
def disarmed() -> Iterator[None]:
    """End of each failpoint that the test has armed."""
    yield
    failpoints.disarm()
