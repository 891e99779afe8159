"""README's production block, run as it is written but for the installation of packages, against servers of its own."""

import asyncio
import os
import re
import sys
from pathlib import Path

import asyncpg
import pytest

from devstack.servers import free_port
from devstack.servers.postgres import USER
from testkit import processes
from testkit.patience import PATIENCE
from testkit.postgres import postgres_server, session
from testkit.sources import ROOT
from testkit.valkey import Store

# What `sudo -u postgres psql` and `psql URL -c` do, without psql: a statement a line.
_PSQL = """\
#!{python}
import asyncio, asyncpg, os, sys
words = sys.argv[1:]
async def main():
    url, lines = os.environ["SUPERUSER"], sys.stdin.read().splitlines() if "-c" not in words else words[-1:]
    if "-c" in words:
        url = next(word for word in words if "://" in word)
    for line in lines:
        if line.startswith("\\\\connect "):
            url = url.rpartition("/")[0] + "/" + line.split()[1]
        elif line.strip():
            connection = await asyncpg.connect(url)
            await connection.execute(line)
            await connection.close()
asyncio.run(main())
"""


def blocks() -> list[str]:
    """The shell blocks of the section about production."""
    section = (ROOT / "README.md").read_text().partition("\n## Production\n")[2].partition("\n## ")[0]
    return re.findall(r"```sh\n(.*?)```", section, re.DOTALL)


def write(path: Path, text: str) -> None:
    path.write_text(text)
    path.chmod(0o755)


@pytest.fixture
def clone(tmp_path: Path) -> Path:
    """The release's folder, and programs that stand in for those of the machine."""
    folder = tmp_path / "clone"
    folder.mkdir()
    for name in ("service", "worker", "sql", "templates", "docs", "pyproject.toml"):
        (folder / name).symlink_to(ROOT / name)
    (folder / ".venv" / "bin").mkdir(parents=True)
    write(folder / ".venv" / "bin" / "python", f'#!/bin/sh\nexec {sys.executable} "$@"\n')
    programs = tmp_path / "programs"
    programs.mkdir()
    write(programs / "psql", _PSQL.format(python=sys.executable))
    write(programs / "sudo", '#!/bin/sh\n[ "$1 $2" = "-u postgres" ] && shift 2\nexec "$@"\n')
    return folder


async def run(script: str, folder: Path, superuser: str) -> str:
    path = f"{folder.parent / 'programs'}:{os.environ['PATH']}"
    done = await asyncio.create_subprocess_exec(
        "bash", "-euo", "pipefail", "-c", script,
        cwd=folder, env={"PATH": path, "SUPERUSER": superuser},
        stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.STDOUT,
    )  # fmt: skip
    out, _ = await asyncio.wait_for(done.communicate(), PATIENCE)
    assert done.returncode in (0, 7), out.decode()  # the doctor finds that relay.example.com is nobody's
    return out.decode()


def settings(path: Path) -> dict[str, str]:
    return dict(line.split("=", 1) for line in path.read_text().splitlines())


async def test_the_production_block_runs_as_it_is_written(clone: Path, tmp_path: Path):
    """Roles, database, settings, schema, project, page, key: then the API serves and a worker works."""
    setup, _ = blocks()
    installing, _, rest = setup.partition("\n\n")
    assert [line.split()[0] for line in installing.splitlines()] == ["sudo", "python3", ".venv/bin/pip"]
    store = Store(tmp_path / "store")
    store.start()
    try:
        async with postgres_server(tmp_path / "postgres") as server:
            await server.run("create role root superuser login password 'x'")
            root = f"postgres://root:x@127.0.0.1:{server.port}/postgres"
            async with session(root) as connection:  # the name is wanted
                await connection.execute(f"alter role {USER} rename to another")
            script = rest.replace("127.0.0.1:5432", f"127.0.0.1:{server.port}")
            out = await run(script.replace("redis://127.0.0.1:6379/0", store.url()), clone, root)
            assert "hostnames: app.example.com" in out
            assert re.search(r"^key: key_[0-9a-f]{64}$", out, re.MULTILINE)
            assert re.search(r"^ok +postgres ", out, re.MULTILINE)
            assert [oct(path.stat().st_mode & 0o777) for path in clone.glob("*.env")] == ["0o600"] * 2
            await _serves_and_works(clone, tmp_path)
            await _has_no_more_rights(settings(clone / "api.env")["DATABASE_URL"])
    finally:
        store.stop()


async def _serves_and_works(clone: Path, tmp_path: Path) -> None:
    ports = processes.api_ports()
    async with processes.program("service", "serve", environment=settings(clone / "api.env") | ports) as api:
        await processes.until_ready(api, f"http://127.0.0.1:{ports['HEALTH_PORT']}/ready")
    owner = settings(clone / "accounts.env") | {"WORKER_STATE": str(tmp_path / "state")}
    owner["SMTP_URL"] = f"smtp://127.0.0.1:{free_port()}?tls=none"
    async with processes.worker(owner, heartbeat=tmp_path / "alive"):
        pass


async def _has_no_more_rights(url: str) -> None:
    """The API's role changes rows; not the schema, and not what was migrated."""
    connection = await asyncpg.connect(url, timeout=PATIENCE)
    try:
        await connection.execute("update users set name = name")
        for statement in ("create table x (a int)", "drop table users", "delete from schema_migrations"):
            with pytest.raises(asyncpg.InsufficientPrivilegeError):
                await connection.execute(statement)
    finally:
        await connection.close()


def test_the_commands_that_run_are_the_two_programs():
    """The commands for a supervisor are those that the block prepared."""
    assert "service serve" in blocks()[1]
    assert "-m worker" in blocks()[1]
