"""Pages for people who come without a link."""

import pytest

from testkit.api import Api
from testkit.forms import Page

BROWSER = {"Accept": "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8", "X-Appwrite-Project": None}


async def test_the_start_page_leads_to_the_documentation(api: Api):
    """The bare address says what this is, in the browser's language, and names no version."""
    answer = await api.call("GET", "/", headers=BROWSER | {"Accept-Language": "de"})
    page = Page(answer.data)
    assert (answer.status, answer.content_type, page.language) == (200, "text/html", "de")
    assert page.loads == ["/docs"]
    assert answer.headers["Content-Security-Policy"].startswith("default-src 'none'; ")


@pytest.mark.parametrize("path", ["/auth", "/auth/", "/auth/nothing", "/nothing", "/auth/recovery/old"])
async def test_people_are_told_of_a_missing_page(api: Api, path: str):
    """A browser gets a page; a program gets JSON there, and everybody gets it under /v1."""
    answer = await api.call("GET", f"{path}?project=shop", headers=BROWSER)
    assert (answer.status, Page(answer.data).heading) == (404, "There is no such page")
    for accept in ("*/*", "application/json"):
        answer = await api.call("GET", path, headers={"Accept": accept})
        assert (answer.status, answer.content_type) == (404, "application/json")


@pytest.mark.parametrize("path", ["/v1", "/v1/", "/v1/nothing", "/v1/account/nothing"])
async def test_the_api_answers_in_json(api: Api, path: str):
    """Programs that happen to accept HTML read no page."""
    answer = await api.call("GET", path, headers=BROWSER)
    assert (answer.status, answer.content_type) == (404, "application/json")


async def test_a_method_that_a_page_has_not(api: Api):
    """405 is a page too where a person may see it, with what is allowed."""
    answer = await api.call("POST", "/", headers=BROWSER)
    assert (answer.status, answer.content_type, answer.headers["Allow"]) == (405, "text/html", "GET, HEAD")
