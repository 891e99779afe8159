"""The service as it runs in production: `python -m service serve` and `python -m worker`, each a process."""

import asyncio
import os
import signal
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

import aiohttp

from service.local.servers import free_port, tied

ROOT = Path(__file__).parent.parent
_START = 20.0


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

    async def end(self, number: signal.Signals = signal.SIGTERM) -> int:
        """Send a signal if it still runs; its exit code."""
        if self.process.returncode is None:
            self.process.send_signal(number)
        code = await asyncio.wait_for(self.process.wait(), _START)
        if self.reader:
            await self.reader
        return code


@asynccontextmanager
async def program(*words: str, environment: dict[str, str]) -> AsyncIterator[Process]:
    """A Python program of ours; it ends with the block, and with the tests even if they are killed."""
    started = await asyncio.create_subprocess_exec(
        *tied(signal.SIGKILL), sys.executable, "-m", *words,
        cwd=ROOT, env={"PATH": os.environ["PATH"], **environment}, stderr=asyncio.subprocess.PIPE,
    )  # fmt: skip
    running = Process(started)
    running.reader = asyncio.create_task(running.read())
    try:
        yield running
    finally:
        await running.end()


@asynccontextmanager
async def api(environment: dict[str, str]) -> AsyncIterator[tuple[Process, str]]:
    """The API, ready; with its address."""
    port, health = free_port(), free_port()
    ports = {"PORT": str(port), "HEALTH_PORT": str(health), "PUBLIC_URL": f"http://localhost:{port}"}
    async with program("service", "serve", environment=environment | ports) as running:
        await _until_ready(running, f"http://127.0.0.1:{health}/ready")
        yield running, f"http://127.0.0.1:{port}"


async def _until_ready(running: Process, address: str) -> None:
    async with asyncio.timeout(_START), aiohttp.ClientSession() as client:
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
    """A worker that has made its first round."""
    heartbeat.unlink(missing_ok=True)
    beat = {"WORKER_HEARTBEAT": str(heartbeat)}
    async with program("worker", environment=environment | beat) as running:
        async with asyncio.timeout(_START):
            while not heartbeat.exists():
                assert running.process.returncode is None, running.lines
                await asyncio.sleep(0.05)
        yield running
