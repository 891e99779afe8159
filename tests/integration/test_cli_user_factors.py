"""`python -m service users mfa …`: the way out for a user who has lost a second factor."""

import pytest

from service.cli.exit_codes import MISSING, WRONG
from service.crypto import totp
from service.db import Pool
from service.settings import Settings
from service.store import authenticators, projects, recovery_codes, user_mfa, users
from service.store.users import User
from tests.integration.conftest import Terminal

ANN = "ann@example.com"


@pytest.fixture
async def ann(pool: Pool, project: projects.Project, settings: Settings) -> User:
    """Ann, with an authenticator app and mfa on."""
    made = await users.create(pool, project.id, user_id="ann", email=ANN, name="", password_hash=None)
    await authenticators.create(pool, settings.key_ring, made, secret=totp.new_secret())
    found = await authenticators.find(pool, made)
    assert found
    await authenticators.verify(pool, found, step=0)
    return await user_mfa.change(pool, made, mfa=True)


async def test_what_a_user_can_prove(type_: Terminal, ann: User):
    """The switch and each factor."""
    assert await type_.json("users", "mfa", "show", "shop", ANN) == {
        "mfa": True, "totp": True, "phone": False, "email": False, "recovery_code": False, "custom": False,
    }  # fmt: skip


async def test_a_lost_phone(type_: Terminal, pool: Pool, ann: User):
    """The app goes, mfa is switched off, codes are made; a second removal finds nothing."""
    assert await type_.json("users", "mfa", "remove-authenticator", "shop", "ann", "--yes") == {"removed": "ann"}
    assert not await authenticators.is_verified(pool, ann)
    code, _, err = await type_("users", "mfa", "remove-authenticator", "shop", "ann", "--yes")
    assert (code, "no such authenticator" in err) == (MISSING, True)
    assert await type_.json("users", "mfa", "set", "shop", ANN, "off") == {"user": "ann", "mfa": False}
    made = (await type_.json("users", "mfa", "recovery-codes", "shop", ANN, "--yes"))["recovery_codes"]
    assert len(set(made)) == 10
    assert await recovery_codes.count(pool, ann) == 10


@pytest.mark.parametrize(
    ("text", "kept"),
    [("totp", ["totp"]), ("email, TOTP", ["totp", "email"]), ("none", []), ("recoveryCode", []),
     ("custom,recoverycode,phone", ["phone", "custom"])],
)  # fmt: skip
async def test_the_factors_of_a_project(type_: Terminal, project: projects.Project, text: str, kept: list[str]):
    """In one order, each once; recovery codes need no mention."""
    assert (await type_.json("projects", "set", "shop", "--mfa-factors", text))["mfa_factors"] == kept


@pytest.mark.parametrize("text", ["sms", "", "none,totp", "totp;email"])
async def test_other_factors_are_refused(type_: Terminal, project: projects.Project, text: str):
    """2, with the factors that there are."""
    code, _, err = await type_("projects", "set", "shop", "--mfa-factors", text)
    assert (code, "totp, email, phone, custom" in err) == (WRONG, True), err
