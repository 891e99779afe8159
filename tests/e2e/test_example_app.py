"""The example app in a real browser, on another origin than the API, with the letters of a real worker."""

import re
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from redis.asyncio import Redis

from devstack.example_app import open_example_app
from devstack.mailbox import Mailbox, open_mailbox
from devstack.mails import Mail
from service import i18n
from service.db import Pool
from service.store import branding
from service.store.projects import Project
from testkit import processes
from testkit.accessibility import violations
from testkit.browser import PHONE, Browser, Page
from testkit.patience import PATIENCE

ANN = "ann@example.com"
CATALOGUES = i18n.Catalogues(i18n.TEMPLATES)
pytestmark = pytest.mark.unlimited


@dataclass
class Demo:
    """The parts of `./dev run`, for a reader of one language; `app` is the address of the example app."""

    app: str
    mailbox: Mailbox
    language: str = "en"

    def words(self, sentence: str) -> str:
        return CATALOGUES[self.language].one(sentence).replace("%(project)s", "Shop")

    async def open_letter(self, page: Page, subject: str) -> Mail:
        """Open the mailbox at a letter once it is there."""
        mail = await self.mailbox.wait(to=ANN, subject=self.words(subject), timeout=PATIENCE)
        await page.goto(f"http://localhost:{self.mailbox.page_port}/#{mail.n}")
        await page.see(mail.subject)
        assert await violations(page) == []
        return mail

    async def press(self, page: Page, label: str) -> Page:
        """Press the button of the open letter; returns the page that it opens."""
        return await page.follow(self.words(label), frame="#html")


@pytest.fixture
async def demo(environment: dict[str, str], project: Project, redis: Redis, tmp_path: Path) -> AsyncIterator[Demo]:
    async with open_mailbox() as mailbox:
        settings = environment | {"SMTP_URL": f"smtp://127.0.0.1:{mailbox.smtp_port}?tls=none"}
        async with processes.api(settings) as (_, address):
            public = address.replace("127.0.0.1", "localhost")
            async with (
                processes.worker(settings | {"PUBLIC_URL": public}, heartbeat=tmp_path / "alive"),
                open_example_app(endpoint=f"{public}/v1", project="shop") as port,
            ):
                yield Demo(f"http://localhost:{port}", mailbox)


async def sign_up(page: Page, demo: Demo, password: str) -> None:
    await page.goto(demo.app + "/sign-up")
    assert await violations(page) == []
    await page.fill("Name", "Ann")
    await page.fill("E-mail address", ANN)
    await page.fill("Password", password)
    await page.click("Create account")
    await page.see("Your account")


async def sign_in(page: Page, password: str) -> None:
    await page.see("Sign in")
    await page.fill("E-mail address", ANN)
    await page.fill("Password", password)
    await page.click("Sign in")


async def confirm_address(page: Page, demo: Demo) -> None:
    await demo.open_letter(page, "Confirm your e-mail address for %(project)s")
    app = await demo.press(page, "Confirm your e-mail address")
    await app.see("Confirm your e-mail address")
    assert await app.address() == demo.app + "/verify", "the secret has left the address bar"
    assert await violations(app) == []
    await app.click("Confirm")
    await app.see("Your account")
    await app.see_text("Your e-mail address is confirmed.")
    await app.see_text("yes")
    assert await app.read("[data-fact]") == ["Ann", ANN, "yes"]
    await app.click("Sign out")
    await app.see("Sign in")


async def choose_password(page: Page, demo: Demo, password: str) -> Page:
    await page.goto(demo.app + "/recover")
    assert await violations(page) == []
    await page.fill("E-mail address", ANN)
    await page.click("Mail me a link")
    await demo.open_letter(page, "Reset your %(project)s password")
    app = await demo.press(page, "Choose a new password")
    await app.see("Choose a new password")
    assert await app.address() == demo.app + "/reset", "the secret has left the address bar"
    assert await app.evaluate("document.getElementById('email').value") == ANN, "for the password manager"
    assert await violations(app) == []
    await app.fill("New password", password)
    await app.click("Set password")
    return app


@pytest.mark.parametrize("language", ["en", "ar"])
async def test_sign_up_until_a_new_password(demo: Demo, browser: Browser, language: str):
    """A person signs up, confirms the address, forgets the password, chooses another and signs in: by mails alone."""
    demo.language = language
    page = await browser.open(language=language, viewport=PHONE)
    await sign_up(page, demo, "correct horse")
    await confirm_address(page, demo)
    app = await choose_password(page, demo, "battery staple")
    await sign_in(app, "correct horse")
    await app.see_text("The e-mail address or the password is wrong.")
    await app.see_text("user_invalid_credentials")
    await sign_in(app, "battery staple")
    await app.see("Your account")
    assert await violations(app) == []
    assert await page.faults() + await app.faults() == []


@pytest.mark.parametrize("language", ["en", "ar"])
async def test_a_new_password_on_our_page(demo: Demo, browser: Browser, pool: Pool, language: str):
    """An app without a page for it: the letter leads to the service's own, in the reader's language, and that back."""
    demo.language = language
    await branding.change(pool, "shop", app_url=f"{demo.app}/")
    page = await browser.open(language=language, viewport=PHONE)
    await sign_up(page, demo, "correct horse")
    await page.click("Sign out")
    await page.see("Sign in")
    await page.goto(demo.app + "/recover")
    await page.fill("E-mail address", ANN)
    await page.click("Open the link on the service's own page", role="checkbox")
    await page.click("Mail me a link")
    await demo.open_letter(page, "Reset your %(project)s password")
    hosted = await demo.press(page, "Choose a new password")
    await hosted.see(demo.words("Choose a new password"))
    assert urlsplit(await hosted.address()).path == "/auth/recovery"
    assert await hosted.evaluate("[document.documentElement.lang, document.documentElement.dir]") == [
        language, "rtl" if language == "ar" else "ltr",
    ]  # fmt: skip
    assert await hosted.evaluate("document.getElementById('username').value") == ANN, "for the password manager"
    assert await violations(hosted) == []
    await hosted.fill(demo.words("New password"), "battery staple")
    await hosted.click(demo.words("Save the password"))
    await hosted.see(demo.words("Your password is changed"))
    assert await violations(hosted) == []
    await hosted.click(demo.words("Back to %(project)s"), role="link")
    await sign_in(hosted, "correct horse")
    await hosted.see_text("The e-mail address or the password is wrong.")
    await sign_in(hosted, "battery staple")
    await hosted.see("Your account")
    assert await page.faults() + await hosted.faults() == []


async def test_a_code(demo: Demo, browser: Browser):
    """A code from the letter signs in; app and letter show the same phrase."""
    page = await browser.open()
    await page.goto(demo.app + "/code")
    await page.fill("E-mail address", ANN)
    await page.click("Mail me a code")
    mail = await demo.mailbox.wait(to=ANN, timeout=PATIENCE)
    await page.see("Code", role="textbox")
    assert await violations(page) == []
    [phrase] = await page.read("#enter-code [data-phrase]")
    assert phrase in (mail.text or "")
    await page.fill("Code", "12 34 56")
    await page.click("Sign in")
    await page.see_text("This code or link is wrong, used up or too old. Ask for a new one.")
    await page.fill("Code", re.findall(r"^\d{6}", mail.text or "", re.MULTILINE)[0])
    await page.click("Sign in")
    await page.see("Your account")
    assert await page.faults() == []


async def test_a_link_to_the_app(demo: Demo, browser: Browser):
    """A link opens the app's own page, which asks before it signs in."""
    page = await browser.open()
    await page.goto(demo.app + "/link")
    await page.fill("E-mail address", ANN)
    await page.click("Mail me a link")
    await demo.open_letter(page, "Your sign-in link for %(project)s")
    app = await demo.press(page, "Sign in")
    await app.see("Sign in")
    assert await app.address() == demo.app + "/magic", "the secret has left the address bar"
    assert await violations(app) == []
    await app.click("Sign in")
    await app.see("Your account")
    assert await app.faults() == []


async def test_a_link_to_our_page_without_scripts(demo: Demo, browser: Browser):
    """The service's own page needs no script, and the app finds the session that it has opened."""
    asking = await browser.open()
    await asking.goto(demo.app + "/link")
    await asking.fill("E-mail address", ANN)
    await asking.click("Open the link on the service's own page", role="checkbox")
    await asking.click("Mail me a link")
    mail = await demo.mailbox.wait(to=ANN, timeout=PATIENCE)
    page = await browser.open(javascript=False)
    await page.goto(f"http://localhost:{demo.mailbox.page_port}/mails/{mail.n}/html")
    hosted = await page.follow("Sign in")
    await hosted.see("Sign in to Shop")
    await hosted.click("Sign in")
    await hosted.see("You are signed in")


async def test_sessions(demo: Demo, browser: Browser):
    """A person sees the devices that are signed in, and ends the session of one from another."""
    first, second = await browser.open(), await browser.open()
    await sign_up(first, demo, "correct horse")
    await second.goto(demo.app)
    await sign_in(second, "correct horse")
    await second.see_text(ANN)
    sessions = await second.read("#sessions li")
    assert len(sessions) == 2
    assert "this browser" in sessions[1]
    assert "session.create" in (await second.read("#log tr"))[0]
    await second.click("End all other sessions")
    await second.see_text("All other sessions have ended.")
    await second.see_text(ANN)
    assert len(await second.read("#sessions li")) == 1
    await first.goto(demo.app + "/account")
    await first.see("Sign in")
    await first.see_text("Please sign in first.")


async def test_a_link_without_its_secret(demo: Demo, browser: Browser):
    """A link that was cut off says so, and shows no form that must fail."""
    page = await browser.open()
    for path in ("/reset", "/magic", "/verify"):
        await page.goto(demo.app + path)
        await page.see("This link is incomplete")
        assert await violations(page) == []
