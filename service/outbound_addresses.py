"""Guard against requests to inside addresses: each is looked at when it is dialled, whatever name led there.

Neither the text of a URL nor a resolver can tell: a name may resolve to something else a moment later, and a literal
asks no resolver.
"""

import errno
import socket
from collections.abc import Sequence
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network
from typing import Any

Network = IPv4Network | IPv6Network
# Global by name in one release of Python or another. Those of protocols and documents, and those that lead to an
# address of IPv4, which may be any: 6to4 and its relays, Teredo, NAT64.
_SPECIAL = tuple(
    ip_network(text)
    for text in (
        "192.0.0.0/24", "192.88.99.0/24", "2001::/23", "2002::/16", "3fff::/20", "5f00::/16", "64:ff9b::/96",
        "64:ff9b:1::/48", "fec0::/10",
    )
)  # fmt: skip


def is_public(address: IPv4Address | IPv6Address) -> bool:
    """Tell whether an address is of the Internet, and leads nowhere else."""
    if isinstance(address, IPv6Address) and address.ipv4_mapped:
        address = address.ipv4_mapped
    special = address.is_multicast or address.is_reserved or is_within(address, _SPECIAL)
    return address.is_global and not special


def is_within(address: IPv4Address | IPv6Address, networks: Sequence[Network]) -> bool:
    if isinstance(address, IPv6Address) and address.ipv4_mapped:
        address = address.ipv4_mapped
    return any(address in network for network in networks)


@dataclass(frozen=True, slots=True)
class OutboundSockets:
    """Socket factory of an aiohttp connector; `public` addresses may be dialled, and those of `networks`."""

    networks: Sequence[Network]
    public: bool = True

    def __call__(self, found: tuple[Any, Any, int, str, tuple[Any, ...]]) -> socket.socket:
        """Make the socket for an address. Raises PermissionError for one that may not be dialled."""
        family, kind, protocol, _, where = found
        address = ip_address(str(where[0]).partition("%")[0])
        if not (is_within(address, self.networks) or (self.public and is_public(address))):
            raise PermissionError(errno.EPERM, "its address may not be dialled")
        return socket.socket(family, kind, protocol)
