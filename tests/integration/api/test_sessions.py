"""Signing in and out."""

import asyncio

import pytest
from argon2 import PasswordHasher

from service.db import Pool
from service.store import projects
from testkit.api import Api, cookie_of

LOGIN = {"email": "ann@example.com", "password": "correct horse"}


async def test_sign_in_opens_a_session(api: Api):
    """The right password opens a session; its cookie is the member's."""
    user = await api.sign_up()
    answer = await api.call(
        "POST", "/v1/account/sessions", json={"email": "Ann@Example.com", "password": "correct horse"}
    )
    assert answer.status == 201
    assert answer.data["userId"] == user["$id"]
    assert answer.data["current"] is True
    account = await api.call("GET", "/v1/account", headers={"Cookie": cookie_of(answer)})
    assert account.data == user


@pytest.mark.parametrize("modern", [False, True])
async def test_both_paths_sign_in(api: Api, modern: bool):
    """The path never decides the era: both spellings answer the same fields."""
    await api.sign_up()
    old = await api.call("POST", "/v1/account/sessions", json=LOGIN, modern=modern)
    new = await api.call("POST", "/v1/account/sessions/email", json=LOGIN, modern=modern)
    assert (old.status, new.status) == (201, 201)
    assert list(old.data) == list(new.data)


async def test_a_session_tells_where_it_is_from(api: Api):
    """Address, system, browser and country are those of the sign-in, in Matomo's codes."""
    await api.sign_up()
    agent = (
        "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) "
        "Chrome/70.0.3538.77 Safari/537.36"
    )
    answer = await api.call("POST", "/v1/account/sessions", json=LOGIN, headers={"User-Agent": agent})
    session = answer.data
    assert session["ip"] == "127.0.0.1"
    assert (session["osCode"], session["osName"], session["osVersion"]) == ("WIN", "Windows", "10")
    assert (session["clientType"], session["clientCode"], session["clientVersion"]) == ("browser", "CH", "70.0")
    assert (session["deviceName"], session["countryCode"], session["countryName"]) == ("desktop", "--", "Unknown")
    assert (session["provider"], session["providerUid"]) == ("email", "ann@example.com")


async def test_the_session_secret_is_stored_as_a_digest(api: Api, pool: Pool):
    """The answer's body never holds the secret, and the database only its SHA-256."""
    await api.sign_up()
    answer = await api.call("POST", "/v1/account/sessions", json=LOGIN, modern=True)
    assert answer.data["secret"] == ""
    row = await pool.fetchrow("select length(secret_hash) as size, sessions::text as everything from sessions")
    assert row["size"] == 32
    assert cookie_of(answer).partition("=")[2] not in row["everything"]


async def test_every_sign_in_has_a_secret_of_its_own(api: Api):
    """A cookie that a client brought along is never taken over: signing in twice makes two sessions."""
    await api.sign_up()
    first = await api.sign_in()
    again = await api.call("POST", "/v1/account/sessions", json=LOGIN, headers=first)
    assert again.status == 201
    assert cookie_of(again) != first["Cookie"]


async def test_modern_refuses_a_second_session(api: Api):
    """Today's SDKs are told that a session is active; the legacy era just opens another one."""
    await api.sign_up()
    member = await api.sign_in()
    answer = await api.call("POST", "/v1/account/sessions/email", json=LOGIN, headers=member, modern=True)
    assert (answer.status, answer.data["type"]) == (401, "user_session_already_exists")


async def test_blocked_is_said_only_to_the_owner(api: Api, pool: Pool):
    """A user who knows the password learns of the block (401 legacy, 403 modern); others get the usual answer."""
    await api.sign_up()
    await pool.execute("update users set status = 'blocked'")
    old = await api.call("POST", "/v1/account/sessions", json=LOGIN)
    new = await api.call("POST", "/v1/account/sessions", json=LOGIN, modern=True)
    assert (old.status, old.data["message"]) == (401, "Invalid credentials. User is blocked")
    assert (new.status, new.data["type"]) == (403, "user_blocked")
    guess = await api.call("POST", "/v1/account/sessions", json=LOGIN | {"password": "wrong horse"}, modern=True)
    assert (guess.status, guess.data["type"]) == (401, "user_invalid_credentials")


async def test_a_block_holds_at_once(api: Api, pool: Pool):
    """A session does not outlive its user's block."""
    await api.sign_up()
    member = await api.sign_in()
    await pool.execute("update users set status = 'blocked'")
    assert (await api.call("GET", "/v1/account", headers=member)).status == 401
    answer = await api.call("GET", "/v1/account", headers=member, modern=True)
    assert (answer.status, answer.data["type"]) == (403, "user_blocked")


async def test_an_expired_session_is_nobodys(api: Api, pool: Pool):
    """Past its expiry a session is a guest's."""
    await api.sign_up()
    member = await api.sign_in()
    await pool.execute("update sessions set expires_at = now() - interval '1 second'")
    answer = await api.call("GET", "/v1/account", headers=member)
    assert (answer.status, answer.data["type"]) == (401, "general_unauthorized_scope")


async def test_a_session_is_its_projects_own(api: Api, pool: Pool):
    """A cookie opens nothing in another project, under either project's cookie name."""
    await projects.create(pool, "other", name="Other")
    await api.sign_up()
    value = (await api.sign_in())["Cookie"].partition("=")[2]
    headers = {"X-Appwrite-Project": "other", "Cookie": f"a_session_other={value}; a_session_shop={value}"}
    assert (await api.call("GET", "/v1/account", headers=headers)).status == 401


async def test_signing_out_ends_this_session_only(api: Api):
    """DELETE current answers 204, clears both cookies and the fallback, and leaves the other session alone."""
    await api.sign_up()
    here, there = await api.sign_in(), await api.sign_in()
    answer = await api.call("DELETE", "/v1/account/sessions/current", headers=here)
    assert answer.status == 204
    cookies = answer.headers.getall("Set-Cookie")
    assert [cookie.partition("=")[0] for cookie in cookies] == ["a_session_shop_legacy", "a_session_shop"]
    assert all("=; " in cookie and "Expires=Thu, 01 Jan 1970" in cookie for cookie in cookies)
    assert answer.headers["X-Fallback-Cookies"] == "[]"
    assert (await api.call("GET", "/v1/account", headers=here)).status == 401
    assert (await api.call("GET", "/v1/account", headers=there)).status == 200


async def test_ending_another_own_session_keeps_the_cookies(api: Api):
    """By its id a member ends a session elsewhere; this one's cookies stay."""
    await api.sign_up()
    there = await api.call("POST", "/v1/account/sessions", json=LOGIN)
    here = await api.sign_in()
    answer = await api.call("DELETE", f"/v1/account/sessions/{there.data['$id']}", headers=here)
    assert answer.status == 204
    assert "Set-Cookie" not in answer.headers
    assert (await api.call("GET", "/v1/account", headers={"Cookie": cookie_of(there)})).status == 401


async def test_nobody_ends_a_strangers_session(api: Api):
    """A session id of somebody else is as unknown as an invented one."""
    await api.sign_up()
    await api.sign_up("eve@example.com")
    ann = await api.call("POST", "/v1/account/sessions", json=LOGIN)
    eve = await api.sign_in("eve@example.com")
    for session_id in (ann.data["$id"], "0" * 20, "x"):
        answer = await api.call("DELETE", f"/v1/account/sessions/{session_id}", headers=eve)
        assert (answer.status, answer.data["message"]) == (404, "Session not found")
    assert (await api.call("GET", "/v1/account", headers={"Cookie": cookie_of(ann)})).status == 200


@pytest.mark.parametrize(
    ("modern", "length", "status"), [(False, 32, 404), (False, 33, 400), (True, 36, 404), (True, 37, 400)]
)
async def test_the_form_of_a_session_id(api: Api, modern: bool, length: int, status: int):
    """A session id has at most 32 characters in the legacy era, 36 in the modern one."""
    await api.sign_up()
    member = await api.sign_in()
    answer = await api.call("DELETE", f"/v1/account/sessions/{'a' * length}", headers=member, modern=modern)
    assert answer.status == status
    assert status == 404 or "Invalid UID format" in answer.data["message"]


async def test_parallel_sign_outs_end_one_session_once(api: Api, pool: Pool):
    """Of several who end one session at once exactly one did; the log has one entry for it."""
    await api.sign_up()
    ended = (await api.call("POST", "/v1/account/sessions", json=LOGIN)).data["$id"]
    member = await api.sign_in()
    answers = await asyncio.gather(
        *(api.call("DELETE", f"/v1/account/sessions/{ended}", headers=member) for _ in range(5))
    )
    assert sorted(answer.status for answer in answers) == [204, 404, 404, 404, 404]
    row = await pool.fetchrow("select count(*) from events where name = 'account.sessions.delete'")
    assert row[0] == 1


async def test_signing_in_renews_an_outdated_hash(api: Api, pool: Pool):
    """A hash of weaker parameters is replaced by today's when its owner signs in."""
    await api.sign_up()
    weak = PasswordHasher(time_cost=1, memory_cost=8192, parallelism=1).hash("correct horse")
    await pool.execute("update users set password_hash = $1", weak)
    await api.sign_in()
    row = await pool.fetchrow("select password_hash from users")
    assert row[0].startswith("$argon2id$v=19$m=19456,t=2,p=1$")
    await api.sign_in()


@pytest.mark.parametrize("seconds", [None, 60])
async def test_a_project_sets_how_long_a_session_lives(api: Api, pool: Pool, seconds: int | None):
    """A session ends when the project says, counted from the sign-in; without a setting after one year."""
    if seconds:
        await projects.change(pool, "shop", session_seconds=seconds)
    await api.sign_up()
    await api.sign_in()
    row = await pool.fetchrow("select extract(epoch from expires_at - created_at) from sessions")
    assert int(row[0]) == (seconds or 31_536_000)


@pytest.mark.parametrize(("duration", "seconds"), [(None, 3600), (60, 60), (3600, 3600)])
async def test_a_session_may_be_shorter(api: Api, pool: Pool, duration: int | None, seconds: int):
    """For who does not want to be remembered: from a minute to the project's session time, which is the default."""
    await projects.change(pool, "shop", session_seconds=3600)
    await api.sign_up()
    body = {"email": "ann@example.com", "password": "correct horse", "duration": duration}
    answer = await api.call("POST", "/v1/account/sessions/email", json=body, modern=True)
    assert answer.status == 201
    row = await pool.fetchrow("select expires_at, extract(epoch from expires_at - created_at) from sessions")
    assert row[1] == seconds
    assert answer.data["expire"] == row[0].isoformat(timespec="milliseconds")


@pytest.mark.parametrize("duration", [0, 59, -1, 31_536_001, "60", 60.5, True, [], 10**30])
async def test_a_session_is_not_longer_than_the_project_lets_it(api: Api, pool: Pool, duration: object):
    """Anything else is a 400, before the password is looked at."""
    await api.sign_up()
    body = {"email": "ann@example.com", "password": "correct horse", "duration": duration}
    answer = await api.call("POST", "/v1/account/sessions/email", json=body, modern=True)
    assert (answer.status, answer.data["type"]) == (400, "general_argument_invalid")
    assert answer.data["message"].startswith("Invalid `duration` param: ")
    assert await pool.fetch("select 1 from sessions") == []


async def test_a_page_of_sessions(api: Api):
    """Oldest first; limit, offset and cursors of both directions; `total` counts them all."""
    await api.sign_up()
    signed_in = [await api.call("POST", "/v1/account/sessions", json=LOGIN, modern=True) for _ in range(4)]
    ids = [answer.data["$id"] for answer in signed_in]
    member = {"Cookie": cookie_of(signed_in[0])}

    async def page(*queries: str) -> tuple[int, list[str]]:
        wanted = "&".join(f"queries[]={query}" for query in queries)
        answer = await api.call("GET", f"/v1/account/sessions?{wanted}", headers=member, modern=True)
        assert answer.status == 200, answer.data
        return answer.data["total"], [session["$id"] for session in answer.data["sessions"]]

    assert await page() == (4, ids)
    assert await page("limit(2)") == (4, ids[:2])
    assert await page("limit(2)", "offset(3)") == (4, ids[3:])
    assert await page("limit(2)", f'cursorAfter("{ids[1]}")') == (4, ids[2:])
    assert await page("limit(2)", f'cursorBefore("{ids[3]}")') == (4, ids[1:3])
    for query, kind in (('cursorAfter("none")', "general_cursor_not_found"), ("limit(101)", "general_query_invalid")):
        answer = await api.call("GET", f"/v1/account/sessions?queries[]={query}", headers=member, modern=True)
        assert (answer.status, answer.data["type"]) == (400, kind)


async def test_a_list_of_sessions_is_whole(api: Api, pool: Pool):
    """Without a limit a member sees all of as many sessions as a project allows, 100: old SDKs can't ask for more."""
    await api.sign_up()
    member = await api.sign_in()
    await pool.execute(
        """insert into sessions select (jsonb_populate_record(s, jsonb_build_object('id', s.id || n))).*
           from sessions s, generate_series(1, 99) n"""
    )
    for modern, count in ((False, "sum"), (True, "total")):
        found = (await api.call("GET", "/v1/account/sessions", headers=member, modern=modern)).data
        assert (found[count], len(found["sessions"])) == (100, 100)
