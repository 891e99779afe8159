"""Official SDKs that can't run here: their requests as they write them, their models against our answers."""

import pytest

from service.db import Pool
from service.store import projects
from testkit.api import Api
from tests.sdk_compat import native, table
from tests.sdk_compat.native import NATIVES, Native, Talk
from worker.security_log import SecurityLogWriter

each_sdk, each_server = (
    pytest.mark.parametrize("sdk", sdks, ids=lambda sdk: sdk.label.replace(" ", "-"))
    for sdks in (NATIVES, [sdk for sdk in NATIVES if sdk.of_a_server])
)
ANN = {"email": "ann@example.com", "password": "correct horse"}
PAGE = "http://localhost/there"
SCOPES = ["sessions.write", "users.read", "users.write"]


async def talk_of(api: Api, pool: Pool, sdk: Native) -> Talk:
    """The app's id is one of the project's platforms; a server has a key."""
    if sdk.origin:
        await projects.add_platform(pool, "shop", hostname=sdk.origin.partition("://")[2])
    if not sdk.of_a_server:
        return Talk(api, sdk)
    key = await projects.create_api_key(pool, "shop", key_id="native", name="native", scopes=SCOPES)
    return Talk(api, sdk, **{"X-Appwrite-Key": key})


async def sign_in(talk: Talk) -> None:
    """An app keeps the cookies, a server sends the secret that it was given."""
    await talk.call("POST", "/account", {"userId": "unique()", **ANN, "name": None}, status=201, model="User")
    session = await talk.call("POST", "/account/sessions/email", ANN, status=201, model="Session")
    if talk.sdk.of_a_server:
        talk.credentials, talk.kept = {"X-Appwrite-Session": session["secret"]}, []


def limit(sdk: Native, number: int) -> str:
    return f'{{"method":"limit","values":[{number}]}}' if sdk.since(1, 5) else f"limit({number})"


@each_sdk
async def test_account(api: Api, pool: Pool, sdk: Native):
    """Every account method that is served understands the SDK's form of it, and answers with all its model needs."""
    talk = await talk_of(api, pool, sdk)
    await sign_in(talk)
    await talk.call("GET", "/account", status=200, model="User")
    for prefs in ({"theme": "pink"}, {}):
        user = await talk.call("PATCH", "/account/prefs", {"prefs": prefs}, status=200, model="User")
        assert await talk.call("GET", "/account/prefs", status=200) == user["prefs"] == prefs
    await talk.call("PATCH", "/account/name", {"name": "Ann"}, status=200, model="User")
    old = ANN["password"]
    await talk.call("PATCH", "/account/password", {"password": old, "oldPassword": old}, status=200, model="User")
    await talk.call("PATCH", "/account/email", ANN | {"email": "bea@example.com"}, status=200, model="User")
    assert (await talk.call("GET", "/account/identities", {"queries": None, "total": None}, status=200))["total"] == 0
    for counted in (True, False):
        listed = await talk.call("GET", "/account/sessions", {"total": counted}, status=200)
        assert listed["total"] == (1 if counted else 0)
        assert [fault for row in listed["sessions"] for fault in native.faults(sdk, "Session", row)] == []
    await talk.call("GET", "/account/sessions/current", status=200, model="Session")
    await talk.call("PATCH", "/account/sessions/current", status=200, model="Session")
    await SecurityLogWriter(pool).write_pending()
    listed = await talk.call("GET", "/account/logs", {"queries": [limit(sdk, 3)], "total": None}, status=200)
    assert len(listed["logs"]) == 3
    assert [fault for row in listed["logs"] for fault in native.faults(sdk, "Log", row)] == []
    path = "/account/jwts" if sdk.since(1, 6) else "/account/jwt"
    assert (await talk.call("POST", path, status=201))["jwt"]
    path = "/account/verifications/email" if sdk.since(1, 8) else "/account/verification"
    await talk.call("POST", path, {"url": PAGE}, status=201, model="Token")
    await talk.call("DELETE", "/account/sessions/current", status=204)
    refused = await talk.call("GET", "/account", status=401)
    assert refused["type"] == "general_unauthorized_scope"
    assert isinstance(refused["message"], str)


@each_sdk
async def test_guests(api: Api, pool: Pool, sdk: Native):
    """A guest asks for links and codes, and signs out of all sessions at once."""
    talk = await talk_of(api, pool, sdk)
    path = "/account/tokens/magic-url" if sdk.since(1, 5) else "/account/sessions/magic-url"
    asked = {"userId": "unique()", "email": "ann@example.com", "url": None, "phrase": None}
    await talk.call("POST", path, asked, status=201, model="Token")
    await talk.call("POST", "/account/recovery", {"email": ANN["email"], "url": PAGE}, status=201, model="Token")
    if sdk.since(1, 5):
        asked = {"userId": "unique()", "email": "ann@example.com", "phrase": None}
        await talk.call("POST", "/account/tokens/email", asked, status=201, model="Token")
    session = await talk.call("POST", "/account/sessions/anonymous", status=201, model="Session")
    if sdk.of_a_server:
        talk.credentials, talk.kept = {"X-Appwrite-Session": session["secret"]}, []
    await talk.call("DELETE", "/account/sessions", status=204)
    await talk.call("GET", "/account", status=401)


@each_server
async def test_users(api: Api, pool: Pool, sdk: Native):
    """The Users API answers each server SDK with what its models require."""
    talk, model = await talk_of(api, pool, sdk), "ManagedUser" if "ManagedUser" in sdk.keys else "User"
    made = {"userId": "ann", "email": ANN["email"], "phone": None, "password": ANN["password"], "name": None}
    await talk.call("POST", "/users", made, status=201, model=model)
    for counted in (True, False):
        asked = {"queries": [limit(sdk, 5)], "search": None, "total": counted}
        listed = await talk.call("GET", "/users", asked, status=200)
        assert (listed["total"], [user["$id"] for user in listed["users"]]) == (1 if counted else 0, ["ann"])
        assert [fault for row in listed["users"] for fault in native.faults(sdk, model, row)] == []
    await talk.call("GET", "/users/ann", status=200, model=model)
    for name, body in {
        "name": {"name": "Ann"}, "email": {"email": "bea@example.com"}, "status": {"status": True},
        "verification": {"emailVerification": True}, "password": {"password": "another horse"},
    }.items():  # fmt: skip
        await talk.call("PATCH", f"/users/ann/{name}", body, status=200, model=model)
    await talk.call("PUT", "/users/ann/labels", {"labels": ["vip"]}, status=200, model=model)
    for prefs in ({"theme": "pink"}, {}):
        assert await talk.call("PATCH", "/users/ann/prefs", {"prefs": prefs}, status=200) == prefs
        assert await talk.call("GET", "/users/ann/prefs", status=200) == prefs
    assert (await talk.call("GET", "/users/ann/sessions", status=200))["sessions"] == []
    await SecurityLogWriter(pool).write_pending()
    listed = await talk.call("GET", "/users/ann/logs", {"queries": [limit(sdk, 2)]}, status=200)
    assert [fault for row in listed["logs"] for fault in native.faults(sdk, "Log", row)] == []
    await talk.call("DELETE", "/users/ann/sessions", status=204)
    await talk.call("DELETE", "/users/ann", status=204)


def test_the_table_is_made_from_the_data():
    """docs/clients.md says of the native SDKs what the data says."""
    assert native.tables() in table.PATH.read_text(), (
        "docs/clients.md is out of date: python -m tests.sdk_compat.write_docs"
    )
