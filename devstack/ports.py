"""Ports of one machine, which others may have taken."""

import errno
import socket
from dataclasses import dataclass

from devstack.servers import free_port
from devstack.terminal import print_line

_NAMES = {"api": "the API", "page": "the mailbox", "smtp": "SMTP", "app": "the example app", "try_it": "Swagger UI",
          "provider": "the demo provider"}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Ports:
    """Ports to try first; 0 is any. A taken one gives way to the next free one, unless it was asked for (`wanted`)."""

    api: int = 8080
    page: int = 8025
    smtp: int = 1025
    app: int = 8030
    try_it: int = 8035
    provider: int = 8040
    wanted: frozenset[str] = frozenset()


USUAL = Ports()


class PortTaken(Exception):
    """Another program has a port that was asked for."""


def refuse_taken(ports: Ports, host: str = "") -> None:
    """Raise PortTaken for a port that was asked for and can't be had."""
    for name in sorted(ports.wanted):
        choose(ports, name, host)


def choose(ports: Ports, name: str, host: str = "") -> int:
    """Return the port itself, else, with a message, the next free one; free on `host`, too.

    Raises PortTaken instead where that very port was asked for.
    """
    port: int = getattr(ports, name)
    if port == 0:
        return free_port()
    if name in ports.wanted and _taken(port, host):
        raise PortTaken(f"Port {port} for {_NAMES[name]} is taken. Name another one, or leave the option out.")
    number = next((near for near in range(port, min(port + 20, 65536)) if not _taken(near, host)), None)
    number = number or free_port()
    if number != port:
        print_line(f"Port {port} is taken; {_NAMES[name]} uses {number}.")
    return number


def _taken(port: int, host: str) -> bool:
    """Both addresses of localhost count: a client may try ::1 first and meet another program there."""
    for address in ("127.0.0.1", "::1", *([host] if host else [])):
        try:
            with socket.socket(socket.AF_INET6 if ":" in address else socket.AF_INET) as probe:
                probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
                probe.bind((address, port))
        except OSError as error:
            if error.errno in (errno.EADDRINUSE, errno.EACCES):
                return True
    return False
