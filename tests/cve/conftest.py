"""What the replayed attacks share: an account, and hashes that cost nothing."""

import pytest
from argon2 import PasswordHasher

from service.crypto import password_hashing
from service.db import Pool
from service.settings import Settings
from testkit.api import Api
from testkit.proofs import ANN, Post


@pytest.fixture
def environment(environment: dict[str, str]) -> dict[str, str]:
    """Limits count but refuse nobody, but for those whose matter they are."""
    return environment | {"LIMITS": "off"}


@pytest.fixture(autouse=True)
def _cheap(monkeypatch: pytest.MonkeyPatch) -> None:
    """What a hash costs is no part of these rules."""
    monkeypatch.setattr(password_hashing, "_HASHER", PasswordHasher(time_cost=1, memory_cost=8, parallelism=1))


@pytest.fixture
def post(pool: Pool, settings: Settings) -> Post:
    return Post(pool, settings)


@pytest.fixture
async def ann(api: Api) -> str:
    return (await api.sign_up(ANN))["$id"]
