"""Letters that invite: their link proves the address and makes the account."""

import re
from email import message_from_bytes, policy
from typing import Any

from service.db import Pool
from testkit.api import Api, kind
from testkit.api_keys import key
from testkit.forms import Page
from testkit.hosted_pages import open_link, press
from testkit.sink import Sink
from testkit.visitor import change_project

BOB = "bob@example.org"


async def invite(api: Api, pool: Pool, **body: Any) -> str:
    """Invite Bob; returns the invitation's id."""
    asked, server = {"email": BOB, **body}, await key(pool)
    answer = await api.call("POST", "/v1/invitations", json=asked, headers=server, modern=True)
    assert (answer.status, answer.data["code"]) == (201, "")
    return answer.data["$id"]


async def deliver_all(pool: Pool, worker: Any) -> list[str]:
    """Deliver each mail; returns their states, the oldest first."""
    for row in await pool.fetch("select id from mails order by id"):
        await worker.deliver(row[0])
    return [row[0] for row in await pool.fetch("select state from mails order by id")]


def text_of(sink: Sink) -> str:
    part = message_from_bytes(sink.mails[-1].content, policy=policy.default).get_body(("plain",))
    assert part
    return part.get_content()


def link_in(sink: Sink) -> str:
    found = re.search(r"https?://localhost(?::8080)?(/\S+)", text_of(sink))
    assert found
    return found[1]


async def test_the_link_makes_the_account_of_the_invited_address(api: Api, pool: Pool, sink: Sink, a_worker):
    """With the password that is chosen on our page, once; the secret is in the mail and nowhere else."""
    await change_project(api, sign_up="invitation")
    await invite(api, pool, name="Bob")
    assert await deliver_all(pool, a_worker()) == ["sent"]
    assert b"Subject: You are invited to Shop" in sink.mails[-1].content
    link = link_in(sink)
    secret = link.rpartition("=")[2]
    for table in ("invitations", "tokens", "sign_ups", "mails", "mail_events"):
        assert secret not in str(await pool.fetch(f"select t::text from {table} t")), table
    page = Page((await open_link(api, link)).data)
    assert page.heading == "Make your account"
    assert (await press(api, page, typed={"password": "short"})).status == 400
    done = await press(api, page, typed={"password": "bobs own horse"})
    assert (done.status, Page(done.data).heading) == (200, "Your e-mail address is confirmed")
    assert (await press(api, page, typed={"password": "another horse"})).status == 401
    rows = await pool.fetch("select email, name, email_verified from users")
    assert [tuple(row) for row in rows] == [(BOB, "Bob", True)]
    assert [row[0] for row in await pool.fetch("select uses from invitations")] == [1]
    await api.sign_in(BOB, "bobs own horse")


async def test_a_former_and_a_revoked_invitation_are_void(api: Api, pool: Pool, sink: Sink, a_worker):
    """Their link makes no account, and their mail is not sent; nor is any once sign-up is closed."""
    await change_project(api, sign_up="invitation")
    await invite(api, pool)
    worker = a_worker()
    assert await deliver_all(pool, worker) == ["sent"]
    former, last = link_in(sink), await invite(api, pool)
    assert (await open_link(api, former)).status == 401
    server = await key(pool)
    assert (await api.call("DELETE", f"/v1/invitations/{last}", headers=server)).status == 204
    assert await deliver_all(pool, worker) == ["sent", "cancelled"]
    await invite(api, pool)
    await change_project(api, sign_up="closed")
    assert await deliver_all(pool, worker) == ["sent", "cancelled", "void"]
    assert await pool.fetch("select from users") == []


async def test_an_app_makes_the_account_on_a_page_of_its_own(api: Api, pool: Pool, sink: Sink, a_worker):
    """The link leads to an allowed page with id and secret, which make the account where sign-up is open, too."""
    refused = await api.call(
        "POST", "/v1/invitations", json={"email": BOB, "url": "http://evil.test/"}, headers=await key(pool)
    )
    assert kind(refused) == (400, "general_argument_invalid")
    await invite(api, pool, url="http://localhost/join")
    assert await deliver_all(pool, a_worker()) == ["sent"]
    path, _, query = link_in(sink).partition("?")
    given = dict(part.split("=") for part in query.split("&"))
    assert (path, given.keys()) == ("/join", {"userId", "secret", "expire"})
    body = {"userId": given["userId"], "secret": given["secret"], "password": "bobs own horse"}
    assert (await api.call("PUT", "/v1/account/verification", json=body)).status == 200
    await api.sign_in(BOB, "bobs own horse")
