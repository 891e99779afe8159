"""docs/operations.md is typed in by people at night: its SQL is run here as it stands."""

import re
from collections.abc import AsyncIterator

import pytest

from service.app import make
from service.db import Pool, connect
from service.settings import Settings
from service.store import migrations, projects
from testkit.api import Api
from testkit.sources import ROOT
from tests.conftest import Shared, run_sql

_BLOCKS = re.findall(r"^```sql\n(.*?)^```", (ROOT / "docs" / "operations.md").read_text(), re.MULTILINE | re.DOTALL)
_SET_UP, *_PEEKS = _BLOCKS
_STATEMENTS = [statement for block in _PEEKS for statement in block.strip().removesuffix(";").split(";\n")]


@pytest.fixture
async def roles(shared_postgres: Shared) -> AsyncIterator[tuple[str, str]]:
    """A database set up as the page says, under names of this test's own: the owner's URL and the API's."""
    owner, api = "house", "house_api"
    renamed = re.sub(r"\baccounts_api\b", api, re.sub(r"\baccounts\b", owner, _SET_UP))
    before, after = renamed.split(f"\\connect {owner}\n")
    for statement in before.strip().split("\n"):
        await run_sql(shared_postgres.url, statement)
    url = shared_postgres.database(owner)
    await run_sql(url, after)
    yield _as(owner, "change this", url), _as(api, "and this", url)
    for statement in (f"drop database {owner} with (force)", f"drop role {api}", f"drop role {owner}"):
        await run_sql(shared_postgres.url, statement)


def _as(role: str, password: str, url: str) -> str:
    return re.sub(r"//[^@/]*@", f"//{role}:{password.replace(' ', '%20')}@", url)


async def test_the_two_roles_are_enough(
    roles: tuple[str, str], environment, redis, monkeypatch: pytest.MonkeyPatch, aiohttp_client
):
    """The owner migrates and keeps the log; the API lives without any right to the schema."""
    owner, api_url = roles
    await migrations.migrate(owner)
    pool = Pool(owner, size=1)
    await projects.create(pool, "shop", name="Shop")
    await projects.add_platform(pool, "shop", hostname="localhost")
    await pool.close()
    for name, value in (environment | {"DATABASE_URL": api_url}).items():
        monkeypatch.setenv(name, value)
    api = Api(await aiohttp_client(make(Settings.read())))
    await api.sign_up()
    member = await api.sign_in()
    assert (await api.call("GET", "/v1/account/logs", headers=member)).status == 200
    asked = {"email": "ann@example.com", "url": "http://localhost/reset"}
    assert (await api.call("POST", "/v1/account/recovery", json=asked)).status == 201
    assert (await api.call("DELETE", "/v1/account/sessions/current", headers=member)).status == 204
    with pytest.raises(Exception, match="owner"):
        await run_sql(api_url, "drop table logs")
    assert await run_sql(owner, "select keep_log_partitions(12)") == "SELECT 1"


@pytest.mark.parametrize("statement", _STATEMENTS)
async def test_what_an_operator_may_type_is_understood(database: str, statement: str):
    """Every other statement of the page is prepared against the schema."""
    connection = await connect(database)
    try:
        await connection.prepare(statement)
    finally:
        await connection.close()
