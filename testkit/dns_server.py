"""A DNS server of the tests: it answers from a table, on a free port of this machine, and may be silent or refuse.

async with DnsServer({("example.com", "TXT"): ["v=spf1 ~all"]}) as server:
    ... ask server.address
"""

import asyncio
from dataclasses import dataclass, field
from types import TracebackType
from typing import Literal, Self

import dns.flags
import dns.message
import dns.rcode
import dns.rdataclass
import dns.rdatatype
import dns.rrset

Records = dict[tuple[str, str], list[str]]


@dataclass
class DnsServer:
    """The server; `asked` lists names and types in order. A name without any record does not exist."""

    records: Records = field(default_factory=dict)
    mode: Literal["answer", "silent", "refuse"] = "answer"
    asked: list[tuple[str, str]] = field(default_factory=list)
    port: int = 0
    _transport: asyncio.DatagramTransport | None = None

    @property
    def address(self) -> str:
        return f"127.0.0.1:{self.port}"

    async def __aenter__(self) -> Self:
        loop = asyncio.get_running_loop()
        self._transport, _ = await loop.create_datagram_endpoint(
            lambda: _Protocol(self), local_addr=("127.0.0.1", self.port)
        )
        self.port = self._transport.get_extra_info("sockname")[1]
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._transport:
            self._transport.close()

    def answer(self, query: dns.message.Message) -> dns.message.Message:
        question = query.question[0]
        name, kind = question.name.to_text(omit_final_dot=True).lower(), dns.rdatatype.to_text(question.rdtype)
        self.asked.append((name, kind))
        answer = dns.message.make_response(query, recursion_available=True)
        if self.mode == "refuse":
            answer.set_rcode(dns.rcode.REFUSED)
        elif texts := self.records.get((name, kind)):
            shown = [_pieces(text) if kind == "TXT" else text for text in texts]
            answer.answer.append(dns.rrset.from_text(question.name, 60, "IN", kind, *shown))
        elif not any(known == name or known.endswith(f".{name}") for known, _ in self.records):
            answer.set_rcode(dns.rcode.NXDOMAIN)
        return answer


def _pieces(text: str) -> str:
    """Write a text in strings of the length that one may have."""
    return " ".join(f'"{text[at : at + 255]}"' for at in range(0, len(text), 255))


class _Protocol(asyncio.DatagramProtocol):
    def __init__(self, server: DnsServer) -> None:
        self._server = server
        self._transport: asyncio.DatagramTransport | None = None

    def connection_made(self, transport: asyncio.DatagramTransport) -> None:  # type: ignore[override]
        self._transport = transport

    def datagram_received(self, data: bytes, addr: tuple[str, int]) -> None:
        if self._server.mode != "silent" and self._transport:
            self._transport.sendto(self._server.answer(dns.message.from_wire(data)).to_wire(), addr)
