"""The journey of crashes through second factors, phones, passkeys, providers and custom tokens."""

import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass

from service.crypto import totp
from service.crypto.key_derivation import KeyRing
from service.db import Pool
from service.store import projects
from testkit.api_keys import key
from testkit.client import Client
from testkit.crashes import Ground
from testkit.factor_client import FactorClient
from testkit.history import History
from testkit.identity_provider import IdentityProvider
from testkit.patience import PATIENCE
from testkit.phones import ANN
from testkit.sms_sink import SmsSink, allow

# Of the provider alone: nothing of it is a secret of ours, and its keys take a while to make.
_USER = {"sub": "user-1", "email": "ann@example.com", "email_verified": True}


async def factor_journey(client: FactorClient) -> None:
    """Every way to prove something but a password, each step repeated until it has a clear answer."""
    ann = await client.sign_up("ann")
    assert await client.sign_in(ann)
    assert await client.use_verification(ann, await client.verify(ann))
    await client.set_phone(ann, ANN)
    await client.verify_phone(ann)
    await client.sign_in_by_phone(ann)
    secret = await client.enrol(ann)
    await client.ask_for_factors(ann)
    codes = await client.recovery_codes(ann)
    await client.prove(ann, "phone")
    await client.prove(ann, "email")
    await client.prove(ann, "recoveryCode", codes[0])
    # The code of enrolment was the one before.
    await client.prove(ann, "totp", totp.code_at(secret, int(time.time()) // totp.STEP + 1))
    passkey = await client.add_passkey(ann, "key")
    await client.sign_in_by_passkey(ann, passkey)
    await client.sign_in_at_provider(ann)
    await client.sign_in_by_provider_token(ann)
    await client.remove_identity(ann)
    await client.sign_in_by_custom_token(ann)
    await client.recover_by_code(ann)


@dataclass
class FactorGround(Ground):
    """Ground with a webhook for SMS, a provider, and a server of the app."""

    webhook: SmsSink
    provider: IdentityProvider
    key: dict[str, str]

    def client(self, address: str) -> Client:
        return FactorClient(
            address, self.log, self.sink, PATIENCE, webhook=self.webhook, provider=self.provider, key=self.key
        )

    async def walk(self, client: Client) -> None:
        assert isinstance(client, FactorClient)
        await factor_journey(client)

    async def clear(self) -> None:
        await super().clear()
        self.webhook.taken.clear()
        self.webhook.received.clear()

    async def history(self, client: Client) -> History:
        history = await super().history(client)
        history.add_sms(self.webhook.taken)
        return history


@asynccontextmanager
async def factor_ground(ground: Ground, ring: KeyRing) -> AsyncIterator[FactorGround]:
    """Give the project `shop` all of it."""
    pool = Pool(ground.environment["DATABASE_URL"], size=2, name="test")
    async with SmsSink(ring) as webhook, IdentityProvider(user=dict(_USER)) as provider:
        await allow(pool, "+49")
        await projects.change(pool, "shop", passkeys=True, rp_id="shop.example")
        await provider.register(pool, ring, "shop")
        server = await key(pool, "users.read", "users.write", "sessions.write")
        await pool.close()
        words = ground.environment | {"SMS_URL": webhook.url}
        yield FactorGround(words, ground.folder, ground.sink, ground.connection, webhook, provider, server)
        assert webhook.faults == []
