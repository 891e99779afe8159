"""The page of `./dev run` that tries the API out."""

import re
from collections.abc import AsyncIterator

import aiohttp
import pytest

from devstack.try_it import open_try_it

API = "http://localhost:8080"


@pytest.fixture
async def page() -> AsyncIterator[str]:
    async with open_try_it(api=API, project="demo") as port:
        yield f"http://127.0.0.1:{port}"


async def fetch(address: str) -> tuple[int, str, str]:
    async with aiohttp.ClientSession() as client, client.get(address) as answer:
        return answer.status, await answer.text(), answer.headers.get("Content-Security-Policy", "")


async def test_all_that_it_loads_is_its_own(page: str):
    """The page names the API and the project, and nothing outside of this machine; it works without a network."""
    status, html, policy = await fetch(page + "/")
    assert status == 200
    assert f'data-api="{API}" data-project="demo"' in html
    loaded = re.findall(r'(?:src|href)="([^"]+)"', html)
    assert loaded == ["/swagger-ui.css", "/swagger-ui-bundle.js", "/try_it.js"]
    for path in loaded:
        assert (await fetch(page + path))[0] == 200, path
    assert f"connect-src {API};" in policy
    assert "script-src 'self';" in policy


async def test_other_files_are_not_served(page: str):
    """Only the files of the page are, whatever else the package holds."""
    for path in ("/oauth2-redirect.html", "/..%2fLICENSE", "/swagger-ui.js"):
        assert (await fetch(page + path))[0] == 404, path
