"""Codes for verification and recovery, from the request to the mailbox and back."""

import re
from typing import Any
from uuid import UUID

import pytest

from service.db import Pool
from testkit.api import Api
from testkit.letters import text_of
from testkit.sink import Sink

ANN, NOBODY = "ann@example.com", "nobody@example.com"
RECOVERY, VERIFICATION = "/v1/account/recovery/otp", "/v1/account/verifications/email/otp"


async def newest(pool: Pool) -> UUID:
    return (await pool.fetchrow("select id from mails order by created_at desc, id desc limit 1"))[0]


def code_in(sink: Sink) -> str:
    """The code of the last letter, which is its first line; there is no link at all."""
    text = text_of(sink.mails[-1])
    assert "://" not in text
    code = text.splitlines()[0]
    assert re.fullmatch(r"\d{6}", code), text
    return code


async def recovery_of(api: Api, pool: Pool, a_worker: Any, email: str) -> str:
    """Ask for a code and have a worker deliver its mail; the user id of the answer."""
    answer = await api.call("POST", RECOVERY, json={"email": email}, modern=True)
    assert answer.status == 201
    await a_worker().deliver(await newest(pool))
    return str(answer.data["userId"])


@pytest.mark.parametrize("passwordless", [False, True])
async def test_the_owner_recovers_by_a_code(api: Api, pool: Pool, sink: Sink, a_worker, passwordless: bool):
    """With a password or without one so far: the code of the letter, under the answer's id, sets the new one."""
    user = await api.sign_up()
    if passwordless:
        await pool.execute("update users set password_hash = null")
    invented = await recovery_of(api, pool, a_worker, ANN)
    assert invented != user["$id"]
    event = await pool.fetchrow("select user_id, ready from events where name = 'account.recovery.create'")
    assert tuple(event) == (user["$id"], True)
    body = {"userId": invented, "secret": code_in(sink), "password": "a new password"}
    assert (await api.call("PUT", RECOVERY, json=body, modern=True)).status == 200
    await api.sign_in(password="a new password")


@pytest.mark.parametrize("blocked", [False, True])
async def test_nobody_gets_a_code(api: Api, pool: Pool, sink: Sink, a_worker, blocked: bool):
    """An unknown address, or a blocked account's: no mail. The code's row stays: its deletion would show in time."""
    await api.sign_up()
    await pool.execute("update users set status = 'blocked'")
    invented = await recovery_of(api, pool, a_worker, ANN if blocked else NOBODY)
    assert sink.mails == []
    assert (await pool.fetchrow("select state from mails"))[0] == "void"
    row = await pool.fetchrow("select user_id, asked_as from tokens")
    assert tuple(row) == (None, invented)
    event = await pool.fetchrow("select user_id, ready from events where name = 'account.recovery.create'")
    assert tuple(event) == (None, True)


async def test_two_codes_recover_until_one_is_used(api: Api, pool: Pool, sink: Sink, a_worker):
    """Each under its own id; the use of one kills the other."""
    await api.sign_up()
    proofs = []
    for _ in range(2):
        invented = await recovery_of(api, pool, a_worker, ANN)
        proofs.append({"userId": invented, "secret": code_in(sink), "password": "a new password"})
    assert (await api.call("PUT", RECOVERY, json=proofs[0], modern=True)).status == 200
    assert (await api.call("PUT", RECOVERY, json=proofs[1], modern=True)).status == 401


async def test_a_member_proves_the_address_by_a_code(api: Api, pool: Pool, sink: Sink, a_worker):
    """The code of the letter under the member's own id, with the phrase of the answer in the letter."""
    user, member = await api.sign_up(), await api.sign_in()
    asked = await api.call("POST", VERIFICATION, json={"phrase": True}, headers=member, modern=True)
    await a_worker().deliver(await newest(pool))
    assert asked.data["phrase"] in text_of(sink.mails[-1])
    body = {"userId": user["$id"], "secret": code_in(sink)}
    assert (await api.call("PUT", VERIFICATION, json=body, headers=member, modern=True)).status == 200
    assert (await api.call("GET", "/v1/account", headers=member)).data["emailVerification"] is True


async def test_a_code_for_an_earlier_address_is_not_sent(api: Api, pool: Pool, sink: Sink, a_worker):
    """The address changed before its mail went out."""
    await api.sign_up()
    await api.call("POST", VERIFICATION, headers=await api.sign_in(), modern=True)
    await pool.execute("update users set email = 'new@example.com', email_version = 2")
    await a_worker().deliver(await newest(pool))
    assert sink.mails == []
    assert (await pool.fetchrow("select state from mails"))[0] == "cancelled"
