"""Acts of one statement whose answer is lost: each is done once, and answered with what was done."""

import pytest

from service import failpoints
from service.db import Pool
from testkit.api import Api

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
