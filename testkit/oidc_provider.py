"""npm's oidc-provider as a process of its own, and a person who goes through its pages."""

import html
import json
import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any
from urllib.parse import urljoin

from aiohttp import ClientSession, CookieJar

from testkit.drivers import FOLDER, PACKAGES, Unfit, driving, machine
from testkit.node import node

_ACTION = re.compile(r'<form[^>]* action="([^"]+)"')
_PROMPT = re.compile(r'name="prompt" value="(\w+)"')
_CANCEL = re.compile(r'<a href="([^"]+/abort)"')
# Sign-in, consent, and the redirects between them are eight steps.
_STEPS = 20


@asynccontextmanager
async def oidc_provider(issuer: str, clients: list[dict[str, Any]]) -> AsyncIterator[None]:
    """Serve the provider at its issuer until the block ends. Raises Unfit where Node or the package is missing."""
    if not node() or not (PACKAGES / "oidc-provider").exists():
        raise Unfit("Node 20 or oidc-provider is not installed; ./dev test installs them")
    setup = json.dumps({"issuer": issuer, "clients": clients})
    async with driving([node(), str(FOLDER / "oidc.mjs"), setup], machine(), announced=True):
        yield


@dataclass
class Person:
    """A person with a browser of their own, without scripts; `login` is who they are at the provider."""

    browser: ClientSession
    login: str

    async def go(self, address: str, *, until: str, cancels: bool = False) -> str:
        """Follow redirects and fill forms in, until an address begins with `until`; return it, not opened."""
        form: dict[str, str] = {}
        for _ in range(_STEPS):
            if address.startswith(until):
                return address
            method, facts = ("POST", {"data": form}) if form else ("GET", {})
            async with self.browser.request(method, address, allow_redirects=False, **facts) as answer:
                text, here = await answer.text(), str(answer.url)
                moved = answer.headers.get("Location")
                assert moved or answer.status == 200, (here, answer.status, text)
            if moved:
                address, form = urljoin(here, moved), {}
            elif cancels:
                address, form = urljoin(here, _first(_CANCEL, text)), {}
            else:
                address = urljoin(here, _first(_ACTION, text))
                form = {"prompt": _first(_PROMPT, text), "login": self.login, "password": "any"}
        raise AssertionError(f"after {_STEPS} steps: {address}")

    async def call(self, method: str, address: str, **body: Any) -> tuple[int, Any]:
        """Call the API as a page of the shop does; return status and JSON."""
        headers = {
            "Accept": "application/json",
            "Origin": "http://localhost",
            "X-Appwrite-Project": "shop",
            "X-Appwrite-Response-Format": "1.9.5",
        }
        async with self.browser.request(method, address, headers=headers, **({"json": body} if body else {})) as answer:
            return answer.status, await answer.json()


def _first(pattern: re.Pattern[str], text: str) -> str:
    found = pattern.search(text)
    assert found, text
    return html.unescape(found[1])


@asynccontextmanager
async def person(login: str) -> AsyncIterator[Person]:
    """Open a browser for a person; it ends with the block."""
    # The provider is at an address without a name, whose cookies count too.
    async with ClientSession(headers={"Accept": "text/html"}, cookie_jar=CookieJar(unsafe=True)) as browser:
        yield Person(browser, login)
