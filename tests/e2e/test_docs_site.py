"""The documentation site in a real browser: its search, its width on a phone, its keys, and axe-core."""

import pytest

from service.http import docs
from testkit.accessibility import violations, violations_of, violations_without_scripts
from testkit.api import Api
from testkit.browser import PHONE, Browser

ADDRESS = "http://localhost:8080"
# One of each kind, in both colour schemes and widths; the others have the same parts.
KINDS = ("/docs", "/docs/api", "/docs/api/sessions", "/docs/errors", "/docs/guides/cookies", "/docs/search")


@pytest.mark.parametrize("path", KINDS)
async def test_pages_are_for_everybody(api: Api, browser: Browser, path: str):
    """With a screen reader, a keyboard or colours of their own."""
    assert await violations_of(browser, str(api.client.make_url(path))) == []


@pytest.mark.parametrize("path", KINDS)
async def test_pages_without_scripts_are_for_everybody(api: Api, browser: Browser, path: str):
    """The search and the buttons that copy are scripts; the site is whole without."""
    assert await violations_without_scripts(browser, str(api.client.make_url(path))) == []


async def test_no_page_is_wider_than_a_phone(api: Api, browser: Browser):
    """Tables and code scroll by themselves, and nothing breaks the page's policy; axe-core agrees with each page."""
    page = await browser.open(viewport=PHONE)
    for name in sorted(docs.names(ADDRESS)):
        await page.goto(str(api.client.make_url(f"/docs/{name}")))
        assert await page.evaluate("document.documentElement.scrollWidth - innerWidth") <= 0, name
        assert await violations(page) == [], name
    assert await page.faults() == []


async def test_the_search_shows_what_fits(api: Api, browser: Browser):
    """From any page; while typing; what has the words in its title comes first; the address can be sent to others."""
    page = await browser.open()
    await page.goto(str(api.client.make_url("/docs")))
    await page.fill("Search", "createRecovery")
    await page.evaluate("document.querySelector('form').requestSubmit()")
    await page.see("Search")
    assert "POST /v1/account/recovery" in await page.read(".results li:not([hidden]) a")
    assert "DELETE /v1/account" not in await page.read(".results li:not([hidden]) a")
    await page.fill("Search", "cookies")
    assert (await page.read(".results li:not([hidden]) a"))[0] == "Cookies across domains"
    assert (await page.address()).endswith("/docs/search?q=cookies")
    await page.fill("Search", "user_invalid_token")
    assert "user_invalid_token" in await page.read(".results li:not([hidden]) a")
    await page.fill("Search", "xylophone")
    assert await page.read("#found") == ["0 found"]
    assert await page.faults() == []


async def test_the_site_is_read_without_scripts(api: Api, browser: Browser):
    """The search page lists everything then, and says how to look in it."""
    page = await browser.open(javascript=False)
    await page.goto(str(api.client.make_url("/docs/search?q=recovery")))
    titles = await page.read(".results a")
    assert {"POST /v1/account/recovery", "Reset a password in a single-page app", "user_invalid_token"} <= {*titles}
    assert "browser's own search" in (await page.read("#found"))[0]
    await page.goto(str(api.client.make_url("/docs/api/recovery")))
    assert any("createRecovery" in code for code in await page.read("pre"))


async def test_the_search_has_a_key(api: Api, browser: Browser):
    """`/` goes to the search from anywhere but a field."""
    page = await browser.open()
    await page.goto(str(api.client.make_url("/docs/api")))
    press = "document.body.dispatchEvent(new KeyboardEvent('keydown', {key: '/', bubbles: true, cancelable: true}))"
    await page.evaluate(press)
    assert await page.evaluate("document.activeElement.id") == "q"
