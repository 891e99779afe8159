"""Postgres: its data made once, the server started, databases added."""

import contextlib
import re
import shutil
import signal
import subprocess
from collections.abc import Callable
from pathlib import Path
from urllib.parse import urlsplit

from devstack.servers.binaries import postgres_binaries, reachable
from devstack.servers.errors import ServerError
from devstack.servers.lock_files import locked
from devstack.servers.processes import Server, bare_env, on_a_port, run, spawn, tied
from devstack.servers.run_as import RunAs, choose_account, give, home_of, password_at

USER = "accounts"


def start_postgres(state: Path, /, *, port: int | None = None, throwaway: bool = False) -> Server:
    """Wait until Postgres takes connections; call it from the main thread, whose end takes the server along.

    Data stay in a folder of `state` for the next start. A throwaway server trades every promise about
    a crash for speed, and its folder goes when it stops.
    """
    guise = choose_account()
    home = home_of(state, guise)
    bindir = reachable(postgres_binaries(), guise)
    password = password_at(home / "password", guise)
    data, log = home / "data", state / "log" / "postgres.log"
    ask = signal.SIGQUIT if throwaway else signal.SIGINT
    options = "-c listen_addresses=127.0.0.1 -c unix_socket_directories= -c timezone=UTC -c log_timezone=UTC"
    if throwaway:
        options += " -c fsync=off -c synchronous_commit=off -c full_page_writes=off -c max_connections=200"
        # A vacuum that cuts a table's empty end off locks the whole table. On a machine that stands still just then,
        # an INSERT waits for it longer than a request may. The log names whoever waits for a lock.
        options += " -c autovacuum=off -c log_lock_waits=on"
    with locked(home / "lock") as claim:
        if not data.exists():
            _initdb(bindir, home, guise=guise, claim=claim)
        # The claim says that no server of ours lives: a pid in this file is stale, even if a process has it.
        (data / "postmaster.pid").unlink(missing_ok=True)

        def launch(number: int) -> Server:
            argv = [*guise.prefix, *tied(ask), str(bindir / "postgres"), "-D", str(data), "-p", str(number)]
            process = spawn([*argv, *options.split()], log=log, claim=claim, ready=_has_pid_file(data))
            url = f"postgres://{USER}:{password}@127.0.0.1:{number}/postgres"
            return Server("Postgres", url, log, process, ask, home if throwaway else None)

        return on_a_port(launch, port)


def create_database(server: Server, name: str) -> str:
    """Answer the address of a database of the server, made if it was missing."""
    where = urlsplit(server.url)
    beside = postgres_binaries() / "createdb"
    program = str(beside) if beside.exists() else "createdb"
    argv = [program, *f"-h 127.0.0.1 -p {where.port} -U {USER} -w --maintenance-db=postgres".split(), name]
    env = {**bare_env(), "PGPASSWORD": where.password or ""}
    done = subprocess.run(argv, env=env, capture_output=True, text=True, check=False)
    if done.returncode and "already exists" not in done.stderr:
        raise ServerError(f"the database {name} could not be made: {done.stderr.strip()}")
    return where._replace(path=f"/{name}").geturl()


def _initdb(bindir: Path, home: Path, *, guise: RunAs, claim: int) -> None:
    """Make the data beside their place and move them there, so that half of them never pass for all."""
    draft = home / "data.new"
    shutil.rmtree(draft, ignore_errors=True)
    draft.mkdir(mode=0o700)
    give(draft, guise)
    version = run([str(bindir / "postgres"), "--version"]).stdout
    # Without a sync the system writes these files within half a minute. A machine that crashes before then loses
    # nothing that anybody has put in; what comes in later is synced as ever.
    words = "-E UTF8 -A scram-sha-256 --locale=C.UTF-8 --no-instructions --no-sync"
    # The builtin provider came with 17: sorting and lower() then hang on no locale of the host.
    words += " --locale-provider=builtin" if int(re.findall(r"\d+", version)[0]) >= 17 else ""
    argv = [*guise.prefix, *tied(signal.SIGTERM), str(bindir / "initdb"), "-D", str(draft), "-U", USER]
    done = run([*argv, f"--pwfile={home / 'password'}", *words.split()], claim)
    if done.returncode:
        raise ServerError(f"initdb failed (exit {done.returncode}):\n{done.stdout}")
    draft.rename(home / "data")


def _has_pid_file(data: Path) -> Callable[[int], bool]:
    """Postgres writes its pid into line 1 of the file and its state into line 8."""

    def ready(pid: int) -> bool:
        with contextlib.suppress(FileNotFoundError):
            lines = (data / "postmaster.pid").read_text().splitlines()
            return len(lines) > 7 and lines[0] == str(pid) and lines[7].strip() == "ready"
        return False

    return ready
