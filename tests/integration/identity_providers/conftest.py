"""A provider on this machine, and the client that the API process has."""

import secrets
from collections.abc import AsyncIterator
from dataclasses import dataclass, field

import pytest

from service.crypto.secret import Secret
from service.identity_providers import pkce
from service.identity_providers.client import IdentityProviders
from service.identity_providers.outbound import Outbound
from service.identity_providers.provider import Provider, ProviderIdentity, ProviderTokens
from testkit.identity_provider import IdentityProvider

# The time for the provider and for us, in seconds since 1970.
NOW = 1_800_000_000
CALLBACK = "https://accounts.example.com/v1/account/sessions/oauth2/callback/oidc/shop"


@dataclass
class Clock:
    """Seconds by which documents age."""

    seconds: float = 1000.0

    def __call__(self) -> float:
        return self.seconds


@dataclass
class Flow:
    """A sign-in as the routes do it."""

    server: IdentityProvider
    client: IdentityProviders
    clock: Clock
    verifier: Secret = field(default_factory=lambda: Secret(secrets.token_urlsafe(32)))

    async def start(self, provider: Provider, **changes: object) -> str:
        facts = {
            "redirect_uri": CALLBACK, "state": "state-1", "nonce": "nonce-1",
            "code_challenge": pkce.challenge(self.verifier),
        }  # fmt: skip
        return await self.client.authorization_url(provider, **facts | changes)

    async def tokens(self, provider: Provider) -> ProviderTokens:
        back = await self.server.sign_in(await self.start(provider))
        return await self.client.exchange_code(
            provider, code=Secret(back["code"]), verifier=self.verifier, redirect_uri=CALLBACK
        )

    async def identity(self, provider: Provider, user_json: str = "") -> ProviderIdentity:
        tokens = await self.tokens(provider)
        return await self.client.fetch_identity(provider, tokens, nonce="nonce-1", user_json=user_json)


@pytest.fixture
async def flow() -> AsyncIterator[Flow]:
    """A provider as the standard has it, and a client whose patience is short."""
    async with IdentityProvider(now=lambda: NOW) as server:
        clock = Clock()
        client = IdentityProviders(now=lambda: NOW, clock=clock, outbound=Outbound(patience=30))
        try:
            yield Flow(server, client, clock)
        finally:
            await client.close()
