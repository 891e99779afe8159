"""Mails to addresses that may not make an account: the worker sends none, and nobody learns of it."""

import pytest

from service.db import Pool
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
