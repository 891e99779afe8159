"""Mails to test accounts: no code is mailed whose fixed one is known."""

from service.crypto.secret import Secret
from service.db import Pool
from service.store import test_accounts
from testkit.api import Api
from testkit.visitor import change_project

REVIEWER, BOB = "review@example.org", "bob@example.org"


async def test_no_code_is_mailed_to_a_test_account(api: Api, pool: Pool, a_worker):
    """Its mailbox need not exist; the request answers as for everybody, and others at the domain get their mail."""
    await change_project(api, test_domains=["example.org"])
    worker = a_worker()
    await test_accounts.save(pool, worker.ring, "shop", email=REVIEWER, code=Secret("271828"), days=1)
    for email in (REVIEWER, BOB):
        body = {"userId": "unique()", "email": email}
        assert (await api.call("POST", "/v1/account/tokens/email", json=body)).status == 201
    for row in await pool.fetch("select id from mails"):
        await worker.deliver(row[0])
    found = await pool.fetch("select recipient, state from mails")
    assert {tuple(row) for row in found} == {(REVIEWER, "void"), (BOB, "sent")}


async def test_expired_ones_are_tidied_after_a_month(pool: Pool, api: Api, a_worker):
    """Until then `test-accounts list` tells that they have expired."""
    for email in (REVIEWER, BOB):
        await test_accounts.save(pool, a_worker().ring, "shop", email=email, code=Secret("271828"), days=1)
    await pool.execute("update test_accounts set expires_at = now() - interval '29 days'")
    await pool.execute("update test_accounts set expires_at = now() - interval '31 days' where email = $1", BOB)
    assert await test_accounts.delete_expired(pool, most=10) == 1
    assert [(each.email, each.expired) for each in await test_accounts.find_all(pool, "shop", most=10)] == [
        (REVIEWER, True)
    ]
