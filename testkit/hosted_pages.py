"""A visitor of our pages, whose browser runs no scripts."""

from typing import Any

from testkit.api import Api, cookie_of
from testkit.forms import Page

OWN = "http://localhost:8080"


async def open_link(api: Api, address: str, *, method: str = "GET", query: Any = None, **headers: str) -> Any:
    """Open a mailed link: the redirect is followed, with the cookie that came with it.

    As a browser does it, the project is in the address alone.
    """
    sent = {"X-Appwrite-Project": None, **headers}
    answer = await api.call(method, address, params=query, headers=sent, allow_redirects=False)
    if answer.status != 303:
        return answer
    cookies = "; ".join(filter(None, (headers.get("Cookie"), cookie_of(answer))))
    return await api.call(method, answer.headers["Location"], headers=sent | {"Cookie": cookies})


async def press(api: Api, page: Page, *, origin: str = OWN, typed: dict[str, str] | None = None, **headers: str) -> Any:
    """Press the button of a page, with what was typed into its fields."""
    sent = {"X-Appwrite-Project": None, "Origin": origin, **headers}
    fields = page.fields | (typed or {})
    return await api.call("POST", page.form, data=fields, headers=sent, allow_redirects=False)


async def follow_link(api: Api, address: str, **typed: str) -> Any:
    """Open a mailed link of ours and press its page's button; a link that can't be used has none."""
    asked = await open_link(api, address)
    if asked.status != 200:
        return asked
    return await press(api, Page(asked.data), typed=typed)
