"""Postgres and Valkey for the tests that need them: each test process starts its own for the first such test."""

import asyncio
import os
import tempfile
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from uuid import uuid4

import hypothesis
import pytest
from aiohttp import DummyCookieJar
from argon2 import PasswordHasher
from redis.asyncio import Redis

from devstack import servers
from service import failpoints
from service.app import make
from service.crypto import password_hashing
from service.db import Pool, connect
from service.event_loop_monitor import spare_startup
from service.json_logging import JsonLines
from service.settings import Settings
from service.store import migrations, projects
from testkit.api import TABLES, Api
from testkit.browser import Browser, open_browser
from testkit.drivers import Unfit, lacking
from testkit.identity_provider import IdentityProvider
from testkit.visitor import Visitor

# How long an example takes says something of the machine, and nothing of the rule.
hypothesis.settings.register_profile("patient", deadline=None, suppress_health_check=[hypothesis.HealthCheck.too_slow])
hypothesis.settings.load_profile("patient")
POSTGRES, VALKEY = "ACCOUNTS_TEST_POSTGRES", "ACCOUNTS_TEST_VALKEY"
TEMPLATE = "template_accounts"


def pytest_sessionstart(session: pytest.Session) -> None:
    # A failed test shows the service's log with its facts, as an operator sees it. pytest's own plugin isn't there
    # before: it comes last of all that are configured.
    session.config.pluginmanager.get_plugin("logging-plugin").report_handler.setFormatter(JsonLines())


def pytest_collection_finish() -> None:
    """A full round of the garbage collector over thousands of tests takes seconds on a busy machine."""
    spare_startup()


@dataclass(frozen=True)
class Shared:
    """A server of this test process: its address (of Postgres with the database `postgres`), and its log."""

    url: str
    log: Path

    def database(self, name: str) -> str:
        """Address of one of Postgres's databases."""
        return self.url.rpartition("/")[0] + "/" + name

    @asynccontextmanager
    async def new_database(self, template: str = "template0") -> AsyncIterator[str]:
        """Make a database that lives as long as the context; yield its address."""
        name = f"test_{uuid4().hex}"
        await run_sql(self.url, f"create database {name} template {template}")
        try:
            yield self.database(name)
        finally:
            await run_sql(self.url, f"drop database {name} with (force)")


@contextmanager
def _started(start: Callable[..., servers.Server]) -> Iterator[Shared]:
    with tempfile.TemporaryDirectory(prefix="accounts-test-", ignore_cleanup_errors=True) as state:
        server = start(Path(state), throwaway=True)
        try:
            yield Shared(server.url, server.log)
        finally:
            server.stop()


@pytest.fixture
def cheap(monkeypatch: pytest.MonkeyPatch) -> None:
    """For rules that have nothing to do with what a hash costs."""
    monkeypatch.setattr(password_hashing, "_HASHER", PasswordHasher(time_cost=1, memory_cost=8, parallelism=1))


@pytest.fixture(scope="session")
def shared_postgres() -> Iterator[Shared]:
    """Postgres with the migrated database `template_accounts`, for the whole test process."""
    if POSTGRES in os.environ:  # testkit.mutate has one for all of its runs
        yield Shared(os.environ[POSTGRES], Path(os.environ[f"{POSTGRES}_LOG"]))
        return
    with _started(servers.start_postgres) as server:
        asyncio.run(make_template(server.url))
        yield server


@pytest.fixture(scope="session")
def shared_valkey() -> Iterator[Shared]:
    """Valkey for the whole test process."""
    if VALKEY in os.environ:  # as above
        yield Shared(os.environ[VALKEY], Path(os.environ[f"{VALKEY}_LOG"]))
        return
    with _started(servers.start_valkey) as server:
        yield server


async def make_template(url: str) -> None:
    await run_sql(url, f"create database {TEMPLATE}")
    await migrations.migrate(f"{url.rpartition('/')[0]}/{TEMPLATE}")


async def run_sql(url: str, statement: str) -> str:
    connection = await connect(url)
    try:
        return await connection.execute(statement)
    finally:
        await connection.close()


@pytest.fixture(scope="session")
def database(shared_postgres: Shared) -> str:
    """The test process's own database, made from the migrated template."""
    name = "accounts"
    # A mutation run's earlier processes had one of this name.
    asyncio.run(run_sql(shared_postgres.url, f"drop database if exists {name} with (force)"))
    asyncio.run(run_sql(shared_postgres.url, f"create database {name} template {TEMPLATE}"))
    return shared_postgres.database(name)


@pytest.fixture(scope="session")
def redis_url(shared_valkey: Shared) -> str:
    return shared_valkey.url


@pytest.fixture
async def pool(database: str) -> AsyncIterator[Pool]:
    """A pool on empty tables."""
    pool = Pool(database, size=4, name="test")
    await pool.execute(";".join(f"delete from {table}" for table in TABLES))  # one round trip for all
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
        "WORKER_HEALTH_PORT": "0",
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
async def provider(pool: Pool, project: projects.Project, settings: Settings) -> AsyncIterator[IdentityProvider]:
    """A provider that users of the shop can sign in by, as `oidc`."""
    async with IdentityProvider() as provider:
        await provider.register(pool, settings.key_ring, project.id)
        yield provider


@pytest.fixture
def visitor(api: Api, provider: IdentityProvider) -> Visitor:
    """A browser of somebody who has an account at the provider."""
    return Visitor(api, provider)


@pytest.fixture
async def sms_api(
    aiohttp_client: Any, environment: dict[str, str], monkeypatch: pytest.MonkeyPatch, api: Api, pool: Pool
) -> Api:
    """The application with a webhook for SMS, in which `shop` sends them to +49."""
    for name, value in (environment | {"SMS_URL": "https://sms.example.com/send"}).items():
        monkeypatch.setenv(name, value)
    await pool.execute("update projects set sms_countries = '{+49}'")
    return Api(await aiohttp_client(make(Settings.read()), cookie_jar=DummyCookieJar()))


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
