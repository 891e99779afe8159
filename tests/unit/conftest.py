"""No server is started for tests of this folder: one that asks for Postgres or Valkey fails, however far away."""

from typing import NoReturn

import pytest


@pytest.fixture(scope="session")
def shared_postgres() -> NoReturn:
    pytest.fail("tests/unit has no Postgres: move the test to tests/integration")


@pytest.fixture(scope="session")
def shared_valkey() -> NoReturn:
    pytest.fail("tests/unit has no Valkey: move the test to tests/integration")
