"""Signing in to the example app by the provider of `./dev run`, in a real browser."""

from collections.abc import AsyncIterator
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from redis.asyncio import Redis

from devstack.identity_provider import Client, open_identity_provider
from devstack.servers import free_port
from service.crypto.secret import Secret
from service.db import Pool
from service.settings import Settings
from service.store import projects, providers
from service.store.projects import Project
from testkit.accessibility import violations
from testkit.browser import PHONE, Browser, Page
from testkit.example_app import ANN, Demo, confirm_address, open_demo, sign_up

pytestmark = pytest.mark.unlimited
NAME = "oidc-demo"
PART = "#identities li span"


@pytest.fixture
async def issuer(settings: Settings, project: Project, pool: Pool) -> str:
    """Register the provider for the project, as `./dev run` does; returns its address."""
    issuer = f"http://localhost:{free_port()}"
    await projects.change(pool, "shop", plain_http=True)
    facts = {"enabled": True, "client_id": "demo", "issuer": issuer, "trust_email": True}
    await providers.save(pool, "shop", NAME, **facts)
    await providers.set_secret(pool, settings.key_ring, "shop", NAME, secret=Secret("client secret"))
    return issuer


@pytest.fixture
async def provided(issuer: str, environment: dict[str, str], redis: Redis, tmp_path: Path) -> AsyncIterator[Demo]:
    """The example app with the provider."""
    async with open_demo(environment, heartbeat=tmp_path / "alive", provider=NAME) as demo:
        client = Client("demo", "client secret", f"{demo.api}/v1/account/sessions/oauth2/callback/{NAME}/shop")
        async with open_identity_provider(issuer=issuer, client=client, port=urlsplit(issuer).port or 0):
            yield demo


async def go_to_provider(page: Page, button: str) -> None:
    await page.click(button)
    await page.see("Sign in with the demo provider")


async def say_who(page: Page, email: str) -> None:
    await page.fill("E-mail address", email)
    await page.fill("Name", "Ann")
    await page.click("Continue")


async def test_sign_in_by_the_provider(provided: Demo, browser: Browser):
    """A new person signs in without a password, and sees where from; cancelling there signs nobody in."""
    page = await browser.open(viewport=PHONE)
    await page.goto(provided.app)
    await go_to_provider(page, "Sign in with the demo provider")
    assert await violations(page) == []
    assert await page.evaluate("document.documentElement.scrollWidth <= innerWidth")
    await page.click("Cancel")
    await page.see_text("The provider did not sign you in.")
    await go_to_provider(page, "Sign in with the demo provider")
    await say_who(page, ANN)
    await page.see("Other ways to sign in")
    assert await page.read_filled("[data-fact]") == ["Ann", ANN, "–", "yes"]
    [item] = await page.read(PART)
    assert item.startswith(f"{ANN} at {NAME}, since ")
    assert await violations(page) == []
    assert await page.faults() == []


async def test_link_and_unlink(provided: Demo, browser: Browser):
    """A person links an identity to the account, signs in by it from then on, and unlinks it."""
    page = await browser.open()
    await sign_up(page, provided, "correct horse")
    page = await confirm_address(page, provided)
    await go_to_provider(page, "Link the demo provider")
    await say_who(page, "ann@work.example")
    await page.see("Unlink ann@work.example at oidc-demo", role="button")
    await page.click("Sign out")
    await page.see_text("You are signed out.")
    await go_to_provider(page, "Sign in with the demo provider")
    await say_who(page, "ann@work.example")
    await page.see_text(ANN)
    await page.click("Unlink ann@work.example at oidc-demo")
    await page.see_text("The identity is unlinked.")
    await page.see_text(ANN)
    assert await page.read(PART) == []
    assert await page.faults() == []
