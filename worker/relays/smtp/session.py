"""Speak SMTP over one connection: greet, TLS, AUTH, commands, content."""

import asyncio
import re
import socket
from collections.abc import Awaitable, Callable
from dataclasses import asdict
from typing import cast

import aiohappyeyeballs
import aiosmtplib
from aiosmtplib.protocol import SMTPProtocol

from service import failpoints, tracing
from service.smtp_deadlines import Deadlines
from worker.relays.envelope import LeaseCheck
from worker.relays.outcomes import Stage, TemporaryFailure, one_line
from worker.relays.smtp.oauth import AccessTokens
from worker.relays.smtp.reply_codes import of_reply
from worker.relays.smtp.sign_in import sign_in
from worker.relays.smtp_url import SmtpUrl

# Seconds for the lease check before DATA, at most one statement to Postgres.
_FENCE = 30.0
# Failpoints. The banner is part of connect; greet covers everything until ready for MAIL. At half, half of the content
# is written; after content, all but the dot; before dot, the dot too; after dot, its reply has come.
_STEPS = (
    "greet", "connect", "ehlo", "starttls", "auth", "mail", "rcpt", "fence", "data", "content", "dot", "rset", "noop",
    "quit",
)  # fmt: skip
CROSSINGS = (*(f"smtp.{step}.{side}" for step in _STEPS for side in ("before", "after")), "smtp.half")


class SmtpSession:
    """One SMTP session; `stage` is the step that an error belongs to.

    While `awaiting_content` is set the server reads everything as content: then the session can only be aborted.
    Commands go straight to aiosmtplib's protocol: its own mail() and rcpt() parse each address again, cut parts of
    it, and cost more than the exchange itself.
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

    async def greet(self, server: SmtpUrl, tokens: AccessTokens | None = None) -> None:
        """Connect, encrypt and sign in; raises aiosmtplib's errors for every refusal."""
        await _reach("greet.before")
        await self._connect(server)
        await self._step("ehlo", "ehlo", self.smtp.ehlo)
        if server.tls == "starttls":
            await self._step("starttls", "tls", lambda: self.smtp.starttls(timeout=self._seconds["tls"]))
            await self._step("ehlo", "ehlo", self.smtp.ehlo)
        if server.username:
            await self._step("auth", "auth", lambda: sign_in(self.smtp, server, tokens))
        await _reach("greet.after")

    async def _connect(self, server: SmtpUrl) -> None:
        """Connect and read the banner; a handshake of implicit TLS comes first and adds its own deadline."""
        self.stage = "connect"
        await _reach("connect.before")
        async with self._within("connect"):
            line = await open_socket(server.host, server.port)
        self.stage = "banner"
        async with self._within("banner", extra=self._seconds["tls"] if server.tls == "implicit" else 0):
            await self.smtp.connect(sock=line)
        await _reach("connect.after")

    async def _step(self, step: str, stage: Stage, act: Callable[[], Awaitable[object]]) -> None:
        self.stage = stage
        tracing.event(step)
        await _reach(f"{step}.before")
        async with self._within(stage):
            await act()
        await _reach(f"{step}.after")

    def _within(self, step: str, *, extra: float = 0) -> asyncio.Timeout:
        return asyncio.timeout(self._seconds[step] + extra)

    async def command(self, stage: Stage, command: bytes, *, wanted: int = 2) -> None:
        """Send one line; raises the DeliveryFailure that the reply means if its first digit isn't `wanted`."""
        self.stage = stage
        tracing.event(stage)
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
        """Send the content after 354 and return code and text of the reply; raises DeliveryFailure for a refusal."""
        # Until the last byte has left this process the server can't have seen the final dot.
        self.stage = "data"
        protocol = self.protocol
        async with self._within("block"):
            if failpoints.armed:
                await self._write_in_steps(content)
            else:
                self._write_end(content)
            await _drain(protocol)
        self.stage = "dot"
        tracing.event("dot")
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
        self._write_end(content[dot:])
        await failpoints.reach("smtp.dot.before")

    def _write_end(self, rest: bytes) -> None:
        """Write the last of the content. If the kernel has taken it all, an error from now on may come too late."""
        self.protocol.write(rest)
        if not cast("asyncio.WriteTransport", self.protocol.transport).get_write_buffer_size():
            self.stage = "dot"

    async def accepts(self, command: bytes) -> bool:
        """Return whether the server accepts a command without consequences: NOOP or RSET."""
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
        except Exception:  # noqa: BLE001, S110 - the server may have closed first
            pass
        finally:
            self.abort()
        await asyncio.sleep(0)  # the transport closes its socket in the loop's next round

    def abort(self) -> None:
        """Close at once, without TLS's closing handshake, which a dead peer would delay."""
        transport = cast("asyncio.WriteTransport | None", self.smtp.transport)
        self.smtp.close()
        if transport is not None:
            transport.abort()


async def open_socket(host: str, port: int) -> socket.socket:
    """Connect to the first address that answers, IPv6 and IPv4 alternately, 0.25 s apart (RFC 8305)."""
    loop = asyncio.get_running_loop()
    addresses = await loop.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    return await aiohappyeyeballs.start_connection(addresses, happy_eyeballs_delay=0.25)


async def _drain(protocol: SMTPProtocol) -> None:
    """Wait until the kernel has what was written or the connection is lost; TLS may hold back its last 64 KiB."""
    # Not 0: at that the event loop's TLS would pause for ever.
    cast("asyncio.WriteTransport", protocol.transport).set_write_buffer_limits(high=1)
    # StreamWriter.drain() does the same, but a StreamWriter closes the connection that it is made of.
    await protocol._drain_helper()  # noqa: SLF001


async def _reach(point: str) -> None:
    if failpoints.armed:
        await failpoints.reach(f"smtp.{point}")


def dot_stuffed(message: bytes) -> bytes:
    """Encode content for DATA (RFC 5321 4.5.2): CRLF only, leading dots doubled, the final dot at its end."""
    if not message.count(b"\r\n") == message.count(b"\n") == message.count(b"\r"):
        message = re.sub(rb"\r\n|\r|\n", b"\r\n", message)
    if not message.endswith(b"\r\n"):
        message += b"\r\n"
    stuffed = message.replace(b"\r\n.", b"\r\n..")
    return (b"." + stuffed if stuffed.startswith(b".") else stuffed) + b".\r\n"
