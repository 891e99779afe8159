"""Ports of one machine, which others may have taken."""

import errno
import socket

from devstack.servers import free_port
from devstack.terminal import print_line


def free(port: int, what: str) -> int:
    """Return the port itself, else, with a message, the next free one; 0 asks for any."""
    if port == 0:
        return free_port()
    number = next((near for near in range(port, min(port + 20, 65536)) if not _taken(near)), None)
    number = number or free_port()
    if number != port:
        print_line(f"Port {port} is taken; {what} uses {number}.")
    return number


def _taken(port: int) -> bool:
    """Both addresses count: who goes to localhost may try ::1 first and meet another program there."""
    for family, host in ((socket.AF_INET, "127.0.0.1"), (socket.AF_INET6, "::1")):
        try:
            with socket.socket(family) as probe:
                probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
                probe.bind((host, port))
        except OSError as error:
            if error.errno in (errno.EADDRINUSE, errno.EACCES):
                return True
    return False
