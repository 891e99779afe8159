"""`python -m service users targets …`."""

from service.cli.exit_codes import MISSING, WRONG
from service.db import Pool
from service.store import projects, targets, users
from service.store.targets import NewTarget
from tests.integration.conftest import Terminal

ANN = "ann@example.com"


async def test_a_lost_device(type_: Terminal, pool: Pool, project: projects.Project):
    """Its target is listed behind the account's own and removed; a second removal finds nothing."""
    ann = await users.create(pool, project.id, user_id="ann", email=ANN, name="", password_hash=None)
    await targets.create(pool, ann, NewTarget("phone", "push", "token", None, "Phone"))
    listed = await type_.json("users", "targets", "list", "shop", ANN)
    assert [(row["id"], row["identifier"]) for row in listed] == [("email-ann", ANN), ("phone", "token")]
    assert [row["id"] for row in (await type_.json("users", "show", "shop", ANN))["targets"]] == ["phone"]
    assert await type_.json("users", "targets", "remove", "shop", ANN, "phone", "--yes") == {"removed": "phone"}
    code, _, err = await type_("users", "targets", "remove", "shop", ANN, "phone", "--yes")
    assert (code, "no such target" in err) == (MISSING, True)
    code, _, err = await type_("users", "targets", "remove", "shop", ANN, "email-ann", "--yes")
    assert (code, "own address" in err) == (WRONG, True)
