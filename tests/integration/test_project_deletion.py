"""`projects delete`: all that a project has goes, and nothing of another's."""

import asyncio

from service.cli.exit_codes import MISSING, WRONG
from service.crypto.secret import Secret
from service.db import Pool, transaction
from service.store import branding, project_deletion, project_relays, projects, users
from testkit.outbox import request_mail
from testkit.waiting import until
from tests.integration.conftest import Terminal

TABLES = (
    "users", "sessions", "tokens", "mails", "mail_events", "events", "logs", "platforms", "apps", "api_keys",
    "branding", "project_relays",
)  # fmt: skip
# Country, system, client and device.
_WHERE_FROM = ", ".join(["''"] * 13)
ROWS = (
    f"insert into sessions select $1, 'ann', 's', 'x', 'email', '', '', {_WHERE_FROM}, now(), now(), now()",
    """insert into tokens (project_id, id, kind, email, kid, expires_at)
    values ($1, 't', 'recovery', 'a@b.cd', 'k', now())""",
    """insert into mails (project_id, id, letter, recipient, locale, deadline_at, message_id)
    values ($1, gen_random_uuid(), 'recovery', 'a@b.cd', 'en', now(), 'x')""",
    """insert into mail_events (project_id, mail_id, name, attempt)
    select project_id, id, 'waits', 1 from mails where project_id = $1""",
    """insert into events (project_id, id, name, user_id, ip, user_agent)
    values ($1, gen_random_uuid(), 'x', 'ann', '', '')""",
    f"insert into logs select $1, gen_random_uuid(), 'ann', 'x', '', now(), {_WHERE_FROM}",
)


async def fill(pool: Pool, project_id: str) -> None:
    """Make a row in each table."""
    await projects.add_app(pool, project_id, app="com.example.app")
    await projects.create_api_key(pool, project_id, key_id="k", name="k", scopes=["users.read"])
    await branding.change(pool, project_id, footer_text="x")
    await project_relays.save(
        pool, {"k": b"x" * 32}, project_id, server="a.example:587", url=Secret("smtp://a.example")
    )
    await users.create(pool, project_id, user_id="ann", email="ann@example.com", name="", password_hash=None)
    for statement in ROWS:
        await pool.execute(statement, project_id)


async def rows(pool: Pool, project_id: str) -> dict[str, int]:
    return {
        table: (await pool.fetchrow(f"select count(*) from {table} where project_id = $1", project_id))[0]
        for table in TABLES
    }


async def test_all_of_it_goes_and_nothing_else(type_: Terminal, pool: Pool, project: projects.Project):
    """Every table is emptied of the project, the other keeps each row; a second call finds no project."""
    await projects.create(pool, "blog", name="Blog")
    await projects.add_platform(pool, "blog", hostname="localhost")
    for project_id in ("shop", "blog"):
        await fill(pool, project_id)
    assert set((await rows(pool, "shop")).values()) == {1}
    answer = await type_.json("projects", "delete", "shop", "--yes")
    assert answer == {"deleted": "shop", "mails": 1, "tokens": 1, "users": 1, "events": 1, "logs": 1, "sms": 0}
    assert set((await rows(pool, "shop")).values()) == {0}
    assert set((await rows(pool, "blog")).values()) == {1}
    assert (await type_("projects", "delete", "shop", "--yes"))[0] == MISSING


async def test_a_program_has_to_mean_it(type_: Terminal, pool: Pool, project: projects.Project):
    """Without a terminal nobody can be asked: --yes, or nothing happens, and the error says what would go."""
    await request_mail(pool)
    code, _, err = await type_("projects", "delete", "shop")
    assert (code, "0 users, 0 keys, 1 unsent mails" in err, "--yes" in err) == (WRONG, True, True)
    assert await projects.find(pool, "shop")


async def test_who_signs_up_meanwhile_goes_too(pool: Pool, project: projects.Project):
    """A user made by a transaction that was open when the last batch went is found by the next round."""
    async with transaction(pool) as tx:
        await users.create(tx, "shop", user_id="late", email=None, name="", password_hash=None)
        deletion = asyncio.create_task(project_deletion.delete(pool, "shop", report=lambda counts: None))
        # It waits for this transaction, whose user refers to the project.
        waits = "select 1 from pg_stat_activity where wait_event_type = 'Lock' and query like 'delete from projects%'"
        await until(lambda: pool.fetchrow(waits), what="the deletion does not wait")
    counts = await deletion
    assert counts
    assert counts["users"] == 1
    assert await projects.find(pool, "shop") is None


async def test_batches(pool: Pool, project: projects.Project):
    """More users than one transaction takes; each batch is reported."""
    await pool.execute("insert into users (project_id, id) select 'shop', 'u' || n from generate_series(1, 2500) n")
    seen: list[int] = []
    assert await project_deletion.delete(pool, "shop", report=lambda counts: seen.append(counts["users"]))
    assert seen == [1000, 2000, 2500]
