"""Official SDKs of both eras, unchanged, against the service as it runs in production."""

import pytest

from tests.sdk_compat import legacy, modern, table, users
from tests.sdk_compat.conftest import Start
from tests.sdk_compat.sdks import SDKS, Sdk


@pytest.mark.parametrize("sdk", SDKS, ids=lambda sdk: sdk.name.replace(" ", "-"))
async def test_every_method_has_its_outcome(sdk: Sdk, start: Start):
    """Each account method that an official SDK has works, or is refused in the way that docs/clients.md tells."""
    it = await start(sdk)
    await (modern if sdk.modern else legacy).walk(it)
    assert it.unmet() == frozenset()
    table.check(sdk, "account", it.outcomes)


@pytest.mark.parametrize(
    "sdk", [sdk for sdk in SDKS if "users" in sdk.services], ids=lambda sdk: sdk.name.replace(" ", "-")
)
async def test_every_method_of_users_has_its_outcome(sdk: Sdk, start: Start):
    """Each method of the Users API that an SDK for servers has works, or is refused as docs/clients.md tells."""
    it = await start(sdk, "users")
    await (users.walk if sdk.modern else users.walk_legacy)(it)
    assert it.unmet() == frozenset()
    table.check(sdk, "users", it.outcomes)


@pytest.mark.parametrize(
    "sdk", [sdk for sdk in SDKS if sdk.modern and sdk.language != "python"], ids=lambda sdk: sdk.language
)
async def test_ping_answers(sdk: Sdk, start: Start):
    """`client.ping()` of today's SDKs tells an app that endpoint, project and origin are right."""
    it = await start(sdk, "client")
    assert await it.works("ping") == {"message": "Pong!"}
    it.settings["project"] = "no-such"
    await it.refused("ping", 404, "project_not_found")
