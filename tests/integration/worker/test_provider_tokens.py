"""Tokens of providers at rest: sealed anew after a rotation of keys, and deleted once nobody is shown them."""

from collections.abc import Callable
from dataclasses import replace

import pytest

from service.crypto.key_derivation import KeyRing
from service.crypto.sealing import CannotUnseal
from service.crypto.secret import Secret
from service.db import Pool
from service.settings import Settings
from service.store import identities, projects, sealed_rows, users
from service.store.identities import Identity, Subject, Tokens
from service.store.users import User
from worker.delivery import Delivery
from worker.dispatcher import Dispatcher
from worker.poller import OutboxPoller
from worker.security_log import SecurityLogWriter

ACCESS, REFRESH = "access token of ann", "refresh token of ann"


def poller(pool: Pool, delivery: Delivery) -> OutboxPoller:
    return OutboxPoller(pool, delivery, SecurityLogWriter(pool), 12, 30, Dispatcher(delivery), 30)


async def linked(pool: Pool, ring: KeyRing, user: User) -> Identity:
    """Give a user an identity with tokens."""
    made = await identities.create(
        pool, user, Subject("oidc", "https://id.example.com", user.id), email="", email_verified=False
    )
    assert made
    kept = await identities.save_tokens(pool, ring, made, Tokens(Secret(ACCESS), Secret(REFRESH)), seconds=3600)
    assert kept
    return kept


async def found(pool: Pool, user: User, identity: Identity) -> Identity:
    again = await identities.find(pool, user, identity_id=identity.id)
    assert again
    return again


def revealed(ring: KeyRing, identity: Identity) -> tuple[str, str]:
    tokens = identities.tokens_of(ring, identity)
    assert tokens
    assert tokens.refresh
    return tokens.access.reveal(), tokens.refresh.reveal()


@pytest.fixture
def rotated(settings: Settings) -> KeyRing:
    """SECRET_KEYS once an operator has put a new key before the old one."""
    return {"next": bytes(range(32)), **settings.key_ring}


async def test_a_rotation_keeps_provider_tokens(
    pool: Pool, a_worker: Callable[..., Delivery], ann: User, settings: Settings, rotated: KeyRing
):
    """Under the new key the worker's row has the same tokens, so the old key is not needed any more."""
    kept = await linked(pool, settings.key_ring, ann)
    assert await sealed_rows.missing_keys(pool, {"next": rotated["next"]}) != ""
    await poller(pool, replace(a_worker(), ring=rotated)).reseal()
    resealed = await found(pool, ann, kept)
    alone = {"next": rotated["next"]}
    assert resealed.kid == "next"
    assert await sealed_rows.missing_keys(pool, alone) == ""
    assert revealed(alone, resealed) == (ACCESS, REFRESH)
    assert resealed.access_until == kept.access_until
    with pytest.raises(CannotUnseal):
        identities.tokens_of(settings.key_ring, resealed)


async def test_a_rotation_takes_no_newer_tokens_back(pool: Pool, ann: User, settings: Settings, rotated: KeyRing):
    """Tokens that a refresh has brought while the worker sealed the former ones stay."""
    kept = await linked(pool, settings.key_ring, ann)
    (row,) = [row async for row in sealed_rows._older(pool, "next")]
    newer = Tokens(Secret("newer"), Secret("newest"))
    await identities.save_tokens(pool, settings.key_ring, kept, newer, seconds=None)
    assert await sealed_rows._reseal(pool, rotated, row) == 0
    assert revealed(settings.key_ring, await found(pool, ann, kept)) == ("newer", "newest")


async def test_tokens_that_nobody_is_shown_are_deleted(
    pool: Pool, a_worker: Callable[..., Delivery], ann: User, settings: Settings
):
    """A project that is switched off keeps no token, but all identities; another project's stay."""
    await projects.create(pool, "mall", name="Mall")
    bob = await users.create(pool, "mall", user_id="bob", email="bob@example.com", name="Bob", password_hash=None)
    mine, others = await linked(pool, settings.key_ring, ann), await linked(pool, settings.key_ring, bob)
    worker = poller(pool, a_worker())
    for project_id in ("shop", "mall"):
        await projects.change(pool, project_id, provider_tokens=True)
    await worker.purge()
    assert (await found(pool, ann, mine)).kid is not None
    await projects.change(pool, "shop", provider_tokens=False)
    await worker.purge()
    emptied = await found(pool, ann, mine)
    assert (emptied.kid, emptied.sealed, emptied.access_until) == (None, None, None)
    assert revealed(settings.key_ring, await found(pool, bob, others)) == (ACCESS, REFRESH)
