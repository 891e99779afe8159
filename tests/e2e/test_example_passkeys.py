"""Passkeys in the example app, in a real browser with a virtual authenticator (CDP)."""

import pytest

from service.db import Pool
from service.store import projects
from testkit.accessibility import violations
from testkit.browser import PHONE, Browser
from testkit.example_app import ANN, Demo, confirm_address, sign_up

pytestmark = pytest.mark.unlimited


@pytest.fixture
async def passkeys(pool: Pool, demo: Demo) -> Demo:
    """The project makes passkeys for localhost, as that of `./dev run` does."""
    await projects.change(pool, "shop", passkeys=True, rp_id="localhost")
    return demo


async def test_a_passkey_from_first_to_last(passkeys: Demo, browser: Browser):
    """A person adds a passkey, signs in by it without an address or a password, and removes it."""
    page = await browser.open(viewport=PHONE)
    await sign_up(page, passkeys, "correct horse")
    page = await confirm_address(page, passkeys)
    await page.add_authenticator()
    await page.click("Passkeys", role="link")
    await page.see_text("None yet.")
    assert await violations(page) == []
    await page.fill("Name, for this list", "Ann's phone")
    await page.click("Add a passkey")
    await page.see_text("The passkey is added.")
    [item] = await page.read("#passkeys li span")
    assert item.startswith("Ann's phone, added ")
    assert item.endswith(", not used yet")
    assert await violations(page) == []
    assert await page.evaluate("document.documentElement.scrollWidth <= innerWidth")

    await page.fill("Name, for this list", "The same phone")
    await page.click("Add a passkey")
    await page.see_text("This device has a passkey for the account already.")

    await page.goto(passkeys.app + "/account")
    await page.see_text(ANN)
    await page.click("Sign out")
    await page.see_text("You are signed out.")
    await page.click("Sign in with a passkey")
    await page.see("Your account")
    await page.see_text(ANN)

    await page.click("Passkeys", role="link")
    await page.see("Passkeys")
    await page.click(f"Remove {item.removesuffix(', not used yet')}")
    await page.see_text("The passkey is removed. It opens nothing any more; your device may still list it.")
    await page.see_text("None yet.")
    await page.goto(passkeys.app + "/account")
    await page.see_text(ANN)
    await page.click("Sign out")
    await page.see_text("You are signed out.")
    await page.click("Sign in with a passkey")
    await page.see_text("This passkey opens no account here.")
    assert await page.faults() == []


async def test_without_a_passkey(passkeys: Demo, browser: Browser):
    """A person whose device has none, or who says no, reads that nothing was done."""
    page = await browser.open()
    await page.add_authenticator()
    await page.goto(passkeys.app)
    await page.click("Sign in with a passkey")
    await page.see_text("Nothing was done: the question of the browser was not answered.")
    assert await page.faults() == []
