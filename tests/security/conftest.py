"""What several of these need beside tests/conftest.py."""

import pytest
from argon2 import PasswordHasher

from service import passwords
from service.db import Pool
from service.settings import Settings
from tests.security.kit import Post


@pytest.fixture
def cheap(monkeypatch: pytest.MonkeyPatch) -> None:
    """For rules that have nothing to do with what a hash costs."""
    monkeypatch.setattr(passwords, "_HASHER", PasswordHasher(time_cost=1, memory_cost=8, parallelism=1))


@pytest.fixture
def post(pool: Pool, settings: Settings) -> Post:
    return Post(pool, settings)
