"""`python -m service users passkeys …` and the settings of a project for passkeys."""

import pytest

from service.cli.exit_codes import MISSING, WRONG
from service.crypto.passkey_ceremonies import NewCredential
from service.db import Pool
from service.store import passkeys, projects, users
from service.store.users import User
from tests.integration.conftest import Terminal

ANN = "ann@example.com"


@pytest.fixture
async def ann(pool: Pool, project: projects.Project) -> User:
    """Ann, with a passkey."""
    made = await users.create(pool, project.id, user_id="ann", email=ANN, name="", password_hash=None)
    credential = NewCredential(
        id=b"credential", public_key=b"key", algorithm=-7, backup_eligible=False, backed_up=False, sign_count=0,
        transports=[], aaguid="",
    )  # fmt: skip
    assert await passkeys.create(pool, made, passkey_id="phone", name="Phone", credential=credential)
    return made


async def test_a_lost_device(type_: Terminal, pool: Pool, ann: User):
    """Its passkey is listed and removed; a second removal finds nothing."""
    listed = await type_.json("users", "passkeys", "list", "shop", ANN)
    assert [(row["id"], row["name"], row["accessed_at"]) for row in listed] == [("phone", "Phone", None)]
    assert await type_.json("users", "passkeys", "remove", "shop", ANN, "phone", "--yes") == {"removed": "phone"}
    assert await passkeys.list_all(pool, ann) == []
    code, _, err = await type_("users", "passkeys", "remove", "shop", ANN, "phone", "--yes")
    assert (code, "no such passkey" in err) == (MISSING, True)


async def test_passkeys_need_a_host(type_: Terminal, project: projects.Project):
    """On and off; without a host they can't be on."""
    code, _, err = await type_("projects", "set", "shop", "--passkeys", "on")
    assert (code, "needs --rp-id" in err) == (WRONG, True)
    shown = await type_.json("projects", "set", "shop", "--passkeys", "on", "--rp-id", "Example.com")
    assert (shown["passkeys"], shown["rp_id"]) == (True, "example.com")
    code, _, err = await type_("projects", "set", "shop", "--rp-id", "")
    assert (code, "needs --rp-id" in err) == (WRONG, True)
    for host in ("co.uk", "192.0.2.1", "https://example.com"):
        assert (await type_("projects", "set", "shop", "--rp-id", host))[0] == WRONG
    assert (await type_.json("projects", "set", "shop", "--passkeys", "off", "--rp-id", ""))["rp_id"] == ""


async def test_the_host_of_passkeys_stays(type_: Terminal, pool: Pool, ann: User):
    """As long as there are some, for they work nowhere else; the same host again is no change."""
    await projects.change(pool, "shop", rp_id="example.com")
    code, _, err = await type_("projects", "set", "shop", "--rp-id", "example.org")
    assert (code, "passkeys made for example.com" in err) == (WRONG, True)
    assert (await type_.json("projects", "set", "shop", "--rp-id", "example.com"))["rp_id"] == "example.com"
    assert await passkeys.remove(pool, ann, passkey_id="phone")
    assert (await type_.json("projects", "set", "shop", "--rp-id", "example.org"))["rp_id"] == "example.org"


async def test_an_app_on_android(type_: Terminal, project: projects.Project):
    """Listed by the hash of its certificate, whose capitals count."""
    app = "android:apk-key-hash:" + "Aa_-" * 10 + "xyz"
    assert (await type_.json("platforms", "add", "shop", app, "--kind", "app"))["apps"] == [app]
    assert (await type_.json("platforms", "remove", "shop", app, "--kind", "app"))["apps"] == []
    assert (await type_("platforms", "add", "shop", "android:apk-key-hash:short", "--kind", "app"))[0] == WRONG
