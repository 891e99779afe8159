"""Links that are asked for on our pages: the worker finds out whose the address is."""

from uuid import UUID

import pytest

from service.db import Pool
from testkit.api import Api
from testkit.forms import Page
from testkit.hosted_pages import follow_link, open_link, press
from testkit.letters import link_of
from testkit.sink import Sink

ANN, NOBODY, NEW = "ann@example.com", "nobody@example.com", "a new password"
# The page behind each form, and what it says when its button has done its work.
PAGES = {"recovery": "Your password is changed", "verification": "Your e-mail address is confirmed"}
each_page = pytest.mark.parametrize("name", PAGES)


async def asked(api: Api, pool: Pool, name: str, email: str) -> UUID:
    """The mail of a form that was sent with this address."""
    page = Page((await open_link(api, f"/auth/{name}/new?project=shop")).data)
    assert (await press(api, page, typed={"email": email})).status == 303
    return (await pool.fetchrow("select id from mails where recipient = $1", email))[0]


@each_page
async def test_the_owner_gets_a_link_to_our_page(api: Api, pool: Pool, sink: Sink, a_worker, name: str):
    """It does there what it was asked for, and the security log has the request of its owner."""
    user = await api.sign_up()
    await a_worker().deliver(await asked(api, pool, name, ANN))
    link = link_of(sink.mails[0])
    assert link.startswith(f"http://localhost:8080/auth/{name}?project=shop&secret=")
    event = await pool.fetchrow("select user_id, ready from events where name = $1", f"account.{name}.create")
    assert tuple(event) == (user["$id"], True)
    answer = await follow_link(api, link.removeprefix("http://localhost:8080"), password=NEW)
    assert (answer.status, Page(answer.data).heading) == (200, PAGES[name])
    assert (await pool.fetchrow("select email_verified from users"))[0] is True


@each_page
async def test_nobody_gets_none(api: Api, pool: Pool, sink: Sink, a_worker, name: str):
    """An address without an account, or of a blocked one: no mail, and nothing of the request is kept."""
    await api.sign_up()
    await pool.execute("update users set status = 'blocked'")
    for email in (ANN, NOBODY):
        mail = await asked(api, pool, name, email)
        await a_worker().deliver(mail)
        assert (await pool.fetchrow("select state from mails where id = $1", mail))[0] == "void"
    assert sink.mails == []
    assert await pool.fetch("select 1 from tokens") == []
