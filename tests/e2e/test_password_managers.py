"""Autofill of forms: password managers and phones learn which account, password or code a field is for.

The HTML standard has the words (https://html.spec.whatwg.org/multipage/form-control-infrastructure.html#autofill).
"""

from typing import Any

from devstack.example_app import open_example_app
from testkit.browser import Browser, Page
from testkit.page_gallery import hosted_pages

USERNAME, NEW_PASSWORD = ["email", "username"], ["password", "new-password"]
EMAIL, CODE = ["email", "email"], ["text", "one-time-code"]
# The fields of each page with a form: type and `autocomplete`, in the order in which they stand.
HOSTED = {
    "approval": [["text", "off"]],
    "code": [CODE],
    "disavowed": [USERNAME, NEW_PASSWORD],
    "recovery": [USERNAME, NEW_PASSWORD],
    "refusal": [EMAIL],
    "request": [EMAIL],
    "sign_up": [USERNAME, NEW_PASSWORD],
    "invitation": [USERNAME, NEW_PASSWORD],
}
EXAMPLE = {
    "/": [USERNAME, ["password", "current-password"]],
    "/sign-up": [["text", "name"], USERNAME, NEW_PASSWORD],
    "/recover": [USERNAME],
    "/reset?userId=ann&secret=0f&email=ann@example.com": [USERNAME, NEW_PASSWORD],
    "/code": [USERNAME],
    "/link": [USERNAME],
}
_FIELDS = (
    "[...document.forms[0]?.elements ?? []].filter((each) => each.matches('input:not([type=hidden], [type=checkbox])'))"
)


async def fields(page: Page) -> list[list[str]]:
    found: list[list[str]] = await page.evaluate(f"{_FIELDS}.map((each) => [each.type, each.autocomplete])")
    return found


async def account(page: Page) -> Any:
    """Return the account that the form says: its address, and whether it can be changed there."""
    return await page.evaluate(f"{_FIELDS}.map((each) => [each.value, each.readOnly])[0]")


async def test_hosted_pages(browser: Browser):
    """A form with a password names its account in a field before it that can't be changed; a code is one-time."""
    page = await browser.open(javascript=False)
    for shown in hosted_pages(languages=["en"]):
        await page.show(shown.html)
        if found := await fields(page):
            assert found == HOSTED[shown.name], shown.path
        if NEW_PASSWORD in found:
            assert await account(page) == ["ann@example.com", True], shown.path
            assert await page.evaluate(f"{_FIELDS}[1].maxLength") == -1, "nothing cuts a password"


async def test_the_example_app(browser: Browser):
    """Signing in takes the password that is there, signing up and resetting make a new one for the account shown."""
    async with open_example_app(endpoint="http://localhost:1/v1", project="shop") as port:
        page = await browser.open()
        for path, expected in EXAMPLE.items():
            await page.goto(f"http://localhost:{port}{path}")
            assert await fields(page) == expected, path
        await page.goto(f"http://localhost:{port}/reset?userId=ann&secret=0f&email=ann@example.com")
        assert await account(page) == ["ann@example.com", True]
