"""A service in one process, started in a tenth of a second: a fork of a process that has imported it already.

`python -m testkit.forks` reads one JSON object of settings a line, forks, and writes the child's pid; with the
empty line it waits for the child's end and writes the exit code. Children die with it, and it with the tests.
"""

import asyncio
import ctypes
import json
import os
import signal
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

from devstack.servers import tied
from service import failpoints, json_logging
from service.app import routes
from service.clientinfo import user_agents
from service.crypto import passkey_ceremonies
from service.server import serve
from service.settings import WorkerSettings
from testkit.processes import ROOT
from worker import poller
from worker.mail import templates
from worker.main import run_worker

# Word for the seconds between two rounds of what a worker does each hour.
HOUR = "TEST_HOUR"
_PR_SET_PDEATHSIG = 1


async def both(settings: WorkerSettings) -> None:
    """Run the API and a worker; the first that ends ends the other."""
    parts = {asyncio.create_task(serve(settings)), asyncio.create_task(run_worker(settings))}
    done, _ = await asyncio.wait(parts, return_when=asyncio.FIRST_COMPLETED)
    for part in done:
        part.result()


def live(words: dict[str, str]) -> None:
    """Run a child's program from its start to its end."""
    ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
    os.environ.update(words)
    failpoints.arm(words.get("FAILPOINTS", ""))
    poller.PURGE_INTERVAL = float(words.get(HOUR, poller.PURGE_INTERVAL))
    settings = WorkerSettings.read()
    json_logging.configure_logging(level=settings.log_level, form=settings.log_format)
    code = 1
    try:
        asyncio.run(both(settings))
        code = 0
    finally:
        os._exit(code)


def main() -> None:
    routes()
    asyncio.run(passkey_ceremonies.load())
    templates.load_templates()
    user_agents.load_rules()
    child = 0
    for line in sys.stdin:
        if line.strip():
            child = os.fork()
            if child == 0:
                live(json.loads(line))
            answer = child
        else:
            answer = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
        sys.stdout.write(f"{answer}\n")
        sys.stdout.flush()


@dataclass
class Nursery:
    """Bears one child at a time."""

    process: asyncio.subprocess.Process

    async def bear(self, words: dict[str, str]) -> int:
        """Fork a child with these settings, FAILPOINTS among them; return its pid."""
        return int(await self._ask(json.dumps(words)))

    async def end(self) -> int:
        """Wait for the child's end; its exit code, or minus the signal."""
        return int(await self._ask(""))

    async def _ask(self, line: str) -> bytes:
        assert self.process.stdin
        assert self.process.stdout
        self.process.stdin.write(line.encode() + b"\n")
        return await self.process.stdout.readline()


@asynccontextmanager
async def nursery(log: Path) -> AsyncIterator[Nursery]:
    """Start a nursery; the children's output goes to `log`."""
    with log.open("ab") as out:
        process = await asyncio.create_subprocess_exec(
            *tied(signal.SIGKILL), sys.executable, "-m", "testkit.forks",
            cwd=ROOT, env={"PATH": os.environ["PATH"]}, stderr=out,
            stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE,
        )  # fmt: skip
    try:
        yield Nursery(process)
    finally:
        process.kill()
        await process.wait()


if __name__ == "__main__":
    main()
