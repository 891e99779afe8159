"""`python -m service test-accounts`."""

from service.cli.exit_codes import MISSING, WRONG
from service.crypto.secret import Secret
from service.db import Pool
from service.settings import Settings
from service.store import projects, test_accounts
from tests.integration.conftest import Terminal

ADDRESS = "review@example.org"


async def test_fixed_codes_are_made_listed_and_deleted(
    type_: Terminal, pool: Pool, settings: Settings, project: projects.Project
):
    """Only at the project's own domains for tests; the code is shown once, a new one replaces it, none is stored."""
    code, _, err = await type_("test-accounts", "create", "shop", ADDRESS)
    assert (code, "--test-domains" in err) == (WRONG, True)
    shown = await type_.json("projects", "set", "shop", "--test-domains", "example.org")
    assert shown["test_domains"] == ["example.org"]
    first = await type_.json("test-accounts", "create", "shop", "Review@EXAMPLE.org", "--days", "7")
    made = await type_.json("test-accounts", "create", "shop", ADDRESS)
    assert (first["email"], len(made["code"])) == (ADDRESS, 6)
    owners = [
        await test_accounts.use_code(pool, settings.key_ring, "shop", emails=[ADDRESS], code=Secret(each["code"]))
        for each in (first, made)
    ]
    assert owners == [{ADDRESS} if first["code"] == made["code"] else set(), {ADDRESS}]
    (listed,) = await type_.json("test-accounts", "list", "shop")
    assert (listed["email"], listed["uses"], listed["expired"]) == (ADDRESS, 1, False)
    assert "code_hash" not in listed
    assert (await type_("test-accounts", "create", "shop", ADDRESS, "--days", "366"))[0] == WRONG
    assert await type_.json("test-accounts", "delete", "shop", ADDRESS) == {"project": "shop", "deleted": ADDRESS}
    assert (await type_("test-accounts", "delete", "shop", ADDRESS))[0] == MISSING
    assert (await type_("test-accounts", "list", "none"))[0] == MISSING
