"""The client's address by X-Forwarded-For, or by Forwarded (RFC 7239).

Every proxy puts the address that it was asked from on the right. So the client's is counted from the right, by the
number of proxies that are trusted: what a client writes there itself stands further left and changes nothing. One
header is read and never the other, not even where the first is missing: a proxy that writes one of them passes the
other on as the client wrote it.
"""

import ipaddress
import logging
import re
from collections.abc import Iterator
from functools import lru_cache
from typing import Literal

from aiohttp import web

from service.http.headers import joined

Header = Literal["X-Forwarded-For", "Forwarded"]
Address = ipaddress.IPv4Address | ipaddress.IPv6Address
log = logging.getLogger(__name__)

# A port may be hidden too; neither is needed. A zone names an interface of the host that wrote it.
_PORT = r"(?::(?:[0-9]{1,5}|_[A-Za-z0-9._-]+))?"
_NODE = re.compile(rf"(?P<four>[0-9.]{{7,15}}){_PORT}|\[(?P<six>[0-9A-Fa-f:.]{{2,45}})(?:%[^\]]*)?\]{_PORT}")
# An IPv6 address without brackets, and where it can be told from the address, a port behind it.
_BARE = re.compile(r"(?P<address>[0-9A-Fa-f:.]{2,45}?)(?::(?P<port>[0-9]{1,5}))?")
# An element of Forwarded from its end to its beginning: a comma in quotes is text. A client may leave
# quotes open, or have text of its own put into quotes (as a host), but all of that is to the left of where it is read.
_ESCAPED = r"(?:\\\\)*\\(?!\\)"  # what follows a quote, read backwards, that an odd number of backslashes escapes
_BACKWARDS = re.compile(rf'(?:"(?!{_ESCAPED})(?:"(?={_ESCAPED})|[^"])*"(?!{_ESCAPED})|[^,])*')
_PAIR = re.compile(r'[ \t]*([A-Za-z]+)[ \t]*=[ \t]*(?:"((?:[^"\\]|\\.)*)"[ \t]*|([^";]*))(?:;|\Z)')
_ESCAPE = re.compile(r"\\(.)")
_SHAPE = 45


class Forwarding:
    """Client addresses behind so many trusted proxies; each kind of fault is logged once a process."""

    def __init__(self, header: Header, trusted_hops: int) -> None:
        self._header, self._trusted_hops = header, trusted_hops
        self._logged: set[str] = set()

    def address(self, request: web.BaseRequest) -> str:
        """Return the client's address: the socket's peer without trusted proxies, or if their header is unreadable."""
        peer = peer_of(request)
        if not self._trusted_hops:
            return peer
        hops = elements(request, self._header)
        if len(hops) < self._trusted_hops:
            self._tell("fewer addresses than TRUSTED_HOPS" if hops else "no such header", "")
            return peer
        found = parse_element(hops[-self._trusted_hops], self._header)
        if found is None:
            self._tell("not an address", hops[-self._trusted_hops])
            return peer
        return str(found)

    def _tell(self, why: str, element: str) -> None:
        """Log the element's form and not its text: a client may have written it."""
        if why in self._logged:
            return
        self._logged.add(why)
        shape = re.sub(r"[A-Za-z]+", "a", re.sub(r"[0-9]+", "9", element[: 4 * _SHAPE]))
        shape = re.sub(r"[^\x21-\x7e]", "?", shape)[:_SHAPE]
        log.warning(
            "The client's address can't be read from the proxy's header; the proxy's own is used",
            extra={"event": "client_address.unreadable", "header": self._header, "reason": why, "shape": shape},
        )


def peer_of(request: web.BaseRequest) -> str:
    """Return the address at the other end of the connection; 0.0.0.0 for a unix socket."""
    return _peer(request.remote or "")


@lru_cache(1024)
def _peer(remote: str) -> str:
    """Format the socket's address, which the kernel has made and no client can make long."""
    found = _address(remote)
    return str(found) if found else "0.0.0.0"  # noqa: S104 - no address is bound


def elements(request: web.BaseRequest, header: Header) -> list[str]:
    """Return the elements that proxies, and clients before them, have added; empty without the header."""
    if header not in request.headers:
        return []
    text = joined(request, header)
    if header == "X-Forwarded-For":
        return [element.strip() for element in text.split(",")]
    return [element.strip() for element in _split(text)][::-1]


def _split(text: str) -> Iterator[str]:
    """Yield the elements of Forwarded, the last one first."""
    backwards, place = text[::-1], 0
    while place <= len(backwards):
        match = _BACKWARDS.match(backwards, place)
        end = match.end() if match else place
        yield backwards[place:end][::-1]
        place = end + 1


def parse_element(element: str, header: Header) -> Address | None:
    """Parse the address in one element; None for `unknown`, a hidden one, and anything else."""
    if header == "X-Forwarded-For":
        return _address(_unquoted(element))
    nodes, place = [], 0
    while place < len(element):
        match = _PAIR.match(element, place)
        if match is None:
            return None
        if match[1].lower() == "for":
            nodes.append(_ESCAPE.sub(r"\1", match[2]) if match[2] is not None else match[3])
        place = match.end()
    return _address(nodes[0]) if len(nodes) == 1 else None


def _unquoted(text: str) -> str:
    return text[1:-1] if len(text) > 1 and text[0] == text[-1] == '"' else text


def _address(text: str) -> Address | None:
    """Parse IPv4 and IPv6 with or without brackets, port and zone; an IPv4 address within IPv6 is that address."""
    text = text.strip()
    if match := _NODE.fullmatch(text):
        return parse_address(match["four"] or match["six"])
    if match := _BARE.fullmatch(text.partition("%")[0]):
        return parse_address(text) or (parse_address(match["address"]) if match["port"] else None)
    return None


def parse_address(text: str) -> Address | None:
    """Parse an address that stands alone; None for anything else."""
    text = text.partition("%")[0]
    return _parse(text) if len(text) <= _SHAPE else None


@lru_cache(1024)
def _parse(text: str) -> Address | None:
    """Parse a text no longer than an address can be; each request asks several times for its own."""
    try:
        address = ipaddress.ip_address(text)
    except ValueError:
        return None
    return getattr(address, "ipv4_mapped", None) or address
