"""Accessibility of pages by axe-core: WCAG A and AA, and its best practices."""

import re

from testkit.browser import PHONE, Browser, Page


async def violations(page: Page) -> list[str]:
    """List what is serious or critical on a page as it is now: rule, element, advice."""
    return await page.check_accessibility()


async def violations_of(browser: Browser, address: str = "", *, html: str = "", language: str = "en") -> list[str]:
    """List what is serious or critical at an address, or in a document: light on a desktop, then dark on a phone."""
    page = await browser.open(language=language)
    await (page.show(html) if html else page.goto(address))
    found = [f"light, desktop: {violation}" for violation in await violations(page)]
    await page.adapt(scheme="dark", viewport=PHONE)
    found += [f"dark, phone: {violation}" for violation in await violations(page)]
    await page.close()
    return found


async def violations_without_scripts(browser: Browser, address: str = "", *, html: str = "") -> list[str]:
    """List the same of a page as it is in a browser without scripts; axe-core, a script, looks at a copy of that."""
    page = await browser.open(javascript=False)
    await (page.show(html) if html else page.goto(address))
    copy = await page.evaluate("document.documentElement.outerHTML")
    await page.close()
    copy = re.sub(r"<script\b.*?</script>", "", copy, flags=re.DOTALL)
    return await violations_of(browser, html="<!DOCTYPE html>" + re.sub(r"<(/?)noscript\b", r"<\1div", copy))
