"""Verification of an address over HTTP; the mail's way to the relay is in tests/integration/worker."""

import pytest

from service.db import Pool
from service.settings import Settings
from service.store.tokens import Kind
from testkit.api import Api
from tests.integration.api.test_recovery import link_for

URL = {"url": "http://localhost/verify"}
PATHS = ["/v1/account/verification", "/v1/account/verifications/email"]


@pytest.mark.parametrize("path", PATHS)
async def test_asking_leaves_a_token_a_mail_and_an_event(api: Api, pool: Pool, path: str):
    """A token of seven days bound to the address's version, a pending mail to it, and an event ready to be filed."""
    user = await api.sign_up()
    answer = await api.call("POST", path, json=URL, headers=await api.sign_in())
    assert answer.status == 201
    assert (answer.data["userId"], answer.data["secret"]) == (user["$id"], "")
    token = await pool.fetchrow("select *, extract(epoch from expires_at - created_at) as seconds from tokens")
    assert (token["kind"], token["user_id"], token["email_version"]) == ("verification", user["$id"], 1)
    assert token["seconds"] == 604_800
    mail = await pool.fetchrow("select * from mails")
    assert (mail["letter"], mail["recipient"], mail["user_id"]) == ("verification", "ann@example.com", user["$id"])
    event = await pool.fetchrow("select * from events where name = 'account.verification.create'")
    assert (event["user_id"], event["ready"]) == (user["$id"], True)


async def test_only_a_member_may_ask(api: Api):
    """A guest has no address to prove."""
    answer = await api.call("POST", PATHS[0], json=URL)
    assert (answer.status, answer.data["type"]) == (401, "general_unauthorized_scope")


@pytest.mark.parametrize("path", PATHS)
async def test_the_secret_proves_the_address_once(api: Api, pool: Pool, settings: Settings, path: str):
    """No session is needed to prove; the second use is an invalid token."""
    user = await api.sign_up()
    proof = await link_for(pool, settings, user["$id"], kind=Kind.VERIFICATION)
    answer = await api.call("PUT", path, json=proof)
    assert (answer.status, answer.data["userId"], answer.data["secret"]) == (200, user["$id"], "")
    account = await api.call("GET", "/v1/account", headers=await api.sign_in())
    assert account.data["emailVerification"] is True
    again = await api.call("PUT", path, json=proof)
    assert (again.status, again.data["type"]) == (401, "user_invalid_token")


async def test_a_proof_keeps_sessions_but_kills_other_links(api: Api, pool: Pool, settings: Settings):
    """Using one link kills all; who is signed in stays so."""
    user = await api.sign_up()
    member = await api.sign_in()
    other = await link_for(pool, settings, user["$id"], kind=Kind.VERIFICATION)
    proof = await link_for(pool, settings, user["$id"], kind=Kind.VERIFICATION)
    assert (await api.call("PUT", PATHS[0], json=proof)).status == 200
    assert (await api.call("PUT", PATHS[0], json=other)).status == 401
    assert (await api.call("GET", "/v1/account", headers=member)).status == 200


async def test_a_recovery_secret_proves_no_address_here(api: Api, pool: Pool, settings: Settings):
    """A secret is of one kind: the other route does not know it."""
    user = await api.sign_up()
    proof = await link_for(pool, settings, user["$id"])
    assert (await api.call("PUT", PATHS[0], json=proof)).status == 401


async def test_an_older_address_is_not_proved(api: Api, pool: Pool, settings: Settings):
    """From A to B and back to A: a link mailed to the first A stays dead."""
    user = await api.sign_up()
    proof = await link_for(pool, settings, user["$id"], kind=Kind.VERIFICATION)
    await pool.execute("update users set email_version = 3")
    assert (await api.call("PUT", PATHS[0], json=proof)).status == 401


async def test_asking_when_verified(api: Api, pool: Pool):
    """A verified member who asks again gets 409 in modern, and another letter in legacy."""
    await api.sign_up()
    member = await api.sign_in()
    await pool.execute("update users set email_verified = true")
    new = await api.call("POST", PATHS[1], json=URL, headers=member, modern=True)
    assert (new.status, new.data["type"]) == (409, "user_email_already_verified")
    assert (await pool.fetchrow("select count(*) from mails"))[0] == 0
    assert (await api.call("POST", PATHS[0], json=URL, headers=member)).status == 201


async def test_asking_without_an_address(api: Api, pool: Pool):
    """An account without an address has nothing to verify: 400."""
    await api.sign_up()
    member = await api.sign_in()
    await pool.execute("update users set email = null")
    answer = await api.call("POST", PATHS[1], json=URL, headers=member, modern=True)
    assert (answer.status, answer.data["type"]) == (400, "user_email_not_found")
