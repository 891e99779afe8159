"""Migration of addresses that an earlier release kept in Unicode."""

import shutil
from pathlib import Path

import pytest

from service.db import SQL, connect
from service.email_addresses import canonical
from service.store import migrations
from service.store.migrations import migrate
from tests.integration.test_migrations import ask, empty  # noqa: F401 - a fixture

KEPT = ["u@münchen.de", "u@straße.de", "u@bücher.münchen.de", "u@例え.jp", "u@пример.рф", "u@ü.de",
        "u@a" + "ü" * 40 + "b.de", "u@münchen.test", "u@मराठी.भारत", "u@𐐨.com", "u@ä1ö2ü3.de", "u@ab.köln"]  # fmt: skip


@pytest.fixture
def earlier(tmp_path: Path) -> Path:
    """The migrations of the release before."""
    for path in sorted((SQL / "migrations").glob("*.sql")):
        if int(path.name[:4]) < 12:
            shutil.copy(path, tmp_path)
    return tmp_path


async def _live(url: str) -> None:
    """Users with a pending letter each, as the release before made them."""
    connection = await connect(url)
    try:
        await connection.execute("insert into projects (id, name) values ('shop', 'Shop'), ('nas', 'NAS')")
        for number, email in enumerate([*KEPT, "plain@example.com"]):
            await connection.execute(
                "insert into users (project_id, id, email, email_verified) values ('shop', $1, $2, true)",
                f"u{number}", email,
            )  # fmt: skip
            await connection.execute(
                "insert into tokens (project_id, id, kind, email, kid, expires_at) "
                "values ('shop', $1, 'recovery', $2, 'k', now() + interval '1 hour')",
                f"t{number}", email,
            )  # fmt: skip
            for state in ("pending", "failed"):
                await connection.execute(
                    "insert into mails (project_id, id, letter, recipient, locale, state, deadline_at, message_id) "
                    "values ('shop', gen_random_uuid(), 'recovery', $1, 'en', $2, now() + interval '1 hour', 'x')",
                    email, state,
                )  # fmt: skip
        await connection.execute("insert into users (project_id, id, email) values ('nas', 'u', 'u@nas.internal')")
    finally:
        await connection.close()


async def test_what_was_kept_in_unicode_is_kept_in_ascii(empty: str, earlier: Path):  # noqa: F811 - a fixture
    """Users, links and owed letters go on under the canonical form; what has ended stays as it was told."""
    await migrate(empty, earlier)
    await _live(empty)
    assert await migrate(empty) == [f"{one.version:04}_{one.name}" for one in migrations.load()[11:]]
    wanted = sorted(canonical(email, special_use=True) for email in [*KEPT, "plain@example.com"])
    for found in ("users where project_id = 'shop'", "tokens", "mails where state = 'pending'"):
        column = "recipient" if found.startswith("mails") else "email"
        assert sorted(row[0] for row in await ask(empty, f"select {column} from {found}")) == wanted
    ended = await ask(empty, "select recipient from mails where state = 'failed'")
    assert sorted(row[0] for row in ended) == sorted([*KEPT, "plain@example.com"])
    assert await ask(empty, "select proname from pg_proc where proname like 'ascii\\_%'") == []


async def test_projects_with_users_of_a_private_network_keep_them(empty: str, earlier: Path):  # noqa: F811 - a fixture
    """The setting is off for everybody but those who have such users already."""
    await migrate(empty, earlier)
    await _live(empty)
    connection = await connect(empty)
    await connection.execute("delete from users where email like '%.test'")
    await connection.close()
    await migrate(empty)
    assert await ask(empty, "select id, special_use_domains from projects order by id") == [
        ("nas", True),
        ("shop", False),
    ]


async def test_an_address_that_is_there_twice_is_left_alone(empty: str, earlier: Path):  # noqa: F811 - a fixture
    """Nobody's account is lost over it: the migration goes on, and the row by the canonical form keeps it."""
    await migrate(empty, earlier)
    connection = await connect(empty)
    await connection.execute("insert into projects (id, name) values ('shop', 'Shop')")
    for user, email in (("old", "u@münchen.de"), ("new", "u@xn--mnchen-3ya.de")):
        await connection.execute("insert into users (project_id, id, email) values ('shop', $1, $2)", user, email)
    await connection.close()
    await migrate(empty)
    found = await ask(empty, "select id, email from users order by id")
    assert found == [("new", "u@xn--mnchen-3ya.de"), ("old", "u@münchen.de")]


async def test_what_an_old_release_kept_meanwhile_is_kept_in_ascii_too(empty: str, tmp_path: Path):  # noqa: F811 - a fixture
    """An old release that ran beside the first migration could still keep Unicode: a later one finds it."""
    for path in sorted((SQL / "migrations").glob("*.sql")):
        if int(path.name[:4]) < 20:
            shutil.copy(path, tmp_path)
    await migrate(empty, tmp_path)
    connection = await connect(empty)
    await connection.execute("insert into projects (id, name) values ('shop', 'Shop')")
    for user, email in (("late", "u@münchen.de"), ("old", "u@ü.de"), ("new", "u@xn--tda.de")):
        await connection.execute("insert into users (project_id, id, email) values ('shop', $1, $2)", user, email)
    await connection.close()
    await migrate(empty)
    found = await ask(empty, "select id, email from users order by id")
    assert found == [("late", "u@xn--mnchen-3ya.de"), ("new", "u@xn--tda.de"), ("old", "u@ü.de")]
    assert await ask(empty, "select proname from pg_proc where proname like 'ascii\\_%'") == []
