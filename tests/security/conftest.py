"""Fixtures that several of these tests need beside tests/conftest.py."""

import pytest
from aiohttp import DummyCookieJar

from service.app import make
from service.db import Pool
from service.rate_limiter import redis_windows
from service.settings import Settings
from testkit.api import Api
from testkit.proofs import ANN, Post


@pytest.fixture
def post(pool: Pool, settings: Settings) -> Post:
    return Post(pool, settings)


@pytest.fixture
def patient(monkeypatch: pytest.MonkeyPatch) -> None:
    """Patience with Redis: counting is tested, not the time that a busy machine takes."""
    monkeypatch.setattr(redis_windows, "_PATIENCE", 10.0)


@pytest.fixture
async def behind(aiohttp_client, api: Api, settings: Settings) -> Api:
    """The service behind one trusted proxy, so that a test, or an attacker, may come from anywhere."""
    hopped = make(settings.model_copy(update={"trusted_hops": 1}))
    return Api(await aiohttp_client(hopped, cookie_jar=DummyCookieJar()))


@pytest.fixture
async def ann(api: Api) -> str:
    return (await api.sign_up(ANN))["$id"]
