"""The pages that mailed links lead to, in a real browser on a phone, with scripts and without."""

from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

import aiohttp
import pytest

from service.db import Pool
from service.store import projects
from testkit.api import Api
from testkit.browser import PHONE, Browser, Page
from testkit.letters import link_of, text_of
from testkit.sink import Mail
from testkit.waiting import until
from tests.e2e.conftest import Deployment

ANN, OLD, NEW = "ann@example.com", "correct horse", "a new password"
CHOOSE, CHANGED = "Choose a new password", "Your password is changed"
with_and_without = pytest.mark.parametrize("javascript", [True, False], ids=["scripts", "no scripts"])


@dataclass
class Visit:
    """ann, who has an account with a proved address, her mailbox, and a browser at the service."""

    deployment: Deployment
    api: Api
    browser: Browser
    read: int = 0

    @property
    def home(self) -> str:
        return self.deployment.address.replace("127.0.0.1", "localhost")

    async def mail(self) -> Mail:
        """Return the next mail."""
        self.read += 1
        return (await self.deployment.sink.wait_for(self.read))[self.read - 1]

    async def link(self) -> str:
        """Return the link of the next mail, at the address where the service is this time."""
        parts = urlsplit(link_of(await self.mail()))
        assert parts.netloc == "localhost:8080", "the worker's PUBLIC_URL"
        return f"{self.home}{parts.path}?{parts.query}"

    async def ask(self, method: str, path: str, body: dict[str, Any], **facts: Any) -> None:
        answer = await self.api.call(method, path, json=body, modern=True, **facts)
        assert answer.status in (200, 201), answer.data

    async def login(self, password: str) -> int:
        body = {"email": ANN, "password": password}
        return (await self.api.call("POST", "/v1/account/sessions/email", json=body, modern=True)).status


@pytest.fixture
async def visit(deployment: Deployment, pool: Pool, browser: Browser) -> AsyncIterator[Visit]:
    async with aiohttp.ClientSession(deployment.address, cookie_jar=aiohttp.DummyCookieJar()) as session:
        api = Api(session)
        await api.sign_up()
        await pool.execute("update users set email_verified = true")
        yield Visit(deployment, api, browser)


async def see(page: Page, path: str, heading: str) -> None:
    """The page is the one, no secret is in its address, its policy broke nothing, and a phone need not scroll."""
    await page.see(heading)
    parts = urlsplit(await page.address())
    assert parts.path == path
    assert "secret" not in parts.query
    assert await page.faults() == []
    assert not await page.evaluate("document.documentElement.scrollWidth > innerWidth")
    assert await page.evaluate("performance.getEntriesByType('resource').length") == 0, "nothing is loaded"


@with_and_without
async def test_a_forgotten_password(visit: Visit, javascript: bool):
    """From our own form over the letter to the new password; a link that is used up leads to the form again."""
    page = await visit.browser.open(javascript=javascript, viewport=PHONE)
    await page.goto(f"{visit.home}/auth/recovery/new?project=shop")
    await see(page, "/auth/recovery/new", "Forgot your password?")
    await page.fill("E-mail address", ANN)
    await page.click("Send the link")
    await see(page, "/auth/recovery/new", "Check your mailbox")
    link = await visit.link()
    await page.goto(link)
    await see(page, "/auth/recovery", CHOOSE)
    await page.fill("New password", "password1")
    await page.click("Save the password")
    await page.see_text("Too many people use this password, or it is known to be stolen. Please choose another one.")
    await see(page, "/auth/recovery", CHOOSE)
    assert await page.evaluate("document.activeElement.id") == "password"
    await page.fill("New password", NEW)
    await page.click("Save the password")
    await see(page, "/auth/recovery", CHANGED)
    assert (await visit.login(OLD), await visit.login(NEW)) == (401, 201)
    await page.goto(link)
    await see(page, "/auth/recovery", "This link is no longer valid")
    await page.fill("E-mail address", ANN)
    await page.click("Send the link")
    await see(page, "/auth/recovery/new", "Check your mailbox")


async def test_rules_are_checked_while_typing(visit: Visit):
    """With scripts each rule that can be checked here says when it is met, and the password can be seen."""
    page = await visit.browser.open(viewport=PHONE)
    await visit.ask("POST", "/v1/account/recovery", {"email": ANN})
    await page.goto(await visit.link())
    for typed, met in (
        ("five!", ["Without your name or e-mail address"]),
        ("my ANN@example.com", ["At least 6 characters"]),
        (NEW, ["At least 6 characters", "Without your name or e-mail address"]), ("", []),
    ):  # fmt: skip
        await page.fill("New password", typed)
        texts = await page.evaluate("[...document.querySelectorAll('li.met')].map((rule) => rule.firstChild.data)")
        assert texts == met, typed
    await page.fill("New password", NEW)
    for shown in (True, False):
        await page.click("Show the password")
        state = await page.evaluate("[password.type, reveal.getAttribute('aria-pressed'), document.activeElement.id]")
        assert state == ["text" if shown else "password", "true" if shown else "false", "password"]


async def test_without_scripts_nothing_is_promised(visit: Visit):
    """The button that shows the password needs scripts, so it is not there without; the rules are."""
    page = await visit.browser.open(javascript=False, viewport=PHONE)
    await visit.ask("POST", "/v1/account/recovery", {"email": ANN})
    await page.goto(await visit.link())
    await page.see_text("At least 6 characters")
    assert "Show the password" not in " ".join(await page.read("body"))


@with_and_without
async def test_this_was_not_me(visit: Visit, javascript: bool):
    """The notice's link leads from the disavowal straight to the new password."""
    member = await visit.api.sign_in()
    await visit.ask("PATCH", "/v1/account/password", {"password": "eves password", "oldPassword": OLD}, headers=member)
    page = await visit.browser.open(javascript=javascript, viewport=PHONE)
    await page.goto(await visit.link())
    await see(page, "/auth/disavowal", "Was it not you?")
    (told,) = await page.read("main")
    assert "signs everybody out" in told
    assert "If you did not ask for this" not in told
    await page.click("It was not me")
    await see(page, "/auth/disavowal", "Your account is secured")
    assert await visit.login("eves password") == 401
    await page.fill("New password", NEW)
    await page.click("Save the password")
    await see(page, "/auth/recovery", CHANGED)
    assert await visit.login(NEW) == 201


@with_and_without
@pytest.mark.parametrize("way", ["magic-url", "code"])
async def test_a_sign_in_by_mail(visit: Visit, javascript: bool, way: str):
    """A link and a code end with a session in this browser."""
    page = await visit.browser.open(javascript=javascript, viewport=PHONE)
    await page.goto(f"{visit.home}/auth/{way}/new?project=shop")
    await see(page, f"/auth/{way}/new", "Sign in to Shop")
    await page.fill("E-mail address", ANN)
    if way == "code":
        await page.click("Send the code")
        await see(page, "/auth/code", "Enter your code")
        await page.fill("Code", text_of(await visit.mail()).splitlines()[0])
    else:
        await page.click("Send the link")
        await page.goto(await visit.link())
        await see(page, "/auth/magic-url", "Sign in to Shop")
    await page.click("Sign in")
    await see(page, f"/auth/{way}", "You are signed in")
    await page.goto(f"{visit.home}/v1/account?project=shop")
    assert ANN in " ".join(await page.read("body"))


async def test_a_link_that_finishes_where_it_was_begun(visit: Visit, pool: Pool):
    """Opened in another browser it asks for the number of the first one, and signs in there and nowhere else."""
    await projects.change(pool, "shop", magic_links="first-tab", name="Tabs")

    async def is_known() -> bool:
        """The process has read the project anew, as its pages show."""
        sent = {"X-Appwrite-Project": None}
        return "Tabs" in (await visit.api.call("GET", "/auth/magic-url/new?project=shop", headers=sent)).data

    await until(is_known)
    first = await visit.browser.open()
    await first.goto(f"{visit.home}/auth/magic-url/new?project=shop")
    await first.fill("E-mail address", ANN)
    await first.click("Send the link")
    await see(first, "/auth/magic-url/waiting", "Check your mailbox")
    (number,) = await first.read(".number")
    await first.click("I have entered the number")
    await first.see_text("The number has not been entered yet.")
    phone = await visit.browser.open(javascript=False, viewport=PHONE)
    await phone.goto(await visit.link())
    await see(phone, "/auth/magic-url/approval", "Sign in to Tabs")
    await phone.fill("Number", number)
    await phone.press("Enter")
    await see(phone, "/auth/magic-url/approval", "The number is right")
    await phone.goto(f"{visit.home}/v1/account?project=shop")
    assert "missing scope" in " ".join(await phone.read("body"))
    assert await first.check_accessibility() == []
    await first.click("I have entered the number")
    await see(first, "/auth/magic-url/waiting", "You are signed in")
    await first.goto(f"{visit.home}/v1/account?project=shop")
    assert ANN in " ".join(await first.read("body"))


@with_and_without
async def test_an_address_is_confirmed_by_keyboard(visit: Visit, pool: Pool, javascript: bool):
    """From the form to the button with Tab and Enter alone."""
    await pool.execute("update users set email_verified = false")
    page = await visit.browser.open(javascript=javascript, viewport=PHONE)
    await page.goto(f"{visit.home}/auth/verification/new?project=shop")
    await page.press("Tab")
    assert await page.evaluate("document.activeElement.id") == "email"
    await page.fill("E-mail address", ANN)
    await page.press("Enter")
    await see(page, "/auth/verification/new", "Check your mailbox")
    await page.goto(await visit.link())
    await see(page, "/auth/verification", "Confirm your e-mail address")
    await page.press("Tab")
    assert (await page.evaluate("document.activeElement.textContent")).strip() == "Confirm"
    await page.press("Enter")
    await see(page, "/auth/verification", "Your e-mail address is confirmed")
    assert (await pool.fetchrow("select email_verified from users"))[0] is True


@pytest.mark.parametrize("direction", ["ltr", "rtl"])
@pytest.mark.parametrize("scheme", ["light", "dark"])
async def test_everybody_can_use_the_pages(visit: Visit, scheme: str, direction: str):
    """axe-core finds nothing serious on a page that a mail leads to, nor where something was refused."""
    page = await visit.browser.open(scheme=scheme, viewport=PHONE)
    await visit.ask("POST", "/v1/account/recovery", {"email": ANN})
    link = await visit.link()
    others = (
        "auth/code?project=shop&userId=ann", "nothing", "auth/recovery/new?project=shop&sent=1",
        "auth/recovery?project=shop&userId=a&secret=b",
    )  # fmt: skip
    for address in (link, *(f"{visit.home}/{path}" for path in others)):
        await page.goto(address)
        await page.evaluate(f"document.documentElement.dir = '{direction}'")
        assert await page.check_accessibility() == [], address
    await page.goto(link)
    await page.fill("New password", "password1")
    await page.click("Save the password")
    await page.see_text("Too many people use this password, or it is known to be stolen. Please choose another one.")
    assert await page.check_accessibility() == []
