"""Forms that ask for a new link or code by mail."""

import pytest

from service.db import Pool
from service.store import projects
from testkit.api import Api
from testkit.forms import Page
from testkit.hosted_pages import open_link, press

ANN, NOBODY = "ann@example.com", "nobody@example.com"
FORMS = {
    "/auth/recovery/new": "recovery", "/auth/verification/new": "verification", "/auth/magic-url/new": "magic_url",
    "/auth/code/new": "otp",
}  # fmt: skip
API = {
    "/auth/recovery/new": ("/v1/account/recovery", {}),
    "/auth/magic-url/new": ("/v1/account/tokens/magic-url", {}),
    "/auth/code/new": ("/v1/account/tokens/email", {"userId": "unique()"}),
}
each_form = pytest.mark.parametrize("path", FORMS)


async def form(api: Api, path: str) -> Page:
    answer = await open_link(api, f"{path}?project=shop")
    assert answer.status == 200
    assert answer.headers["Referrer-Policy"] == "strict-origin"
    return Page(answer.data)


@each_form
async def test_a_mail_is_owed(api: Api, pool: Pool, path: str):
    """The address that was typed gets the letter, whose link leads to our page; loading again sends no other one."""
    page = await form(api, path)
    assert page.fields == {"email": ""}
    answer = await press(api, page, typed={"email": "ANN@example.com"})
    assert answer.status == 303
    (mail,) = await pool.fetch("select letter, recipient, facts from mails")
    assert (mail["letter"], mail["recipient"], mail["facts"].get("url")) == (FORMS[path], ANN, None)
    followed = await open_link(api, answer.headers["Location"])
    assert followed.status == 200
    assert len(await pool.fetch("select 1 from mails")) == 1
    heading = "Enter your code" if path == "/auth/code/new" else "Check your mailbox"
    assert Page(followed.data).heading == heading
    assert ANN not in followed.data


@each_form
async def test_everybody_is_answered_alike(api: Api, pool: Pool, path: str):
    """A member, a blocked user and nobody: the same answer, the same rows, the same page after it."""
    await api.sign_up()
    await api.sign_up("bob@example.com")
    await pool.execute("update users set status = 'blocked' where email like 'bob%'")
    told = []
    for email in (ANN, "bob@example.com", NOBODY):
        await pool.execute("delete from mails")
        answer = await press(api, await form(api, path), typed={"email": email})
        address = answer.headers["Location"]
        user_id = address.partition("&userId=")[2]
        followed = await open_link(api, address)
        mails = await pool.fetch("select letter, state, user_id, facts from mails")
        counts = [(await pool.fetchrow(f"select count(*) from {table}"))[0] for table in ("users", "sessions")]
        seen = followed.data.replace(user_id, "") if user_id else followed.data
        names = sorted({*answer.headers} - {"Date"})
        told.append((answer.status, names, len(user_id), seen, [tuple(mail) for mail in mails], counts))
    assert told[0] == told[1] == told[2]
    tokens = await pool.fetch("select kind, user_id, email_version from tokens")
    assert len({tuple(token) for token in tokens}) == 1


@each_form
@pytest.mark.parametrize(
    "typed", ["", "ann", "ann@", "ann@local", '"><script>@example.com', "a" * 300 + "@example.com"]
)
async def test_an_address_that_is_none(api: Api, pool: Pool, path: str, typed: str):
    """It is asked for again with the reason at the field; what was typed stands there as text."""
    answer = await press(api, await form(api, path), typed={"email": typed})
    page = Page(answer.data)
    assert answer.status == 400
    assert page.fields == {"email": typed[:254]}
    attributes = dict(page.attributes)
    assert (attributes["aria-invalid"], attributes["aria-describedby"]) == ("true", "fault")
    assert "autofocus" in attributes
    assert "script" not in page.tags
    assert await pool.fetch("select 1 from mails") == []


@pytest.mark.parametrize("path", API)
async def test_a_form_counts_in_the_windows_of_the_api(api: Api, path: str):
    """Ten an hour for an address, by the form and by the API together."""
    route, more = API[path]
    for _ in range(5):
        body = {"email": ANN, **more} if more or "magic" in path else {"email": ANN, "url": "http://localhost/x"}
        assert (await api.call("POST", route, json=body, modern=True)).status == 201
    page = await form(api, path)
    for _ in range(5):
        assert (await press(api, page, typed={"email": ANN})).status == 303
    refused = await press(api, page, typed={"email": ANN})
    assert (refused.status, Page(refused.data).heading) == (429, "Too many tries")


@each_form
async def test_foreign_pages_ask_for_nothing(api: Api, pool: Pool, path: str):
    """No other site's page can have mails sent."""
    answer = await press(api, await form(api, path), typed={"email": ANN}, origin="https://evil.test")
    assert (answer.status, answer.content_type) == (403, "text/html")
    assert await pool.fetch("select 1 from mails") == []


async def test_pages_lead_back_to_the_app(api: Api, pool: Pool):
    """A project of one site is led back to; with several, or a developer's machine alone, no link guesses."""
    assert "<a " not in (await open_link(api, "/auth/recovery/new?project=shop")).data
    await projects.create(pool, "site", name="Site")
    for hostname in ("shop.example", "www.shop.example", "localhost"):
        await projects.add_platform(pool, "site", hostname=hostname)
    shown = (await open_link(api, "/auth/recovery/new?project=site")).data
    assert '<a href="https://shop.example/">Back to Site</a>' in shown
