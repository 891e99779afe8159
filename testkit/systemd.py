"""The socket on which systemd listens to the units that it has started (man 3 sd_notify)."""

import socket
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Listener:
    """`environment` is what systemd gives a unit of Type=notify with a watchdog of four seconds."""

    listening: socket.socket

    @property
    def environment(self) -> dict[str, str]:
        return {"NOTIFY_SOCKET": str(self.listening.getsockname()), "WATCHDOG_USEC": "4000000"}

    def told(self) -> list[str]:
        """Return what came since the last call."""
        found = []
        try:
            while True:
                found.append(self.listening.recv(100).decode())
        except BlockingIOError:
            return found


@contextmanager
def listener(folder: Path) -> Iterator[Listener]:
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as listening:
        listening.bind(str(folder / "notify"))
        listening.settimeout(0)
        yield Listener(listening)
