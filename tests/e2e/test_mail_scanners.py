"""Scanners of mail servers open every link of a letter, again and again, before its reader does."""

import email
import email.policy
import re
from html import unescape
from typing import Any
from urllib.parse import urlsplit

import aiohttp
import pytest

from service.db import Pool
from service.store import projects
from testkit.api import Api
from testkit.forms import Page
from testkit.hosted_pages import follow_link, open_link
from testkit.letters import link_of, text_of
from testkit.sink import Mail
from testkit.waiting import until
from tests.e2e.conftest import Deployment

TIMES = 20
PASSWORD, NEW = "correct horse", "a new password"
# Who gets a letter with a link, where it leads, and what its button tells in the end.
LINKS = {
    "forgot@example.com": ("/auth/recovery", "Your password is changed"),
    "moved@example.com": ("/auth/verification", "Your e-mail address is confirmed"),
    "before@example.com": ("/auth/email-undo", "Your account is secured"),
    "changed@example.com": ("/auth/disavowal", "Your account is secured"),
    "device@example.com": ("/auth/disavowal", "Your account is secured"),
    "magic@example.com": ("/auth/magic-url", "You are signed in"),
    "private@example.com": ("/auth/sign-up", "Your e-mail address is confirmed"),
}
pytestmark = pytest.mark.unlimited


async def ask_for_letters(api: Api, pool: Pool) -> None:
    """Cause every letter that has a link to a page of ours, each about an account of its own."""
    for name in ("forgot", "before", "changed", "device"):
        await api.sign_up(f"{name}@example.com", PASSWORD)
    await pool.execute("update users set email_verified = true")
    before, changed = await api.sign_in("before@example.com", PASSWORD), await api.sign_in("changed@example.com")
    await projects.change(pool, "shop", notify_new_device=True, private_signup=True)
    await until(lambda: sign_up_in_private(api), what="the API knows the project's new rules")
    await api.sign_in("device@example.com", PASSWORD)
    address = {"email": "moved@example.com", "password": PASSWORD}
    for method, path, body, headers in (
        ("POST", "recovery", {"email": "forgot@example.com"}, {}),
        ("PATCH", "email", address, before),
        ("PATCH", "password", {"password": NEW, "oldPassword": PASSWORD}, changed),
        ("POST", "tokens/magic-url", {"userId": "magic", "email": "magic@example.com"}, {}),
    ):
        answer = await api.call(method, f"/v1/account/{path}", json=body, headers=headers, modern=True)
        assert answer.status in (200, 201), answer.data


async def sign_up_in_private(api: Api) -> bool:
    """Sign up with an address that is taken, which is refused in public; then with one that is not."""
    sent = {"email": "forgot@example.com", "password": PASSWORD, "userId": "taken"}
    if (await api.call("POST", "/v1/account", json=sent, modern=True)).status == 409:
        return False
    sent = {"email": "private@example.com", "password": PASSWORD, "userId": "private"}
    return (await api.call("POST", "/v1/account", json=sent, modern=True)).status == 201


def addresses_of(mail: Mail) -> set[str]:
    """Return all that a scanner finds in a letter: links of the text, of the HTML, and what the HTML says."""
    message = email.message_from_bytes(mail.content, policy=email.policy.default)
    html = message.get_body(("html",))
    assert html is not None
    return {link_of(mail), *re.findall(r'https?://[^\s"<>]+', unescape(html.get_content()))}


async def scan(api: Api, path: str) -> None:
    """Open a link with each method, with the cookie of the redirect and without."""
    for method in ("GET", "HEAD"):
        assert (await open_link(api, path, method=method)).status == 200
        answer = await api.call(method, path, headers={"X-Appwrite-Project": None})
        assert answer.status == 400, "a visitor without cookies"


async def state(pool: Pool) -> list[Any]:
    """Return whatever a link could use up or make."""
    rows = [await pool.fetch(f"select t::text from {table} t order by 1") for table in ("tokens", "users", "sessions")]
    return [*rows, await pool.fetch("select count(*) from mails")]


async def test_scanners_use_nothing_up(deployment: Deployment, pool: Pool):
    """Each link of each letter is opened twenty times by GET and HEAD. Nothing changes; then its button works."""
    async with aiohttp.ClientSession(deployment.address, cookie_jar=aiohttp.DummyCookieJar()) as client:
        api = Api(client)
        await ask_for_letters(api, pool)
        linked = await until(lambda: letters_with_links(deployment), what="all letters")
        found = {mail.recipients[0]: addresses_of(mail) for mail in linked}
        assert {name: {urlsplit(link).path for link in links} for name, links in found.items()} == {
            name: {path} for name, (path, _) in LINKS.items()
        }
        paths = {name: urlsplit(link)._replace(scheme="", netloc="").geturl() for name, (link,) in found.items()}
        before = await state(pool)
        for path in paths.values():
            for _ in range(TIMES):
                await scan(api, path)
        assert await state(pool) == before
        for name, (_, told) in LINKS.items():
            answer = await follow_link(api, paths[name], password="another new password")
            assert (answer.status, Page(answer.data).heading) == (200, told), name


async def letters_with_links(deployment: Deployment) -> list[Mail] | None:
    linked = [mail for mail in deployment.sink.mails if "/auth/" in text_of(mail)]
    return linked if len(linked) == len(LINKS) else None
