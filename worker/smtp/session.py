"""One connection and what is said over it."""

import asyncio
import re
import socket
from collections.abc import Awaitable, Callable
from dataclasses import asdict, dataclass, field
from typing import TYPE_CHECKING, cast

import aiohappyeyeballs
import aiosmtplib
from aiosmtplib.protocol import SMTPProtocol

from service import failpoints
from service.settings import Deadlines
from worker.smtp.outcomes import Stage, TemporaryFailure, one_line
from worker.smtp.reply_codes import of_reply
from worker.smtp.sign_in import sign_in
from worker.smtp.smtp_url import SmtpUrl

if TYPE_CHECKING:
    from worker.smtp.oauth import AccessTokens

# Seconds for the check before DATA, which is a question to Postgres at most.
_FENCE = 30.0
LeaseCheck = Callable[[], Awaitable[bool]]
# Where a crash can be rehearsed. The banner is part of connect, and greet is all until ready for MAIL. Half of the
# content is written at half, all but the dot after content, the dot too before dot; after dot its answer is in.
_STEPS = (
    "greet", "connect", "ehlo", "starttls", "auth", "mail", "rcpt", "fence", "data", "content", "dot", "rset", "noop",
    "quit",
)  # fmt: skip
CROSSINGS = (*(f"smtp.{step}.{side}" for step in _STEPS for side in ("before", "after")), "smtp.half")


@dataclass(frozen=True, slots=True)
class Envelope:
    """An envelope that was checked, and content as it goes over the wire, final dot included."""

    sender: bytes
    recipient: bytes
    content: bytes = field(repr=False)
    before_data: LeaseCheck | None


class SmtpSession:
    """One SMTP session; `stage` says where its dialogue stands, for whoever has to explain a fault.

    While it `owes_content` the server takes whatever comes for a mail: then it can only be dropped.

    Commands go straight to aiosmtplib's protocol: its own mail() and rcpt() parse each address anew, cut what
    they dislike, and cost more than the dialogue itself.
    """

    def __init__(self, smtp: aiosmtplib.SMTP, deadlines: Deadlines) -> None:
        self.smtp = smtp
        self._seconds: dict[str, float] = asdict(deadlines)
        self.stage: Stage = "connect"
        self.mails = 0
        self.used_at = 0.0
        self.awaiting_content = False

    @property
    def alive(self) -> bool:
        return self.smtp.is_connected

    @property
    def protocol(self) -> SMTPProtocol:
        if self.smtp.protocol is None:
            raise aiosmtplib.SMTPServerDisconnected("the connection was cut")
        return self.smtp.protocol

    async def greet(self, server: SmtpUrl, tokens: "AccessTokens | None" = None) -> None:
        """Connect, encrypt and sign in; aiosmtplib raises on whatever isn't a yes."""
        await _reach("greet.before")
        await self._connect(server)
        await self._take("ehlo", "ehlo", self.smtp.ehlo)
        if server.tls == "starttls":
            await self._take("starttls", "tls", lambda: self.smtp.starttls(timeout=self._seconds["tls"]))
            await self._take("ehlo", "ehlo", self.smtp.ehlo)
        if server.username:
            await self._take("auth", "auth", lambda: sign_in(self.smtp, server, tokens))
        await _reach("greet.after")

    async def _connect(self, server: SmtpUrl) -> None:
        """Up to the banner; the handshake of implicit TLS comes before it and has its share of the time."""
        self.stage = "connect"
        await _reach("connect.before")
        async with self._within("connect"):
            line = await dial(server.host, server.port)
        self.stage = "banner"
        async with self._within("banner", extra=self._seconds["tls"] if server.tls == "implicit" else 0):
            await self.smtp.connect(sock=line)
        await _reach("connect.after")

    async def _take(self, step: str, stage: Stage, act: Callable[[], Awaitable[object]]) -> None:
        self.stage = stage
        await _reach(f"{step}.before")
        async with self._within(stage):
            await act()
        await _reach(f"{step}.after")

    def _within(self, step: str, *, extra: float = 0) -> asyncio.Timeout:
        return asyncio.timeout(self._seconds[step] + extra)

    async def command(self, stage: Stage, command: bytes, *, wanted: int = 2) -> None:
        """Say one line; a reply whose first digit isn't `wanted` is raised as the answer it means."""
        self.stage = stage
        if failpoints.armed:
            await failpoints.reach(f"smtp.{stage}.before")
        async with self._within(stage):
            code, text = await self.protocol.execute_command(command)
        if failpoints.armed:
            await failpoints.reach(f"smtp.{stage}.after")
        if code // 100 != wanted:
            raise of_reply(code, text, stage)

    async def check_lease(self, before_data: LeaseCheck) -> None:
        self.stage = "fence"
        await _reach("fence.before")
        async with asyncio.timeout(_FENCE):
            allowed = await before_data()
        await _reach("fence.after")
        if not allowed:
            raise TemporaryFailure(0, "the check before DATA said no", "fence", "ours")

    async def send_content(self, content: bytes) -> tuple[int, str]:
        """Everything after 354, up to the server's word on it, which is the answer."""
        # Until the last of it has left us the final dot can't have been seen.
        self.stage = "data"
        protocol = self.protocol
        async with self._within("block"):
            if failpoints.armed:
                await self._write_in_steps(content)
            else:
                protocol.write(content)
            await _drained(protocol)
        self.stage = "dot"
        self.awaiting_content = False
        async with self._within("dot"):
            code, text = await protocol.read_response()
        if failpoints.armed:
            await failpoints.reach("smtp.dot.after")
        if code // 100 != 2:
            raise of_reply(code, text, "dot")
        return code, one_line(text)

    async def _write_in_steps(self, content: bytes) -> None:
        half, dot = len(content) // 2, len(content) - len(b".\r\n")
        await failpoints.reach("smtp.content.before")
        self.protocol.write(content[:half])
        await failpoints.reach("smtp.half")
        self.protocol.write(content[half:dot])
        await failpoints.reach("smtp.content.after")
        self.protocol.write(content[dot:])
        await failpoints.reach("smtp.dot.before")

    async def accepts(self, command: bytes) -> bool:
        """Whether the server is there and says yes to a command without consequences."""
        step = command.decode().lower()
        try:
            async with self._within("noop"):
                await _reach(f"{step}.before")
                code, _ = await self.protocol.execute_command(command)
                await _reach(f"{step}.after")
        except Exception:  # noqa: BLE001 - whatever it was, the answer is no
            return False
        except BaseException:
            self.abort()
            raise
        return code // 100 == 2 and self.alive

    async def quit(self) -> None:
        """Say QUIT, wait a little for the answer, go."""
        try:
            async with asyncio.timeout(1):
                await _reach("quit.before")
                await self.protocol.execute_command(b"QUIT")
                await _reach("quit.after")
        except Exception:  # noqa: BLE001, S110 - they may have left first; we leave all the same
            pass
        finally:
            self.abort()
        await asyncio.sleep(0)  # the transport closes its socket in the loop's next round

    def abort(self) -> None:
        """Cut at once, without the farewells of TLS, which a dead peer would draw out."""
        transport = cast("asyncio.WriteTransport | None", self.smtp.transport)
        self.smtp.close()
        if transport is not None:
            transport.abort()


async def dial(host: str, port: int) -> socket.socket:
    """A connection to the first address that answers; IPv6 and IPv4 take turns, a quarter of a second apart."""
    loop = asyncio.get_running_loop()
    addresses = await loop.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    return await aiohappyeyeballs.start_connection(addresses, happy_eyeballs_delay=0.25)


async def _drained(protocol: SMTPProtocol) -> None:
    """Wait until what was written is the system's or the connection is lost; under TLS the last 64 KiB may be late."""
    # Not 0, at which the loops' TLS pauses for ever.
    cast("asyncio.WriteTransport", protocol.transport).set_write_buffer_limits(high=1)
    # What StreamWriter.drain() asks of a protocol; but a StreamWriter closes the connection that it is made of.
    await protocol._drain_helper()  # noqa: SLF001


async def _reach(point: str) -> None:
    if failpoints.armed:
        await failpoints.reach(f"smtp.{point}")


def on_the_wire(message: bytes) -> bytes:
    """CRLF only, leading dots doubled, the final dot at its end."""
    if not message.count(b"\r\n") == message.count(b"\n") == message.count(b"\r"):
        message = re.sub(rb"\r\n|\r|\n", b"\r\n", message)
    if not message.endswith(b"\r\n"):
        message += b"\r\n"
    stuffed = message.replace(b"\r\n.", b"\r\n..")
    return (b"." + stuffed if stuffed.startswith(b".") else stuffed) + b".\r\n"
