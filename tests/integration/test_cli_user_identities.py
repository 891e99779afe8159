"""`python -m service users identities …`, and the schemes of a project's apps."""

import pytest

from service.cli.exit_codes import MISSING, WRONG
from service.db import Pool
from service.store import identities, projects, users
from service.store.identities import Identity, Subject
from tests.integration.conftest import Terminal


@pytest.fixture
async def identity(pool: Pool, project: projects.Project) -> Identity:
    """Ann's account at a provider, which is her only way in."""
    ann = await users.create(pool, project.id, user_id="ann", email=None, name="", password_hash=None)
    subject = Subject("oidc", "https://id.example.com", "user-1")
    made = await identities.create(pool, ann, subject, email="ann@example.com", email_verified=True)
    assert made
    return made


async def test_identities_are_listed(type_: Terminal, pool: Pool, identity: Identity):
    """Those of the project, or of one user; without any token."""
    (row,) = await type_.json("users", "identities", "list", "shop")
    assert (row["id"], row["user_id"], row["provider"], row["subject"]) == (identity.id, "ann", "oidc", "user-1")
    assert row.keys().isdisjoint({"sealed", "kid"})
    assert len(await type_.json("users", "identities", "list", "shop", "--user", "ann")) == 1
    await users.create(pool, "shop", user_id="bob", email=None, name="", password_hash=None)
    assert await type_.json("users", "identities", "list", "shop", "--user", "bob") == []


async def test_an_identity_is_removed(type_: Terminal, identity: Identity):
    """Even the last way in; a second removal finds nothing."""
    words = ("users", "identities", "remove", "shop", identity.id, "--yes")
    assert await type_.json(*words) == {"removed": identity.id, "user": "ann"}
    code, _, err = await type_(*words)
    assert (code, "has no identity" in err) == (MISSING, True)


async def test_schemes_of_apps(type_: Terminal, project: projects.Project):
    """In small letters, each once; an empty value takes them back."""
    shown = await type_.json("projects", "set", "shop", "--redirect-schemes", "com.example.shop, Shop-App,shop-app")
    assert shown["redirect_schemes"] == ["com.example.shop", "shop-app"]
    assert (await type_.json("projects", "set", "shop", "--redirect-schemes", ""))["redirect_schemes"] == []


@pytest.mark.parametrize("text", ["https", "javascript", "shop://", "1app", "a b", "intent", "exp"])
async def test_other_schemes_are_refused(type_: Terminal, project: projects.Project, text: str):
    """Exit code 2 for what a browser runs or opens by itself, and for what is none."""
    code, _, err = await type_("projects", "set", "shop", "--redirect-schemes", text)
    assert (code, "schemes of apps" in err) == (WRONG, True), err
