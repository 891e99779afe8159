"""Program of a test: posts to a webhook whose name has another address each time that it is asked for.

It runs in namespaces of its own, by `unshare --map-root-user --net --mount`: /etc/resolv.conf names its DNS server, and
the interface lo has addresses of the Internet, of a cloud's metadata and of a private network. What is asked, resolved
and dialled there is what production asks, resolves and dials. The answer is JSON on standard output.

    python -m testkit.rebinding FOLDER     with cert.pem and key.pem of hooks.example; SSL_CERT_FILE trusts it
"""

import asyncio
import fcntl
import ipaddress
import json
import socket
import ssl
import struct
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from uuid import uuid4

import dns.message

from testkit.dns_server import DnsServer
from worker.webhooks.client import WebhookClient

HOST, PUBLIC, PUBLIC_V6, DEAD = "hooks.example", "93.184.216.34", "2606:2800:220:1::34", "93.184.216.35"
INSIDE = ("127.0.0.1", "169.254.169.254", "10.0.0.1", "::1", "::ffff:127.0.0.1", "::ffff:10.0.0.1")
# Of each exchange the addresses that the name has: at the first question, and at each one after it.
TURNS: tuple[tuple[tuple[str, ...], ...], ...] = (
    ((PUBLIC,),),
    *(((address,),) for address in INSIDE),
    *(((PUBLIC,), (address,)) for address in INSIDE),  # who asks twice is told something else
    ((DEAD, "127.0.0.1"),),  # the second one is tried where the first does not answer
    ((PUBLIC_V6,),),
)
_SIOCGIFINDEX, _SIOCGIFFLAGS, _SIOCSIFFLAGS, _SIOCSIFADDR, _SIOCSIFNETMASK = 0x8933, 0x8913, 0x8914, 0x8916, 0x891C


def set_up_network(folder: Path) -> None:
    """Give lo its addresses, and have names resolved by the server on 127.0.0.1."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as control:
        (flags,) = struct.unpack_from("16xH", fcntl.ioctl(control, _SIOCGIFFLAGS, struct.pack("16sH14x", b"lo", 0)))
        fcntl.ioctl(control, _SIOCSIFFLAGS, struct.pack("16sH14x", b"lo", flags | 1))
        (index,) = struct.unpack_from("16xi", fcntl.ioctl(control, _SIOCGIFINDEX, struct.pack("16s16x", b"lo")))
        for number, address in enumerate((PUBLIC, "169.254.169.254", "10.0.0.1")):
            for request, value in ((_SIOCSIFADDR, address), (_SIOCSIFNETMASK, "255.255.255.255")):
                name, packed = f"lo:{number}".encode(), socket.inet_aton(value)
                fcntl.ioctl(control, request, struct.pack("16sHH4s8x", name, socket.AF_INET, 0, packed))
    with socket.socket(socket.AF_INET6, socket.SOCK_DGRAM) as control:
        packed = socket.inet_pton(socket.AF_INET6, PUBLIC_V6)
        fcntl.ioctl(control, _SIOCSIFADDR, struct.pack("16sIi", packed, 128, index))
    for name, text in (("resolv.conf", "nameserver 127.0.0.1\n"), ("nsswitch.conf", "hosts: dns\n")):
        (folder / name).write_text(text)
        subprocess.run(["mount", "--bind", folder / name, Path("/etc", name).resolve()], check=True)


@dataclass
class ChangingDns(DnsServer):
    """The name's addresses: those of `turn` one after the other, the last of them for good."""

    turn: Sequence[Sequence[str]] = ()
    questions: dict[str, int] = field(default_factory=dict)

    def answer(self, query: dns.message.Message) -> dns.message.Message:
        kind = query.question[0].rdtype.name
        asked = self.questions.get(kind, 0)
        self.questions[kind] = asked + 1
        found = self.turn[min(asked, len(self.turn) - 1)]
        self.records = {(HOST, "TXT"): []}
        for address in found:
            of = "A" if ipaddress.ip_address(address).version == 4 else "AAAA"
            self.records.setdefault((HOST, of), []).append(address)
        return super().answer(query)


async def measure(folder: Path) -> dict[str, object]:
    """Post once a turn; return what came of each, and at which addresses connections arrived."""
    reached: list[str] = []

    async def receive(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 204 No Content\r\nConnection: close\r\n\r\n")
        writer.close()

    def connected() -> asyncio.Protocol:
        reader = asyncio.StreamReader()

        class Counted(asyncio.StreamReaderProtocol):
            def connection_made(self, transport: asyncio.BaseTransport) -> None:
                reached.append(transport.get_extra_info("sockname")[0])
                super().connection_made(transport)

        return Counted(reader, receive)

    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(folder / "cert.pem", folder / "key.pem")
    loop, client, exchanges = asyncio.get_running_loop(), WebhookClient(()), []
    async with ChangingDns(port=53) as server:
        receiver = await loop.create_server(connected, ["0.0.0.0", "::"], 443, ssl=context)
        for turn in TURNS:
            server.turn, server.questions = turn, {}
            answer = await client.post(f"https://{HOST}/events", uuid4(), b"{}", [])
            exchanges.append({"turn": turn, "status": answer.status, "fault": answer.fault})
        await client.close()
        receiver.close()
    return {"exchanges": exchanges, "reached": reached}


def main() -> None:
    folder = Path(sys.argv[1])
    set_up_network(folder)
    sys.stdout.write(json.dumps(asyncio.run(measure(folder))))


if __name__ == "__main__":
    main()
