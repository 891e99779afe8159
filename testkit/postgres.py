"""Postgres servers of a test's own: stopped, killed, paused, promoted and made read-only at will.

    async with postgres_server(tmp_path / "a") as primary, standby_of(primary, tmp_path / "b") as standby:
        await standby.promote()

Unlike the tests' shared server, an acknowledged commit survives a crash of the processes here.
"""

import asyncio
import contextlib
import os
import shutil
import signal
import subprocess
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import asyncpg

from devstack.servers.binaries import postgres_binaries, reachable
from devstack.servers.lock_files import locked
from devstack.servers.postgres import USER, _has_pid_file, _initdb
from devstack.servers.processes import bare_env, run, tied
from devstack.servers.run_as import RunAs, choose_account, give, home_of, password_at
from testkit.patience import PATIENCE
from testkit.processes import lasting_port
from testkit.waiting import until

# fsync is for the machine's crash, which no test here makes.
_OPTIONS = {
    "listen_addresses": "127.0.0.1", "unix_socket_directories": "", "timezone": "UTC", "log_timezone": "UTC",
    "fsync": "off", "max_connections": "100", "wal_level": "replica", "wal_keep_size": "64MB",
}  # fmt: skip
_STOPS = {"smart": signal.SIGTERM, "fast": signal.SIGINT, "immediate": signal.SIGQUIT, "kill": signal.SIGKILL}


@dataclass
class PostgresServer:
    """One server and its data; the port stays the same over restarts. Start and stop from the main thread."""

    home: Path
    bindir: Path
    guise: RunAs
    password: str
    port: int = field(default_factory=lasting_port)
    options: dict[str, str] = field(default_factory=dict)
    process: "subprocess.Popen[bytes] | None" = None

    @property
    def data(self) -> Path:
        return self.home / "data"

    def url(self, database: str = "postgres", *, port: int | None = None) -> str:
        """With `port`, the address through a proxy."""
        return f"postgres://{USER}:{self.password}@127.0.0.1:{port or self.port}/{database}"

    @property
    def running(self) -> bool:
        return self.process is not None and self.process.poll() is None

    async def start(self, **options: str) -> None:
        """Wait until it takes connections; options are for this start alone, over those of the server."""
        (self.data / "postmaster.pid").unlink(missing_ok=True)
        words = [f"-c{name}={value}" for name, value in {**_OPTIONS, **self.options, **options}.items()]
        argv = [*self.guise.prefix, *tied(signal.SIGQUIT), str(self.bindir / "postgres"), "-D", str(self.data)]
        with (self.home / "log").open("ab") as log:
            # The kernel ties it to the thread that starts it, so this must be the main one.
            self.process = subprocess.Popen(  # noqa: ASYNC220 - which takes a millisecond
                [*argv, "-p", str(self.port), *words],
                cwd="/", env=bare_env(), stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True,
            )  # fmt: skip
        ready = _has_pid_file(self.data)
        await until(lambda: ready(self.pid) or not self.running, seconds=PATIENCE, what="Postgres does not start")
        assert self.running, f"Postgres did not start:\n{self.log()}"

    @property
    def pid(self) -> int:
        """The postmaster's."""
        return self.process.pid if self.process else 0

    def log(self) -> str:
        return (self.home / "log").read_text(errors="replace")[-4000:]

    async def stop(self, how: str = "immediate") -> None:
        """smart, fast, immediate (as a crash, but in order) or kill; waits for the end, does nothing if it is down."""
        if not self.running or self.process is None:
            return
        backends = self.pids()
        self.process.send_signal(_STOPS[how])
        self.resume(backends)
        await until(lambda: not self.running and not any(map(_alive, backends)), what="Postgres does not stop")

    async def restart(self, how: str = "immediate", **options: str) -> None:
        await self.stop(how)
        await self.start(**options)

    def pids(self) -> list[int]:
        """List the postmaster and all its children."""
        if not self.running:
            return []
        children = Path(f"/proc/{self.pid}/task/{self.pid}/children").read_text().split()
        return [self.pid, *map(int, children)]

    def pause(self) -> list[int]:
        """SIGSTOP to every process: connections stay open and nothing answers. The list is for `resume`."""
        paused: list[int] = []
        while fresh := [pid for pid in self.pids() if pid not in paused]:
            _signal(fresh, signal.SIGSTOP)
            paused += fresh
        return paused

    def resume(self, pids: list[int] | None = None) -> None:
        _signal(self.pids() if pids is None else pids, signal.SIGCONT)

    async def run(self, statement: str, *arguments: Any, database: str = "postgres") -> Any:
        """Return the first column of the first row, queried without a proxy."""
        async with session(self.url(database)) as connection:
            return await connection.fetchval(statement, *arguments)

    async def configure(self, **settings: str | None) -> None:
        """ALTER SYSTEM and a reload; None takes a setting back."""
        for name, value in settings.items():
            await self.run(f"alter system set {name} = '{value}'" if value else f"alter system reset {name}")
        await self.run("select pg_reload_conf()")

    async def turn_read_only(self, read_only: str = "on") -> None:
        """As a demoted server is to its clients: every new transaction, in old sessions too, refuses writes (25006)."""
        await self.configure(default_transaction_read_only=read_only)

    async def promote(self) -> None:
        """Make a standby the primary; it takes writes when this returns."""
        assert await self.run("select pg_promote(true, 30)"), "the standby was not promoted"
        await until(lambda: self.run("select not pg_is_in_recovery()"))

    async def caught_up(self, primary: "PostgresServer") -> None:
        """Wait until this standby has replayed all that the primary has written so far."""
        written = str(await primary.run("select pg_current_wal_lsn()::text"))
        await until(lambda: self.run("select pg_last_wal_replay_lsn() >= $1::text::pg_lsn", written))

    async def follow(self, primary: "PostgresServer", *, slot: str = "") -> None:
        """Throw the data away, copy the primary's and stream from it under `slot` as application name; starts."""
        await self.stop()
        shutil.rmtree(self.data, ignore_errors=True)
        self.data.mkdir(mode=0o700)
        give(self.data, self.guise)
        name = slot or self.home.parent.name
        source = f"host=127.0.0.1 port={primary.port} user={USER} password={primary.password} application_name={name}"
        words = ["-D", str(self.data), "-R", "-X", "stream", "-c", "fast", "--no-sync", "-d", source]
        copied = await asyncio.to_thread(run, [*self.guise.prefix, str(self.bindir / "pg_basebackup"), *words])
        assert copied.returncode == 0, copied.stdout
        self.password = primary.password
        await self.start()


@asynccontextmanager
async def postgres_server(folder: Path, **options: str) -> AsyncIterator[PostgresServer]:
    """Start a server with empty data; they are deleted with the block."""
    made = _made(folder, options)
    with locked(made.home / "lock") as claim:
        await asyncio.to_thread(_initdb, made.bindir, made.home, guise=made.guise, claim=claim)
    try:
        await made.start()
        yield made
    finally:
        await made.stop("immediate")
        shutil.rmtree(made.home, ignore_errors=True)


@asynccontextmanager
async def standby_of(primary: PostgresServer, folder: Path, **options: str) -> AsyncIterator[PostgresServer]:
    """Start a hot standby that streams from the primary."""
    made = _made(folder, options)
    try:
        await made.follow(primary)
        yield made
    finally:
        await made.stop("immediate")
        shutil.rmtree(made.home, ignore_errors=True)


def _made(folder: Path, options: dict[str, str]) -> PostgresServer:
    folder.mkdir(parents=True, exist_ok=True)
    guise = choose_account()
    home = home_of(folder, guise)
    return PostgresServer(
        home, reachable(postgres_binaries(), guise), guise, password_at(home / "password", guise), options=options
    )


@asynccontextmanager
async def session(url: str) -> AsyncIterator["asyncpg.Connection[asyncpg.Record]"]:
    """Open a second session beside the service's: for LOCK TABLE, and for a test's own queries."""
    connection = await asyncpg.connect(url, timeout=PATIENCE)
    try:
        yield connection
    finally:
        connection.terminate()


def _alive(pid: int) -> bool:
    with contextlib.suppress(OSError):
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    return False


def _signal(pids: list[int], number: signal.Signals) -> None:
    for pid in pids:
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, number)
