"""Official SDKs of both eras, unchanged, against the service as it runs in production."""

import pytest

from tests.sdk_compat import legacy, modern, table
from tests.sdk_compat.conftest import Start
from tests.sdk_compat.sdks import SDKS, Sdk


@pytest.mark.parametrize("sdk", SDKS, ids=lambda sdk: sdk.name.replace(" ", "-"))
async def test_every_method_has_its_outcome(sdk: Sdk, start: Start):
    """Each account method that an official SDK has works, or is refused in the way that docs/clients.md tells."""
    it = await start(sdk)
    await (modern if sdk.modern else legacy).walk(it)
    assert it.unmet() == frozenset()
    table.check(sdk, it.outcomes)
