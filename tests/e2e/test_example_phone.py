"""Phones in the example app, in a real browser: sign-in, and a second factor. The SMS is on the mailbox's page."""

import re

import pytest

from service.db import Pool
from service.store import projects
from testkit.accessibility import violations
from testkit.browser import PHONE, Browser, Page
from testkit.example_app import Demo, sign_in, sign_up
from testkit.patience import PATIENCE

pytestmark = pytest.mark.unlimited
NUMBER, PASSWORD = "+4915123456789", "correct horse"


async def test_a_code_by_sms(demo: Demo, browser: Browser, pool: Pool):
    """A person without an account signs in by the code that an SMS brings, after a number that is none."""
    await projects.change(pool, "shop", sms_countries=["+49"])
    page = await browser.open(viewport=PHONE)
    await page.goto(demo.app)
    await page.click("Sign in with a code by SMS", role="link")
    await page.see("Sign in by phone")
    assert await violations(page) == []
    await page.fill("Phone number", "0151 23456789")
    await page.click("Send me a code")
    await page.see_text("general_argument_invalid")
    await page.fill("Phone number", "+49 151 234-567-89")
    await page.click("Send me a code")
    sms = await demo.mailbox.wait(to=NUMBER, timeout=PATIENCE)
    assert sms.author.name == "SMS"
    await page.see("Code", role="textbox")
    assert await violations(page) == []
    await page.fill("Code", re.findall(r"\d{6}", sms.text or "")[0])
    await page.click("Sign in")
    await page.see("Your account")
    await page.see_text(NUMBER)
    assert await page.read_filled("[data-fact]") == ["–", "–", NUMBER, "not yet"]
    assert await page.evaluate("document.documentElement.scrollWidth <= innerWidth")
    assert await page.faults() == []


async def enter_code(page: Page, demo: Demo, label: str, *, after: int = 0) -> int:
    """Type the code of the next SMS; the number of that SMS in the mailbox."""
    sms = await demo.mailbox.wait(to=NUMBER, after=after, timeout=PATIENCE)
    await page.fill(label, re.findall(r"\d{6}", sms.text or "")[0])
    return sms.n


async def test_a_number_is_a_second_factor(demo: Demo, browser: Browser, pool: Pool):
    """A person adds a number after a wrong password, and is asked for a code by SMS at the next sign-in."""
    await projects.change(pool, "shop", sms_countries=["+49"])
    page = await browser.open(viewport=PHONE)
    await sign_up(page, demo, PASSWORD)
    await page.click("Second factors", role="link")
    await page.see_text("after you have added a number")
    await page.fill("Phone number", "+49 151 234-567-89")
    await page.fill("Your password", "another horse")
    await page.click("Send me a code by SMS")
    await page.see_text("The e-mail address or the password is wrong.")
    await page.fill("Your password", PASSWORD)
    await page.click("Send me a code by SMS")
    await page.see_text("An SMS is on its way to +49 151 234-567-89.")
    assert await violations(page) == []
    seen = await enter_code(page, demo, "Code of the SMS")
    await page.click("Confirm the number")
    await page.see_text("The number is confirmed.")
    await page.see_text("to your number")
    await page.click("Switch on")
    await page.see_text("From now on signing in takes a second factor.")

    await page.goto(demo.app + "/account")
    await page.see_text(NUMBER)
    await page.click("Sign out")
    await sign_in(page, PASSWORD)
    await page.see("Show that it is you")
    await page.click("Code by SMS")
    await page.see_text("An SMS with a code is on its way.")
    await enter_code(page, demo, "Code", after=seen)
    await page.click("Continue")
    await page.see("Your account")
    assert await page.evaluate("document.documentElement.scrollWidth <= innerWidth")
    assert await page.faults() == []
