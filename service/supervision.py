"""Messages of a process to who started it: systemd (sd_notify), or the supervisor of several processes."""

import asyncio
import os
import socket
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass

READY, ALIVE, STOPPING = "READY=1", "WATCHDOG=1", "STOPPING=1"


@dataclass(frozen=True, slots=True)
class Supervision:
    """Channel to the starter: `interval` is the seconds between two signs of life, and none are sent without it.

    `line` is the supervisor's: its end means that the supervisor is gone, and that this process has to stop.
    """

    report: Callable[[str], None]
    interval: float | None = None
    line: socket.socket | None = None

    async def run(self, stop: asyncio.Event) -> None:
        """Send signs of life from the event loop until cancelled; set `stop` when the supervisor is gone."""
        loop = asyncio.get_running_loop()
        if self.line:
            loop.add_reader(self.line, self._read, self.line, stop)
        try:
            while True:
                self.report(ALIVE)
                await asyncio.sleep(self.interval or 3600)
        finally:
            if self.line:
                loop.remove_reader(self.line)

    @staticmethod
    def _read(line: socket.socket, stop: asyncio.Event) -> None:
        with suppress(BlockingIOError):
            if not line.recv(64):
                asyncio.get_running_loop().remove_reader(line)
                stop.set()


def by_systemd() -> Supervision:
    """Read from the environment what systemd wants to be told; nothing is sent where it is not the starter."""
    limit = os.environ.get("WATCHDOG_USEC", "")
    seconds = int(limit) / 2_000_000 if limit.isdecimal() else None
    return Supervision(notify, seconds)


def by_line(line: socket.socket, interval: float) -> Supervision:
    """Make the channel of a child to its supervisor."""
    line.settimeout(0)

    def report(state: str) -> None:
        with suppress(OSError):  # a supervisor that is gone is noticed by its end of the line
            line.send(f"{state}\n".encode())

    return Supervision(report, interval, line)


def notify(state: str) -> None:
    """Send a state to systemd (man 3 sd_notify). Never raises: the service works without it."""
    address = os.environ.get("NOTIFY_SOCKET", "")
    if not address:
        return
    with suppress(OSError), socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC) as sender:
        sender.sendto(state.encode(), f"\0{address[1:]}" if address.startswith("@") else address)
