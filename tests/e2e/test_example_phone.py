"""Signing in to the example app by phone, in a real browser; the SMS is on the mailbox's page."""

import re

import pytest

from service.db import Pool
from service.store import projects
from testkit.accessibility import violations
from testkit.browser import PHONE, Browser
from testkit.example_app import Demo
from testkit.patience import PATIENCE

pytestmark = pytest.mark.unlimited
NUMBER = "+4915123456789"


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
    assert await page.read("[data-fact]") == ["–", "–", NUMBER, "not yet"]
    assert await page.evaluate("document.documentElement.scrollWidth <= innerWidth")
    assert await page.faults() == []
