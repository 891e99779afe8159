"""Second factors in the example app, in a real browser: set up, asked for, used, and taken away."""

import re

import pytest

from service.crypto import totp
from service.crypto.secret import Secret
from service.db import Pool
from testkit import qr
from testkit.accessibility import violations
from testkit.browser import PHONE, Browser, Page
from testkit.example_app import ANN, Demo, confirm_address, sign_in, sign_up
from testkit.factors import App
from testkit.patience import PATIENCE

pytestmark = pytest.mark.unlimited
PASSWORD = "correct horse"
_DRAWN = "[...document.querySelectorAll('#picture path')].map((path) => path.getAttribute('d')).join('')"
_SIDE = "Number(document.querySelector('#picture svg').getAttribute('viewBox').split(' ')[2])"
_WIDTH = "document.documentElement.scrollWidth <= innerWidth"
_MARGIN = 4


async def open_factors(page: Page) -> None:
    await page.click("Second factors", role="link")
    await page.see("Second factors")
    await page.see_text("Codes by mail")


async def drawn(page: Page) -> str:
    """Read the QR picture, as a phone's camera does."""
    places = re.findall(r"M(\d+) (\d+)h1v1h-1z", await page.evaluate(_DRAWN))
    dark = {(int(x) - _MARGIN, int(y) - _MARGIN) for x, y in places}
    return qr.read(dark, int(await page.evaluate(_SIDE)) - 2 * _MARGIN)


async def add_app(page: Page, pool: Pool) -> App:
    """Add an authenticator app by the secret that the page shows, after a wrong code."""
    await page.click("Add an app")
    await page.see("QR code for the authenticator app; the secret is written below", role="img")
    assert await violations(page) == []
    assert await page.evaluate(_WIDTH)
    [shown] = await page.read("#secret")
    secret = Secret(shown.replace(" ", ""))
    assert await drawn(page) == totp.uri(secret, issuer="Shop", label=ANN).reveal()
    assert await page.evaluate("document.getElementById('open-app').href") == await drawn(page)
    app = App(pool, secret)
    wrong = f"{(int(await app.code()) + 500_000) % 1_000_000:06}"
    await page.fill("Code that the app shows", wrong)
    await page.click("Confirm")
    await page.see_text("This code or link is wrong, used already or too old. Try again, or ask for a new one.")
    await page.fill("Code that the app shows", await app.code())
    await page.click("Confirm")
    await page.see_text("The authenticator app is added.")
    return app


async def make_codes(page: Page) -> list[str]:
    """Make recovery codes and copy them."""
    await page.click("Make recovery codes")
    await page.see("Copy the codes", role="button")
    assert await violations(page) == []
    codes = await page.read("#codes li")
    assert len(codes) == 10
    await page.click("Copy the codes")
    await page.see_text("The codes are copied.")
    assert await page.evaluate("navigator.clipboard.readText()") == "\n".join(codes)
    return codes


async def begin(page: Page, demo: Demo) -> None:
    """Sign out, and in with the password alone: the app asks for more."""
    await page.goto(demo.app + "/account")
    await page.see_text(ANN)
    await page.click("Sign out")
    await sign_in(page, PASSWORD)
    await page.see("Show that it is you")


async def prove(page: Page, factor: str, label: str, code: str) -> None:
    await page.click(factor)
    await page.fill(label, code)
    await page.click("Continue")


async def test_from_enrolment_to_a_lost_phone(demo: Demo, browser: Browser, pool: Pool):
    """A person adds an app and recovery codes, is asked at sign-in from then on, and proves it by each factor."""
    page = await browser.open(viewport=PHONE, permissions=("clipboard-read", "clipboard-write"))
    await sign_up(page, demo, PASSWORD)
    page = await confirm_address(page, demo)
    await open_factors(page)
    assert await violations(page) == []
    app = await add_app(page, pool)
    codes = await make_codes(page)
    await page.click("Switch on")
    await page.see_text("From now on signing in takes a second factor.")
    ways = ["to your address", "after you have added a number"]
    assert await page.read_filled("[data-fact]") == ["on", "added", *ways, "made"]

    await begin(page, demo)
    assert await violations(page) == []
    assert await page.evaluate(_WIDTH)
    await page.goto(demo.app + "/account")
    await page.see("Show that it is you")
    await prove(page, "Code from the authenticator app", "Code", await app.unused())
    await page.see("Your account")

    await begin(page, demo)
    await page.click("Code by mail")
    await page.see_text("A mail with a code is on its way.")
    mail = await demo.mailbox.wait(to=ANN, subject="code", timeout=PATIENCE)
    await page.fill("Code", re.findall(r"^\d{6}", mail.text or "", re.MULTILINE)[0])
    await page.click("Continue")
    await page.see("Your account")

    await begin(page, demo)
    await prove(page, "Recovery code", "Recovery code", codes[3].upper().replace("-", " "))
    await page.see("Your account")
    await begin(page, demo)
    await prove(page, "Recovery code", "Recovery code", codes[3])
    await page.see_text("This code or link is wrong, used already or too old. Try again, or ask for a new one.")
    await page.click("Sign out")
    await page.see_text("You are signed out.")
    assert await page.faults() == []


async def test_a_change_after_a_while_asks_once_more(demo: Demo, browser: Browser, pool: Pool):
    """Without a proof of the last half hour the app asks for one, leads back, and the change works then.

    This browser gives the page no clipboard: the codes are selected for the person to copy.
    """
    page = await browser.open()
    await sign_up(page, demo, PASSWORD)
    await open_factors(page)
    app = await add_app(page, pool)
    await page.click("Switch on")
    await page.see_text("From now on signing in takes a second factor.")
    await pool.execute("update sessions set mfa_at = mfa_at - interval '31 minutes'")
    await page.click("Remove the app")
    await page.see_text("This change needs a second factor first.")
    await prove(page, "Code from the authenticator app", "Code", await app.unused())
    await page.see_text("Thank you. Now you can make the change.")
    await page.click("Remove the app")
    await page.see_text("The authenticator app is removed.")
    await page.click("Switch off")
    await page.see_text("Signing in takes one proof again.")
    await page.click("Make recovery codes")
    await page.click("Copy the codes")
    await page.see_text("The codes are selected. Copy them now.")
    assert (await page.evaluate("getSelection().toString()")).split() == await page.read("#codes li")
    await page.goto(demo.app + "/second-factors")
    later = ["after you have confirmed your address", "after you have added a number"]
    assert await page.read_filled("[data-fact]") == ["off", "none", *later, "made"]
    assert await page.faults() == []
