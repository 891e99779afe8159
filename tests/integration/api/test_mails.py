"""The outcome of a member's own mails: enough for an app to show, nothing of another user's."""

import json
from datetime import datetime
from urllib.parse import quote

import pytest
from yarl import URL

from service.clientinfo import user_agents
from service.db import Pool
from service.http import session_cookies
from service.store import projects, sessions, users
from service.store.sessions import ClientInfo
from testkit.api import Api
from testkit.documented import Documented

PATH = "/v1/account/mails"
FIELDS = ["$id", "$createdAt", "$updatedAt", "kind", "recipient", "state", "reason"]


async def asked(api: Api, member: dict[str, str]) -> None:
    answer = await api.call("POST", "/v1/account/verification", json={"url": "http://localhost/v"}, headers=member)
    assert answer.status == 201, answer.data


async def seen(api: Api, member: dict[str, str], query: str = "", *, version: str = "1.9.5"):
    answer = await api.call(
        "GET", URL(PATH + query, encoded=True), headers=member | {"X-Appwrite-Response-Format": version}
    )
    assert answer.status == 200, answer.data
    return answer.data


def limited(number: int, skipped: int = 0) -> str:
    asked = ({"method": "limit", "values": [number]}, {"method": "offset", "values": [skipped]})
    return "?" + "&".join(f"queries[{place}]={quote(json.dumps(query))}" for place, query in enumerate(asked))


async def signed_in(pool: Pool, name: str) -> dict[str, str]:
    """The header of a new member, made without the hash of a password."""
    user = await users.create(pool, "shop", user_id=name, email=f"{name}@example.com", name=name, password_hash=None)
    place = ClientInfo("127.0.0.1", "--", user_agents.parse("test"))
    _, secret = await sessions.open_session(
        pool, user, provider="email", provider_uid=f"{name}@example.com", place=place, seconds=3600
    )
    return {"X-Appwrite-Session": session_cookies.encode(user.id, secret)}


@pytest.fixture
async def member(api: Api, pool: Pool) -> dict[str, str]:
    return await signed_in(pool, "ann")


async def test_a_mail_is_seen_from_when_it_is_accepted(api: Api, pool: Pool, member: dict[str, str]):
    """Pending at once, with its time and a masked address; no token, worker, relay, Message-ID or letter's facts."""
    await asked(api, member)
    (mail,) = (await seen(api, member))["mails"]
    row = await pool.fetchrow("select id::text, created_at from mails")
    assert list(mail) == FIELDS
    assert (mail["$id"], mail["kind"], mail["state"], mail["reason"]) == (row["id"], "verification", "pending", "")
    assert mail["recipient"] == "a…@example.com"
    assert mail["$createdAt"] == mail["$updatedAt"] == row["created_at"].isoformat(timespec="milliseconds")


@pytest.mark.parametrize(
    ("state", "code", "fault", "shown", "reason"),
    [
        ("sending", None, None, "pending", ""),
        ("pending", 450, "rcpt: 4.7.1 greylisted by mx7.relay.test", "pending", "delayed"),
        ("sent", 250, None, "sent", ""),
        ("failed", 550, "rcpt: 5.1.1 <ann@example.com> unknown at mx7.relay.test", "failed", "address_refused"),
        ("expired", 452, "rcpt: 4.2.2 over quota", "expired", "mailbox_full"),
        ("cancelled", None, "an operator cancelled it", "cancelled", ""),
        ("suppressed", None, "its mailbox refuses our mail", "suppressed", "mailbox_refuses"),
    ],
)
async def test_a_state_and_a_reason(
    api: Api, pool: Pool, member: dict[str, str], *, state: str, code: int, fault: str, shown: str, reason: str
):
    """A lease is nobody's business; why it failed is a word, and what the relay said stays inside."""
    await asked(api, member)
    await pool.execute(
        "update mails set state = $1, lease_by = 'worker-7', last_code = $2, last_fault = $3", state, code, fault
    )
    answer = await seen(api, member)
    (mail,) = answer["mails"]
    assert (mail["state"], mail["reason"]) == (shown, reason)
    assert not [word for word in ("relay.test", "worker-7", "greylisted", "operator") if word in json.dumps(answer)]


async def test_the_last_change_is_the_last_event_or_the_end(api: Api, pool: Pool, member: dict[str, str]):
    """A failed try changes a mail; an end is its last change."""
    await asked(api, member)
    await pool.execute(
        """insert into mail_events (project_id, mail_id, name, attempt, at)
           select project_id, id, 'waits', 1, created_at + interval '1 minute' from mails"""
    )

    async def changed() -> float:
        (mail,) = (await seen(api, member))["mails"]
        times = [datetime.fromisoformat(mail[name]) for name in ("$createdAt", "$updatedAt")]
        return (times[1] - times[0]).total_seconds()

    assert await changed() == pytest.approx(60, abs=0.01)
    await pool.execute("update mails set state = 'sent', ended_at = created_at + interval '5 minutes'")
    assert await changed() == pytest.approx(300, abs=0.01)


async def test_both_letters_of_a_new_address_are_the_members_own(api: Api):
    """Whoever changes an address sees what went to the new one and to the old one."""
    await api.sign_up()
    member = await api.sign_in()
    change = {"email": "zoe@example.org", "password": "correct horse"}
    assert (await api.call("PATCH", "/v1/account/email", json=change, headers=member)).status == 200
    found = (await seen(api, member))["mails"]
    assert {(mail["kind"], mail["recipient"]) for mail in found} == {
        ("verification", "z…@example.org"), ("email_changed", "a…@example.com"),
    }  # fmt: skip


async def test_a_recovery_is_the_owners_once_a_worker_has_found_the_owner(api: Api, pool: Pool, member: dict[str, str]):
    """Before that nobody knows whose it is, so nobody sees it; one for nobody's address is never seen."""
    for email in ("ann@example.com", "nobody@example.com"):
        body = {"email": email, "url": "http://localhost/r"}
        assert (await api.call("POST", "/v1/account/recovery", json=body)).status == 201
    assert (await seen(api, member)) == {"total": 0, "mails": []}
    user = (await api.call("GET", "/v1/account", headers=member)).data["$id"]
    await pool.execute("update mails set user_id = $1 where recipient = 'ann@example.com'", user)
    await pool.execute("update mails set state = 'void' where recipient = 'nobody@example.com'")
    assert [mail["kind"] for mail in (await seen(api, member))["mails"]] == ["recovery"]
    await pool.execute("update mails set state = 'void'")
    assert (await seen(api, member)) == {"total": 0, "mails": []}


async def test_nobody_sees_anothers_mails(api: Api, pool: Pool, member: dict[str, str]):
    """Not another member, not the same id in another project, not who has the id of a deleted account."""
    await asked(api, member)
    eve = await signed_in(pool, "eve")
    assert (await seen(api, eve)) == {"total": 0, "mails": []}
    await projects.create(pool, "other", name="Other")
    await pool.execute("update mails set project_id = 'other'")
    assert (await seen(api, member)) == {"total": 0, "mails": []}
    await pool.execute("update mails set project_id = 'shop', created_at = created_at - interval '1 day'")
    assert (await seen(api, member)) == {"total": 0, "mails": []}
    assert (await api.call("GET", PATH)).status == 401
    assert (await api.call("GET", PATH, headers=member | {"X-Appwrite-Project": "other"})).status == 401


async def test_a_jwt_reads_them_too(api: Api, member: dict[str, str]):
    """A JWT reads the account's mails, as every other read of the account."""
    await asked(api, member)
    jwt = (await api.call("POST", "/v1/account/jwt", json={}, headers=member)).data["jwt"]
    assert len((await seen(api, {"X-Appwrite-JWT": jwt}))["mails"]) == 1


@pytest.mark.parametrize(
    ("version", "envelope", "kind", "length"),
    [("0.11.0", ["sum", "mails"], int, 10), ("0.12.0", ["sum", "mails"], int, 12),
     ("0.13.0", ["total", "mails"], int, 12), ("1.9.5", ["total", "mails"], str, 12)],
)  # fmt: skip
async def test_the_list_in_each_era(
    api: Api, pool: Pool, member: dict[str, str], *, version: str, envelope: list[str], kind: type, length: int
):
    """The count's name and the times are the era's; legacy shows the ten newest; every answer is as documented."""
    await asked(api, member)
    await pool.execute(
        """insert into mails
               (project_id, id, letter, user_id, recipient, locale, state, created_at, deadline_at, message_id)
           select project_id, gen_random_uuid(), 'recovery', user_id, recipient, locale, 'sent',
               created_at + make_interval(secs => n), deadline_at, message_id from mails, generate_series(1, 11) n"""
    )
    answer = await seen(api, member, version=version)
    assert list(answer) == envelope
    assert (answer[envelope[0]], len(answer["mails"])) == (12, length)
    assert {type(mail[name]) for mail in answer["mails"] for name in ("$createdAt", "$updatedAt")} == {kind}
    times = [mail["$createdAt"] for mail in answer["mails"]]
    assert times == sorted(times, reverse=True)
    raw = await api.call("GET", PATH, headers=member | {"X-Appwrite-Response-Format": version})
    documented = Documented()
    documented.check(documented.find("GET", PATH), raw.status, raw.headers, await raw.read())


async def test_pages(api: Api, pool: Pool, member: dict[str, str]):
    """Limit and offset, and a total that may be left out; other queries are refused."""
    for _ in range(3):
        await asked(api, member)
    every = [mail["$id"] for mail in (await seen(api, member))["mails"]]
    answer = await seen(api, member, limited(1, 1))
    assert (answer["total"], [mail["$id"] for mail in answer["mails"]]) == (3, every[1:2])
    assert (await seen(api, member, "?total=false"))["total"] == 0
    assert [mail["$id"] for mail in (await seen(api, member, "?limit=2&offset=2", version="0.13.0"))["mails"]] == every[
        2:
    ]
    bad = await api.call("GET", PATH + "?queries[]=equal(%22state%22,%22sent%22)", headers=member, modern=True)
    assert (bad.status, bad.data["type"]) == (400, "general_query_invalid")
