"""Encrypted secrets while keys are rotated: what `secret-keys` tells, and when a start is refused."""

import io
import json
from pathlib import Path

import pytest

from service.cli.exit_codes import UNWELL, WRONG
from service.crypto.secret import Secret
from service.db import Pool, transaction
from service.http.readiness import Readiness
from service.server import serve
from service.settings import InvalidSettings, Settings, WorkerSettings
from service.store import (
    authenticators,
    dkim_keys,
    identities,
    project_relays,
    projects,
    providers,
    sealed_rows,
    users,
    webhooks,
)
from service.store.identities import Subject
from tests.integration.conftest import Terminal
from worker.main import run_worker

URL = "smtp://accounts@relay.example.com:587"
OLD, NEW = "old:" + "6f1c9d2e8b3a4750" * 4, "new:" + "0a9b8c7d6e5f4321" * 4


@pytest.fixture
async def sealed(type_: Terminal, monkeypatch: pytest.MonkeyPatch) -> None:
    """The project shop, whose SMTP password was encrypted under the key `old`."""
    monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(b"s3cret\n")))
    monkeypatch.setenv("SECRET_KEYS", OLD)
    await type_("projects", "create", "shop")
    await type_("projects", "set", "shop", "--smtp-url", URL)


@pytest.fixture
def only(monkeypatch: pytest.MonkeyPatch, sealed: None):
    """Set SECRET_KEYS."""

    def set_keys(*keys: str) -> Settings:
        monkeypatch.setenv("SECRET_KEYS", ",".join(keys))
        return Settings.read()

    return set_keys


async def test_status_counts_rows_by_key(type_: Terminal, only):
    """Current, older, missing; a missing key is exit code 7."""
    row = {"purpose": "project relay", "key": "old", "rows": 1}
    only(OLD)
    assert await type_.json("secret-keys", "status") == [row | {"state": "current"}]
    only(NEW, OLD)
    assert await type_.json("secret-keys", "status") == [row | {"state": "older"}]
    only(NEW)
    code, out, _ = await type_("secret-keys", "status", "--json")
    assert (code, json.loads(out)) == (UNWELL, [row | {"state": "missing"}])


async def test_reseal_encrypts_under_the_first_key_once(type_: Terminal, pool: Pool, only):
    """The secret is the same; then the old key is not needed; what can't be opened is named."""
    settings = only(NEW, OLD)
    assert await type_.json("secret-keys", "reseal") == {"resealed": 1, "refused": []}
    assert await type_.json("secret-keys", "reseal") == {"resealed": 0, "refused": []}
    (row,) = await project_relays.list_all(pool)
    assert row.kid == "new"
    assert "s3cret" in project_relays.url_of(settings.key_ring, row).reveal()
    assert await sealed_rows.missing_keys(pool, only(NEW).key_ring) == ""
    only(OLD)
    code, out, _ = await type_("secret-keys", "reseal", "--json")
    assert (code, json.loads(out)["resealed"]) == (WRONG, 0)
    assert "the key new is not among SECRET_KEYS" in json.loads(out)["refused"][0]


async def test_a_row_that_cannot_be_opened_stops_no_other(type_: Terminal, pool: Pool, only):
    """Every other row is sealed anew, also those that come after it."""
    settings = only(NEW, OLD)
    for project_id in ("blog", "zoo"):
        await type_("projects", "create", project_id)
        await pool.execute(
            "insert into project_relays select $1, server, kid, sealed from project_relays where project_id = 'shop'",
            project_id,
        )
    done, refused = await sealed_rows.reseal(pool, settings.key_ring)
    assert (done, [each.place.project_id for each in refused]) == (1, ["blog", "zoo"])


async def test_the_api_does_not_start_without_a_key_that_rows_need(only):
    """The refusal names the key; a probe of a process that began before Postgres was there says the same."""
    settings = only(NEW)
    with pytest.raises(InvalidSettings, match="1 of project relay under old"):
        await serve(settings)
    readiness = Readiness(settings)
    assert "under old" in await readiness.check()
    await readiness.close()


@pytest.mark.usefixtures("only")
async def test_a_worker_does_not_start_without_a_key_that_rows_need(monkeypatch: pytest.MonkeyPatch, tmp_path: Path):
    """The refusal names the key."""
    monkeypatch.setenv("SECRET_KEYS", NEW)
    monkeypatch.setenv("WORKER_STATE", str(tmp_path))
    with pytest.raises(InvalidSettings, match="1 of project relay under old"):
        await run_worker(WorkerSettings.read())


async def test_each_table_with_sealed_secrets_is_sealed_anew(pool: Pool, project: projects.Project):
    """A rotation finds every row that the schema can hold: the statements of sealed_rows.sql name each such table."""
    tables = {
        row[0]
        for row in await pool.fetch(
            "select table_name from information_schema.columns where column_name = 'sealed' and table_schema = 'public'"
        )
    }
    assert tables == {"authenticators", "dkim_keys", "identities", "project_relays", "providers", "webhook_secrets"}
    old, new = {"old": b"o" * 32}, {"new": b"n" * 32}
    user = await users.create(pool, project.id, user_id="ann", email=None, name="", password_hash=None)
    await project_relays.save(pool, old, project.id, server="relay.example.com:587", url=Secret(URL))
    await authenticators.create(pool, old, user, secret=Secret("GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ"))
    await providers.save(pool, project.id, "oidc", client_id="shop")
    await providers.set_secret(pool, old, project.id, "oidc", secret=Secret("client secret"))
    subject = Subject("oidc", "https://id.example.com", "1")
    identity = await identities.create(pool, user, subject, email="", email_verified=False)
    assert identity
    kept = identities.Tokens(Secret("access"), Secret("refresh"))
    await identities.save_tokens(pool, old, identity, kept, seconds=None)
    facts = {"selector": "s1", "domain": "shop.example"}
    dkim = await dkim_keys.create(pool, old, project.id, **facts, algorithm="ed25519")
    async with transaction(pool, project.id) as tx:
        await webhooks.create(tx, old, project.id, "crm", url="https://example.com/", types=[])
    assert {(found.purpose, found.kid, found.rows) for found in await sealed_rows.count(pool)} == {
        (purpose, "old", 1) for purpose in ("dkim", "project relay", "provider", "provider tokens", "totp", "webhook")
    }
    assert await sealed_rows.reseal(pool, new | old) == (6, [])
    for table in tables:
        assert [row[0] for row in await pool.fetch(f"select kid from {table}")] == ["new"], table
    assert await sealed_rows.reseal(pool, new) == (0, [])
    (resealed,) = await dkim_keys.list_all(pool, project.id)
    assert dkim_keys.private_key(new, resealed) == dkim_keys.private_key(old, dkim)
    found = await authenticators.find(pool, user)
    assert found
    assert authenticators.secret_of(new, found).reveal().startswith("GEZD")
