"""Mails to addresses that may not make an account: the worker sends none, and nobody learns of it."""

import pytest

from service.crypto import invitation_codes
from service.db import Pool
from service.store import invitations
from testkit.api import Api
from testkit.outbox import URL
from testkit.visitor import change_project

ANN, BOB = "ann@example.com", "bob@example.org"


@pytest.mark.parametrize("letter", ["magic_url", "otp"])
async def test_strangers_get_no_mail_that_could_make_an_account(api: Api, pool: Pool, a_worker, letter: str):
    """The answer is the same 201 for everybody; the worker mails only who has an account, or may make one."""
    await api.sign_up(ANN)
    await change_project(api, sign_up="domains", sign_up_domains=["example.net"])
    path, more = ("magic-url", {"url": URL}) if letter == "magic_url" else ("email", {})
    for email in (ANN, BOB, "new@example.net"):
        body = {"userId": "unique()", "email": email, **more}
        assert (await api.call("POST", f"/v1/account/tokens/{path}", json=body)).status == 201
    worker = a_worker()
    for row in await pool.fetch("select id from mails where letter = $1", letter):
        await worker.deliver(row[0])
    found = await pool.fetch("select recipient, state from mails where letter = $1", letter)
    assert {tuple(row) for row in found} == {(ANN, "sent"), (BOB, "void"), ("new@example.net", "sent")}


async def test_mail_for_who_is_invited(api: Api, pool: Pool, a_worker):
    """By address, or by the code that came with the request; not by one that is used up before the mail is sent."""
    await change_project(api, sign_up="invitation")
    await invitations.create(pool, "shop", email=ANN, note="", seconds=60)
    codes = {name: invitation_codes.generate() for name in ("good", "used")}
    for code in codes.values():
        made = await invitations.create(pool, "shop", code=code, note="", seconds=60)
    for email, name in ((ANN, ""), (BOB, ""), ("good@example.net", "good"), ("used@example.net", "used")):
        shown = {"X-Invitation": codes[name].reveal()} if name else {}
        body = {"userId": "unique()", "email": email}
        assert (await api.call("POST", "/v1/account/tokens/email", json=body, headers=shown)).status == 201
    await invitations.use(pool, "shop", invitation_id=made.id)
    worker = a_worker()
    for row in await pool.fetch("select id from mails"):
        await worker.deliver(row[0])
    found = {tuple(row) for row in await pool.fetch("select recipient, state from mails")}
    assert found == {(ANN, "sent"), (BOB, "void"), ("good@example.net", "sent"), ("used@example.net", "void")}


async def test_no_mail_for_an_account_whose_mailbox_has_one(api: Api, pool: Pool, a_worker):
    """One account per mailbox: a link that could make no account, and a private sign-up, are void in silence."""
    await api.sign_up("ann@gmail.com")
    await pool.execute("update users set email_verified = true")
    await change_project(api, one_per_mailbox=True, private_signup=True)
    for email in ("ann@gmail.com", "a.nn@gmail.com", "bob@gmail.com"):
        body = {"userId": "unique()", "email": email}
        assert (await api.call("POST", "/v1/account/tokens/email", json=body)).status == 201
    body = {"userId": "unique()", "email": "ann+x@gmail.com", "password": "correct horse"}
    assert (await api.call("POST", "/v1/account", json=body)).status == 201
    worker = a_worker()
    for row in await pool.fetch("select id from mails"):
        await worker.deliver(row[0])
    found = {tuple(row) for row in await pool.fetch("select recipient, state from mails")}
    assert found >= {("ann@gmail.com", "sent"), ("bob@gmail.com", "sent")}
    assert found >= {("a.nn@gmail.com", "void"), ("ann+x@gmail.com", "void")}
