"""`serve --processes`: several processes on one port, watched by one that starts them again and stops them."""

import os
import signal
import socket
import subprocess
import sys
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path

import aiohttp
import pytest

from service.cli.exit_codes import AWAY
from testkit import processes
from testkit.patience import PATIENCE
from testkit.processes import Process
from testkit.systemd import Listener, listener
from testkit.waiting import until


@pytest.fixture
def systemd(tmp_path: Path) -> Iterator[Listener]:
    with listener(tmp_path) as listening:
        yield listening


def _children(process: Process) -> list[int]:
    pid = process.process.pid
    return [int(word) for word in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]


@asynccontextmanager
async def _two(environment: dict[str, str], **more: str) -> AsyncIterator[tuple[Process, str, list[str]]]:
    """Two processes that are ready; their address and those of their health ports."""
    ports = processes.api_ports()
    second = int(ports["HEALTH_PORT"]) + 1
    health = [f"http://127.0.0.1:{port}/ready" for port in (ports["HEALTH_PORT"], second)]
    words = ("service", "serve", "--processes", "2")
    async with processes.program(*words, environment=environment | ports | more) as running:
        for address in health:
            await processes.until_ready(running, address)
        yield running, f"http://127.0.0.1:{ports['PORT']}", health


async def _answers(address: str) -> bool:
    """Ask over twenty connections of their own, so that both processes are asked."""
    async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(force_close=True)) as client:
        for _ in range(20):
            async with client.get(f"{address}/v1/openapi.json") as answer:
                if answer.status != 200:
                    return False
    return True


async def test_a_dead_process_is_started_again_and_all_stop_together(
    pool, environment: dict[str, str], systemd: Listener
):
    """Meanwhile the other one answers. systemd is told when both are ready, that they live, and of the stop."""
    async with _two(environment, **systemd.environment) as (running, address, health):
        await until(lambda: "READY=1" in systemd.told(), what="systemd was not told")
        first, second = _children(running)
        assert await _answers(address)
        os.kill(first, signal.SIGKILL)
        await until(lambda: any("supervisor.process_ended" in line for line in running.lines))
        assert await _answers(address)
        await processes.until_ready(running, health[0])
        assert second in _children(running)
        assert first not in _children(running)
        await until(lambda: "WATCHDOG=1" in systemd.told(), what="no sign of life")
        children = _children(running)
        assert await running.end() == 0
        assert systemd.told()[-1] == "STOPPING=1"
        assert not [pid for pid in children if Path(f"/proc/{pid}").exists()]
        assert sum("service.stopped" in line for line in running.lines) == 2


async def test_processes_end_with_their_supervisor(pool, environment: dict[str, str]):
    """Even kill -9 of it leaves none behind, which would hold the port."""
    async with _two(environment) as (running, _, _):
        children = _children(running)
        running.send(signal.SIGKILL)
        await until(lambda: not any(Path(f"/proc/{pid}").exists() for pid in children), what="a process is left")
        assert sum("service.stopped" in line for line in running.lines) == 2


async def test_a_port_of_another_program_is_refused(environment: dict[str, str]):
    """Processes that share a port would take it for one of theirs; a health port that is taken ends all of them."""
    with socket.socket() as other:
        other.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        other.bind(("127.0.0.1", 0))
        other.listen()
        taken = str(other.getsockname()[1])
        words, ports = ("service", "serve", "--processes", "2"), processes.api_ports()
        async with processes.program(*words, environment=environment | ports | {"PORT": taken}) as running:
            assert await running.ended() == AWAY
        async with processes.program(*words, environment=environment | ports | {"HEALTH_PORT": taken}) as running:
            assert await running.ended() == AWAY
        assert "set HEALTH_PORT" in "\n".join(running.lines)


_HANGS = """
import logging, sys, time
from service.process_supervisor import Supervisor
from service.supervision import READY
logging.basicConfig(format="%(event)s")

def run(index, starter):
    starter.report(READY)
    if sys.stdin.readline():
        time.sleep(1000)  # as an event loop that hangs
    return 5

sys.exit(Supervisor(1, run, drain=1, fatal=frozenset({5}), patience=0.1).supervise())
"""


def test_a_process_that_hangs_is_killed():
    """A process whose event loop gives no sign of life is replaced; an exit code without hope ends the supervisor."""
    done = subprocess.run(
        [sys.executable, "-c", _HANGS], cwd=processes.ROOT, input="hang\n", capture_output=True, text=True,
        timeout=PATIENCE, check=False,
    )  # fmt: skip
    assert (done.stderr.split(), done.returncode) == (["supervisor.process_hung", "supervisor.process_ended"], 5)


_NO_ROOM = """
import errno, logging, os, sys
from service.process_supervisor import Supervisor
logging.basicConfig(format="%(event)s")
refusals, fork = [errno.EAGAIN], os.fork

def fork_at_last():
    if refusals:
        raise OSError(refusals.pop(), "")
    return fork()

os.fork = fork_at_last
sys.exit(Supervisor(1, lambda index, starter: 5, drain=1, fatal=frozenset({5})).supervise())
"""


def test_a_fork_that_is_refused_is_tried_again():
    """Without room for one process more, those that run go on: their supervisor does not end."""
    done = subprocess.run(
        [sys.executable, "-c", _NO_ROOM], cwd=processes.ROOT, capture_output=True, text=True, timeout=PATIENCE,
        check=False,
    )  # fmt: skip
    assert (done.stderr.split(), done.returncode) == (["supervisor.fork_failed"], 5)
