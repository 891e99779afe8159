"""A program's log shown on the terminal, line by line, beside the supervisor's own messages."""

import asyncio
import os
import re
from collections.abc import Callable, Iterator
from pathlib import Path

from devstack.terminal import print_line

_SECONDS = 0.2
# Lines that the program logged, as JSON or as text. The supervisor itself shows the output of a crash.
_LOGGED = re.compile(rb"\{|\d\d:\d\d:\d\d\.\d{3} ")


class Follower:
    """The lines that are added to a log, also to a new file in its place."""

    def __init__(self, log: Path) -> None:
        self._log = log
        self._file = log.stat()
        self._place, self._rest = self._file.st_size, b""

    def added(self) -> Iterator[str]:
        """List the lines that the program has finished since the last call."""
        try:
            content = self._read()
        except FileNotFoundError:  # about to be replaced
            return
        *lines, self._rest = (self._rest + content).split(b"\n")
        for line in lines:
            if _LOGGED.match(line):
                yield line.decode(errors="replace")

    def _read(self) -> bytes:
        with self._log.open("rb") as file:
            now = os.fstat(file.fileno())
            if not os.path.samestat(now, self._file):
                self._place, self._rest = 0, b""
            self._file = now
            file.seek(self._place)
            content = file.read()
        self._place += len(content)
        return content


async def follow(name: str, log: Path, *, show: Callable[[str], None] = print_line) -> None:
    """Show the lines that are added from now on, until cancelled."""
    follower = Follower(log)
    while True:
        for line in follower.added():
            show(f"{name:6} {line}")
        await asyncio.sleep(_SECONDS)
