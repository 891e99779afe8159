"""Documents that OWASP ASVS requires stand in docs/asvs.md; here they are held against code and schema."""

import ast
import re

from service.app import routes
from service.db import connect
from service.settings import Settings
from testkit.sources import ROOT, modules
from tests.conftest import TEMPLATE, Shared

_CRYPTOGRAPHY = {"hashlib", "hmac", "argon2", "bcrypt", "jwt", "ssl", "secrets", "random", "uuid_utils", "cryptography"}
_ELSEWHERE = {
    "FileHandler", "RotatingFileHandler", "TimedRotatingFileHandler", "WatchedFileHandler", "SysLogHandler",
    "HTTPHandler", "SMTPHandler", "SocketHandler", "DatagramHandler", "QueueHandler", "syslog", "openlog", "sentry_sdk",
}  # fmt: skip


def table(heading: str) -> list[list[str]]:
    """The cells of a section's table, row by row, without its head."""
    page = (ROOT / "docs" / "asvs.md").read_text()
    section = page.partition(f"### {heading}")[2].partition("\n### ")[0]
    assert section, f"no section begins with {heading!r}"
    lines = [line for line in section.splitlines() if line.startswith("|")]
    return [[cell.strip() for cell in line.strip("|").split(" | ")] for line in lines[2:]]


def named(cell: str) -> set[str]:
    """The names between backticks in a cell."""
    return set(re.findall(r"`([^`]+)`", cell))


def imported(tree: ast.Module) -> set[str]:
    """The packages that a module imports, wherever in it."""
    found: set[str] = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            found |= {name.name.partition(".")[0] for name in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            found.add(node.module.partition(".")[0])
    return found


def product() -> dict[str, ast.Module]:
    return {name: tree for name, tree in modules("service", "worker").items() if not name.startswith("devstack")}


def test_every_way_in_is_written_down():
    """Each route that opens a session, and no other, has its row: what it asks for, and what holds guesses."""
    rows = table("Ways in")
    assert {way for row in rows for way in named(row[0])} == {
        f"{route.method} {route.paths[0]}" for route in routes() if route.opens_session
    }
    assert all(route.limits for route in routes() if route.opens_session)
    assert all(cell for row in rows for cell in row)


async def test_a_session_lives_as_long_as_is_written_down(database: str):
    """A year, an hour for a link and ten minutes for a code, where a project says nothing else."""
    connection = await connect(database)
    try:
        rows = await connection.fetch(
            "select column_name, column_default from information_schema.columns"
            " where table_name = 'projects' and (column_name like '%\\_seconds' or column_name = 'session_limit')"
        )
    finally:
        await connection.close()
    lives = {row[0]: int(row[1]) for row in rows}
    assert (lives["session_seconds"], lives["magic_url_seconds"], lives["otp_seconds"]) == (31_536_000, 3600, 600)
    text = " ".join((ROOT / "docs" / "asvs.md").read_text().split())
    assert "A session ends a year after it began" in text
    assert f"at most `--session-limit` sessions at once, {lives['session_limit']} unless set otherwise" in text


def test_every_use_of_cryptography_is_written_down():
    """A module that begins to hash, sign, draw lots or speak TLS gets a row; one that ends loses it."""
    used = {name: found for name, tree in product().items() if (found := imported(tree) & _CRYPTOGRAPHY)}
    assert {row[0].strip("`"): named(row[1]) for row in table("Keys, hashes and chance")} == used


def test_every_connection_is_written_down():
    """Each setting that is an address of another server has its row; PUBLIC_URL is only told, never asked."""
    addresses = {name.upper() for name in Settings.model_fields if name.endswith("_url")} - {"PUBLIC_URL"}
    assert {name for row in table("What it connects to") for name in named(row[0])} == addresses


async def test_every_table_has_its_class(database: str):
    """A new table says how sensitive it is and how it is kept."""
    connection = await connect(database)
    try:
        rows = await connection.fetch(
            "select relname from pg_class where relkind in ('r', 'p') and not relispartition"
            " and relnamespace = 'public'::regnamespace"
        )
    finally:
        await connection.close()
    classed = table("What is kept")
    assert {name for row in classed for name in named(row[2])} == {row[0] for row in rows}
    assert all(cell for row in classed for cell in row)


def test_lines_go_where_is_written_down():
    """Standard error and five tables: no module knows another place for a line, but for `log follow --syslog`."""
    for name, tree in product().items():
        said = {getattr(node, "attr", getattr(node, "id", "")) for node in ast.walk(tree)} | imported(tree)
        assert not said & _ELSEWHERE or name.startswith("service.cli.log."), name
    rows = table("What is logged")
    assert {place for row in rows for place in named(row[1])} == {
        "events", "logs", "feed_events", "webhook_deliveries", "mail_events",
    }  # fmt: skip
    assert "standard error" in rows[0][1]
    assert "UTC" in rows[0][2]


async def test_a_new_database_lets_nobody_in(shared_postgres: Shared):
    """A migrated database holds no project, no account and no key: who gets in is made by somebody first."""
    async with shared_postgres.new_database(TEMPLATE) as url:
        fresh = await connect(url)
        try:
            for each in ("projects", "users", "sessions", "api_keys", "tokens", "platforms"):
                assert await fresh.fetchval(f"select count(*) from {each}") == 0, each
        finally:
            await fresh.close()
