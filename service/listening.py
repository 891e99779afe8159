"""Ports of the API: where it listens, and what an operator reads where it can't."""

import errno
import socket

from aiohttp import web

from service import outages
from service.settings import Settings


def require_free_port(settings: Settings) -> None:
    """Raise ServerUnavailable if another program has PORT: processes that share it would share it with that one."""
    for host in hosts_of(settings):
        try:
            found = socket.getaddrinfo(host, settings.port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
            for family, kind, protocol, _, address in found:
                with socket.socket(family, kind, protocol) as probe:
                    probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
                    if family == socket.AF_INET6:
                        probe.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
                    probe.bind(address)
        except OSError as error:
            raise _unavailable(host, settings.port, error, "PORT") from None


def hosts_of(settings: Settings) -> list[str]:
    """Split HOST. A comma too many is no address; asyncio would take it for all of them."""
    return [host for part in settings.host.split(",") if (host := part.strip())]


async def listen(site: web.TCPSite, host: str, setting: str) -> None:
    """Listen on a port. Raises ServerUnavailable, which names the setting to correct."""
    try:
        await site.start()
    except OSError as error:
        raise _unavailable(host, site.port, error, setting) from None


def _unavailable(host: str, port: int, error: OSError, setting: str) -> outages.ServerUnavailable:
    return outages.ServerUnavailable(f"can't listen on {host}:{port}: {_why(error, setting)}")


def _why(error: OSError, name: str) -> str:
    if isinstance(error, socket.gaierror):
        return "no such host can be resolved: HOST is an address of this machine, such as 127.0.0.1 or 0.0.0.0"
    match error.errno:
        case errno.EADDRINUSE:
            return f"another process has it: end that, or set {name}"
        case errno.EADDRNOTAVAIL:
            return "that is no address of this machine: mend HOST"
        case errno.EACCES:
            return f"this user may not: set {name} to 1024 or more"
    return error.strerror or type(error).__name__
