"""The example app in a real browser, on another origin than the API, with the letters of a real worker."""

import re
from urllib.parse import urlsplit

import pytest

from service.db import Pool
from service.store import branding
from testkit.accessibility import violations
from testkit.browser import PHONE, Browser, Page
from testkit.example_app import ANN, Demo, confirm_address, sign_in, sign_up
from testkit.patience import PATIENCE

pytestmark = pytest.mark.unlimited


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
    confirmed = await confirm_address(page, demo)
    assert await confirmed.read_filled("[data-fact]") == ["Ann", ANN, "–", "yes"]
    await confirmed.click("Sign out")
    await confirmed.see("Sign in")
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
    await page.see_text("This code or link is wrong, used already or too old. Try again, or ask for a new one.")
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
