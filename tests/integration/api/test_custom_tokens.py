"""Tokens that an app's server makes for its users, and what they open."""

import re
from typing import Any

import pytest

from service.db import Pool
from testkit import api_keys
from testkit.api import Api, cookie_of

TOKEN_SESSION = "/v1/account/sessions/token"


@pytest.fixture
async def server(api: Api, pool: Pool) -> dict[str, str]:
    """An app's server, and Ann whom it knows."""
    await api.sign_up()
    return await api_keys.key(pool)


async def made(api: Api, pool: Pool, server: dict[str, str], **body: int) -> dict[str, Any]:
    """A token for Ann."""
    ann = (await pool.fetchrow("select id from users"))[0]
    answer = await api.call("POST", f"/v1/users/{ann}/tokens", json=body, headers=server, modern=True)
    assert answer.status == 201, answer.data
    return dict(answer.data)


async def use(api: Api, token: dict[str, Any], **headers: str) -> Any:
    body = {"userId": token["userId"], "secret": token["secret"]}
    return await api.call("POST", TOKEN_SESSION, json=body, headers=headers, modern=True)


async def test_a_token_signs_its_user_in_once(api: Api, pool: Pool, server: dict[str, str]):
    """Six lower-case hexadecimal characters for fifteen minutes; a session of provider and factor `token`."""
    token = await made(api, pool, server)
    assert re.fullmatch(r"[0-9a-f]{6}", token["secret"])
    row = await pool.fetchrow("select *, extract(epoch from expires_at - created_at) as seconds from tokens")
    assert (row["kind"], row["seconds"], row["id"]) == ("custom", 900, token["$id"])
    answer = await use(api, token)
    assert (answer.status, answer.data["provider"], answer.data["factors"]) == (201, "token", ["token"])
    assert (answer.data["providerUid"], answer.data["secret"]) == ("", "")
    account = await api.call("GET", "/v1/account", headers={"Cookie": cookie_of(answer)})
    assert account.data["$id"] == token["userId"]
    again = await use(api, token)
    assert (again.status, again.data["type"]) == (401, "user_invalid_token")


async def test_no_mail_goes_out_and_nothing_is_proved(api: Api, pool: Pool, server: dict[str, str]):
    """The app vouches for its user: the address stays unproved, and links under way and sessions stay good."""
    member = await api.sign_in()
    await api.call("POST", "/v1/account/verification", json={"url": "http://localhost/v"}, headers=member)
    assert (await use(api, await made(api, pool, server))).status == 201
    assert [row[0] for row in await pool.fetch("select letter from mails")] == ["verification"]
    assert [row[0] for row in await pool.fetch("select kind from tokens")] == ["verification"]
    row = await pool.fetchrow("select email_verified, (select count(*) from sessions) from users")
    assert tuple(row) == (False, 2)


@pytest.mark.parametrize("length", [4, 6, 7, 31, 32, 36, 64, 128])
async def test_a_secret_has_the_length_that_was_asked_for(api: Api, pool: Pool, server: dict[str, str], length: int):
    """Of every length, also that of a mailed code or a short link, it opens its user's session."""
    token = await made(api, pool, server, length=length)
    assert re.fullmatch(rf"[0-9a-f]{{{length}}}", token["secret"])
    cut = token | {"secret": token["secret"][:-1]}
    assert (await use(api, cut)).status == 401
    assert (await use(api, token)).status == 201


async def test_a_short_secret_does_not_live_long(api: Api, pool: Pool, server: dict[str, str]):
    """At most a day below 32 characters, whatever was asked for; `expire` tells. A long one lives a year."""
    for length, seconds in ((6, 86_400), (31, 86_400), (32, 31_536_000)):
        await pool.execute("delete from tokens")
        token = await made(api, pool, server, length=length, expire=31_536_000)
        row = await pool.fetchrow("select expires_at, extract(epoch from expires_at - created_at) from tokens")
        assert row[1] == seconds
        assert token["expire"] == row[0].isoformat(timespec="milliseconds")


@pytest.mark.parametrize(
    "body",
    [{"length": value} for value in (3, 129, "6", 6.5, True, [], 10**30)]
    + [{"expire": value} for value in (59, 31_536_001, "900", 0, -1, True, {}, 10**30)],
    ids=str,
)
async def test_a_bad_request_makes_no_token(api: Api, pool: Pool, server: dict[str, str], body: dict[str, Any]):
    """400 that names the parameter, and nothing half done."""
    ann = (await pool.fetchrow("select id from users"))[0]
    answer = await api.call("POST", f"/v1/users/{ann}/tokens", json=body, headers=server, modern=True)
    assert (answer.status, answer.data["type"]) == (400, "general_argument_invalid")
    assert answer.data["message"].startswith(f"Invalid `{next(iter(body))}` param: ")
    assert await pool.fetch("select 1 from tokens") == []


async def test_the_sixth_token_ends_the_oldest(api: Api, pool: Pool, server: dict[str, str]):
    """A user has five at most, each of them good: the use of one is no guess at the others."""
    found = [await made(api, pool, server) for _ in range(6)]
    assert [(await use(api, token)).status for token in found] == [401] + [201] * 5


async def test_who_can_have_none(api: Api, pool: Pool, server: dict[str, str]):
    """404 for an unknown user, 403 for a blocked one, 401 without the scope; and no row."""
    ann = (await pool.fetchrow("select id from users"))[0]
    answer = await api.call("POST", "/v1/users/nobody/tokens", json={}, headers=server, modern=True)
    assert (answer.status, answer.data["type"]) == (404, "user_not_found")
    for headers in ({}, await api_keys.key(pool, "users.read", "sessions.write")):
        answer = await api.call("POST", f"/v1/users/{ann}/tokens", json={}, headers=headers, modern=True)
        assert (answer.status, answer.data["type"]) == (401, "general_unauthorized_scope")
    token = await made(api, pool, server)
    await pool.execute("update users set status = 'blocked'")
    answer = await api.call("POST", f"/v1/users/{ann}/tokens", json={}, headers=server, modern=True)
    assert (answer.status, answer.data["type"]) == (403, "user_blocked")
    assert len(await pool.fetch("select 1 from tokens")) == 1
    answer = await use(api, token)
    assert (answer.status, answer.data["type"]) == (403, "user_blocked")


async def test_a_user_without_an_address_comes_in_too(api: Api, pool: Pool, server: dict[str, str]):
    """Such as one that the app knows by its messenger alone. A new address ends what was made before."""
    await pool.execute("update users set email = null")
    assert (await use(api, await made(api, pool, server))).status == 201
    token = await made(api, pool, server)
    path = f"/v1/users/{token['userId']}/email"
    assert (await api.call("PATCH", path, json={"email": "a@example.com"}, headers=server)).status == 200
    assert (await use(api, token)).status == 401


async def test_a_server_gets_the_session_of_its_user(api: Api, pool: Pool, server: dict[str, str]):
    """With a key for sign-ins the secret is in the answer and in no cookie, as for every sign-in."""
    token = await made(api, pool, server)
    answer = await use(api, token, **await api_keys.key(pool, "sessions.write"))
    assert answer.status == 201
    assert "Set-Cookie" not in answer.headers
    own = await api.call("GET", "/v1/account", headers={"X-Appwrite-Session": answer.data["secret"]}, modern=True)
    assert own.data["$id"] == token["userId"]


async def test_the_log_tells_of_token_and_session(api: Api, pool: Pool, server: dict[str, str]):
    """The token is the operator's act, the sign-in the user's."""
    await pool.execute("delete from events")
    await use(api, await made(api, pool, server))
    names = [row[0] for row in await pool.fetch("select name from events order by at, id")]
    assert names == ["users.tokens.create", "account.sessions.create"]


async def test_a_legacy_server_may_make_one(api: Api, pool: Pool, server: dict[str, str]):
    """In the legacy form of a token, with its secret."""
    ann = (await pool.fetchrow("select id from users"))[0]
    answer = await api.call("POST", f"/v1/users/{ann}/tokens", json={}, headers=server)
    assert list(answer.data) == ["$id", "userId", "secret", "expire"]
    assert isinstance(answer.data["expire"], int)
