"""The routes beyond the main road, each along its happy path and its own refusals."""

import orjson

from service.db import Pool
from testkit.api import Api, cookie_of


async def test_prefs_merge_or_replace(api: Api):
    """Legacy prefs merge and null removes a key; modern prefs are replaced."""
    await api.sign_up()
    member = await api.sign_in()
    assert (await api.call("GET", "/v1/account/prefs", headers=member)).data == {}

    async def set_prefs(prefs: object, *, modern: bool = False) -> object:
        return await api.call("PATCH", "/v1/account/prefs", json={"prefs": prefs}, headers=member, modern=modern)

    assert (await set_prefs({"theme": "pink", "zone": {"a": {}}})).data["prefs"] == {"theme": "pink", "zone": {"a": {}}}
    assert (await set_prefs({"theme": None, "size": 1.5})).data["prefs"] == {"zone": {"a": {}}, "size": 1.5}
    assert (await set_prefs({"only": "this"}, modern=True)).data["prefs"] == {"only": "this"}
    assert (await api.call("GET", "/v1/account/prefs", headers=member)).data == {"only": "this"}


async def test_merged_prefs_keep_the_nulls_of_others(api: Api):
    """A null removes the key that it is given for, and no other: modern clients store nulls."""
    await api.sign_up()
    member = await api.sign_in()
    for prefs, modern in (({"a": None, "b": None}, True), ({"b": None, "c": 1}, False)):
        answer = await api.call("PATCH", "/v1/account/prefs", json={"prefs": prefs}, headers=member, modern=modern)
    assert answer.data["prefs"] == {"a": None, "c": 1}


async def test_email_change(api: Api, pool: Pool):
    """A new address is unproved, gets a link, the old one is told, and every earlier link is dead."""
    await api.sign_up()
    member = await api.sign_in()
    asked = {"email": "new@example.com", "password": "wrong"}
    assert (await api.call("PATCH", "/v1/account/email", json=asked, headers=member)).status == 401
    asked["password"] = "correct horse"
    answer = await api.call("PATCH", "/v1/account/email", json=asked, headers=member)
    assert answer.status == 200
    assert answer.data["email"] == "new@example.com"
    assert answer.data["emailVerification"] is False
    mails = await pool.fetch("select letter, recipient from mails order by letter")
    assert [tuple(mail) for mail in mails] == [
        ("email_changed", "ann@example.com"), ("verification", "new@example.com"),
    ]  # fmt: skip
    await api.sign_up("ann@example.com")
    asked = {"email": "ann@example.com", "password": "correct horse"}
    for modern, status in ((True, 409), (False, 400)):
        taken = await api.call("PATCH", "/v1/account/email", json=asked, headers=member, modern=modern)
        assert (taken.status, taken.data["type"]) == (status, "user_target_already_exists")


async def test_password_change(api: Api):
    """The old password proves who asks; every other session ends, this one stays."""
    await api.sign_up()
    other, member = await api.sign_in(), await api.sign_in()
    asked = {"password": "another horse", "oldPassword": "wrong"}
    assert (await api.call("PATCH", "/v1/account/password", json=asked, headers=member)).status == 401
    asked["oldPassword"] = "correct horse"
    assert (await api.call("PATCH", "/v1/account/password", json=asked, headers=member)).status == 200
    assert (await api.call("GET", "/v1/account", headers=member)).status == 200
    assert (await api.call("GET", "/v1/account", headers=other)).status == 401
    await api.sign_in(password="another horse")


async def test_an_empty_old_password_proves_nothing(api: Api, pool: Pool):
    """It is wrong where there is a password, and none where there is none: apps have one form for all accounts."""
    await api.sign_up()
    member = await api.sign_in()
    asked = {"password": "another horse", "oldPassword": ""}
    refused = await api.call("PATCH", "/v1/account/password", json=asked, headers=member, modern=True)
    assert (refused.status, refused.data["type"]) == (401, "user_invalid_credentials")
    await pool.execute("update users set password_hash = null, password_updated_at = null, email_verified = true")
    assert (await api.call("PATCH", "/v1/account/password", json=asked, headers=member, modern=True)).status == 200
    await api.sign_in(password="another horse")


async def test_anonymous_becomes_real(api: Api):
    """An anonymous account takes its first address and password together."""
    answer = await api.call("POST", "/v1/account/sessions/anonymous", json={})
    assert answer.status == 201
    assert answer.data["provider"] == "anonymous"
    member = {"Cookie": cookie_of(answer)}
    again = await api.call("POST", "/v1/account/sessions/anonymous", json={}, headers=member)
    assert again.data["message"] == "Cannot create an anonymous user when logged in."
    asked = {"email": "ann@example.com", "password": "correct horse"}
    assert (await api.call("PATCH", "/v1/account/email", json=asked, headers=member)).status == 200
    await api.sign_in()


async def test_delete_blocks_for_good(api: Api, pool: Pool):
    """A deleted account answers nobody, and its proved address stays taken."""
    await api.sign_up()
    await pool.execute("update users set email_verified = true")
    member = await api.sign_in()
    answer = await api.call("DELETE", "/v1/account", headers=member, json={})
    assert answer.status == 204
    assert len(answer.headers.getall("Set-Cookie")) == 2
    blocked = await api.call("GET", "/v1/account", headers=member, modern=True)
    assert (blocked.status, blocked.data["type"]) == (403, "user_blocked")
    taken = await api.call("POST", "/v1/account", json={"email": "ann@example.com", "password": "correct horse"})
    assert taken.status == 409


async def test_sessions_are_listed_and_ended(api: Api):
    """The list knows the session that asks; ending all clears the cookies."""
    await api.sign_up()
    await api.sign_in()
    member = await api.sign_in()
    listed = await api.call("GET", "/v1/account/sessions", headers=member)
    assert list(listed.data) == ["sum", "sessions"]
    assert [session["current"] for session in listed.data["sessions"]] == [False, True]
    kept = await api.call("DELETE", "/v1/account/sessions", headers=member, json={"current": False})
    assert kept.status == 204
    assert (await api.call("GET", "/v1/account/sessions", headers=member)).data["sum"] == 1
    assert (await api.call("PATCH", "/v1/account/sessions/current", headers=member, json={})).status == 200
    assert (await api.call("DELETE", "/v1/account/sessions", headers=member, json={})).status == 204
    assert (await api.call("GET", "/v1/account", headers=member)).status == 401


async def test_magic_url_tells_nothing(api: Api, pool: Pool):
    """Known or not, the answer echoes the id that was asked for, and no user is made."""
    await api.sign_up()
    for email in ("ann@example.com", "nobody@example.com"):
        body = {"userId": "wanted", "email": email, "url": "http://localhost/in"}
        answer = await api.call("POST", "/v1/account/tokens/magic-url", json=body, modern=True)
        assert (answer.status, answer.data["userId"], answer.data["secret"]) == (201, "wanted", "")
    assert (await pool.fetchrow("select count(*) from users"))[0] == 1


async def test_prefs_keep_odd_keys_out(api: Api):
    """Keys that break a client's parser are refused at any depth, and so are NUL and what is no object."""
    await api.sign_up()
    member = await api.sign_in()
    for prefs in ({"a": [{"__proto__": 1}]}, {"constructor": 1}, [1], "x", {"a": "b\0"}):
        answer = await api.call(
            "PATCH",
            "/v1/account/prefs",
            data=orjson.dumps({"prefs": prefs}),
            headers=member | {"Content-Type": "application/json"},
        )
        assert answer.status == 400, prefs
