"""The mailbox's page in a real browser, as a developer uses it."""

from collections.abc import AsyncIterator
from email.message import EmailMessage

import pytest

from devstack.mailbox import Mailbox, open_mailbox
from testkit.browser import PHONE, Browser, Page
from testkit.waiting import until

LINK = "https://shop.example/account?secret=abc"
_COPIED = "window.copied = []; navigator.clipboard.writeText = async (text) => { window.copied.push(text); }"


@pytest.fixture
async def box() -> AsyncIterator[Mailbox]:
    async with open_mailbox() as opened:
        yield opened


def address(box: Mailbox, mail: str = "") -> str:
    return f"http://localhost:{box.page_port}/{mail}"


async def receive(
    box: Mailbox, *, subject: str = "Your code", text: str = "012 345 is your code.\n", html: str = ""
) -> None:
    mail = EmailMessage()
    mail["From"], mail["To"], mail["Subject"] = "Grüner Laden <no-reply@shop.example>", "ann@example.com", subject
    mail.set_content(text)
    if html:
        mail.add_alternative(html, subtype="html")
    await box.take(mail.as_bytes(), sender="no-reply@shop.example", to=["ann@example.com"])


async def listed(page: Page) -> list[str]:
    return [text.strip() for text in await page.read("#mails strong")]


async def test_link_and_code_are_copied(browser: Browser, box: Mailbox):
    """One click copies the link, and the code without its gap; the sender has a name."""
    await receive(box, text=f"012 345 is your code.\n\n{LINK}.\n")
    page = await browser.open()
    await page.goto(address(box, "#1"))
    await page.evaluate(_COPIED)
    await page.click("Copy code")
    await page.click("Copy link")
    assert await page.evaluate("window.copied") == ["012345", LINK]
    assert await page.read("#copied") == ["Copied."]
    assert "Grüner Laden <no-reply@shop.example>" in (await page.read("#envelope"))[0]
    assert await page.faults() == []


async def test_mails_are_found_by_what_they_say(browser: Browser, box: Mailbox):
    """The search looks into addresses, subjects and both bodies, and says so when nothing fits."""
    await receive(box, subject="First", text="An apple")
    await receive(box, subject="Second", text="", html="<p>A <b>pear</b></p>")
    page = await browser.open()
    await page.goto(address(box))
    await until(lambda: _lists(page, ["Second", "First"]))
    for word, found in (("apple", ["First"]), ("pear", ["Second"]), ("ANN@", ["Second", "First"]), ("plum", [])):
        await page.fill("Search", word)
        await until(lambda found=found: _lists(page, found), what=word)
    assert await page.read("#unfound:not([hidden])") == ["No mail has what you search for."]


async def _lists(page: Page, subjects: list[str]) -> bool:
    return await listed(page) == subjects


async def test_each_view_shows_its_part(browser: Browser, box: Mailbox):
    """Desktop and phone show the HTML, the latter 375 pixels wide; text, headers and source have views of their own."""
    await receive(box, text="Plain words", html="<form>No client sends it</form>")
    page = await browser.open()
    await page.goto(address(box, "#1"))
    for view, width in (("Phone", 375), ("Desktop", 800)):
        await page.click(view)
        assert await page.evaluate("document.activeElement.textContent") == view
        assert abs(await page.evaluate("document.getElementById('html').offsetWidth") - width) < 100
    await page.click("Text")
    assert await page.read("#plain") == ["Plain words\n"]
    await page.click("Headers")
    assert "Grüner Laden <no-reply@shop.example>" in await page.read("#headers dd")
    await page.click("Source")
    assert "=?utf-8?" in (await page.read("#plain"))[0]
    assert "forms: dropped by" in (await page.read("#check"))[0]


async def test_a_phone_has_the_list_or_the_mail(browser: Browser, box: Mailbox):
    """At 375 pixels nothing is wider than the screen, and a mail takes the place of the list until one goes back."""
    await receive(
        box, subject="A subject of " + "many " * 12 + "words", text=f"012 345\n{LINK + 'x' * 300}\n", html="<p>Hi</p>"
    )
    page = await browser.open(viewport=PHONE)
    await page.goto(address(box))
    await until(lambda: page.read("#mails a"))
    for open_it in (False, True):
        if open_it:
            await page.evaluate("document.querySelector('#mails a').click()")
            await until(lambda: page.evaluate("!document.getElementById('letter').hidden"))
        assert await page.evaluate("document.documentElement.scrollWidth") <= PHONE["width"]
        assert await page.evaluate("document.querySelector('nav').offsetHeight > 0") is not open_it
    await page.click("Back to the list", role="link")
    await until(lambda: page.evaluate("document.querySelector('nav').offsetHeight > 0"))


async def test_nothing_is_deleted_unasked(browser: Browser, box: Mailbox):
    """The browser asks before all mails go; a no keeps them."""
    await receive(box)
    page = await browser.open()
    await page.goto(address(box))
    await until(lambda: page.read("#mails a"))
    for answer, left in (("false", 1), ("true", 0)):
        await page.evaluate(f"window.confirm = (text) => {{ window.asked = text; return {answer}; }}")
        await page.click("Delete all")
        await until(lambda left=left: len(box.find()) == left)
        assert await page.evaluate("window.asked") == "Delete all mails (1)? They can't be brought back."


async def test_unread_mails_are_told_from_read_ones(browser: Browser, box: Mailbox):
    """Opening a mail marks it as read; it can be marked as unread again, and all as read; words say it, too."""
    for subject in ("First", "Second"):
        await receive(box, subject=subject)
    page = await browser.open()
    await page.goto(address(box))
    await until(lambda: _says(page, "2 mails, 2 unread"))
    assert await page.evaluate("document.title") == "(2) Mailbox"
    await page.evaluate("document.querySelector('#mails a').click()")
    await until(lambda: _says(page, "2 mails, 1 unread"))
    assert await page.read("#mails a.unread strong") == ["First"]
    assert await page.read("#mails a.unread .unseen") == ["unread"]
    assert [box.marks.is_read(number) for number in (1, 2)] == [False, True]
    await page.click("Mark as unread")
    await until(lambda: _says(page, "2 mails, 2 unread"))
    assert await page.evaluate("document.getElementById('letter').hidden")
    assert not box.marks.is_read(2)
    await page.click("Mark all as read")
    await until(lambda: _says(page, "2 mails"))
    assert [box.marks.is_read(number) for number in (1, 2)] == [True, True]
    assert await page.evaluate("document.getElementById('all-read').hidden")
    assert await page.faults() == []


async def _says(page: Page, state: str) -> bool:
    return await page.read("#state") == [state]
