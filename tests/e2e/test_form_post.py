"""Apple's way back in a real browser: a page of another site sends it by POST, without our cookies."""

import json
from collections.abc import AsyncIterator
from urllib.parse import urlencode

import pytest
from aiohttp import ClientSession, web
from aiohttp.test_utils import TestServer
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec

from service.db import Pool
from service.settings import Settings
from service.store.projects import Project
from testkit.browser import PHONE, Browser, Page
from testkit.identity_provider import IdentityProvider
from tests.e2e.conftest import Deployment

pytestmark = pytest.mark.unlimited


@pytest.fixture
async def apple(pool: Pool, settings: Settings, project: Project) -> AsyncIterator[IdentityProvider]:
    """A provider that answers by a form and knows its client by a private key. Its site, 127.0.0.1, is not ours."""
    key = ec.generate_private_key(ec.SECP256R1())
    pem = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    ).decode()
    async with IdentityProvider() as provider:
        provider.client_key = key.public_key()
        provider.user |= {"name": None}
        provider.form = {"user": json.dumps({"name": {"firstName": "Ann", "lastName": "Lee"}})}
        await provider.register(pool, settings.key_ring, project.id, "apple", secret=pem, team_id="TEAM", key_id="KEY")
        yield provider


@pytest.fixture
async def served(apple: IdentityProvider, deployment: Deployment) -> str:
    """The service, started once the provider is set up; its address."""
    return deployment.address.replace("127.0.0.1", "localhost")


async def account(page: Page, served: str) -> tuple[int, dict[str, str]]:
    """Open the account as whoever the browser is signed in as."""
    status = await page.goto(f"{served}/v1/account?project=shop")
    return status, json.loads((await page.read("body"))[0])


def start(served: str) -> str:
    return f"{served}/v1/account/sessions/oauth2/apple?{urlencode({'project': 'shop'})}"


def page_of(text: str) -> TestServer:
    """A site of somebody else's with one page."""

    async def page(_request: web.Request) -> web.Response:
        return web.Response(text=text, content_type="text/html")

    app = web.Application()
    app.add_routes([web.get("/", page)])
    return TestServer(app)


async def test_a_form_brings_a_browser_back(apple: IdentityProvider, served: str, browser: Browser, pool: Pool):
    """The cookie of the sign-in, which is SameSite=Lax, comes with the GET that our 303 makes of the POST."""
    page = await browser.open(viewport=PHONE)
    await page.goto(start(served))
    await page.see("You are signed in")
    assert await page.faults() == []
    status, found = await account(page, served)
    assert status == 200
    assert (found["email"], found["emailVerification"], found["name"]) == ("ann@example.com", True, "Ann Lee")
    assert [grant["grant_type"] for grant in apple.token_requests] == ["authorization_code"]
    assert (await pool.fetchrow("select count(*) from oauth_flows"))[0] == 0
    await page.goto(start(served))
    await page.see("You are signed in")
    assert (await account(page, served))[1]["$id"] == found["$id"]


async def test_a_form_in_another_browser_signs_nobody_in(
    apple: IdentityProvider, served: str, browser: Browser, pool: Pool
):
    """A form that an attacker has prepared signs its visitor in to nothing: there is no cookie of the start."""
    async with ClientSession() as attacker, attacker.get(start(served)) as answer:
        prepared = await answer.text()
    assert apple.calls[-1] == "/authorize"
    victim = await browser.open()
    async with page_of(prepared) as evil:
        await victim.goto(f"http://127.0.0.1:{evil.port}/")
        await victim.see("That did not work")
    assert (await account(victim, served))[0] == 401
    assert apple.token_requests == []
    assert (await pool.fetchrow("select count(*) from users"))[0] == 0
