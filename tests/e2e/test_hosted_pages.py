"""Mailed links that lead to our own pages, and mailed codes, through real processes."""

import re
from collections.abc import AsyncIterator
from typing import Any
from urllib.parse import urlsplit

import aiohttp
import pytest

from service.db import Pool
from service.store import projects
from testkit.api import Api, cookie_of
from testkit.forms import Page
from testkit.hosted_pages import follow_link
from testkit.letters import link_of, parameters_of, text_of
from testkit.sink import Mail
from tests.e2e.conftest import Deployment


@pytest.fixture
async def client(deployment: Deployment) -> AsyncIterator[Api]:
    async with aiohttp.ClientSession(deployment.address, cookie_jar=aiohttp.DummyCookieJar()) as session:
        yield Api(session)


async def follow(client: Api, link: str) -> Any:
    """Open a link of ours; then what its button answers."""
    assert link.startswith("http://localhost:8080/auth/"), "the worker's PUBLIC_URL"
    parts = urlsplit(link)
    return await follow_link(client, f"{parts.path}?{parts.query}")


async def change_email(client: Api) -> dict[str, str]:
    """ann@example.com becomes new@example.com; the header that makes a request hers."""
    await client.sign_up()
    member = await client.sign_in()
    body = {"email": "new@example.com", "password": "correct horse"}
    changed = await client.call("PATCH", "/v1/account/email", json=body, headers=member)
    assert (changed.status, changed.data["emailVerification"]) == (200, False)
    return member


async def both(deployment: Deployment) -> dict[str, Mail]:
    return {mail.recipients[0]: mail for mail in await deployment.sink.wait_for(2)}


async def test_a_new_address_is_proved_on_our_page(deployment: Deployment, client: Api):
    """The confirmation of PATCH email leads to our page, whose button proves the address; the old one is told."""
    member = await change_email(client)
    mails = await both(deployment)
    link = link_of(mails["new@example.com"])
    assert list(parameters_of(link)) == ["project", "secret"]
    answer = await follow(client, link)
    assert (answer.status, Page(answer.data).heading) == (200, "Your e-mail address is confirmed")
    account = await client.call("GET", "/v1/account", headers=member)
    assert (account.data["email"], account.data["emailVerification"]) == ("new@example.com", True)
    assert Page((await follow(client, link)).data).heading == "This link is no longer valid"
    notice = text_of(mails["ann@example.com"])
    assert "was changed" in notice
    assert "127.0.0.1" in notice
    assert "new@example.com" not in notice
    assert "http" not in notice


async def test_a_new_address_is_proved_on_the_projects_page(deployment: Deployment, client: Api, pool: Pool):
    """A project's verification_url takes the place of our page, with its own query kept."""
    await projects.change(pool, "shop", verification_url="https://shop.example/confirm?from=mail#top")
    member = await change_email(client)
    link = link_of((await both(deployment))["new@example.com"])
    assert link.startswith("https://shop.example/confirm?from=mail&userId=")
    assert link.endswith("#top")
    proof = parameters_of(link)
    body = {"userId": proof["userId"], "secret": proof["secret"]}
    assert (await client.call("PUT", "/v1/account/verification", json=body)).status == 200
    account = await client.call("GET", "/v1/account", headers=member)
    assert account.data["emailVerification"] is True


async def test_magic_url_on_our_page(deployment: Deployment, client: Api, pool: Pool):
    """Without a url the link leads to our page; its button makes the user, and signs this browser in."""
    body = {"userId": "wanted", "email": "Ann@example.com", "phrase": True}
    asked = await client.call("POST", "/v1/account/tokens/magic-url", json=body, modern=True)
    assert asked.status == 201
    mail = (await deployment.sink.wait_for(1))[0]
    assert mail.recipients == ("ann@example.com",)
    assert asked.data["phrase"] in text_of(mail)
    assert await count_users(pool) == 0, "nobody before the proof"
    link = link_of(mail)
    answer = await follow(client, link)
    assert (answer.status, Page(answer.data).heading) == (200, "You are signed in")
    account = await client.call("GET", "/v1/account", headers={"Cookie": cookie_of(answer)}, modern=True)
    assert (account.data["$id"], account.data["email"]) == ("wanted", "ann@example.com")
    assert account.data["emailVerification"] is True
    assert Page((await follow(client, link)).data).heading == "This link is no longer valid"
    assert await count_users(pool) == 1


async def count_users(pool: Pool) -> int:
    row = await pool.fetchrow("select count(*) from users")
    assert row
    return int(row[0])


def code_of(mail: Mail) -> str:
    """The six digits that stand alone on a line."""
    codes = [line for line in text_of(mail).splitlines() if re.fullmatch(r"[0-9]{6}", line)]
    assert len(codes) == 1, codes
    return codes[0]


async def ask_code(client: Api, user_id: str) -> Any:
    body = {"userId": user_id, "email": "ann@example.com", "phrase": True}
    asked = await client.call("POST", "/v1/account/tokens/email", json=body, modern=True)
    assert (asked.status, asked.data["secret"]) == (201, "")
    return asked


async def enter(client: Api, user_id: str, code: str) -> Any:
    body = {"userId": user_id, "secret": code}
    return await client.call("POST", "/v1/account/sessions/token", json=body, modern=True)


async def test_a_code_signs_in(deployment: Deployment, client: Api, pool: Pool):
    """The mailed code opens a session once; whose address is new gets the account only with it."""
    asked = await ask_code(client, "wanted")
    mail = (await deployment.sink.wait_for(1))[0]
    assert asked.data["phrase"] in text_of(mail)
    assert "http" not in text_of(mail)
    assert await count_users(pool) == 0, "nobody before the proof"
    code = code_of(mail)
    opened = await enter(client, "wanted", code)
    assert (opened.status, opened.data["provider"], opened.data["userId"]) == (201, "email", "wanted")
    account = await client.call("GET", "/v1/account", headers={"Cookie": cookie_of(opened)}, modern=True)
    assert (account.data["email"], account.data["emailVerification"]) == ("ann@example.com", True)
    assert (await enter(client, "wanted", code)).status == 401
    assert await count_users(pool) == 1


async def test_a_code_for_somebody(deployment: Deployment, client: Api):
    """A code signs the owner of an account in to it, whatever id was asked for."""
    user = await client.sign_up()
    asked = await ask_code(client, "other")
    assert asked.data["userId"] == "other", "nobody learns that there is an account"
    opened = await enter(client, "other", code_of((await deployment.sink.wait_for(1))[0]))
    assert (opened.status, opened.data["userId"]) == (201, user["$id"])


async def test_five_wrong_codes_end_it(deployment: Deployment, client: Api, pool: Pool):
    """After five wrong guesses the right code is worth nothing; a fresh one works."""
    await ask_code(client, "wanted")
    code = code_of((await deployment.sink.wait_for(1))[0])
    for step in range(1, 6):
        wrong = f"{(int(code) + step) % 1_000_000:06}"
        answer = await enter(client, "wanted", wrong)
        assert (answer.status, answer.data["type"]) == (401, "user_invalid_token")
    assert (await enter(client, "wanted", code)).status == 401
    assert await count_users(pool) == 0
    await ask_code(client, "wanted")
    fresh = code_of((await deployment.sink.wait_for(2))[1])
    assert (await enter(client, "wanted", fresh)).status == 201
