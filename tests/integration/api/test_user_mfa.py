"""A user's second factors, changed by a server that holds an API key."""

import pytest

from service.db import Pool
from testkit import api_keys
from testkit.api import Api
from testkit.factors import PATH, RECOVERY, Person, signed_in, verified


@pytest.fixture
async def ann(api: Api, pool: Pool) -> Person:
    return await verified(api, pool)


@pytest.fixture
async def server(api: Api, pool: Pool) -> Person:
    """Speaks for the app's server, with every scope."""
    return Person(api, pool, await api_keys.key(pool))


async def path_of(person: Person) -> str:
    return f"/v1/users/{(await person.call('GET', '/v1/account')).data['$id']}"


async def test_an_operator_switches_mfa(api: Api, pool: Pool, ann: Person, server: Person):
    """On: every session is asked, none is spared. Off: at once, and no proof is needed."""
    user = await path_of(ann)
    await ann.enrol()
    other = await signed_in(api, pool)
    answer = await server.call("PATCH", f"{user}/mfa", mfa=True)
    assert (answer.status, answer.data["mfa"]) == (200, True)
    assert (await other.call("GET", "/v1/account")).data["type"] == "user_more_factors_required"
    assert (await server.call("PATCH", f"{user}/mfa", mfa=False)).data["mfa"] is False
    assert (await other.call("GET", "/v1/account")).status == 200
    assert (await server.call("PATCH", f"{user}/mfa", mfa="yes")).status == 400
    names = [row[0] for row in await pool.fetch("select name from events where name like 'users.%'")]
    assert names == ["users.update.mfa", "users.update.mfa"]


async def test_a_lost_phone(api: Api, pool: Pool, ann: Person, server: Person):
    """The app is removed; with mfa on the mailbox is left as the other factor."""
    user = await path_of(ann)
    await ann.enrol()
    await ann.call("PATCH", PATH, mfa=True)
    assert (await server.call("GET", f"{user}/mfa/factors")).data["totp"] is True
    assert (await server.call("DELETE", f"{user}/mfa/authenticators/TOTP")).status == 204
    gone = await server.call("DELETE", f"{user}/mfa/authenticators/totp")
    assert (gone.status, gone.data["type"]) == (404, "user_authenticator_not_found")
    assert (await server.call("DELETE", f"{user}/mfa/authenticators/sms")).status == 400
    other = await signed_in(api, pool)
    factors = (await other.call("GET", f"{PATH}/factors")).data
    assert (factors["totp"], factors["email"]) == (False, True)


async def test_recovery_codes_of_a_user(api: Api, pool: Pool, ann: Person, server: Person):
    """PATCH makes them, PUT makes new ones in place of others; GET can't show them."""
    path = f"{await path_of(ann)}/mfa/recovery-codes"
    missing = await server.call("PUT", path)
    assert (missing.status, missing.data["type"]) == (404, "user_recovery_codes_not_found")
    first = (await server.call("PATCH", path)).data["recoveryCodes"]
    again = await server.call("PATCH", path)
    assert (again.status, again.data["type"]) == (409, "user_recovery_codes_already_exists")
    second = (await server.call("PUT", path)).data["recoveryCodes"]
    assert len(first) == len(second) == 10
    refused = await server.call("GET", path)
    assert (refused.status, refused.data["type"]) == (404, "user_recovery_codes_not_found")
    assert (await ann.prove("recoveryCode", first[0])).status == 401
    assert (await ann.prove("recoveryCode", second[0])).status == 200
    assert (await ann.call("POST", RECOVERY)).status == 409


async def test_a_key_for_reading_changes_nothing(pool: Pool, ann: Person, server: Person):
    """The scopes of the Users API: users.read for the lists, users.write for changes."""
    user = await path_of(ann)
    server.headers = await api_keys.key(pool, "users.read")
    assert (await server.call("GET", f"{user}/mfa/factors")).status == 200
    for method, path in (("PATCH", "mfa"), ("DELETE", "mfa/authenticators/totp"), ("PATCH", "mfa/recovery-codes")):
        assert (await server.call(method, f"{user}/{path}", mfa=True)).status == 401
