"""Addresses of this machine in its local network."""

import ipaddress
import socket

from devstack.servers import ServerError

AUTO = "auto"


def own_address(asked: str) -> str:
    """Return the address that others reach: the one asked for, or that of the default route for AUTO and 0.0.0.0.

    Empty for localhost, which is served anyway. Raises ServerError where this machine has no such address.
    """
    if asked in (AUTO, "0.0.0.0", "::"):  # noqa: S104 - nothing listens there: it stands for the machine's own address
        return _of_default_route()
    try:
        address = ipaddress.ip_address(asked)
        with socket.socket(socket.AF_INET6 if address.version == 6 else socket.AF_INET) as probe:
            probe.bind((asked, 0))
    except (ValueError, OSError):
        raise ServerError(f"--host {asked}: that is no address of this machine, such as {_example()}") from None
    return "" if str(address) in ("127.0.0.1", "::1") else str(address)


def origin(host: str, port: int) -> str:
    """Make the origin of a server on this machine; without a host, localhost."""
    return f"http://{in_url(host) or 'localhost'}:{port}"


def in_url(host: str) -> str:
    return f"[{host}]" if ":" in host else host


def _of_default_route() -> str:
    # Connecting a UDP socket sends nothing; the address is one of those kept for documentation (RFC 5737).
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        try:
            probe.connect(("192.0.2.1", 9))
        except OSError:
            raise ServerError("--host: this machine is in no network; name its address") from None
        found: str = probe.getsockname()[0]
        return found


def _example() -> str:
    try:
        return _of_default_route()
    except ServerError:
        return "192.168.1.20"
