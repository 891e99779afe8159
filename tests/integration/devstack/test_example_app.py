"""The server of the example app."""

from collections.abc import AsyncIterator

import pytest
from aiohttp import ClientSession

from devstack.example_app import open_example_app


@pytest.fixture
async def site() -> AsyncIterator[ClientSession]:
    settings = {"endpoint": "http://localhost:8080/v1", "project": "demo", "mailbox": "http://localhost:8025"}
    async with open_example_app(**settings) as port, ClientSession(f"http://127.0.0.1:{port}") as session:
        yield session


async def test_one_page_at_each_address(site: ClientSession):
    """Each address of a template is the page, so that a mailed link and a reload work."""
    home = await (await site.get("/")).text()
    paths = (
        "/sign-up", "/recover", "/reset?userId=a&secret=b", "/code", "/phone", "/link", "/magic", "/verify", "/account",
        "/challenge", "/second-factors", "/passkeys",
    )  # fmt: skip
    for path in paths:
        answer = await site.get(path)
        assert (answer.status, await answer.text()) == (200, home), path
    assert (await site.get("/elsewhere")).status == 404


async def test_files_and_settings(site: ClientSession):
    """All that the page loads is there, and nothing else; the address of the service comes with the start."""
    scripts = (
        "app", "account", "errors", "page", "passkeys", "providers", "qr", "second_factors", "vendor/appwrite-28.0.0",
        "vendor/lean-qr-2.7.4",
    )  # fmt: skip
    for path in ("/style.css", *(f"/{name}.js" for name in scripts)):
        assert (await site.get(path)).status == 200, path
    assert await (await site.get("/config.js")).text() == (
        'export const ENDPOINT = "http://localhost:8080/v1";\n'
        'export const PROJECT = "demo";\n'
        'export const MAILBOX = "http://localhost:8025";\n'
        'export const PROVIDER = "";\n'
    )
    for path in ("/server.py", "/vendor/LICENSE.appwrite", "/vendor/../server.py", "/%2e%2e/server.py"):
        assert (await site.get(path)).status == 404, path


async def test_the_page_talks_to_the_service_alone(site: ClientSession):
    """Its policy lets it load its own files and ask the service, and nothing else; its address is told to nobody."""
    answer = await site.get("/reset?userId=a&secret=b")
    assert answer.headers["Content-Security-Policy"] == (
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src data:; connect-src http://localhost:8080; "
        "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
    )
    assert answer.headers["Referrer-Policy"] == "strict-origin"
    assert answer.headers["Cache-Control"] == "no-store"
