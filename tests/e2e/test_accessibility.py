"""Pages in a real browser, checked by axe-core: nothing serious on any."""

from email.message import EmailMessage

from devstack.mailbox import open_mailbox
from testkit import gallery
from testkit.accessibility import violations, violations_of, violations_without_scripts
from testkit.browser import DESKTOP, PHONE, Browser
from testkit.page_gallery import STATES, hosted_pages


async def test_hosted_pages(browser: Browser):
    """A page opens for everybody: with a screen reader, a keyboard, or colours of their own."""
    for page in hosted_pages(languages=["en", "ar"]):
        if page.language == "ar" and page.state != "usual":
            continue  # right to left changes the layout, and states add the same to it in each language
        assert await violations_of(browser, html=page.html) == [], page.path


async def test_hosted_pages_without_scripts(browser: Browser):
    """Pages are for everybody without scripts, too: what only a script could do is not offered."""
    for page in hosted_pages(languages=["en"]):
        if "<script" in page.html:  # the others are the same with scripts
            assert await violations_without_scripts(browser, html=page.html) == [], page.path


def mail_with(html: str) -> bytes:
    mail = EmailMessage()
    mail["From"], mail["To"], mail["Subject"] = "Shop <no-reply@shop.example>", "ann@example.com", "Your code"
    mail.set_content("012345 is your code.\n\nhttps://shop.example/account?secret=abc\n")
    mail.add_alternative(html, subtype="html")
    return mail.as_bytes()


async def test_the_mailbox(browser: Browser):
    """The mailbox is for everybody too: without mails, as a list, and with a mail open in each of its views."""
    shown = next(iter(gallery.pages(languages=["en"], letters=["otp"])))
    async with open_mailbox() as box:
        address = f"http://localhost:{box.page_port}/"
        assert await violations_of(browser, address) == []
        await box.take(mail_with(shown.letter.html), sender="no-reply@shop.example", to=["ann@example.com"])
        page = await browser.open()
        await page.goto(address + "#1")
        for scheme, viewport in (("light", DESKTOP), ("dark", PHONE)):
            await page.adapt(scheme=scheme, viewport=viewport)
            for view in ("Desktop", "Phone", "Text", "Headers", "Source"):
                await page.click(view)
                assert await violations(page) == [], (scheme, view)
        assert await page.faults() == []


async def test_letters(browser: Browser):
    """A letter is a page like another to those who read it aloud, enlarge it or turn its colours round."""
    # The design is one for all; what the states add is the same in each letter.
    shown = [page for page in gallery.pages(languages=["en"]) if page.state == "full" or page.name == "new_device"]
    for page in shown:
        assert await violations_of(browser, html=page.letter.html) == [], page.path


async def test_a_dark_logo_is_seen_in_dark_mode(browser: Browser):
    """A logo keeps the light ground for which it was drawn, on pages and in letters; in light mode it has no plate."""
    letter = next(page for page in gallery.pages(languages=["en"], letters=["recovery"]) if page.state == "branded")
    hosted = next(page for page in hosted_pages(languages=["en"]) if page.state == "branded")
    page = await browser.open()
    for html in (letter.letter.html, hosted.html):
        await page.show(html)
        for scheme, ground in (("light", "rgba(0, 0, 0, 0)"), ("dark", "rgb(243, 244, 246)")):
            await page.adapt(scheme=scheme, viewport=PHONE)
            assert await page.evaluate("getComputedStyle(document.querySelector('img')).backgroundColor") == ground
            assert await page.evaluate("document.querySelector('img').naturalWidth") > 0


_OUTSIDE = """[...document.querySelectorAll('h1, p, a, li, label, input, button, td')].filter((each) => {
  const { left, right, width } = each.getBoundingClientRect();
  return width && (left < 0 || right > innerWidth || each.clientWidth && each.scrollWidth > each.clientWidth + 1);
}).map((each) => each.outerHTML)"""


async def test_nothing_is_cut_off_on_the_narrowest_phone(browser: Browser):
    """At 320 pixels (WCAG 1.4.10) letters and pages of each language fit: nobody scrolls sideways, no word is cut."""
    shown = {page.path: page.letter.html for page in gallery.pages() if page.state == "full"}
    for hosted in hosted_pages():
        if hosted.state == next(iter(STATES[hosted.name])):
            shown[hosted.path] = hosted.html
    page = await browser.open(viewport={"width": 320, "height": 600})
    for path, html in shown.items():
        await page.show(html)
        assert await page.evaluate(_OUTSIDE) == [], path
        assert await page.evaluate("document.documentElement.scrollWidth") <= 320, path
