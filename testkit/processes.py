"""The service as it runs in production: `python -m service serve` and `python -m worker`, each a process."""

import asyncio
import os
import random
import signal
import socket
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import aiohttp

from devstack.servers import tied
from testkit.patience import PATIENCE

ROOT = Path(__file__).parent.parent
# The seed of a test would give all tests the same ports.
_chance = random.SystemRandom()


@dataclass
class Process:
    """A started program; `lines` is what it wrote so far."""

    process: asyncio.subprocess.Process
    lines: list[str] = field(default_factory=list)
    reader: "asyncio.Task[None] | None" = None

    async def read(self) -> None:
        assert self.process.stderr
        async for line in self.process.stderr:
            self.lines.append(line.decode().rstrip())

    @property
    def running(self) -> bool:
        return self.process.returncode is None

    def send(self, number: signal.Signals) -> None:
        """Without waiting for what comes of it; nothing to one that has ended."""
        if self.running:
            self.process.send_signal(number)

    async def ended(self) -> int:
        """Its exit code, once it has ended by itself."""
        try:
            code = await asyncio.wait_for(self.process.wait(), PATIENCE)
        except TimeoutError:
            raise TimeoutError(f"it has not ended after {PATIENCE:g} s", self.lines) from None
        if self.reader:
            await self.reader
        return code

    async def end(self, number: signal.Signals = signal.SIGTERM) -> int:
        """Send a signal if it still runs; its exit code."""
        self.send(number)
        return await self.ended()


async def start(
    *words: str, environment: dict[str, str], root: Path = ROOT, command: tuple[str, ...] = (sys.executable, "-m")
) -> Process:
    """Start a Python program of the tree at `root`; it ends at the latest with the tests, even if those are killed."""
    started = await asyncio.create_subprocess_exec(
        *tied(signal.SIGKILL), *command, *words,
        cwd=root, env={"PATH": os.environ["PATH"], **environment}, stderr=asyncio.subprocess.PIPE,
    )  # fmt: skip
    running = Process(started)
    running.reader = asyncio.create_task(running.read())
    return running


@asynccontextmanager
async def program(*words: str, environment: dict[str, str], **more: Any) -> AsyncIterator[Process]:
    """As `start`, and it ends with the block."""
    running = await start(*words, environment=environment, **more)
    try:
        yield running
    finally:
        await running.end()


@asynccontextmanager
async def api(environment: dict[str, str]) -> AsyncIterator[tuple[Process, str]]:
    """Start the API and wait until it is ready; yields its address."""
    ports = api_ports()
    async with program("service", "serve", environment=environment | ports) as running:
        await until_ready(running, f"http://127.0.0.1:{ports['HEALTH_PORT']}/ready")
        yield running, f"http://127.0.0.1:{ports['PORT']}"


def lasting_port() -> int:
    """Find a free port below those of outgoing connections: it stays free while its server is down."""
    while True:
        port = _chance.randrange(20_000, 32_768)
        with socket.socket() as probe, suppress(OSError):
            probe.bind(("127.0.0.1", port))
            return port


def api_ports() -> dict[str, str]:
    """Make settings of an API on free ports."""
    port = lasting_port()
    return {"PORT": str(port), "HEALTH_PORT": str(lasting_port()), "PUBLIC_URL": f"http://localhost:{port}"}


async def until_ready(running: Process, address: str) -> None:
    """Until the health port says so; an error with what the program wrote if it ends before."""
    async with asyncio.timeout(PATIENCE), aiohttp.ClientSession() as client:
        while True:
            assert running.process.returncode is None, running.lines
            try:
                async with client.get(address) as answer:
                    if answer.status == 200:
                        return
            except aiohttp.ClientError:
                pass
            await asyncio.sleep(0.05)


@asynccontextmanager
async def worker(environment: dict[str, str], *, heartbeat: Path) -> AsyncIterator[Process]:
    """Start a worker and wait for its first poll."""
    heartbeat.unlink(missing_ok=True)
    beat = {"WORKER_HEARTBEAT": str(heartbeat)}
    async with program("worker", environment=environment | beat) as running:
        await until_beating(running, heartbeat)
        yield running


async def until_beating(running: Process, heartbeat: Path) -> None:
    """Until a worker has made its first round; the file must not be an earlier one's."""
    async with asyncio.timeout(PATIENCE):
        while not heartbeat.exists():
            assert running.process.returncode is None, running.lines
            await asyncio.sleep(0.05)
