"""The example app before a real API, with the letters of a real worker in a mailbox."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

from devstack.example_app import open_example_app
from devstack.mailbox import Mailbox, open_mailbox
from devstack.mails import Mail
from service import i18n
from testkit import processes
from testkit.accessibility import violations
from testkit.browser import Page
from testkit.patience import PATIENCE

ANN = "ann@example.com"
CATALOGUES = i18n.Catalogues(i18n.TEMPLATES)


@dataclass
class Demo:
    """The parts of `./dev run`, for a reader of one language; `app` is the address of the example app."""

    app: str
    api: str
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


@asynccontextmanager
async def open_demo(environment: dict[str, str], *, heartbeat: Path, provider: str = "") -> AsyncIterator[Demo]:
    """Start the parts for the project `shop`, and end them with the block."""
    async with open_mailbox() as mailbox:
        settings = environment | {
            "SMTP_URL": f"smtp://127.0.0.1:{mailbox.smtp_port}?tls=none",
            "SMS_URL": f"http://127.0.0.1:{mailbox.page_port}/sms",
        }
        async with processes.api(settings) as (_, address):
            public = address.replace("127.0.0.1", "localhost")
            async with (
                processes.worker(settings | {"PUBLIC_URL": public}, heartbeat=heartbeat),
                open_example_app(endpoint=f"{public}/v1", project="shop", provider=provider) as port,
            ):
                yield Demo(f"http://localhost:{port}", public, mailbox)


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


async def confirm_address(page: Page, demo: Demo) -> Page:
    """Open the letter's link in a page of its own, and confirm there."""
    await demo.open_letter(page, "Confirm your e-mail address for %(project)s")
    app = await demo.press(page, "Confirm your e-mail address")
    await app.see("Confirm your e-mail address")
    assert await app.address() == demo.app + "/verify", "the secret has left the address bar"
    assert await violations(app) == []
    await app.click("Confirm")
    await app.see("Your account")
    await app.see_text("Your e-mail address is confirmed.")
    return app
