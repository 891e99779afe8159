"""A user's passkeys, seen and changed by a server that holds an API key."""

import pytest

from service.db import Pool
from testkit import api_keys
from testkit.api import Api, kind
from testkit.factors import Person, verified
from testkit.passkeys import add, begin, sign, switch_on

NOT_FOUND = (404, "user_passkey_not_found")


@pytest.fixture
async def ann(api: Api, pool: Pool) -> Person:
    await switch_on(api, pool)
    return await verified(api, pool)


@pytest.fixture
async def server(pool: Pool, ann: Person) -> Person:
    """Speaks for the app's server, with every scope."""
    return Person(ann.api, pool, await api_keys.key(pool))


async def path_of(person: Person) -> str:
    return f"/v1/users/{(await person.call('GET', '/v1/account')).data['$id']}/passkeys"


async def test_a_server_sees_renames_and_removes(api: Api, pool: Pool, ann: Person, server: Person):
    """Finished ones, without anything that signs in; the log says that the operator did it."""
    path = await path_of(ann)
    one, holder = await add(ann, name="Phone")
    listed = (await server.call("GET", path)).data
    assert (listed["total"], [row["$id"] for row in listed["passkeys"]]) == (1, [one])
    found = (await server.call("GET", f"{path}/{one}")).data
    assert found == listed["passkeys"][0]
    assert found.keys() == {"$id", "$createdAt", "$updatedAt", "name", "accessedAt"}
    assert (await server.call("PATCH", f"{path}/{one}", name="Key")).data["name"] == "Key"
    assert (await server.call("DELETE", f"{path}/{one}")).status == 204
    assert kind(await sign(api, holder)) == (401, "user_passkey_invalid")
    rows = await pool.fetch("select name from events where name like 'users.passkeys%' order by at")
    assert [row[0] for row in rows] == ["users.passkeys.update", "users.passkeys.delete"]


async def test_what_is_not_the_users_is_404(api: Api, pool: Pool, ann: Person, server: Person):
    """An unknown user; an unknown passkey, another user's, and one that is being made."""
    one, _ = await add(ann)
    pending = (await begin(ann))["passkeyId"]
    path = await path_of(ann)
    others = await path_of(await verified(api, pool, "eve@example.com"))
    for method, body in (("GET", {}), ("PATCH", {"name": "x"}), ("DELETE", {})):
        assert kind(await server.call(method, f"{path}/none", **body)) == NOT_FOUND
        assert kind(await server.call(method, f"{path}/{pending}", **body)) == NOT_FOUND
        assert kind(await server.call(method, f"{others}/{one}", **body)) == NOT_FOUND
        nobody = await server.call(method, f"/v1/users/nobody/passkeys/{one}", **body)
        assert kind(nobody) == (404, "user_not_found")
    assert kind(await server.call("GET", "/v1/users/nobody/passkeys")) == (404, "user_not_found")
    assert (await server.call("GET", path)).data["total"] == 1


async def test_scopes_and_bodies(pool: Pool, ann: Person, server: Person):
    """users.read reads and changes nothing; a name has 1 to 128 characters."""
    path = await path_of(ann)
    one, _ = await add(ann, name="Phone")
    for name in ("", "x" * 129, None, 7):
        assert kind(await server.call("PATCH", f"{path}/{one}", name=name)) == (400, "general_argument_invalid")
    server.headers = await api_keys.key(pool, "users.read")
    assert (await server.call("GET", f"{path}/{one}")).data["name"] == "Phone"
    for method, body in (("PATCH", {"name": "x"}), ("DELETE", {})):
        refused = await server.call(method, f"{path}/{one}", **body)
        assert kind(refused) == (401, "general_unauthorized_scope")
