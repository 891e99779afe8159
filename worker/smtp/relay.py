"""A pool of reused connections to one SMTP server."""

import asyncio
import socket
import ssl
from dataclasses import dataclass

import aiosmtplib

from worker.messages import is_address
from worker.smtp import answers
from worker.smtp.answers import Refused, TryLater, Undelivered
from worker.smtp.dialogue import Connection, Fence, Mail, on_the_wire
from worker.smtp.server import HOST, Server


@dataclass(frozen=True, slots=True)
class Deadlines:
    """Seconds in all, however slowly a server drips: until ready, envelope, content, NOOP or RSET."""

    connect: float = 10.0
    commands: float = 30.0
    after_dot: float = 300.0
    probe: float = 5.0


class Relay:
    """A pool of at most `connections` open connections to one server, the last used first.

    One used for `mails_a_connection` mails is renewed; one idle for `idle` seconds must prove it lives.
    """

    def __init__(
        self,
        server: Server,
        *,
        connections: int = 10,
        deadlines: Deadlines = Deadlines(),
        idle: float = 25.0,
        mails_a_connection: int = 100,
    ) -> None:
        """Raise OSError when the server's `ca` file holds no certificate."""
        self.server = server
        self.deadlines = deadlines
        self._limit = mails_a_connection
        self._idle_limit = idle
        self._idle: list[Connection] = []
        self._slots = asyncio.Semaphore(connections)
        self._closed = False
        self._context = None if server.tls == "none" else ssl.create_default_context(cafile=server.ca)
        own = server.helo or socket.gethostname()
        self._helo = own if HOST.fullmatch(own.lower()) else "localhost"

    async def send(self, sender: str, recipient: str, message: bytes, *, before_data: Fence | None = None) -> None:
        """Hand one message to the server for one recipient; `sender` may be empty, for the null return path.

        `before_data` is awaited once the recipient is taken, just before DATA: False, or an exception of its
        own, abandons the mail with TryLater at stage "fence". Waiting for a free connection has no deadline
        of ours. Raises Refused or TryLater, and nothing else but CancelledError.
        """
        if not is_address(recipient):
            raise Refused(0, "the recipient is not one plain address", "address")
        if sender and not is_address(sender):
            raise TryLater(0, "the sender is not one plain address", "address")
        mail = Mail(sender.encode(), recipient.encode(), on_the_wire(message), before_data)
        async with self._slots:
            fault = await self._attempt(mail)
        if fault is not None:
            raise fault

    async def close(self) -> None:
        """Say goodbye on every idle connection; busy ones end with their mail, later sends get TryLater."""
        self._closed = True
        idle, self._idle = self._idle, []
        await asyncio.gather(*(connection.part() for connection in idle))

    async def _attempt(self, mail: Mail) -> Undelivered | None:
        """Send over a waiting connection, or over a new one if that proves dead before it took anything."""
        connection = await self._waiting()
        if connection is not None:
            fault = await self._converse(connection, mail)
            if not connection.found_dead:
                return fault
        opened = await self._open()
        return opened if isinstance(opened, Undelivered) else await self._converse(opened, mail)

    async def _waiting(self) -> Connection | None:
        """The connection used last that still lives; a round trip proves it only after a long rest."""
        while self._idle:
            connection = self._idle.pop()
            if connection.mails >= self._limit:
                await connection.part()
                continue
            rested = asyncio.get_running_loop().time() - connection.used_at
            fresh = rested < self._idle_limit
            if connection.alive and (fresh or await connection.accepts(b"NOOP", self.deadlines.probe)):
                return connection
            connection.drop()
        return None

    async def _open(self) -> Connection | Undelivered:
        """A connection ready for MAIL FROM: TLS as configured, never less, and signed in."""
        if self._closed:
            return TryLater(0, "the relay is closing", "connect")
        server = self.server
        smtp = aiosmtplib.SMTP(
            hostname=server.host,
            port=server.port,
            local_hostname=self._helo,
            use_tls=server.tls == "implicit",
            start_tls=False,
            tls_context=self._context,
            timeout=None,
        )
        connection = Connection(smtp)
        try:
            async with asyncio.timeout(self.deadlines.connect):
                await connection.greet(server)
                return connection
        except Exception as error:  # noqa: BLE001 - whatever it was, it becomes one of our two answers
            fault = answers.of_error(error, connection.stage)
        except BaseException:
            connection.drop()
            raise
        connection.drop()
        return fault

    async def _converse(self, connection: Connection, mail: Mail) -> Undelivered | None:
        """One mail over one connection, which is then put back, cleared by RSET, or dropped."""
        loop = asyncio.get_running_loop()
        try:
            async with asyncio.timeout(self.deadlines.commands) as deadline:
                await connection.ask("mail", b"MAIL FROM:<" + mail.sender + b">")
                await connection.ask("rcpt", b"RCPT TO:<" + mail.recipient + b">")
                if mail.before_data is not None:
                    await connection.pass_fence(mail.before_data)
                await connection.ask("data", b"DATA", wanted=3)
                deadline.reschedule(loop.time() + self.deadlines.after_dot)
                await connection.hand_over(mail.content)
        except Exception as error:  # noqa: BLE001 - as above
            fault = answers.of_error(error, connection.stage)
        except BaseException:
            # Cancelled in mid-dialogue: whatever the server says next would answer the wrong question.
            connection.drop()
            raise
        else:
            connection.mails += 1
            self._put_back(connection, loop.time())
            return None
        connection.found_dead = connection.is_dead(fault)
        # The server spoke clearly, or wasn't asked: the connection is good once its envelope is cleared.
        clear = fault.code not in {0, 421} or fault.stage == "fence"
        if clear and await connection.accepts(b"RSET", self.deadlines.probe):
            self._put_back(connection, loop.time())
        else:
            connection.drop()
        return fault

    def _put_back(self, connection: Connection, now: float) -> None:
        if self._closed:
            connection.drop()
        elif connection.alive:
            connection.used_at = now
            self._idle.append(connection)
