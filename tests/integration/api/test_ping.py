"""`GET /v1/ping`: the first thing that an app calls."""

import pytest

from testkit.api import Api

PAGE = {"Origin": "http://localhost:3000"}


@pytest.mark.parametrize("modern", [False, True])
async def test_a_page_of_the_project_is_answered(api: Api, modern: bool):
    """Plain text, as today's SDKs know it, readable for a page of a listed host."""
    answer = await api.call("GET", "/v1/ping", modern=modern, headers=PAGE)
    assert (answer.status, answer.content_type, answer.data) == (200, "text/plain", "Pong!")
    assert answer.headers["Access-Control-Allow-Origin"] == PAGE["Origin"]


async def test_what_is_wrong_is_told(api: Api):
    """A project that does not exist and a page that is not listed are refused: that is what the call is for."""
    unknown = await api.call("GET", "/v1/ping", modern=True, headers={"X-Appwrite-Project": "no-such"})
    assert (unknown.status, unknown.data["type"]) == (404, "project_not_found")
    foreign = await api.call("GET", "/v1/ping", modern=True, headers={"Origin": "https://evil.test"})
    assert (foreign.status, foreign.data["type"]) == (403, "general_unknown_origin")
