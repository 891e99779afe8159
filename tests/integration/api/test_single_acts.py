"""Acts of one statement: done once where the answer is lost, and as exact as a transaction where they wait."""

import asyncio
from collections.abc import Coroutine
from typing import Any

import pytest

from service import failpoints
from service.clientinfo import user_agents
from service.db import Pool, transaction
from service.settings import Settings
from service.store import sessions, users
from service.store.sessions import ClientInfo
from service.store.tokens import Kind
from testkit.api import Api
from testkit.proofs import Post
from testkit.waiting import until

pytestmark = pytest.mark.usefixtures("cheap", "disarmed")
ANN = {"email": "ann@example.com", "password": "correct horse"}


@pytest.mark.parametrize("side", ["before", "after"])
async def test_f03_an_act_whose_answer_is_lost_is_done_once(api: Api, pool: Pool, side: str):
    """Lost on the way there it is run again; lost on the way back it is not, and its rows are what the client gets."""
    failpoints.arm(f"db.create_account.{side}:raise:1")
    user = await api.call("POST", "/v1/account", json=ANN)
    assert (user.status, user.data["email"]) == (201, "ann@example.com")
    failpoints.arm(f"db.sign_in.{side}:raise:1")
    member = await api.sign_in()
    failpoints.arm(f"db.mail_token_to_member.{side}:raise:1")
    token = await api.call("POST", "/v1/account/verification", json={"url": "http://localhost/"}, headers=member)
    assert (token.status, token.data["userId"]) == (201, user.data["$id"])
    assert (await api.call("GET", "/v1/account", headers=member)).data["$id"] == user.data["$id"]
    counts = await pool.fetchrow(
        "select (select count(*) from users), (select count(*) from sessions), (select id from tokens),"
        " (select count(*) from mails), (select count(*) from events),"
        " (select count(*) from acts where project_id = 'shop' and not undone)"
    )
    assert tuple(counts) == (1, 1, token.data["$id"], 1, 3, 3)


async def test_a_refused_act_writes_nothing(api: Api, pool: Pool):
    """An address that is taken leaves no event and no act."""
    await api.sign_up()
    before = await pool.fetchrow("select (select count(*) from events), (select count(*) from acts)")
    assert (await api.call("POST", "/v1/account", json=ANN)).status == 409
    assert await pool.fetchrow("select (select count(*) from events), (select count(*) from acts)") == before


@pytest.mark.parametrize("refusal", ["id", "reserved"])
async def test_a_refused_sign_up_takes_no_address_away(api: Api, pool: Pool, refusal: str):
    """A blocked account that never proved its address gives it up for an account that is made, not for a refusal."""
    user_id, asked = (await api.sign_up())["$id"], ANN
    await pool.execute("update users set status = 'blocked'")
    if refusal == "id":
        asked = ANN | {"userId": user_id}
    else:
        await pool.execute(
            "insert into tokens (project_id, id, kind, user_id, email, kid, expires_at)"
            " values ('shop', 'undo', 'email_undo', $1, $2, 'k', now() + interval '1 hour')",
            user_id,
            ANN["email"],
        )
    assert (await api.call("POST", "/v1/account", json=asked)).status == 409
    assert [tuple(row) for row in await pool.fetch("select id, email from users")] == [(user_id, ANN["email"])]
    if refusal == "id":
        assert (await api.call("POST", "/v1/account", json=ANN)).status == 201


async def behind_a_sign_in(pool: Pool, user_id: str, waiting: Coroutine[Any, Any, Any]) -> Any:
    """Run an act that waits for the user's row while a session is opened; return its result."""
    place = ClientInfo("192.0.2.1", "--", user_agents.parse(""))
    async with transaction(pool, "shop") as tx:
        user = await users.lock(tx, "shop", user_id=user_id)
        assert user is not None
        await sessions.open_session(tx, user, provider="email", provider_uid="", place=place, seconds=60)
        act = asyncio.create_task(waiting)
        await until(lambda: pool.fetchrow("select 1 from pg_stat_activity where wait_event = 'transactionid'"))
    return await act


async def test_a_sign_in_that_waited_counts_what_was_opened_meanwhile(api: Api, pool: Pool):
    """A statement sees other rows as they were when it began: yet no session is one too many."""
    user_id = (await api.sign_up())["$id"]
    await pool.execute("update projects set session_limit = 1")
    await behind_a_sign_in(pool, user_id, api.sign_in())
    assert (await pool.fetchrow("select count(*) from sessions"))[0] == 1


async def test_a_recovery_that_waited_ends_what_was_opened_meanwhile(api: Api, pool: Pool, settings: Settings):
    """The session of an attacker who signs in at that moment ends like those before; its answer may be lost."""
    user_id = (await api.sign_up())["$id"]
    proof = await Post(pool, settings).issue(Kind.RECOVERY, user_id)
    failpoints.arm("db.recover_account.after:raise:1")
    call = api.call("PUT", "/v1/account/recovery", json=proof.body)
    answer = await behind_a_sign_in(pool, user_id, call)
    assert (answer.status, answer.data["$id"]) == (200, proof.id)
    left = "select (select count(*) from sessions), (select array_agg(kind) from tokens), (select count(*) from mails)"
    assert tuple(await pool.fetchrow(left)) == (0, ["disavowal"], 1)
    await api.sign_in(password="another horse")
