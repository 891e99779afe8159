"""GET /v1/events: what happened, for a server with a key, page by page."""

import pytest

from service.db import Pool
from testkit.api import Api
from testkit.api_keys import key
from worker.security_log import SecurityLogWriter

pytestmark = pytest.mark.usefixtures("cheap", "redis", "project")
PASSWORD = "correct horse"


async def test_a_server_follows_what_happens(api: Api, pool: Pool):
    """Ids and times by cursor, in order; no address, no client, nothing of an address without an account."""
    server = await key(pool, "events.read")
    signed_up = await api.call("POST", "/v1/account", json={"email": "ann@example.com", "password": PASSWORD})
    await api.sign_in("ann@example.com", PASSWORD)
    body = {"email": "nobody@example.com", "url": "http://localhost/reset"}
    assert (await api.call("POST", "/v1/account/recovery", json=body)).status == 201
    assert (await api.call("GET", "/v1/events", headers=server)).data == {"events": [], "cursor": "0"}
    await SecurityLogWriter(pool).write_pending()

    first = (await api.call("GET", "/v1/events?limit=1", headers=server)).data
    second = (await api.call("GET", f"/v1/events?after={first['cursor']}", headers=server)).data
    rows = await pool.fetch("select id, at from logs order by at")
    user_id = signed_up.data["$id"]
    assert [first, second] == [
        {
            "events": [
                {
                    "id": str(row["id"]),
                    "type": name,
                    "timestamp": row["at"].isoformat(timespec="milliseconds"),
                    "data": {"projectId": "shop", "userId": user_id},
                }
            ],
            "cursor": cursor,
        }
        for row, name, cursor in zip(rows, ("account.create", "account.sessions.create"), ("1", "2"), strict=True)
    ]
    last = await api.call("GET", "/v1/events?after=2", headers=server)
    assert last.data == {"events": [], "cursor": "2"}
    as_cloud = (await api.call("GET", "/v1/events?after=1&format=cloudevents", headers=server)).data
    assert as_cloud == {
        "events": [
            {
                "specversion": "1.0",
                "id": str(rows[1]["id"]),
                "source": as_cloud["events"][0]["source"],
                "type": "account.sessions.create",
                "subject": user_id,
                "time": rows[1]["at"].isoformat(timespec="milliseconds"),
                "sequence": "2",
                "datacontenttype": "application/json",
                "data": {"projectId": "shop", "userId": user_id},
            }
        ],
        "cursor": "2",
    }
    assert as_cloud["events"][0]["source"].endswith("/projects/shop")


async def test_bad_parameters_are_refused(api: Api, pool: Pool):
    """Each with 400 and the name of the parameter; a cursor that was never given out is none."""
    server = await key(pool, "events.read")
    for query in (
        "after=-1", "after=x", "after=1.5", "after=%D9%A3", "after=" + "9" * 19, "after=%00", "limit=0", "limit=1001",
        "limit=-1", "limit=ten", "format=xml", "format=%00",
    ):  # fmt: skip
        answer = await api.call("GET", f"/v1/events?{query}", headers=server)
        assert (answer.status, answer.data["type"]) == (400, "general_argument_invalid"), query
        assert f"`{query.partition('=')[0]}`" in answer.data["message"], query
    for after in ("1", "9" * 18):
        answer = await api.call("GET", f"/v1/events?after={after}", headers=server)
        assert (answer.status, answer.data["type"]) == (400, "general_cursor_not_found"), after


async def test_a_cursor_whose_events_are_gone_is_refused(api: Api, pool: Pool):
    """Nobody misses events in silence: 410 until one begins anew, which starts at the oldest that is kept."""
    server = await key(pool, "events.read")
    await pool.execute("update event_feeds set last_number = 9, deleted_through = 7")
    for after, status in (("0", 410), ("6", 410), ("7", 200), ("9", 200)):
        assert (await api.call("GET", f"/v1/events?after={after}", headers=server)).status == status, after
    assert (await api.call("GET", "/v1/events", headers=server)).data == {"events": [], "cursor": "7"}


async def test_other_keys_and_members_read_no_feed(api: Api, pool: Pool):
    """Its scope alone opens it: neither those of the Users API, nor a session."""
    await api.call("POST", "/v1/account", json={"email": "ann@example.com", "password": PASSWORD})
    member = await api.sign_in("ann@example.com", PASSWORD)
    for headers in ({}, member, await key(pool)):
        assert (await api.call("GET", "/v1/events", headers=headers)).status == 401
