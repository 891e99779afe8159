"""Encrypted secrets whose key is gone, or that stand in another row: nothing opens, and nothing breaks."""

from typing import Any

import pytest

from service.crypto.sealing import CannotUnseal
from service.db import Pool
from service.http.middleware import SERVICES
from service.settings import Settings
from service.store import authenticators, project_relays, projects, users
from testkit.api import Api, kind
from testkit.factors import signed_in, verified
from testkit.visitor import HOME, Visitor, change_project


async def refresh(visitor: Visitor) -> Any:
    return await visitor.call("PATCH", "/v1/account/sessions/current")


async def test_without_its_key_a_client_secret_signs_nobody_in(
    visitor: Visitor, api: Api, pool: Pool, caplog: pytest.LogCaptureFixture
):
    """The provider counts as switched off: a clear refusal each time, and who is signed in stays so."""
    assert (await visitor.sign_in()).headers["Location"] == HOME
    callback = await Visitor(api, visitor.provider).go()
    await pool.execute("update providers set kid = 'gone'")
    api.client.app[SERVICES].providers._seen.clear()
    for _ in range(2):
        answer = await visitor.call("GET", "/v1/account/tokens/oauth2/oidc?project=shop")
        assert kind(answer) == (412, "project_provider_disabled")
    assert (await Visitor(api, visitor.provider).come_back(callback)).status == 400
    assert (await visitor.account())["email"] == "ann@example.com"
    told = [record for record in caplog.records if getattr(record, "event", "") == "provider.cannot_unseal"]
    assert told
    assert "the key gone is not among SECRET_KEYS" in told[0].cause


async def test_without_its_key_a_providers_token_is_not_shown(visitor: Visitor, api: Api, pool: Pool):
    """The session lives on without the provider's tokens, which cannot be renewed."""
    await change_project(api, provider_tokens=True)
    assert (await visitor.sign_in()).headers["Location"] == HOME
    assert (await refresh(visitor)).data["providerAccessToken"]
    await pool.execute("update identities set kid = 'gone'")
    answer = await refresh(visitor)
    assert (answer.status, answer.data["providerAccessToken"], answer.data["providerRefreshToken"]) == (200, "", "")
    listed = await visitor.call("GET", "/v1/account/identities")
    assert listed.status == 200
    assert listed.data["identities"][0]["providerAccessToken"] == ""


async def test_tokens_of_another_user_do_not_open(visitor: Visitor, api: Api, pool: Pool):
    """Whoever can write to Postgres shows nobody the tokens of somebody else."""
    await change_project(api, provider_tokens=True)
    assert (await visitor.sign_in()).headers["Location"] == HOME
    bob = Visitor(api, visitor.provider)
    visitor.provider.user = {"sub": "user-2", "email": "bob@example.com", "email_verified": True}
    assert (await bob.sign_in()).headers["Location"] == HOME
    await pool.execute(
        "update identities a set sealed = b.sealed, kid = b.kid from identities b where a.subject <> b.subject"
    )
    for each in (visitor, bob):
        (shown,) = (await each.call("GET", "/v1/account/identities")).data["identities"]
        assert (shown["providerAccessToken"], shown["providerRefreshToken"]) == ("", "")


async def test_an_app_moved_to_another_project_or_purpose_does_not_open(api: Api, pool: Pool, settings: Settings):
    """A user of the same id in another project gets no factor by it; sealed for a relay, the same secret is none."""
    ann = await verified(api, pool)
    app = await ann.enrol()
    user_id = (await ann.call("GET", "/v1/account")).data["$id"]
    await projects.create(pool, "blog", name="Blog")
    user = await users.create(pool, "blog", user_id=user_id, email=None, name="", password_hash=None)
    await pool.execute("update authenticators set project_id = 'blog'")
    found = await authenticators.find(pool, user)
    assert found
    with pytest.raises(CannotUnseal):
        authenticators.secret_of(settings.key_ring, found)
    await project_relays.save(pool, settings.key_ring, "shop", server="r:587", url=app.secret)
    await pool.execute(
        "update authenticators set project_id = 'shop', sealed = r.sealed from (select sealed from project_relays) r"
    )
    assert kind(await (await signed_in(api, pool)).prove("totp", await app.unused())) == (401, "user_invalid_token")
