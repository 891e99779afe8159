"""An operator sees and ends a user's sessions, and reads the user's log; the member sees the operator's acts."""

from service.clientinfo import user_agents
from service.db import Pool
from service.store import security_log
from service.store.security_log import Entry
from testkit import api_keys
from testkit.api import Api


async def test_sessions_are_seen(api: Api, pool: Pool):
    """All live ones, oldest first, in the era's shape; none is current and no secret is shown."""
    server = await api_keys.key(pool)
    user = await api.sign_up()
    await api.sign_in()
    member = await api.sign_in()
    path = f"/v1/users/{user['$id']}/sessions"
    own = (await api.call("GET", "/v1/account/sessions", headers=member)).data
    seen = (await api.call("GET", path, headers=server)).data
    assert list(seen) == ["sum", "sessions"]
    assert seen["sessions"] == [session | {"current": False} for session in own["sessions"]]
    modern = (await api.call("GET", path, headers=server, modern=True)).data
    assert modern["total"] == 2
    assert [session["secret"] for session in modern["sessions"]] == ["", ""]
    assert (await api.call("GET", f"{path}?total=false", headers=server, modern=True)).data["total"] == 0


async def test_sessions_are_ended(api: Api, pool: Pool):
    """One, or all; the next request with them fails. One that is not the user's is 404."""
    server = await api_keys.key(pool)
    user = await api.sign_up()
    await api.sign_up("bob@example.com")
    bob = await api.sign_in("bob@example.com")
    members = [await api.sign_in() for _ in range(3)]
    path = f"/v1/users/{user['$id']}/sessions"
    listed = (await api.call("GET", path, headers=server)).data["sessions"]
    assert (await api.call("DELETE", f"{path}/{listed[0]['$id']}", headers=server)).status == 204
    statuses = [(await api.call("GET", "/v1/account", headers=member)).status for member in members]
    assert statuses == [401, 200, 200]
    theirs = (await api.call("GET", "/v1/account/sessions", headers=bob)).data["sessions"][0]["$id"]
    for session_id in (listed[0]["$id"], theirs, "current"):
        gone = await api.call("DELETE", f"{path}/{session_id}", headers=server, modern=True)
        assert (gone.status, gone.data["type"]) == (404, "user_session_not_found")
    assert (await api.call("DELETE", path, headers=server)).status == 204
    assert [(await api.call("GET", "/v1/account", headers=member)).status for member in members] == [401] * 3
    assert (await api.call("GET", "/v1/account", headers=bob)).status == 200
    events = await pool.fetch("select name from events where user_id = $1 and name like 'users.%'", user["$id"])
    assert [event["name"] for event in events] == ["users.sessions.delete"] * 2


async def test_the_log(api: Api, pool: Pool):
    """Both read the same rows in each era's words; the old one knows no act of an operator."""
    server = await api_keys.key(pool)
    user = await api.sign_up()
    member = await api.sign_in()
    path = f"/v1/users/{user['$id']}"
    await api.call("PATCH", f"{path}/name", headers=server, json={"name": "Ann"})
    await api.call("DELETE", f"{path}/sessions/none", headers=server)
    rows = await pool.fetch("select * from events order by at, id")
    assert [row["name"] for row in rows] == ["account.create", "account.sessions.create", "users.update.name"]
    device = user_agents.parse("curl/8.0")
    entries = [
        (Entry("shop", row["id"], row["user_id"], row["name"], row["ip"], row["at"], "--"), device) for row in rows
    ]
    await security_log.write(pool, entries)
    legacy = (await api.call("GET", f"{path}/logs", headers=server)).data
    assert list(legacy) == ["logs"]
    assert [entry["event"] for entry in legacy["logs"]] == ["account.sessions.create", "account.create"]
    assert (await api.call("GET", "/v1/account/logs", headers=member)).data == legacy
    query = {"queries[0]": "limit(2)", "queries[1]": '{"method":"offset","values":[0]}'}
    modern = (await api.call("GET", f"{path}/logs", headers=server, params=query, modern=True)).data
    assert modern["total"] == 3
    assert [(entry["event"], entry["userType"]) for entry in modern["logs"]] == [
        ("user.update", "keyProject"), ("session.create", "user"),
    ]  # fmt: skip
    for text in ('orderAsc("name")', "limit(101)", "x"):
        wrong = await api.call("GET", f"{path}/logs", headers=server, params={"queries[]": text}, modern=True)
        assert (wrong.status, wrong.data["type"]) == (400, "general_query_invalid")
