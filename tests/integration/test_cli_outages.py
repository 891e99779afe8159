"""Every command names the Postgres it can't use, the fault and the remedy: code 6, in one line."""

import asyncio
import re
import secrets
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from devstack.servers import free_port
from service import db
from service.db import Pool
from service.store import migrations
from testkit.valkey import Store
from tests.conftest import TEMPLATE, Shared, run_sql
from tests.integration.conftest import Terminal
from worker.__main__ import main as worker_main

ID = "0198c0de-0000-7000-8000-000000000000"
COMMANDS = [
    "service migrate", "service projects create x", "service projects list", "service projects show shop",
    "service projects set shop --name x", "service platforms add shop localhost",
    "service platforms remove shop localhost", "service keys create shop --name x --scopes users.read",
    "service keys list shop", "service projects delete shop --yes", "service platforms list shop",
    "service keys revoke shop x", "service limits set shop create_session.email 1/1h", "service limits show shop",
    "service limits show shop --email a@example.com", "service limits reset shop --email a@example.com",
    "service users list shop", "service users create shop", "service users show shop ann",
    "service users set shop ann --name x", "service users block shop ann", "service users unblock shop ann",
    "service users delete shop ann", "service users sessions shop ann", "service users end-sessions shop ann",
    "service users logs shop ann", "service users import shop /dev/null", "service mails list",
    f"service mails show {ID}", "service mails status", f"service mails retry {ID}", f"service mails cancel {ID}",
]  # fmt: skip
# The state of the database, and what is said of it.
STATES = {
    "away": r"refuses connections",
    "another password": r"refuses the password \(.*\): mend DATABASE_URL",
    "another database": r"has no such database \(.*\): make it, or mend DATABASE_URL",
    "not migrated": r"has not the schema that this code needs \(.*\): run `python -m service migrate`",
    "read only": r"may only be read",
    "no rights": r"does not let this role do that \(.*\): docs/operations.md has the grants",
    "no such host": r"has a host name that can't be resolved: mend DATABASE_URL",
}


@pytest.fixture(scope="module")
def places(shared_postgres: Shared) -> Iterator[dict[str, str]]:
    """A URL for each state."""
    server, role = urlsplit(shared_postgres.url), f"nobody_{secrets.token_hex(4)}"
    hidden = f"{server.username}:hidden"
    at = f"{server.hostname}:{server.port}"
    for statement in (f"create role {role} login password 'hidden'", f"create database empty_{role}"):
        asyncio.run(run_sql(shared_postgres.url, statement))
    yield {
        "away": f"postgres://u:hidden@127.0.0.1:{free_port()}/x",
        "another password": f"postgres://{hidden}@{at}/{TEMPLATE}",
        "another database": shared_postgres.database("nowhere"),
        "not migrated": shared_postgres.database(f"empty_{role}"),
        "read only": shared_postgres.url + "?default_transaction_read_only=on",
        "no rights": f"postgres://{role}:hidden@{at}/accounts_rights",
        "no such host": f"postgres://{hidden}@nowhere.invalid:5432/x",
    }
    for statement in (f"drop database empty_{role}", f"drop role {role}"):
        asyncio.run(run_sql(shared_postgres.url, statement))


async def typed(type_: Terminal, words: list[str]) -> tuple[int, str, str]:
    return await (type_.run(worker_main, *words[1:]) if words[0] == "worker" else type_(*words[1:]))


@pytest.mark.parametrize("command", COMMANDS)
async def test_every_command_names_what_is_wrong(
    type_: Terminal, places: dict[str, str], database: str, monkeypatch: pytest.MonkeyPatch, command: str
):
    """The server by host and port, its fault and the remedy; no password, no traceback, nothing on standard output."""
    for state, words in STATES.items():
        if (command, state) == ("service migrate", "not migrated"):
            continue  # that is what it is for
        url = places[state].replace("accounts_rights", database.rpartition("/")[2])
        monkeypatch.setenv("DATABASE_URL", url)
        code, out, err = await typed(type_, command.split())
        assert (code, out) == (6, ""), (state, err)
        place = urlsplit(url)
        assert re.fullmatch(rf"postgres at {place.hostname}:{place.port} {words}.*\n", err), (state, err)
        assert "hidden" not in err
        assert (place.password or "hidden") not in err


# What REDIS_URL says instead of a password and a number, and what is said of it.
REDIS_STATES = {
    "redis://127.0.0.1:{port}/0": "wants a password: REDIS_URL has none",
    "redis://:hidden@127.0.0.1:{port}/0": "refuses the password: mend REDIS_URL",
    "redis://:{password}@127.0.0.1:{port}/99": "has no database of that number: mend REDIS_URL",
    "redis://:{password}@nowhere.invalid:{port}/0": "has a host name that can't be resolved: mend REDIS_URL",
}


@pytest.fixture
def valkey(tmp_path: Path) -> Iterator[Store]:
    store = Store(tmp_path / "store")
    store.start()
    yield store
    store.stop()


def findings(out: str) -> list[list[str]]:
    """The doctor's findings: state, subject, message."""
    return [line.split(maxsplit=2) for line in out.splitlines()[1:]]


@pytest.mark.parametrize("url", REDIS_STATES)
async def test_commands_name_what_is_wrong_with_redis(
    type_: Terminal, valkey: Store, project, monkeypatch: pytest.MonkeyPatch, url: str
):
    """The doctor and every command that asks Redis say it in one line, and what can be done without it is done."""
    password = urlsplit(valkey.url()).password
    monkeypatch.setenv("REDIS_URL", url.format(port=valkey.port, password=password))
    host = urlsplit(url.format(port=valkey.port, password=password)).hostname
    wanted = f"redis at {host}:{valkey.port} {REDIS_STATES[url]}"
    code, out, _ = await type_("doctor")
    assert (code, ["fail", "redis", wanted] in findings(out)) == (7, True), out
    for command in ("limits show shop", "limits reset shop"):
        code, _, err = await type_(*command.split(), "--email", "a@example.com")
        assert (code, err.splitlines()[0]) == (0, wanted), command
    code, out, err = await type_("mails", "status")
    assert (code, out.splitlines()[-1], err) == (0, f"breakers: not known, {wanted}", "")


async def test_redis_is_reached_by_a_local_socket(
    type_: Terminal, valkey: Store, project, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    """unix:// is a REDIS_URL as good as any: the socket here leads to a real server."""

    async def lead(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        there, back = await asyncio.open_connection("127.0.0.1", valkey.port)
        await asyncio.gather(_pass_on(reader, back), _pass_on(there, writer))

    path = tmp_path / "socket"
    async with await asyncio.start_unix_server(lead, path):
        monkeypatch.setenv("REDIS_URL", f"unix://:{urlsplit(valkey.url()).password}@{path}?db=0")
        _, out, _ = await type_("doctor")
        assert ["ok", "redis"] in [finding[:2] for finding in findings(out)]
        assert (await type_("limits", "reset", "shop", "--email", "a@example.com"))[0::2] == (0, "")
    path.unlink(missing_ok=True)
    monkeypatch.setenv("REDIS_URL", f"unix://{path}")
    wanted = f"redis at {path} has no socket there: is it running?"
    _, out, _ = await type_("doctor")
    assert ["fail", "redis", wanted] in findings(out)


async def _pass_on(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    while some := await reader.read(65536):
        writer.write(some)
    writer.close()


async def test_a_schema_of_a_newer_release(type_: Terminal, pool: Pool):
    """`migrate` refuses it and says why; every other command works, for migrations run first."""
    version = len(migrations.load()) + 1
    await pool.execute("insert into schema_migrations values ($1, 'later', 'x')", version)
    try:
        code, _, err = await type_("migrate")
        assert code == 6
        assert re.fullmatch(
            rf"postgres at .*: the schema is ahead of this code \(\[{version}\]\): migrate with the newer release\n",
            err,
        )
        assert (await type_("projects", "list"))[0] == 0
    finally:
        await pool.execute("delete from schema_migrations where version = $1", version)


async def test_another_migration_is_named(database: str, monkeypatch: pytest.MonkeyPatch):
    """A command that waits in vain for another migration names it."""
    other = await db.connect(database)
    try:
        await other.execute("select pg_advisory_lock($1)", migrations._LOCK)
        with pytest.raises(migrations.Busy):
            await migrations.migrate(database, patience=0.2)
    finally:
        await other.close()


@pytest.mark.parametrize(
    ("name", "value"),
    [("DATABASE_URL", "postgres://u:hid/den@db/x"), ("DATABASE_URL", "postgres://u:p@db:port/x"),
     ("DATABASE_URL", "mysql://u:hidden@db/x"), ("REDIS_URL", "redis://:hid/den@cache/0"),
     ("REDIS_URL", "redis://:hidden@cache:99999/0"), ("REDIS_URL", "http://:hidden@cache")],
)  # fmt: skip
async def test_an_address_that_cannot_be_read_is_unfit(
    type_: Terminal, monkeypatch: pytest.MonkeyPatch, name: str, value: str
):
    """5 before anything is asked, with the variable's name and no piece of the password."""
    monkeypatch.setenv(name, value)
    code, _, err = await type_("projects", "list")
    assert code == 5
    assert f"  {name}: " in err
    assert "hid" not in err
