"""Sessions and JWTs that an app's server makes for its users."""

import base64
import json
from typing import Any

import pytest

from service.db import Pool
from testkit import api_keys
from testkit.api import Api


@pytest.fixture
async def ann(api: Api) -> str:
    return str((await api.sign_up())["$id"])


@pytest.fixture
async def server(pool: Pool, ann: str) -> dict[str, str]:
    return await api_keys.key(pool)


async def jwt_of(api: Api, ann: str, server: dict[str, str], **body: Any) -> str:
    answer = await api.call("POST", f"/v1/users/{ann}/jwts", json=body, headers=server, modern=True)
    assert answer.status == 201, answer.data
    return str(answer.data["jwt"])


async def account(api: Api, token: str) -> int:
    return int((await api.call("GET", "/v1/account", headers={"X-Appwrite-JWT": token}, modern=True)).status)


def claims_of(token: str) -> dict[str, Any]:
    part = token.split(".")[1]
    return dict(json.loads(base64.urlsafe_b64decode(part + "=" * (-len(part) % 4))))


async def test_a_server_signs_a_user_in(api: Api, pool: Pool, ann: str, server: dict[str, str]):
    """The secret is the value of a session's cookie; no cookie is set, and nothing about the address is proved."""
    answer = await api.call("POST", f"/v1/users/{ann}/sessions", json={}, headers=server, modern=True)
    assert (answer.status, answer.data["provider"], answer.data["factors"]) == (201, "server", ["server"])
    assert (answer.data["current"], answer.data["providerUid"]) == (False, "")
    assert "Set-Cookie" not in answer.headers
    own = await api.call("GET", "/v1/account", headers={"X-Appwrite-Session": answer.data["secret"]}, modern=True)
    assert (own.data["$id"], own.data["emailVerification"]) == (ann, False)
    listed = await api.call("GET", f"/v1/users/{ann}/sessions", headers=server, modern=True)
    assert [session["secret"] for session in listed.data["sessions"]] == [""]
    assert (await pool.fetchrow("select name from events order by at desc limit 1"))[0] == "users.sessions.create"
    seconds = (await pool.fetchrow("select extract(epoch from expires_at - created_at) from sessions"))[0]
    assert seconds == 31_536_000


@pytest.mark.parametrize("way", ["sessions", "jwts"])
async def test_who_can_have_none(api: Api, pool: Pool, ann: str, server: dict[str, str], way: str):
    """404 for an unknown user, 403 for a blocked one, 401 without the scope; and no session.

    The scope for sign-ins is not enough: it opens the account of a user who proves something, and no other.
    """
    answer = await api.call("POST", f"/v1/users/nobody/{way}", json={}, headers=server, modern=True)
    assert (answer.status, answer.data["type"]) == (404, "user_not_found")
    for headers in ({}, await api_keys.key(pool, "users.read", "sessions.write")):
        answer = await api.call("POST", f"/v1/users/{ann}/{way}", json={}, headers=headers, modern=True)
        assert (answer.status, answer.data["type"]) == (401, "general_unauthorized_scope")
    await pool.execute("update users set status = 'blocked'")
    answer = await api.call("POST", f"/v1/users/{ann}/{way}", json={}, headers=server, modern=True)
    assert (answer.status, answer.data["type"]) == (403, "user_blocked")
    assert await pool.fetch("select 1 from sessions") == []


async def test_a_jwt_stands_for_the_newest_session(api: Api, pool: Pool, ann: str, server: dict[str, str]):
    """`recent`, or nothing: of those that last as long as the JWT. Another one by its id."""
    first, second = [await api.sign_in() for _ in range(2)]
    ids = [row[0] for row in await pool.fetch("select id from sessions order by created_at, id")]
    assert claims_of(await jwt_of(api, ann, server))["sessionId"] == ids[1]
    assert claims_of(await jwt_of(api, ann, server, sessionId="recent"))["sessionId"] == ids[1]
    named = await jwt_of(api, ann, server, sessionId=ids[0])
    assert claims_of(named)["sessionId"] == ids[0]
    assert claims_of(named)["exp"] - claims_of(named)["iat"] == 900
    assert await account(api, named) == 200
    await api.call("DELETE", "/v1/account/sessions/current", headers=first)
    assert await account(api, named) == 401
    assert (await api.call("GET", "/v1/account", headers=second)).status == 200
    await pool.execute("update sessions set expires_at = now() + interval '10 minutes'")
    assert claims_of(await jwt_of(api, ann, server))["sessionId"] not in ids
    assert claims_of(await jwt_of(api, ann, server, duration=60))["sessionId"] != ""


async def test_a_session_that_is_not_the_users_is_404(api: Api, pool: Pool, ann: str, server: dict[str, str]):
    """Neither one that never was nor another user's."""
    await api.sign_up("bob@example.com")
    await api.sign_in("bob@example.com")
    theirs = (await pool.fetchrow("select id from sessions"))[0]
    for session_id in (theirs, "none", "current", "ä"):
        body = {"sessionId": session_id}
        answer = await api.call("POST", f"/v1/users/{ann}/jwts", json=body, headers=server, modern=True)
        assert (answer.status, answer.data["type"]) == (404, "user_session_not_found")


async def test_without_a_session_a_jwt_gets_one(api: Api, pool: Pool, ann: str, server: dict[str, str]):
    """It lasts longer than the JWT, so that the next JWT stands for the same; it is listed, and its end ends both."""
    one, two = [await jwt_of(api, ann, server, duration=3600) for _ in range(2)]
    assert claims_of(one)["sessionId"] == claims_of(two)["sessionId"] != ""
    assert await account(api, one) == 200
    change = await api.call(
        "PATCH", "/v1/account/name", json={"name": "Ann"}, headers={"X-Appwrite-JWT": one}, modern=True
    )
    assert change.status == 200
    [session] = await pool.fetch("select provider, extract(epoch from expires_at - created_at) as s from sessions")
    assert (session["provider"], session["s"]) == ("server", 7200)
    await api.call("DELETE", f"/v1/users/{ann}/sessions", headers=server)
    assert [await account(api, token) for token in (one, two)] == [401, 401]


@pytest.mark.parametrize(
    ("method", "word", "body"),
    [
        ("PATCH", "/password", {"password": "a new password"}), ("PATCH", "/status", {"status": False}),
        ("DELETE", "", {}), ("DELETE", "/sessions", {}),
    ],
)  # fmt: skip
async def test_what_ends_a_session_ends_its_jwts(  # noqa: PLR0917 - pytest passes names
    api: Api, ann: str, server: dict[str, str], method: str, word: str, body: dict[str, Any]
):
    """A new password, a block, a deletion, the end of all sessions: at once."""
    token = await jwt_of(api, ann, server)
    assert await account(api, token) == 200
    answer = await api.call(method, f"/v1/users/{ann}{word}", json=body, headers=server, modern=True)
    assert answer.status in (200, 204)
    assert await account(api, token) in (401, 403)


@pytest.mark.parametrize(
    "body",
    [{"duration": value} for value in (0, -1, 3601, "900", 1.5, True, [], 10**30)]
    + [{"sessionId": value} for value in ("", "x" * 37, "a\0b", "ä\n", 7, [])],
    ids=str,
)
async def test_a_bad_request_makes_no_jwt(api: Api, pool: Pool, ann: str, server: dict[str, str], body: dict[str, Any]):
    """400 that names the parameter, and no session for it."""
    answer = await api.call("POST", f"/v1/users/{ann}/jwts", json=body, headers=server, modern=True)
    assert (answer.status, answer.data["type"]) == (400, "general_argument_invalid")
    assert answer.data["message"].startswith(f"Invalid `{next(iter(body))}` param: ")
    assert await pool.fetch("select 1 from sessions") == []
