"""Passkeys in the walks of today's SDKs; of these only Python's has methods for them."""

from typing import Any

import aiohttp

from testkit.api import Api
from testkit.authenticator import Authenticator
from testkit.passkeys import PATH
from tests.sdk_compat.walk import Walk

# A server that speaks for people has no origin of its own, but its page in their browsers has.
_HERE = {"origin": "http://localhost:3000", "rp_id": "localhost"}
NOT_FOUND = (404, "user_passkey_not_found")


async def walk(it: Walk) -> Any:
    """Make a passkey for a member who has just signed in, and sign with it; returns the token for a session."""
    begun = await it.works("createPasskey", passkeyId="phone", name="Phone")
    credential, holder = Authenticator(**_HERE).create(begun["publicKey"])
    made = await it.works("updatePasskeyVerification", passkeyId="phone", credential=credential)
    assert (made["$id"], made["name"], made["accessedAt"]) == ("phone", "Phone", "")
    await it.refused("updatePasskeyVerification", *NOT_FOUND, passkeyId="phone", credential=credential)
    listed = await it.works("listPasskeys", queries=['{"method":"equal","attribute":"name","values":["Phone"]}'])
    assert (listed["total"], listed["passkeys"][0]["$id"]) == (1, "phone")
    assert (await it.works("updatePasskey", passkeyId="phone", name="Key"))["name"] == "Key"
    asked = await it.works("createPasskeyToken")
    answer = {"challengeId": asked["$id"], "credential": holder.get(asked["publicKey"])}
    token = await it.works("updatePasskeyToken", **answer)
    await it.refused("updatePasskeyToken", 401, "user_invalid_token", **answer)
    assert (await it.works("getPasskey", passkeyId="phone"))["accessedAt"]
    return token


async def walk_users(it: Walk, user_id: str, **login: str) -> None:
    """Everything that a server does with the passkeys of a user."""
    if not it.has("listPasskeys"):
        return
    await _make(it, login)
    one = {"userId": user_id, "passkeyId": "key"}
    listed = await it.works("listPasskeys", userId=user_id)
    assert (listed["total"], listed["passkeys"][0]["$id"]) == (1, "key")
    assert (await it.works("updatePasskey", **one, name="Key"))["name"] == "Key"
    assert (await it.works("getPasskey", **one))["name"] == "Key"
    await it.works("deletePasskey", **one)
    await it.refused("getPasskey", *NOT_FOUND, **one)


async def _make(it: Walk, login: dict[str, str]) -> None:
    """Make a passkey over plain HTTP: a key of these scopes signs nobody in."""
    async with aiohttp.ClientSession(it.deployment.address, cookie_jar=aiohttp.DummyCookieJar()) as client:
        api = Api(client)
        headers = await api.sign_in(**login)
        begun = await api.call("POST", PATH, headers=headers, json={"passkeyId": "key"}, modern=True)
        credential, _ = Authenticator(**_HERE).create(begun.data["publicKey"])
        body = {"credential": credential}
        made = await api.call("PUT", f"{PATH}/key/verification", headers=headers, json=body, modern=True)
        assert made.status == 200, made.data
