"""JWTs: made from a session, good for that session only, and dead with it. Forged ones are in tests/unit."""

import base64
import json

import pytest

from service.db import Pool
from service.store import projects
from testkit.api import Api


async def jwt_of(api: Api, member: dict[str, str]) -> str:
    answer = await api.call("POST", "/v1/account/jwt", headers=member)
    assert answer.status == 201
    return answer.data["jwt"]


def claims_of(token: str) -> dict:
    part = token.split(".")[1]
    return json.loads(base64.urlsafe_b64decode(part + "=" * (-len(part) % 4)))


@pytest.mark.parametrize("path", ["/v1/account/jwt", "/v1/account/jwts"])
async def test_a_jwt_stands_for_its_session(api: Api, pool: Pool, path: str):
    """It lives 15 minutes, names user, session and project, and reads the account."""
    user = await api.sign_up()
    answer = await api.call("POST", path, headers=await api.sign_in())
    assert list(answer.data) == ["jwt"]
    claims = claims_of(answer.data["jwt"])
    assert claims["exp"] - claims["iat"] == 900
    assert claims["userId"] == user["$id"]
    assert claims["sessionId"] == (await pool.fetchrow("select id from sessions"))[0]
    assert claims["aud"] == "shop"
    account = await api.call("GET", "/v1/account", headers={"X-Appwrite-JWT": answer.data["jwt"]})
    assert account.data == user


async def test_modern_may_name_the_duration(api: Api):
    """1 to 3600 seconds; anything else is a 400 and never a 500."""
    await api.sign_up()
    member = await api.sign_in()
    answer = await api.call("POST", "/v1/account/jwts", json={"duration": 3600}, headers=member, modern=True)
    claims = claims_of(answer.data["jwt"])
    assert claims["exp"] - claims["iat"] == 3600
    for duration in (0, -1, 3601, "900", 1.5, True, [], 10**30):
        answer = await api.call("POST", "/v1/account/jwts", json={"duration": duration}, headers=member, modern=True)
        assert answer.status == 400, duration
        assert answer.data["message"].startswith("Invalid `duration` param: ")


async def test_every_member_route_takes_a_jwt(api: Api, pool: Pool):
    """The old server SDK signs in by JWT alone: account, log, verification and sign-out all work by it."""
    await api.sign_up()
    headers = {"X-Appwrite-JWT": await jwt_of(api, await api.sign_in())}
    assert (await api.call("GET", "/v1/account", headers=headers)).status == 200
    assert (await api.call("GET", "/v1/account/logs", headers=headers)).status == 200
    asked = await api.call("POST", "/v1/account/verification", json={"url": "http://localhost/v"}, headers=headers)
    assert asked.status == 201
    ended = await api.call("DELETE", "/v1/account/sessions/current", headers=headers)
    assert ended.status == 204
    assert "Set-Cookie" not in ended.headers
    assert (await pool.fetchrow("select count(*) from sessions"))[0] == 0


async def test_a_jwt_makes_no_jwt(api: Api):
    """Nobody prolongs a JWT by itself: 401 legacy, 403 modern."""
    await api.sign_up()
    headers = {"X-Appwrite-JWT": await jwt_of(api, await api.sign_in())}
    old = await api.call("POST", "/v1/account/jwt", headers=headers)
    new = await api.call("POST", "/v1/account/jwts", headers=headers, modern=True)
    assert (old.status, old.data["message"]) == (401, "No valid session found")
    assert (new.status, new.data["type"]) == (403, "user_jwt_creation_denied")


async def test_a_guest_makes_no_jwt(api: Api):
    """Without a session there is nothing that a JWT could stand for."""
    assert (await api.call("POST", "/v1/account/jwt")).status == 401


async def test_a_jwt_dies_with_its_session(api: Api, pool: Pool):
    """After the sign-out, and after the session's expiry, its holder is a guest, however fresh the JWT is."""
    await api.sign_up()
    member = await api.sign_in()
    headers = {"X-Appwrite-JWT": await jwt_of(api, member)}
    assert (await api.call("GET", "/v1/account", headers=headers)).status == 200
    await pool.execute("update sessions set expires_at = now() - interval '1 second'")
    assert (await api.call("GET", "/v1/account", headers=headers)).data["type"] == "general_unauthorized_scope"
    await pool.execute("update sessions set expires_at = now() + interval '1 hour'")
    assert (await api.call("DELETE", "/v1/account/sessions/current", headers=member)).status == 204
    assert (await api.call("GET", "/v1/account", headers=headers)).data["type"] == "general_unauthorized_scope"


async def test_a_jwt_of_another_project_is_refused(api: Api, pool: Pool):
    """Each project has a key of its own."""
    await projects.create(pool, "other", name="Other")
    await api.sign_up()
    token = await jwt_of(api, await api.sign_in())
    headers = {"X-Appwrite-JWT": token, "X-Appwrite-Project": "other"}
    answer = await api.call("GET", "/v1/account", headers=headers)
    assert (answer.status, answer.data["type"]) == (401, "user_jwt_invalid")


@pytest.mark.parametrize("modern", [False, True])
async def test_a_bad_jwt_is_refused_on_public_routes_too(api: Api, modern: bool):
    """A JWT that is no good never falls back to being a guest, nor to the cookie beside it."""
    await api.sign_up()
    member = await api.sign_in()
    for headers in ({"X-Appwrite-JWT": "junk"}, member | {"X-Appwrite-JWT": "a.b.c"}):
        answer = await api.call("POST", "/v1/account/recovery", json={}, headers=headers, modern=modern)
        assert (answer.status, answer.data["type"]) == (401, "user_jwt_invalid")
        assert answer.data["message"].startswith("Failed to verify JWT. ")


async def test_jwt_and_cookie_together(api: Api):
    """Legacy: the JWT's user counts. Modern: 403, unless the cookie is nobody's."""
    await api.sign_up()
    eve = await api.sign_up("eve@example.com")
    cookie = await api.sign_in()
    both = cookie | {"X-Appwrite-JWT": await jwt_of(api, await api.sign_in("eve@example.com"))}
    assert (await api.call("GET", "/v1/account", headers=both)).data["$id"] == eve["$id"]
    answer = await api.call("GET", "/v1/account", headers=both, modern=True)
    assert (answer.status, answer.data["type"]) == (403, "user_jwt_and_cookie_set")
    stale = both | {"Cookie": "a_session_shop=eyJpZCI6IngiLCJzZWNyZXQiOiJ5In0="}
    assert (await api.call("GET", "/v1/account", headers=stale, modern=True)).status == 200


async def test_a_blocked_users_jwt_is_blocked(api: Api, pool: Pool):
    """A block holds at once, for JWTs too."""
    await api.sign_up()
    headers = {"X-Appwrite-JWT": await jwt_of(api, await api.sign_in())}
    await pool.execute("update users set status = 'blocked'")
    answer = await api.call("GET", "/v1/account", headers=headers, modern=True)
    assert (answer.status, answer.data["type"]) == (403, "user_blocked")
