"""An operator's change takes effect at once, ends what it must end, and stands in the member's own log."""

import asyncio

import pytest

from service.db import Pool
from service.settings import Settings
from service.store import token_secrets, tokens
from testkit import api_keys
from testkit.api import Api


async def _events(pool: Pool) -> list[str]:
    return [row["name"] for row in await pool.fetch("select name from events where name like 'users.%' order by id")]


async def _open_links(api: Api, member: dict[str, str]) -> None:
    """A link of each kind: the member's own, one asked for by address, a sign-in link."""
    url = {"url": "http://localhost/x"}
    await api.call("POST", "/v1/account/verification", json=url, headers=member)
    await api.call("POST", "/v1/account/recovery", json=url | {"email": "ann@example.com"})
    await api.call("POST", "/v1/account/sessions/magic-url", json=url | {"email": "ann@example.com"})


async def test_blocking(api: Api, pool: Pool):
    """A blocked user's next request fails and no login works; unblocked, the old session is good again."""
    server = await api_keys.key(pool)
    user = await api.sign_up()
    member = await api.sign_in()
    await _open_links(api, member)
    path = f"/v1/users/{user['$id']}/status"
    blocked = await api.call("PATCH", path, headers=server, json={"status": False}, modern=True)
    assert (blocked.status, blocked.data["status"]) == (200, False)
    assert not await pool.fetch("select * from tokens")
    refused = await api.call("GET", "/v1/account", headers=member, modern=True)
    assert (refused.status, refused.data["type"]) == (403, "user_blocked")
    body = {"email": "ann@example.com", "password": "correct horse"}
    login = await api.call("POST", "/v1/account/sessions", json=body, modern=True)
    assert (login.status, login.data["type"]) == (403, "user_blocked")
    assert (await api.call("PATCH", path, headers=server, json={"status": True}, modern=True)).data["status"] is True
    assert (await api.call("GET", "/v1/account", headers=member)).status == 200
    assert await _events(pool) == ["users.update.status"] * 2


@pytest.mark.parametrize(("given", "shown"), [(0, 0), (1, 1), (2, 2), (False, 2), (True, 1)])
async def test_status_has_three_numbers(api: Api, pool: Pool, given, shown):
    """The legacy era's 0, 1 and 2 go in and come out; true and false are understood everywhere."""
    server = await api_keys.key(pool)
    user = await api.sign_up()
    answer = await api.call("PATCH", f"/v1/users/{user['$id']}/status", headers=server, json={"status": given})
    assert (answer.status, answer.data["status"]) == (200, shown)


@pytest.mark.parametrize("given", [3, -1, "blocked", "", None, [0], 1.0])
async def test_status_is_nothing_else(api: Api, pool: Pool, given):
    """A status that the API version doesn't know is refused and changes nothing."""
    server = await api_keys.key(pool)
    user = await api.sign_up()
    answer = await api.call("PATCH", f"/v1/users/{user['$id']}/status", headers=server, json={"status": given})
    assert answer.status == 400
    assert (await api.call("GET", f"/v1/users/{user['$id']}", headers=server)).data == user


async def test_a_new_password(api: Api, pool: Pool):
    """It ends all sessions and every link; the old password is dead, the new one works."""
    server = await api_keys.key(pool)
    user = await api.sign_up()
    member = await api.sign_in()
    await _open_links(api, member)
    body = {"password": "another horse"}
    path = f"/v1/users/{user['$id']}/password"
    answer = await api.call("PATCH", path, headers=server, json=body, modern=True)
    assert answer.status == 200
    assert answer.data["password"] == answer.data["hash"] == ""
    assert (await api.call("GET", "/v1/account", headers=member)).status == 401
    assert not await pool.fetch("select * from tokens")
    old = await api.call("POST", "/v1/account/sessions", json={"email": user["email"], "password": "correct horse"})
    assert old.status == 401
    await api.sign_in(password="another horse")
    assert await _events(pool) == ["users.update.password"]
    for modern, word in ((True, "seven77"), (False, "five5"), (False, "x" * 33), (True, "")):
        refused = await api.call("PATCH", path, headers=server, json={"password": word}, modern=modern)
        assert refused.status == 400


async def test_a_new_address(api: Api, pool: Pool):
    """It is unproved, kills every link to the old one, mails nobody; the session stays. A taken one is 409."""
    server = await api_keys.key(pool)
    user = await api.sign_up()
    await api.sign_up("bob@example.com")
    member = await api.sign_in()
    await pool.execute("update users set email_verified = true")
    await _open_links(api, member)
    mails = len(await pool.fetch("select * from mails"))
    path = f"/v1/users/{user['$id']}/email"
    taken = await api.call("PATCH", path, headers=server, json={"email": "BOB@example.com"}, modern=True)
    assert (taken.status, taken.data["type"]) == (409, "user_email_already_exists")
    assert len(await pool.fetch("select * from tokens")) == 3
    answer = await api.call("PATCH", path, headers=server, json={"email": "New@example.com"})
    assert (answer.data["email"], answer.data["emailVerification"]) == ("new@example.com", False)
    assert not await pool.fetch("select * from tokens")
    assert len(await pool.fetch("select * from mails")) == mails
    assert (await api.call("GET", "/v1/account", headers=member)).data["email"] == "new@example.com"
    assert await _events(pool) == ["users.update.email"]


async def test_verification_by_word(api: Api, pool: Pool):
    """An operator says that an address is proved; taking it back voids the links that would prove it again."""
    server = await api_keys.key(pool)
    user = await api.sign_up()
    await _open_links(api, await api.sign_in())
    path = f"/v1/users/{user['$id']}/verification"
    yes = await api.call("PATCH", path, headers=server, json={"emailVerification": True})
    assert yes.data["emailVerification"] is True
    assert len(await pool.fetch("select * from tokens")) == 3
    no = await api.call("PATCH", path, headers=server, json={"emailVerification": False})
    assert no.data["emailVerification"] is False
    assert not await pool.fetch("select * from tokens")
    assert (await api.call("PATCH", path, headers=server, json={"emailVerification": 1})).status == 400
    assert await _events(pool) == ["users.update.verification"] * 2


async def test_names_and_labels(api: Api, pool: Pool):
    """A name may be emptied in the modern era; labels are replaced, each kept once, and are words."""
    server = await api_keys.key(pool)
    user = await api.sign_up()
    path = f"/v1/users/{user['$id']}"
    named = await api.call("PATCH", f"{path}/name", headers=server, json={"name": "Ann"})
    assert named.data["name"] == "Ann"
    assert (await api.call("PATCH", f"{path}/name", headers=server, json={"name": ""}, modern=True)).data["name"] == ""
    body = {"labels": ["vip", "beta", "vip"]}
    labelled = await api.call("PUT", f"{path}/labels", headers=server, json=body, modern=True)
    assert labelled.data["labels"] == ["vip", "beta"]
    for labels in (["a b"], [""], ["x" * 37], ["é"], "vip", [1], ["a"] * 1001):
        refused = await api.call("PUT", f"{path}/labels", headers=server, json={"labels": labels}, modern=True)
        assert refused.status == 400, labels
    assert await _events(pool) == ["users.update.name", "users.update.name", "users.update.labels"]


async def test_prefs(api: Api, pool: Pool):
    """The same rules as the member's own: legacy merges, modern replaces; the answer is the bare object."""
    server = await api_keys.key(pool)
    user = await api.sign_up()
    path = f"/v1/users/{user['$id']}/prefs"
    assert (await api.call("GET", path, headers=server)).data == {}
    await api.call("PATCH", path, headers=server, json={"prefs": {"a": 1, "b": {}}})
    merged = await api.call("PATCH", path, headers=server, json={"prefs": {"a": None, "c": "x"}})
    assert merged.data == {"b": {}, "c": "x"}
    replaced = await api.call("PATCH", path, headers=server, json={"prefs": {"d": 1.5}}, modern=True)
    assert replaced.data == {"d": 1.5}
    assert (await api.call("GET", path, headers=server)).data == {"d": 1.5}
    for prefs in ("{}", [1], {"__proto__": 1}, {"a": "x" * 65_536}):
        assert (await api.call("PATCH", path, headers=server, json={"prefs": prefs})).status == 400


async def test_signing_in_and_blocking_never_hang_each_other(api: Api, pool: Pool, settings: Settings):
    """Both lock the user first: whoever comes second finds the link or the account gone, and nobody gets a 5xx."""
    server = await api_keys.key(pool)
    for number in range(5):
        email = f"ann{number}@example.com"
        user = await api.sign_up(email)
        token = await tokens.issue(
            pool,
            "shop",
            kind=tokens.Kind.MAGIC_URL,
            email=email,
            kid="test",
            seconds=3600,
            requested_user_id=user["$id"],
        )
        body = {"userId": user["$id"], "secret": token_secrets.secret_of(settings.key_ring, token)}
        path = f"/v1/users/{user['$id']}/status"
        signed_in, blocked = await asyncio.gather(
            api.call("PUT", "/v1/account/sessions/magic-url", json=body, modern=True),
            api.call("PATCH", path, headers=server, json={"status": False}, modern=True),
        )
        assert blocked.status == 200
        assert signed_in.status in (201, 401)
