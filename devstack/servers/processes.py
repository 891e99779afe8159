"""Child processes: started bare, tied to us, and ended in order."""

import os
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from devstack.servers.errors import ServerError
from devstack.servers.logs import last_lines, open_log

START_PATIENCE = 60.0
STOP_PATIENCE = 20.0


@dataclass(frozen=True, slots=True)
class Server:
    name: str
    url: str
    log: Path
    process: subprocess.Popen[bytes]
    ask: signal.Signals
    scrap: Path | None

    @property
    def pid(self) -> int:
        return self.process.pid

    @property
    def running(self) -> bool:
        return self.process.poll() is None

    def stop(self) -> None:
        """End it in order; may be called twice."""
        if self.running:
            self.process.send_signal(self.ask)
        try:
            self.process.wait(STOP_PATIENCE)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
        if self.scrap:
            shutil.rmtree(self.scrap, ignore_errors=True)


def tied(sign: signal.Signals, /) -> list[str]:
    """Words before a command that make the kernel send it this signal when the spawning thread ends.

    Even `kill -9` of us then leaves no orphan. Systems without setpriv (macOS) do without.
    """
    if sys.platform != "linux" or not shutil.which("setpriv"):
        return []
    return ["setpriv", "--pdeathsig", sign.name.removeprefix("SIG"), "--"]


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        number: int = probe.getsockname()[1]
        return number


def on_a_port(launch: Callable[[int], Server], port: int | None) -> Server:
    """Use the port asked for, or free ones until nobody has snatched one in between."""
    for _ in range(4):
        try:
            return launch(port or free_port())
        except ServerError as error:
            if port or "in use" not in str(error):
                raise
    return launch(free_port())


def spawn(argv: list[str], *, log: Path, claim: int, ready: Callable[[int], bool]) -> subprocess.Popen[bytes]:
    """`ready` is asked with the pid until it says yes."""
    with open_log(log) as out:
        since = out.tell()
        process = subprocess.Popen(
            argv,
            cwd="/",
            env=bare_env(),
            stdin=subprocess.DEVNULL,
            stdout=out,
            stderr=out,
            pass_fds=(claim,),
            start_new_session=True,
        )
    deadline = time.monotonic() + START_PATIENCE
    while process.poll() is None and time.monotonic() < deadline:
        if ready(process.pid):
            return process
        time.sleep(0.01)
    process.kill()
    output = last_lines(log, since=since)
    raise ServerError(f"{log.stem.capitalize()} did not start (exit {process.wait()}):\n{output}")


def run(argv: list[str], *kept: int) -> subprocess.CompletedProcess[str]:
    # In a session of its own, as spawn: Ctrl-C reaches the supervisor alone, which ends things in order.
    return subprocess.run(
        argv,
        cwd="/",
        env=bare_env(),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        pass_fds=kept,
        start_new_session=True,
        check=False,
    )


def bare_env() -> dict[str, str]:
    """Neither PG* settings, which would turn programs elsewhere, nor our secrets for another uid to read."""
    kept = {name: os.environ[name] for name in ("PATH", "LD_LIBRARY_PATH") if name in os.environ}
    return {**kept, "LC_ALL": "C"}
