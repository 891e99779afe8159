"""Programs of the bench: each is a process, and each side of a comparison runs on the same core.

Those of the bench itself take orders: a line of JSON in, a line of JSON out.
"""

import asyncio
import os
import signal
import sys
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import orjson

from bench.machine import family_cpu
from devstack.servers import last_lines, tied

ROOT = Path(__file__).parent.parent
_PATIENCE, _LONGEST_LINE = 60.0, 2**24
_CORES = sorted(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else []
Order = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Program:
    process: asyncio.subprocess.Process
    log: Path

    async def ask(self, **order: Any) -> Order:
        """Give an order and wait for the answer; a program that ends instead has said why in its log."""
        assert self.process.stdin
        assert self.process.stdout
        self.process.stdin.write(orjson.dumps(order) + b"\n")
        async with asyncio.timeout(_PATIENCE):
            line = await self.process.stdout.readline()
        if not line:
            raise ChildProcessError(f"a program of the bench ended:\n{last_lines(self.log)}")
        answer: Order = orjson.loads(line)
        return answer

    def cpu(self) -> float:
        """Return the seconds of processor time used so far, by its children too."""
        return family_cpu(self.process.pid)

    def memory(self) -> tuple[float, float]:
        """Return megabytes: the most that was ever resident, and the proportional share now."""
        status = Path(f"/proc/{self.process.pid}/status").read_text()
        shares = Path(f"/proc/{self.process.pid}/smaps_rollup").read_text()
        return _kilobytes(status, "VmHWM:") / 1000, _kilobytes(shares, "Pss:") / 1000


def _kilobytes(text: str, name: str) -> float:
    return next(int(line.split()[1]) * 1.024 for line in text.splitlines() if line.startswith(name))


def placed() -> str:
    """Describe which program runs on which core."""
    if len(_CORES) < 2:
        return "everything shares one core"
    return f"measured side on core {_CORES[0]}; Postgres, Valkey, sink and load on core {_CORES[1]} and up"


@contextmanager
def on_core(*, measured: bool | None) -> Iterator[None]:
    """Run the programs started in the block on the first core, on all the others, or with None on any."""
    if len(_CORES) < 2:
        yield
        return
    before = os.sched_getaffinity(0)
    os.sched_setaffinity(0, _CORES if measured is None else _CORES[:1] if measured else _CORES[1:])
    try:
        yield
    finally:
        os.sched_setaffinity(0, before)


@asynccontextmanager
async def run(
    *words: str, state: Path, environment: dict[str, str] | None = None, measured: bool | None = False
) -> AsyncIterator[Program]:
    """Run `python -m words` until the block ends, or until the kernel ends it after us; its stderr goes to a file."""
    log = state / f"{words[0].replace('.', '-')}.log"
    with log.open("ab") as file, on_core(measured=measured):
        process = await asyncio.create_subprocess_exec(
            *tied(signal.SIGKILL), sys.executable, "-m", *words, cwd=ROOT, limit=_LONGEST_LINE,
            env={"PATH": os.environ["PATH"], **(environment or {})},
            stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE, stderr=file,
        )  # fmt: skip
    try:
        yield Program(process, log)
    finally:
        with suppress(ProcessLookupError):
            process.terminate()
        try:
            await asyncio.wait_for(process.wait(), _PATIENCE)
        except TimeoutError:
            process.kill()


async def until(ready: Callable[[], Awaitable[bool]], program: Program) -> None:
    """Wait for a program of the service to be ready."""
    limit = time.monotonic() + _PATIENCE
    while not await ready():
        if program.process.returncode is not None or time.monotonic() > limit:
            raise ChildProcessError(f"a program of the service did not start:\n{last_lines(program.log)}")
        await asyncio.sleep(0.02)


async def obey(act: Callable[[Order], Awaitable[Order]]) -> None:
    """Serve the orders of `ask` until its process ends."""
    reader = asyncio.StreamReader(limit=_LONGEST_LINE)
    await asyncio.get_running_loop().connect_read_pipe(lambda: asyncio.StreamReaderProtocol(reader), sys.stdin)
    async for line in reader:
        sys.stdout.buffer.write(orjson.dumps(await act(orjson.loads(line))) + b"\n")
        sys.stdout.buffer.flush()
