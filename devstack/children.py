"""Our own programs as children: one run to its end, and those that are started again whenever they end."""

import asyncio
import contextlib
import os
import signal
from asyncio.subprocess import Process
from collections.abc import Awaitable, Callable, Mapping
from pathlib import Path

from devstack.servers import ServerError, last_lines, open_log, tied
from devstack.terminal import how_ended, print_line, short

ROOT = Path(__file__).resolve().parents[1]
READY_PATIENCE = 60.0
STOP_PATIENCE = 20.0
# A program that lived this many seconds is restarted at once again; until then the waits double.
STEADY = 30.0
FIRST_WAIT, LONGEST_WAIT = 0.5, 15.0


class Program:
    """A child that is started again whenever it ends, until it's told to stop; `url` is for the developer's browser."""

    def __init__(
        self,
        name: str,
        command: tuple[str, ...],
        *,
        env: Mapping[str, str],
        log: Path,
        ready: Callable[[], Awaitable[bool]],
        url: str = "",
    ) -> None:
        self.name = name
        self.command = command
        self.env = env
        self.log = log
        self.ready = ready
        self.url = url
        self.process: Process | None = None
        self._since = 0

    async def start(self) -> Process:
        with open_log(self.log) as out:
            self._since = out.tell()
            self.process = await asyncio.create_subprocess_exec(
                # Without us the servers are gone too, and an orderly end would only wait for them.
                *tied(signal.SIGKILL),
                *self.command,
                cwd=ROOT,
                env=self.env,
                stdin=asyncio.subprocess.DEVNULL,
                stdout=out,
                stderr=out,
                # Ctrl-C reaches us alone; we end the programs one after the other.
                start_new_session=True,
            )
        return self.process

    async def keep(self) -> None:
        """Start it again when it ends, later and later while it keeps ending."""
        clock = asyncio.get_running_loop().time
        wait = FIRST_WAIT
        process = self.process or await self.start()
        while True:
            began = clock()
            status = await process.wait()
            wait = FIRST_WAIT if clock() - began > STEADY else min(wait * 2, LONGEST_WAIT)
            print_line(
                f"The {self.name} ended ({how_ended(status)}); it starts again in {wait:g} s. {self.last_output()}"
            )
            await asyncio.sleep(wait)
            process = await self.start()

    async def stop(self) -> None:
        process = self.process
        if process is None or process.returncode is not None:
            return
        process.terminate()
        try:
            async with asyncio.timeout(STOP_PATIENCE):
                await process.wait()
        except TimeoutError:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            await process.wait()

    def last_output(self) -> str:
        return f"Its last lines in {short(self.log)}:\n{last_lines(self.log, since=self._since)}"


async def call(command: tuple[str, ...], *, env: Mapping[str, str], fine: tuple[int, ...] = (0,)) -> None:
    """Run one command to its end."""
    process = await asyncio.create_subprocess_exec(
        *tied(signal.SIGKILL),
        *command,
        cwd=ROOT,
        env=env,
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
        start_new_session=True,
    )
    try:
        output, _ = await process.communicate()
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
    if process.returncode not in fine:
        lines = "\n".join(f"    {line}" for line in output.decode(errors="replace").splitlines()[-12:])
        raise ServerError(f"`{' '.join(command[1:])}` failed ({how_ended(process.returncode)}):\n{lines}")


async def until_ready(program: Program) -> None:
    """Wait for a program that was started. Raises ServerError with its last lines."""
    deadline = asyncio.get_running_loop().time() + READY_PATIENCE
    while not await program.ready():
        status = program.process.returncode if program.process else None
        if status is not None:
            raise ServerError(f"The {program.name} did not start ({how_ended(status)}). {program.last_output()}")
        if asyncio.get_running_loop().time() > deadline:
            raise ServerError(f"The {program.name} is not ready after {READY_PATIENCE:g} s. {program.last_output()}")
        await asyncio.sleep(0.05)
