"""Addresses over HTTP: one account, one window and one mailbox, however an address is written."""

import orjson
import pytest
from redis.asyncio import Redis

from service.db import Pool
from service.store import projects, users
from testkit.api import Api
from testkit.api_keys import key
from testkit.sink import Sink
from tests.integration.worker.conftest import a_worker, sink

__all__ = ["a_worker", "sink"]
UNICODE, ASCII, LOUD = "u@münchen.de", "u@xn--mnchen-3ya.de", "U@XN--MNCHEN-3YA.DE"
PASSWORD, URL = "correct horse", "http://localhost/reset"
REFUSAL = "Invalid email: Value must be a valid email address"
SPECIAL = "; special-use domains need the project's setting special_use_domains"


@pytest.mark.parametrize("written", [UNICODE, ASCII, LOUD])
async def test_every_spelling_is_one_account(api: Api, pool: Pool, written: str):
    """Kept and told in ASCII, taken for every other spelling, and each signs in to it."""
    assert (await api.sign_up(written))["email"] == ASCII
    for other in (UNICODE, ASCII, LOUD):
        again = await api.call("POST", "/v1/account", json={"email": other, "password": PASSWORD})
        assert (again.status, again.data["type"]) == (409, "user_already_exists")
        answer = await api.call("POST", "/v1/account/sessions", json={"email": other, "password": PASSWORD})
        assert (answer.status, answer.data["providerUid"]) == (201, ASCII)
    assert (await pool.fetchrow("select count(*), min(email) from users"))[:] == (1, ASCII)


async def test_its_mail_arrives(api: Api, pool: Pool, sink: Sink, a_worker):
    """The letter that was lost: RCPT and To are the ASCII form, at the first try."""
    await api.sign_up(ASCII)
    worker = a_worker()
    for written in (ASCII, UNICODE):
        asked = await api.call("POST", "/v1/account/recovery", json={"email": written, "url": URL})
        assert asked.status == 201
    for row in await pool.fetch("select id from mails"):
        await worker.deliver(row["id"])
    assert [mail.recipients for mail in sink.mails] == [(ASCII,), (ASCII,)]
    assert all(f"To: {ASCII}\r\n".encode() in mail.content for mail in sink.mails)
    assert [row["state"] for row in await pool.fetch("select state from mails")] == ["sent", "sent"]


async def test_every_spelling_is_one_window(api: Api, redis: Redis):
    """Twenty guesses in two spellings are twenty guesses at one mailbox."""
    statuses = []
    for number in range(12):
        body = {"email": (UNICODE, ASCII)[number % 2], "url": URL}
        statuses.append((await api.call("POST", "/v1/account/recovery", json=body)).status)
    assert statuses == [201] * 10 + [429] * 2


async def test_servers_find_every_spelling(api: Api, pool: Pool):
    """The Users API takes, keeps and looks up the same form; a search in Unicode finds it too."""
    server = await key(pool)
    made = await api.call("POST", "/v1/users", json={"userId": "u", "email": UNICODE}, headers=server, modern=True)
    assert (made.status, made.data["email"]) == (201, ASCII)
    for written in (UNICODE, ASCII, LOUD):
        query = orjson.dumps({"method": "equal", "attribute": "email", "values": [written]}).decode()
        found = await api.call("GET", "/v1/users", params={"queries[]": query}, headers=server, modern=True)
        assert [user["$id"] for user in found.data["users"]] == ["u"], written
    for part in ("münchen.de", "@MÜNCHEN.de", UNICODE, "u@xn--mn"):
        found = await api.call("GET", "/v1/users", params={"search": part}, headers=server, modern=True)
        assert [user["$id"] for user in found.data["users"]] == ["u"], part
        query = orjson.dumps({"method": "search", "attribute": "email", "values": [part]}).decode()
        found = await api.call("GET", "/v1/users", params={"queries[]": query}, headers=server, modern=True)
        assert [user["$id"] for user in found.data["users"]] == ["u"], part


@pytest.mark.unlimited
async def test_special_use_domains_are_a_projects_own_choice(api: Api, pool: Pool):
    """Off, every way to a new address says which setting it is; on, each takes it. No address is none either way."""
    server, special = await key(pool), "ann@nas.internal"
    ways = [
        ("POST", "/v1/account", {"email": special, "password": PASSWORD}, {}),
        ("POST", "/v1/account/sessions/magic-url", {"email": special, "url": URL}, {}),
        ("POST", "/v1/users", {"userId": "bob", "email": "bob@nas.internal", "password": PASSWORD}, server),
    ]
    for method, path, body, headers in ways:
        refused = await api.call(method, path, json=body, headers=headers)
        assert (refused.status, refused.data["message"]) == (400, REFUSAL + SPECIAL), path
    await projects.change(pool, "shop", special_use_domains=True)
    for method, path, body, headers in ways:
        await _until_taken(api, method, path, body, headers)
    for wrong in ("a@127.0.0.1", "é@nas.local", "a@b..local"):
        refused = await api.call("POST", "/v1/account", json={"email": wrong, "password": PASSWORD})
        assert (refused.status, refused.data["message"]) == (400, REFUSAL)


async def test_who_has_such_an_address_keeps_it_when_the_setting_goes(api: Api, pool: Pool):
    """Signing in and recovering ask nobody for a new address: they go on, and tell nothing."""
    await users.create(pool, "shop", user_id="ann", email="ann@nas.local", name="", password_hash=None)
    for email in ("ann@nas.local", "nobody@nas.local"):
        asked = await api.call("POST", "/v1/account/recovery", json={"email": email, "url": URL})
        assert asked.status == 201
        signed = await api.call("POST", "/v1/account/sessions", json={"email": email, "password": PASSWORD})
        assert (signed.status, signed.data["type"]) == (401, "user_invalid_credentials")


async def _until_taken(api: Api, method: str, path: str, body: dict[str, str], headers: dict[str, str]) -> None:
    """A process knows a project for a second before it looks again."""
    while (answer := await api.call(method, path, json=body, headers=headers)).status == 400:
        assert answer.data["message"] == REFUSAL + SPECIAL
    assert answer.status == 201, answer.data


async def test_a_project_that_was_set_wrong_waits_for_its_operator(api: Api, pool: Pool, sink: Sink, a_worker):
    """No letter is lost over a sender or a page that is none: it waits, says why, and goes out once that is mended."""
    await api.sign_up()
    worker = a_worker()
    member = await api.sign_in()
    await api.call("POST", "/v1/account/verification", json={"url": URL}, headers=member)
    (mail,) = await pool.fetch("select id from mails")
    for wrong in ({"sender_address": "notanaddress"}, {"sender_address": "", "sender_name": "a\nb"}):
        await projects.change(pool, "shop", **wrong)
        for _ in range(7):
            await pool.execute("update mails set due_at = now() - interval '1 second'")
            await worker.deliver(mail["id"])
        (row,) = await pool.fetch("select state, last_cause, last_fault from mails")
        assert (row["state"], row["last_cause"]) == ("pending", "ours")
        assert "`projects set --" in row["last_fault"]
    await projects.change(pool, "shop", sender_name="")
    await pool.execute("update mails set due_at = now() - interval '1 second'")
    await worker.deliver(mail["id"])
    assert len(sink.mails) == 1


async def test_an_address_that_came_past_the_door_ends_at_once(api: Api, pool: Pool, sink: Sink, a_worker):
    """Written by SQL, say: its letter has failed, says why, and is not tried for days."""
    await api.sign_up()
    await api.call("POST", "/v1/account/recovery", json={"email": "ann@example.com", "url": URL})
    await pool.execute("update users set email = 'é@example.com'")
    await pool.execute("update tokens set email = 'é@example.com'")
    await pool.execute("update mails set recipient = 'é@example.com'")
    (mail,) = await pool.fetch("select id from mails")
    await a_worker().deliver(mail["id"])
    (row,) = await pool.fetch("select state, attempts, last_fault from mails")
    assert tuple(row) == ("failed", 1, "its recipient is no address that can be mailed")
    assert sink.mails == []
