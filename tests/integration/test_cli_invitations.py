"""`python -m service invitations`."""

from service.cli.exit_codes import EXISTS, MISSING, WRONG
from service.db import Pool
from service.store import projects, users
from tests.integration.conftest import Terminal


async def test_invitations_are_made_listed_and_revoked(type_: Terminal, pool: Pool, project: projects.Project):
    """A code is shown once and kept as a hash; an address with an account is not invited."""
    made = await type_.json("invitations", "create", "shop", "--uses", "20", "--note", "Conference")
    assert (made["uses"], len(made["code"]), "not invitation" in made["warning"]) == (20, 29, True)
    await type_("projects", "set", "shop", "--sign-up", "invitation")
    terms = ("--days", "365", "--name", "Bob", "--locale", "de", "--url", "https://localhost/join")
    invited = await type_.json("invitations", "create", "shop", "Bob@EXAMPLE.org", *terms)
    mails = await pool.fetch("select letter, recipient, locale, facts from mails")
    assert [row[:3] for row in map(tuple, mails)] == [("invitation", "bob@example.org", "de")]
    assert (invited["email"], "code" in invited, "warning" in invited) == ("bob@example.org", False, False)
    listed = await type_.json("invitations", "list", "shop")
    assert [(row["email"], row["note"], row["uses"], row["most_uses"]) for row in listed] == [
        ("bob@example.org", "", 0, 1), (None, "Conference", 0, 20)
    ]  # fmt: skip
    assert made["code"] not in str(listed) + str(await pool.fetch("select * from invitations"))
    await users.create(pool, "shop", user_id="ann", email="ann@example.com", name="", password_hash=None)
    assert (await type_("invitations", "create", "shop", "ann@example.com"))[0] == EXISTS
    for wrong in (
        ["bob@example.org", "--uses", "2"],
        ["--uses", "0"],
        ["bob@example.org", "--url", "http://evil.test"],
        ["--name", "Bob"],
        ["--days", "366"],
        ["bob"],
    ):
        assert (await type_("invitations", "create", "shop", *wrong))[0] == WRONG, wrong
    answer = {"project": "shop", "revoked": made["id"]}
    assert await type_.json("invitations", "revoke", "shop", made["id"]) == answer
    assert (await type_("invitations", "revoke", "shop", made["id"]))[0] == MISSING
    assert (await type_("invitations", "list", "none"))[0] == MISSING
