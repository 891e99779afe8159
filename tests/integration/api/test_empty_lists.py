"""Lists that SDKs ask for of what nobody has here."""

import pytest

from service.db import Pool
from testkit import api_keys
from testkit.api import Api


@pytest.mark.parametrize("name", ["memberships", "consents"])
async def test_a_member_has_none(api: Api, name: str):
    """An empty list with its count, whatever is asked of it; a guest gets none."""
    await api.sign_up()
    member = await api.sign_in()
    for query in ("", "?total=false", '?queries[]={"method":"limit","values":[5]}'):
        answer = await api.call("GET", f"/v1/account/{name}{query}", headers=member, modern=True)
        assert (answer.status, answer.data) == (200, {"total": 0, name: []})
    assert (await api.call("GET", f"/v1/account/{name}", headers=member)).data == {"sum": 0, name: []}
    assert (await api.call("GET", f"/v1/account/{name}", modern=True)).status == 401


async def test_no_user_has_memberships(api: Api, pool: Pool):
    """For an operator's eyes too; an unknown user is 404."""
    user, server = await api.sign_up(), await api_keys.key(pool)
    answer = await api.call("GET", f"/v1/users/{user['$id']}/memberships", headers=server, modern=True)
    assert answer.data == {"total": 0, "memberships": []}
    answer = await api.call("GET", "/v1/users/nobody/memberships", headers=server, modern=True)
    assert (answer.status, answer.data["type"]) == (404, "user_not_found")


@pytest.mark.parametrize("method", ["GET", "DELETE"])
@pytest.mark.parametrize("path", ["c", "c/tokens", "c/tokens/t"])
async def test_a_consent_that_was_never_given_is_404(api: Api, method: str, path: str):
    """Nothing to read or to withdraw; a list of tokens is not deleted at all."""
    await api.sign_up()
    answer = await api.call(method, f"/v1/account/consents/{path}", headers=await api.sign_in(), modern=True)
    wanted = (405, "general_route_not_found") if (method, path) == ("DELETE", "c/tokens") else None
    assert (answer.status, answer.data["type"]) == (wanted or (404, "user_consent_not_found"))
